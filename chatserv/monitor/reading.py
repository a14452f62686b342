"""The server's end of the monitor child's pipes: bounded reading, and what the child is started with."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

import chatserv
from chatserv.monitor.samples import Message, parse

LINE_BYTES = 65_536  # a sample with 300 Python processes takes about 20,000
LINES_A_SECOND = 100  # a healthy child at the shortest interval writes 20
WINDOW_SECONDS = 5.0  # over which lines are counted: after a blocked reactor many come at once
BAD_LINES = 10  # in the life of one child


class Listener(Protocol):
    """Who is told what a child does."""

    def line_arrived(self, message: Message) -> None:
        """A good line."""

    def child_misbehaved(self, reason: str) -> None:
        """A flood or too many bad lines; told once."""

    def child_ended(self, reason: str) -> None:
        """The process is reaped and its pipes are closed."""


class MonitorProcess(ProcessProtocol):
    """Reads one child: bounded lines, a bounded number a second, a bounded number of bad ones."""

    transport: IProcessTransport

    def __init__(self, listener: Listener, seconds: Callable[[], float], log: Logger) -> None:
        self._listener = listener
        self._seconds = seconds
        self._log = log
        self._buffer = b""
        self._bad_lines = 0
        self._window = (0.0, 0)
        self._reading = True

    def outReceived(self, data: bytes) -> None:
        """Cuts stdout into lines; Twisted hands over at most 64 KiB at a time."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if self._reading:
                self._receive(line)
        if len(self._buffer) > LINE_BYTES:
            self._give_up("floods its pipe: a line without end")

    def errReceived(self, data: bytes) -> None:
        """Logs what the child complains about; psutil and Python write there, nothing else."""
        if self._reading:
            self._count_line()
            self._log.warn("monitor child: {text}", text=data[-2000:].decode("utf-8", "replace").strip())

    def processEnded(self, reason: Failure) -> None:
        """Reports the end."""
        self._reading = False
        self._listener.child_ended(describe_end(reason))

    def signal(self, name: str) -> None:
        """Sends TERM or KILL; a child that is gone already is no error."""
        try:
            self.transport.signalProcess(name)
        except ProcessExitedAlready:
            return

    def stop_reading(self) -> None:
        """Ignores everything but the end from now on."""
        self._reading = False
        self._buffer = b""

    def _receive(self, line: bytes) -> None:
        if len(line) > LINE_BYTES:
            self._give_up("floods its pipe: a line too long")
            return
        if not self._count_line():
            return
        try:
            message = parse(line)
        except ValueError as error:
            self._bad_lines += 1
            self._log.debug("monitor child wrote a bad line: {error}", error=str(error)[:200])
            if self._bad_lines >= BAD_LINES:
                self._give_up(f"wrote {BAD_LINES} unreadable lines")
            return
        self._listener.line_arrived(message)

    def _count_line(self) -> bool:
        now = self._seconds()
        since, count = self._window
        self._window = (since, count + 1) if now - since < WINDOW_SECONDS else (now, 1)
        if self._window[1] > LINES_A_SECOND * WINDOW_SECONDS:
            self._give_up(f"floods its pipe: more than {LINES_A_SECOND} lines a second")
            return False
        return True

    def _give_up(self, reason: str) -> None:
        if self._reading:
            self.stop_reading()
            self._listener.child_misbehaved(reason)


def describe_end(reason: Failure) -> str:
    """Why a process ended, in words."""
    error = reason.value
    if isinstance(error, ProcessDone):
        return "exit code 0"
    if isinstance(error, ProcessTerminated):
        return f"signal {error.signal}" if error.signal is not None else f"exit code {error.exitCode}"
    return str(error)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the child gets of ``environ``: enough to find Python and chatserv, in a checkout too, and nothing secret."""
    kept = {name: environ[name] for name in ("PATH", "LANG", "HOME", "VIRTUAL_ENV") if name in environ}
    paths = [os.path.abspath(path) for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    home = Path(chatserv.__file__).resolve().parent.parent
    if home.name not in ("site-packages", "dist-packages"):
        paths.insert(0, str(home))
    if paths:
        kept["PYTHONPATH"] = os.pathsep.join(paths)
    return kept
