"""The log files: ``twisted.logger`` events become lines of server.log, connections.log and monitor.log.

Logging never fails anybody: a full disk or a vanished directory costs log lines, which are counted, and one warning on
stderr. The files come back with the next write that works.
"""

import os
import re
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
from twisted.python.logfile import LogFile
from zope.interface import implementer

from chatserv import VERSION
from chatserv.config import Logging

RETRY_SECONDS = 1.0  # how often a broken file is tried again, and a whole one is looked for in its directory
_TEXT_CHARS = 8192  # the longest line
_TRACEBACK_LINES = 200
_NAMESPACES = (("chatserv.net.connections", "connections.log"), ("chatserv.monitor", "monitor.log"))
_LEVELS = {
    "DEBUG": (LogLevel.debug, 0),
    "INFO": (LogLevel.info, 1),
    "WARN": (LogLevel.warn, 2),
    "ERROR": (LogLevel.error, 3),
    "CRITICAL": (LogLevel.critical, 4),
}
_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)  # of an old file; `Logging.keep_files` is at most 1000
_RANKS = dict(_LEVELS.values())


def _now() -> float:
    return datetime.now(tz=UTC).timestamp()


class RotatingFile(LogFile):
    """A `LogFile` that notices a short write, and the loss of its name to a rotation or removal by others."""

    def __init__(self, path: Path, settings: Logging) -> None:
        LogFile.__init__(self, path.name, str(path.parent), settings.max_size, 0o600, settings.keep_files)

    def write(self, data: bytes) -> None:
        """Appends ``data``, all of it or none. Raises OSError or, after a rotation that failed half-way, ValueError."""
        if LogFile.shouldRotate(self):
            LogFile.rotate(self)
        start = self._file.tell()
        try:
            written = self._file.write(data)
            if written != len(data):
                raise OSError(f"only {written} of {len(data)} bytes were written")
        except OSError:
            with suppress(OSError):
                self._file.truncate(start)
                self._file.seek(start)
            raise
        self.size = start + len(data)

    def listLogs(self) -> list[int]:  # noqa: N802 - Twisted's
        """The numbers of the old files, from the newest. Twisted's own takes the path for a pattern (``chat[1]``), and a
        date at the end of somebody else's file (``server.log.20261129``) for a number that is too high to keep.
        """
        with os.scandir(self.directory) as found:
            numbers = [entry.name.removeprefix(f"{self.name}.") for entry in found if entry.name != self.name]
        return sorted(int(number) for number in numbers if _NUMBER.fullmatch(number))

    def is_astray(self) -> bool:
        """Whether another file, or none, has this one's name by now, or it has shrunk."""
        try:
            named, own = os.stat(self.path), os.fstat(self._file.fileno())
        except OSError:
            return True
        return (named.st_dev, named.st_ino) != (own.st_dev, own.st_ino) or own.st_size < self.size


OpenFile = Callable[[Path, Logging], RotatingFile]


def open_rotating(path: Path, settings: Logging) -> RotatingFile:
    """Opens a log file for appending (mode 0600), making its directory (mode 0700) where needed. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return RotatingFile(path, settings)


class _Sink:
    """One log file, whole or broken: ``error`` says what is wrong, ``lost`` counts the lines it cost. Nothing is raised."""

    def __init__(self, path: Path, settings: Logging, monotonic: Callable[[], float], open_file: OpenFile) -> None:
        self.path = path
        self.error: str | None = None
        self.lost = 0
        self._settings = settings
        self._monotonic = monotonic
        self._open_file = open_file
        self._file: RotatingFile | None = None
        self._checked = -RETRY_SECONDS

    def write(self, text: str) -> None:
        """Writes a whole line, or counts it as lost."""
        now = self._monotonic()
        if now - self._checked >= RETRY_SECONDS:
            self._checked = now
            if self._file is not None and self._file.is_astray():
                self.close()
        elif self.error is not None:
            self.lost += 1
            return
        try:
            if self._file is None:
                self._file = self._open_file(self.path, self._settings)
            self._file.write(text.encode("utf-8", "backslashreplace"))
        except (OSError, ValueError) as error:  # ValueError: the file was closed by a rotation that failed half-way
            self._checked = now
            self.lost += 1
            self.error = str(error)
            self.close()
        else:
            self.error = None

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError, ValueError):
                LogFile.close(file)

    def reopen(self) -> None:
        """Lets go of the file; the next write opens it by name, without waiting."""
        self.close()
        self._checked = -RETRY_SECONDS


@implementer(ILogObserver)
class LogFiles:
    """The observer for all log files of a server; nothing is opened before the first event.

    Args:
        settings: ``file`` is server.log's path; the other files stand beside it.
        state_dir: What a relative path is relative to.
        terminal: Where people watch, or None: level INFO and above, and all events of connections and monitor.
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
        self._acting = acting
        self._now = now
        self._stderr = stderr
        self._threshold = _LEVELS[settings.level.replace("WARNING", "WARN")][1]
        self._lock = threading.RLock()  # events come from worker threads too
        self._terminal_lost = 0
        server = state_dir / settings.file
        self._server = _Sink(server, settings, monotonic, open_file)
        self._others = [
            (prefix, _Sink(server.with_name(name), settings, monotonic, open_file)) for prefix, name in _NAMESPACES
        ]
        self._sinks = [self._server, *(sink for _, sink in self._others)]

    @property
    def observer(self) -> ILogObserver:
        """What ``application.setComponent(ILogObserver, ...)`` takes."""
        return self

    @property
    def lost(self) -> int:
        """Lines that no file has, since the start."""
        return sum(sink.lost for sink in self._sinks)

    def __call__(self, event: LogEvent) -> None:
        """Writes one event. Raises nothing."""
        level = event.get("log_level", LogLevel.info)
        rank = _RANKS.get(level, 1)
        if rank < self._threshold:
            return
        text = format_line(event, self._now())
        if not text:
            return
        sink = self._sink(str(event.get("log_namespace", "")))
        with self._lock:
            self._write(sink, text)
            if sink is not self._server or rank >= _LEVELS["INFO"][1]:
                self._show(text)

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

    def _sink(self, namespace: str) -> _Sink:
        for prefix, sink in self._others:
            if namespace == prefix or namespace.startswith(prefix + "."):
                return sink
        return self._server

    def _write(self, sink: _Sink, text: str) -> None:
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

    def _show(self, text: str) -> None:
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
    if isinstance(failure, Failure):
        traceback = failure.getTraceback().rstrip("\n").split("\n")
        lines += [f"\t{escape(line)}" for line in traceback[-_TRACEBACK_LINES:]]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text without control characters, line ends, bidi controls and other invisible ones: they turn to escapes."""
    if len(text) > _TEXT_CHARS:
        text = text[:_TEXT_CHARS] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
