"""What looks after a server that runs: counts, the reactor's lag, systemd, the monitor child, and its last words."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.logger import ILogObserver, LogEvent, Logger, globalLogPublisher
from zope.interface import implementer

from chatserv.config import Config
from chatserv.counts import Count, Counts
from chatserv.last_words import LastWords
from chatserv.launch import Launch
from chatserv.models import Event, EventKind
from chatserv.monitor.process import MonitorService
from chatserv.systemd import Notifier
from chatserv.watchdog import Feeder, LagMeter

log = Logger(namespace="chatserv.supervision")
CLOSED: Final = "EMFILE recovery: Closed"  # how `twisted.internet.tcp` begins


@implementer(ILogObserver)
class ClosedConnections:
    """Counts connections that Twisted closes because this process has no descriptor left; it tells the log alone."""

    def __init__(self, count: Count) -> None:
        self._count = count

    def __call__(self, event: LogEvent) -> None:
        """Something is logged."""
        if str(event.get("log_format", "")).startswith(CLOSED):
            self._count("turned_away", "descriptors")


class Supervision:
    """All of it; nothing has a thread, a file or a child before `start`.

    Args:
        reactor: The reactor.
        config: The settings of the start.
        state: The state directory.
        launch: As whom files are made.
    """

    def __init__(self, reactor: Any, config: Config, state: Path, launch: Launch) -> None:
        self.counts = Counts()
        self._closed = ClosedConnections(self.counts.add)
        self.lag = LagMeter(reactor, self.counts.add)
        self.monitor = MonitorService(
            reactor, config.monitoring, sys.executable, lag=partial(self.lag.worst, "monitor")
        )
        self._reactor, self._launch = reactor, launch
        self._notifier = Notifier()
        self._feeder: Feeder | None = None
        self._summary: Callable[[], str] = str
        self._last_words = LastWords((state / config.logging.file).parent)

    def look_after(self, ping: Callable[[], Awaitable[None]], summary: Callable[[], str]) -> None:
        """Names what the watchdog asks before it is fed, and what ``systemctl status`` shows."""
        self._summary = summary
        self._feeder = Feeder(self._reactor, self._notifier, ping, summary)

    def count_events(self, events: Sequence[Event]) -> None:
        """Counts what was stored."""
        messages = sum(event.kind is EventKind.MESSAGE for event in events)
        self.counts.add("messages", by=messages)
        self.counts.add("commits", by=len(events) - messages)

    def start(self) -> None:
        """After the fork, in the reactor's thread."""
        try:
            if self._launch.does(self._last_words.open):
                where = self._last_words.older
                log.error("the server before was ended from outside or by a fault in C; {path} says where", path=where)
        except OSError as error:
            log.warn("{path}: {reason}", path=self._last_words.path, reason=error.strerror)
        globalLogPublisher.addObserver(self._closed)
        self.lag.start()
        self.monitor.startService()

    def ready(self) -> None:
        """The server is there for everybody."""
        self._notifier.ready(self._summary())
        if self._feeder is not None:
            self._feeder.start()

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """While settings are read anew."""
        self._notifier.reloading()
        try:
            yield
        finally:
            self._notifier.ready(self._summary())

    def stopping(self) -> None:
        """The server ends."""
        self._notifier.stopping()

    async def stop(self) -> None:
        """Before the store is closed."""
        if self.monitor.running:
            await self.monitor.stopService()
        if self._feeder is not None:
            self._feeder.stop()

    def end(self) -> None:
        """At the very end."""
        globalLogPublisher.removeObserver(self._closed)
        self.lag.stop()
        self._last_words.close()
