"""The log files: ``twisted.logger`` events become lines of server.log, connections.log, monitor.log and audit.log.

Logging never fails anybody: a full disk or a vanished directory costs log lines, which are counted, and one warning on
stderr. The files come back with the next write that works.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, formatTime
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv import VERSION
from chatserv.audit_log import NAME as AUDIT_FILE
from chatserv.audit_log import Chain
from chatserv.config import Logging
from chatserv.log_file import OpenFile, Sink, open_rotating
from chatserv.streams import escape
from chatserv.systemd import goes_to_journal

_TRACEBACK_LINES = 200
_AUDIT = "chatserv.audit"
_NAMESPACES = (
    ("chatserv.net.connections", "connections.log"),
    ("chatserv.monitor", "monitor.log"),
    (_AUDIT, AUDIT_FILE),
)
_LEVELS = {
    "DEBUG": (LogLevel.debug, 0),
    "INFO": (LogLevel.info, 1),
    "WARN": (LogLevel.warn, 2),
    "ERROR": (LogLevel.error, 3),
    "CRITICAL": (LogLevel.critical, 4),
}
_RANKS = dict(_LEVELS.values())
_PRIORITIES = (7, 6, 4, 3, 2)  # by rank; syslog(3)


def _now() -> float:
    return datetime.now(tz=UTC).timestamp()


@implementer(ILogObserver)
class LogFiles:
    """The observer for all log files of a server; nothing is opened before the first event.

    Args:
        settings: ``file`` is server.log's path; the other files stand beside it.
        state_dir: What a relative path is relative to.
        terminal: Where people watch, or None: level INFO and above, and all events of connections and monitor. Where that
            is the journal, as `goes_to_journal` says, a line an event, and of which files ``settings.journal`` says.
        now: Wall clock, in seconds since 1970, for events without a time.
        monotonic: A clock in seconds that never goes back.
        stderr: Where the warning goes when a file breaks; by default the process's own, not the one that twistd logs.
        open_file: Opens a log file.
        acting: In which files are opened, turned over and written to: as the user whose they are.
    """

    def __init__(
        self,
        settings: Logging,
        state_dir: Path,
        terminal: TextIO | None = None,
        *,
        now: Callable[[], float] = _now,
        monotonic: Callable[[], float] = time.monotonic,
        stderr: TextIO | None = None,
        open_file: OpenFile = open_rotating,
        acting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._terminal = terminal
        self._journal = goes_to_journal(terminal)
        self._chain = Chain(lambda: datetime.fromtimestamp(self._now(), UTC))
        self._acting = acting
        self._now = now
        self._stderr = stderr
        self._lock = threading.RLock()  # events come from worker threads too
        self._state_dir, self._monotonic, self._open_file = state_dir, monotonic, open_file
        self._sinks: list[Sink] = []
        self._lost_before = 0  # by files that the settings do not name any more
        self._settle(settings)

    def _settle(self, settings: Logging) -> None:
        self._settings = settings
        self._threshold = _LEVELS[settings.level.replace("WARNING", "WARN")][1]
        server = self._state_dir / settings.file
        paths = [server, *(server.with_name(name) for _, name in _NAMESPACES)]
        self._sinks = [Sink(path, settings, self._monotonic, self._open_file) for path in paths]
        self._server, *others = self._sinks
        self._audit = others[-1]
        self._others = [(prefix, sink) for (prefix, _), sink in zip(_NAMESPACES, others, strict=True)]

    def follow(self, settings: Logging) -> None:
        """Goes on by other settings; the next line goes to the file that they name."""
        with self._lock:
            if settings != self._settings:
                self.close()
                self._lost_before = self.lost
                self._settle(settings)

    @property
    def observer(self) -> ILogObserver:
        """What ``application.setComponent(ILogObserver, ...)`` takes."""
        return self

    @property
    def lost(self) -> int:
        """Lines that no file has, since the start."""
        return self._lost_before + sum(sink.lost for sink in self._sinks)

    def __call__(self, event: LogEvent) -> None:
        """Writes one event. Raises nothing."""
        level = event.get("log_level", LogLevel.info)
        rank = _RANKS.get(level, 1)
        sink = self._sink(str(event.get("log_namespace", "")))
        if rank < self._threshold and sink is not self._audit:
            return
        text = format_line(event, self._now())
        if not text:
            return
        with self._lock:
            if sink is self._audit:
                self._note(event)
            else:
                self._write(sink, text)
            if sink is not self._server or rank >= _LEVELS["INFO"][1]:
                self._show(text, rank, of_server=sink in {self._server, self._audit})

    def _note(self, event: LogEvent) -> None:
        """What was done, as a line of the chain; also one whose level the settings leave out."""
        values = {name.removeprefix("audit_"): value for name, value in event.items() if name.startswith("audit_")}
        what = str(event.get("event") or formatEvent(event))
        with self._acting():
            broken, data, point = self._chain.lines(self._audit.path, what, values)
            if broken:
                self._audit.cut(broken)
        self._write(self._audit, data.decode())
        if self._audit.error is None:
            self._chain.wrote(point)

    def write_header(self) -> None:
        """Marks a start in server.log, whatever the level."""
        line = f"==== chatserv {VERSION} started {formatTime(self._now())} pid {os.getpid()} ====\n"
        with self._lock:
            self._write(self._server, line)

    def reopen(self) -> None:
        """Opens all files anew by their names, after a rotation by others (SIGHUP)."""
        with self._lock:
            for sink in self._sinks:
                sink.reopen()

    def close(self) -> None:
        """Lets go of all files; a later event opens them again."""
        with self._lock:
            for sink in self._sinks:
                sink.close()

    def _sink(self, namespace: str) -> Sink:
        for prefix, sink in self._others:
            if namespace == prefix or namespace.startswith(prefix + "."):
                return sink
        return self._server

    def _write(self, sink: Sink, text: str) -> None:
        broken = any(other.error is not None for other in self._sinks)
        with self._acting():
            sink.write(text)
        if sink.error is not None and not broken:
            what = f"{escape(str(sink.path))} ({escape(sink.error)})"
            self._warn(f"chatserv: cannot write {what}; log lines are lost until it works\n")

    def _warn(self, text: str) -> None:
        stderr = self._stderr or sys.__stderr__
        if stderr is not None:
            with suppress(OSError, ValueError):
                stderr.write(text)
                stderr.flush()

    def _show(self, text: str, rank: int, *, of_server: bool) -> None:
        if self._journal:
            wanted = self._settings.journal
            if wanted == "none" or (wanted == "server" and not of_server):
                return
            text = journal_line(text, rank)
        if self._terminal is not None:
            with suppress(OSError, ValueError):
                encoding = self._terminal.encoding or "utf-8"
                self._terminal.write(text.encode(encoding, "backslashreplace").decode(encoding))
                self._terminal.flush()


def format_line(event: LogEvent, now: float) -> str:
    """One event as one line, ``2026-11-23T20:00:00+0000 [INFO] text``; a failure's traceback follows, each line after a tab.

    Args:
        event: Any event; one without text or failure gives "".
        now: Its time, where it has none itself; seconds since 1970.
    """
    text = formatEvent(event)
    failure = event.get("log_failure")
    if not text and failure is None:
        return ""
    level = event.get("log_level", LogLevel.info)
    name = level.name.upper() if level in _RANKS else "INFO"
    when = event.get("log_time")
    lines = [f"{formatTime(when if isinstance(when, float) else now)} [{name}] {escape(text or 'failure')}"]
    traceback = failure.getTraceback().rstrip("\n").split("\n") if isinstance(failure, Failure) else []
    lines += [f"\t{escape(line)}" for line in event.get("log_stack", traceback)[-_TRACEBACK_LINES:]]
    return "\n".join(lines) + "\n"


def journal_line(text: str, rank: int) -> str:
    """An event for the journal: one line, without the date, that begins with its priority (sd-daemon(3))."""
    _, _, said = text.rstrip("\n").partition("] ")
    return f"<{_PRIORITIES[rank]}>" + said.replace("\n\t", " | ") + "\n"
