"""The composition root: everything the server consists of, put together once, started and stopped in order.

twistd calls ``setServiceParent``, forks, then ``privilegedStartService`` and ``startService``. So threads, connections to
the database, children and signal handlers come to be in the last two only.
"""

import atexit
import os
import secrets
import signal
from contextlib import suppress
from typing import Any, TextIO

from twisted.application import strports
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred, succeed
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from chatserv import VERSION
from chatserv.bootstrap import Prepared
from chatserv.clocks import now_ms
from chatserv.commands.blob_sweep import BlobSweeper
from chatserv.commands.leaving import close_deserted
from chatserv.commands.retention import Sweeper
from chatserv.composition import compose
from chatserv.config import Config, Metrics, Server
from chatserv.errors import ChatError
from chatserv.failpoints import active, failpoint
from chatserv.interpreter import set_resource_limits, tune_interpreter
from chatserv.launch import Launch, hold_pidfile
from chatserv.limits import Limits
from chatserv.listening import with_backlog
from chatserv.live_settings import LiveSettings
from chatserv.logs import LogFiles
from chatserv.net.authenticator import Authenticator
from chatserv.net.certificates import ServedCertificate
from chatserv.net.factory import ChatFactory, PlainFactory
from chatserv.net.short_turns import shorten_turns
from chatserv.net.sockets import FewAtOnce
from chatserv.net.tls import TLSFactory
from chatserv.operating import Operating
from chatserv.reloading import Reloaded, Reloading
from chatserv.repeating import repeated
from chatserv.settings_sources import Sources
from chatserv.store.checking import WAY_BACK, Damage
from chatserv.supervision import Supervision
from chatserv.wire.parameters import SessionContext
from chatserv.wire.records import RekeyLimits

log = Logger(namespace="chatserv.service")
DRAIN_STEP_SECONDS = 0.05
SWEEP_SECONDS = 600.0  # between two looks for messages and files that are not to be kept
HEAD_CHECK_SECONDS = 3600.0  # between two looks at the age of the log's signed head
BACKLOG = 4096  # connections that wait to be accepted; a class comes back at once after a restart


def endpoint_strings(server: Server) -> list[str]:
    """The Twisted endpoint strings of the TLS listeners."""
    return [with_backlog(each, BACKLOG) for each in server.listen] or [listen_string(server.host, server.port)]


def listen_string(host: str, port: int) -> str:
    """The endpoint string of one address, IPv4 or IPv6."""
    kind, colon = ("tcp6", r"\:") if ":" in host else ("tcp", ":")
    return f"{kind}:{port}:interface={host.replace(':', colon)}:backlog={BACKLOG}"


class ChatService(MultiService):
    """The whole server.

    Args:
        prepared: What was made before the fork.
        reactor: The reactor.
        terminal: Where starts, stops, connects and samples are shown as well, or None.
        launch: What twistd was told.
        sources: Where the settings come from, to read them anew; None: there is nothing to read.
    """

    def __init__(
        self,
        prepared: Prepared,
        reactor: Any,
        terminal: TextIO | None,
        launch: Launch | None = None,
        sources: Sources | None = None,
    ) -> None:
        super().__init__()
        self._prepared, self._reactor = prepared, reactor
        self._launch = launch or Launch()
        self.settings = settings = LiveSettings(prepared.config)
        config, limits = prepared.config, prepared.config.limits
        self.logs = LogFiles(config.logging, prepared.state.path, terminal, acting=self._launch.acting)
        self._supervision = watch = Supervision(reactor, config, prepared.state.path, self._launch)
        settings.subscribe(self._follow)
        self._composition = composition = compose(prepared, settings, reactor, watch.counts, self._launch)
        composition.store.subscribe(watch.count_events)
        self._context = context = composition.context
        watch.look_after(composition.store.ping, self._summary)
        self._opening: Deferred[None] = succeed(None)
        self._head_check = repeated(context.log.refresh, reactor)
        sweeper = Sweeper(context, prepared.stored.retention_clock_ms)
        self._sweeping = repeated(sweeper.sweep, reactor)
        self._blob_sweeping = repeated(BlobSweeper(context).sweep, reactor)
        self.factory = ChatFactory(
            context,
            prepared.public,
            surroundings(limits, reactor),
            Authenticator(context, composition.pool, prepared.identity, prepared.login_secret),
            reactor,
        )
        if composition.membership is not None:
            composition.membership.look_after(self.factory.drain, self.factory.take_in_again)
        served = ServedCertificate(prepared.tls)
        self._reloading = Reloading(sources or Sources(), settings, served, prepared.state, reactor)
        self._operating = Operating(prepared, context, self.factory, self._reloading, self._stop, reactor)
        self._add_listeners(served)
        if config.metrics.listen:
            self._add_metrics(config.metrics, served)

    def _follow(self, config: Config) -> None:
        """What has been read anew, for whom does not look."""
        self.logs.follow(config.logging)
        self._supervision.monitor.follow(config.monitoring)

    def _add_listeners(self, served: ServedCertificate) -> None:
        server = self._prepared.config.server
        for description in endpoint_strings(server):
            self._listen(description, TLSFactory(self.factory, served, self.factory.turnstile))
        if server.plain_address is not None:
            self._listen(listen_string(*server.plain_address), PlainFactory(self.factory))

    def _listen(self, description: str, factory: IProtocolFactory) -> None:
        listener = strports.service(description, factory, self._reactor)
        listener.endpoint = FewAtOnce(listener.endpoint)
        listener.setServiceParent(self)

    def _add_metrics(self, settings: Metrics, served: ServedCertificate) -> None:
        from chatserv.metrics.figures import Watched  # noqa: PLC0415 - most starts need neither this nor Twisted's web server
        from chatserv.metrics.serving import metrics_service  # noqa: PLC0415

        watch, parts, started = self._supervision, self._composition, self._reactor.seconds()
        watched = Watched(
            *(self._context, parts.store, parts.pool, self.factory, watch.counts, watch.lag, watch.monitor),
            *(self.logs, served, self._prepared.state, started),
        )
        metrics_service(settings, watched, self._reactor).setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Becomes part of an application, whose log is ours from now on."""
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.logs.observer)
        super().setServiceParent(parent)

    # -- start ---------------------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """After the fork: this process holds the state directory; binds the listeners."""
        self._prepared.state.note_pid()
        if self._launch.pidfile is not None:
            hold_pidfile(self._launch.pidfile)
        self.logs.write_header()
        if active():
            log.warn("fail-points are on, so this server is broken on purpose: {points}", points=active())
        super().privilegedStartService()

    def startService(self) -> None:
        """Starts threads, timers and the monitor; the reactor runs right after."""
        super().startService()
        tune_interpreter()
        shorten_turns(self._reactor)
        set_resource_limits()
        self.factory.wheel.start()
        self._composition.store.gave_up = lambda _reason: self._fail()
        self._opening = ensureDeferred(self._composition.start()).addCallbacks(self._opened, self._broken)
        self._reactor.callWhenRunning(self._handle_signals)
        self._supervision.start()

    def _opened(self, _: None) -> None:
        if not self.running:  # somebody has stopped it meanwhile
            return
        failpoint("start.opened")
        server = self._prepared.config.server
        self._operating.start()
        self._context.mending.begin()
        if not self._context.mending.active:
            self._context.effects.spawn(close_deserted(self._context))
        self._head_check.start(HEAD_CHECK_SECONDS, now=False)
        self._sweeping.start(SWEEP_SECONDS)
        self._blob_sweeping.start(SWEEP_SECONDS)
        self._reloading.start()
        where = ", ".join(server.listen) or f"{server.host}:{server.port}"
        self._composition.store.begin_check(self._damaged)
        log.info("chatserv {version} listening on {where} (TLS 1.3)", version=VERSION, where=where)
        self._supervision.ready()

    def _summary(self) -> str:
        return f"{len(self._context.hub.sessions)} sessions, {len(self.factory.connections)} connections"

    def _damaged(self, damage: Damage) -> None:
        self._supervision.counts.add("damage")
        file, text = self._prepared.state.database, "{file} is damaged ({damage}): nothing is stored any more; {way}"
        log.critical(text, file=str(file), damage=str(damage), page=damage.page, way=WAY_BACK)

    def _broken(self, failure: Any) -> None:
        log.failure("the store does not open; stopping", failure)
        self._fail()

    def _fail(self) -> None:
        atexit.register(os._exit, 1)  # twistd has no other way to a failing exit code
        if self.running:
            self._reactor.stop()

    def _handle_signals(self) -> None:
        # Our own handlers: twistd's would end with the signal (143), and SIGHUP would kill.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self._stop))
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._hang_up))

    def _stop(self) -> None:
        if self.running:
            log.info("stopping")
            self._reactor.stop()

    def _hang_up(self) -> None:
        with self._supervision.reloading():
            self.logs.reopen()
            log.info("logs reopened")
            with suppress(ChatError):  # the log has it
                self.reload()

    def reload(self) -> Reloaded:
        """Reads settings and certificate anew, all or nothing, and ends no connection. Raises `ChatError`."""
        return self._reloading.reload()

    # -- stop ----------------------------------------------------------------------------------------------------------

    def stopService(self) -> "Deferred[None]":
        """Listens no more, drains the sessions, commits what waits, ends the children; within 10 s."""
        return ensureDeferred(self._shut_down())

    async def _shut_down(self) -> None:
        for step in (
            self._supervision.stopping,
            self._operating.stop,
            self._drain,
            super().stopService,
            self._end_connections,
            self._supervision.stop,
            lambda: self._opening,  # its threads would hold up the end
            self._composition.stop,
            self._stop_timers,
            self._supervision.end,
        ):
            with log.failuresHandled(
                "something fails at the end; the rest of it is done"
            ):  # else threads keep us alive
                await maybeDeferred(step)
        log.info("stopped")

    def _drain(self) -> None:
        failpoint("stop.draining")
        if self._composition.membership is not None:
            self._composition.membership.leave()
        self.factory.drain()

    async def _end_connections(self) -> None:
        deadline = self._reactor.seconds() + self.settings.limits.drain_seconds
        while self.factory.connections and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, DRAIN_STEP_SECONDS)
        for connection in list(self.factory.connections):
            connection.transport.abortConnection()
        failpoint("stop.drained")

    def _stop_timers(self) -> None:
        self.factory.wheel.stop()
        self._reloading.stop()
        for call in (self._head_check, self._sweeping, self._blob_sweeping):
            if call.running:
                call.stop()
        failpoint("stop.closed")


def surroundings(limits: Limits, reactor: Any) -> SessionContext:
    """What the session cores get from this process."""
    return SessionContext(
        random=secrets.token_bytes,
        now_ms=now_ms,
        monotonic=reactor.seconds,
        line_bytes=limits.line_bytes,
        login_total_bytes=limits.login_total_bytes,
        rekey=RekeyLimits(limits.rekey_records, limits.rekey_bytes, limits.rekey_seconds),
    )
