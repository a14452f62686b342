"""The composition root: everything the server consists of, put together once, started and stopped in order.

twistd calls ``setServiceParent``, forks, then ``privilegedStartService`` and ``startService``. So threads, connections to
the database, children and signal handlers come to be in the last two only.
"""

import atexit
import gc
import os
import resource
import secrets
import signal
import sys
from functools import partial
from typing import Any, TextIO

from twisted.application import strports
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from chatserv import VERSION
from chatserv.backplane.local import LocalBackplane
from chatserv.bootstrap import Prepared
from chatserv.clocks import now_ms
from chatserv.commands.context import Context
from chatserv.commands.leaving import close_deserted
from chatserv.config import Limits, Server
from chatserv.crypto.suite import pss_sign, rsa_spki
from chatserv.launch import Launch, hold_pidfile
from chatserv.listening import Listener
from chatserv.logs import LogFiles
from chatserv.monitor.process import MonitorService
from chatserv.net.authenticator import Authenticator
from chatserv.net.effects import reactor_effects
from chatserv.net.factory import ChatFactory, PlainFactory
from chatserv.net.pool import CryptoPool
from chatserv.net.tls import TLSFactory, server_context
from chatserv.store.limits import StoreLimits
from chatserv.store.sql import SqlStore
from chatserv.wire.handshake import METHOD_DEVICE, METHOD_REGISTER
from chatserv.wire.parameters import ServerIdentity, SessionContext
from chatserv.wire.records import RekeyLimits

log = Logger(namespace="chatserv.service")
SWITCH_INTERVAL_SECONDS = 0.001  # a pool thread that comes back from C waits at most this for the interpreter
DRAIN_STEP_SECONDS = 0.05
HEAD_CHECK_SECONDS = 3600.0  # between two looks at the age of the log's signed head
GC_THRESHOLD = 20_000  # new objects between two young collections
BACKLOG = 4096  # connections that wait to be accepted; a class comes back at once after a restart


def all_listeners(server: Server) -> list[Listener]:
    """The listeners, with and without TLS."""
    plain = [] if server.plain_address is None else [Listener("tcp", *server.plain_address)]
    return [*server.listeners, *plain]


def endpoint_strings(server: Server) -> list[str]:
    """The Twisted endpoint strings of the TLS listeners."""
    return list(server.listen) or [listen_string(server.host, server.port)]


def listen_string(host: str, port: int) -> str:
    """The endpoint string of one address, IPv4 or IPv6."""
    kind, colon = ("tcp6", r"\:") if ":" in host else ("tcp", ":")
    return f"{kind}:{port}:interface={host.replace(':', colon)}:backlog={BACKLOG}"


def store_limits(limits: Limits) -> StoreLimits:
    """The bounds of the store among those of the server."""
    return StoreLimits(
        queue=limits.store_queue,
        batch=limits.store_batch,
        open_invites=limits.open_invites,
        accounts=limits.accounts,
        devices=limits.devices_per_account,
        rooms=limits.rooms,
        bans=limits.bans,
    )


class ChatService(MultiService):
    """The whole server.

    Args:
        prepared: What was made before the fork.
        reactor: The reactor.
        terminal: Where starts, stops, connects and samples are shown as well, or None.
        launch: What twistd was told.
    """

    def __init__(self, prepared: Prepared, reactor: Any, terminal: TextIO | None, launch: Launch | None = None) -> None:
        super().__init__()
        self._prepared, self._reactor = prepared, reactor
        self._launch = launch or Launch()
        config, limits = prepared.config, prepared.config.limits
        self.logs = LogFiles(config.logging, prepared.state.path, terminal, acting=self._launch.acting)
        self._store = SqlStore(prepared.state.database, store_limits(limits), reactor)
        self._pool = CryptoPool(reactor, limits.crypto_queue)
        self._context = context = self._compose()
        self._head_check = LoopingCall(context.log.refresh)
        self._head_check.clock = reactor
        methods = (METHOD_DEVICE,) if config.security.registration == "closed" else (METHOD_DEVICE, METHOD_REGISTER)
        self.factory = ChatFactory(
            context,
            ServerIdentity(rsa_spki(prepared.identity.public_key()), bytes(methods)),
            surroundings(limits, reactor),
            Authenticator(context, self._pool, prepared.identity),
            reactor,
        )
        self._add_listeners()
        self._monitor = MonitorService(reactor, config.monitoring, sys.executable)

    def _compose(self) -> Context:
        """The world of the commands, with all that the store holds of it, and the first signed head of the log."""
        prepared, effects = self._prepared, reactor_effects(self._reactor, now_ms, secrets.token_bytes)
        sign = partial(self._pool.run, pss_sign, prepared.identity)
        spki = rsa_spki(prepared.identity.public_key())
        context = Context.of(self._store, prepared.config, effects, spki, sign)
        context.take_in(prepared.rooms, prepared.consents, prepared.log, prepared.bans)
        for rotation in context.log.facts.undecided(context.log.size):
            context.log.facts.decide(rotation, signed=True)  # else there would have been no start
        context.log.sign_first(partial(pss_sign, prepared.identity))
        backplane = LocalBackplane()
        self._store.subscribe(backplane.publish)
        backplane.subscribe(context.deliver)
        return context

    def _add_listeners(self) -> None:
        server = self._prepared.config.server
        options = server_context(self._prepared.tls_key, self._prepared.tls_certificate)
        for description in endpoint_strings(server):
            strports.service(description, TLSFactory(self.factory, options), self._reactor).setServiceParent(self)
        if server.plain_address is not None:
            host, port = server.plain_address
            plain = listen_string(host, port)
            strports.service(plain, PlainFactory(self.factory), self._reactor).setServiceParent(self)

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
        super().privilegedStartService()

    def startService(self) -> None:
        """Starts threads, timers and the monitor; the reactor runs right after."""
        super().startService()
        tune_interpreter()
        set_resource_limits()
        self._pool.start()
        self.factory.wheel.start()
        ensureDeferred(self._store.open()).addCallbacks(self._opened, self._broken)
        self._reactor.callWhenRunning(self._handle_signals)
        if self._prepared.config.monitoring.enabled:
            self._monitor.startService()

    def _opened(self, _: None) -> None:
        server = self._prepared.config.server
        self._context.effects.spawn(close_deserted(self._context))
        self._head_check.start(HEAD_CHECK_SECONDS, now=False)
        where = ", ".join(server.listen) or f"{server.host}:{server.port}"
        log.info("chatserv {version} listening on {where} (TLS 1.3)", version=VERSION, where=where)

    def _broken(self, failure: Any) -> None:
        log.failure("the store does not open; stopping", failure)
        atexit.register(os._exit, 1)  # twistd has no other way to a failing exit code
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
        self.logs.reopen()
        log.info("logs reopened")

    # -- stop ----------------------------------------------------------------------------------------------------------

    def stopService(self) -> "Deferred[None]":
        """Listens no more, drains the sessions, commits what waits, ends the children; within 10 s."""
        return ensureDeferred(self._shut_down())

    async def _shut_down(self) -> None:
        self.factory.drain()
        await super().stopService()
        deadline = self._reactor.seconds() + self._prepared.config.limits.drain_seconds
        while self.factory.connections and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, DRAIN_STEP_SECONDS)
        for connection in list(self.factory.connections):
            connection.transport.abortConnection()
        if self._monitor.running:
            await self._monitor.stopService()
        await self._store.close()
        self.factory.wheel.stop()
        if self._head_check.running:
            self._head_check.stop()
        self._pool.stop()
        log.info("stopped")


def tune_interpreter() -> None:
    """Short waits for pool threads, and a collector that leaves alone what the imports made (48 ms a full collection)."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def set_resource_limits() -> None:
    """No core dumps, which would hold the identity key; as many file descriptors as the system allows."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
