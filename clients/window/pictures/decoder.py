"""Starts the child that reads pictures, one at a time, and takes nothing from it but what was asked for."""

import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import clients
from clients.window.pictures.child import HEAD, MAX_FILE_BYTES, MAX_PREVIEW_BYTES, PREVIEW, PREVIEW_SIDES, SHOW
from clients.window.pictures.rows import MAX_PIXELS, MAX_SIDE

WALL_SECONDS: Final = 5.0
MAX_WAITING: Final = 50  # pictures; of more, the oldest are given up
BEGIN: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from clients.window.pictures.child import main; main(sys.argv[2:])"
)


@dataclass(frozen=True)
class Pixels:
    """A picture that the child has read.

    Attributes:
        width: Of the picture itself, in pixels.
        height: Likewise.
        shown_width: Of what is here.
        shown_height: Likewise.
        data: Three bytes a pixel, red, green and blue, row by row; of a preview, a PNG file.
    """

    width: int
    height: int
    shown_width: int
    shown_height: int
    data: bytes

    @property
    def ppm(self) -> bytes:
        """As Tk takes it: a format in which nothing can be wrong."""
        return b"P6 %d %d 255\n" % (self.shown_width, self.shown_height) + self.data


@dataclass(frozen=True, eq=False)
class _Job:
    mode: str
    most_width: int
    most_height: int
    data: bytes
    done: "Deferred[Pixels | None]"

    def accepted(self, said: bytes) -> Pixels | None:
        """What the child has said, if it is what it was asked for."""
        if len(said) < HEAD.size:
            return None
        width, height, across, down = HEAD.unpack_from(said)
        data = said[HEAD.size :]
        sides = 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_PIXELS
        fits = 1 <= across <= self.most_width and 1 <= down <= self.most_height
        whole = len(data) == 3 * across * down if self.mode == SHOW else 0 < len(data) <= MAX_PREVIEW_BYTES
        return Pixels(width, height, across, down, data) if sides and fits and whole else None

    @property
    def most_bytes(self) -> int:
        """How much the child may say."""
        return HEAD.size + (3 * self.most_width * self.most_height if self.mode == SHOW else MAX_PREVIEW_BYTES)


class PictureDecoder:
    """Has pictures read.

    Args:
        reactor: Spawns and times.
        begin: What the child's interpreter runs; it gets the directory of the programs, and what `child.main` gets.
    """

    def __init__(self, reactor: Any, begin: str = BEGIN) -> None:
        self._reactor, self._begin = reactor, begin
        self._waiting: deque[_Job] = deque()
        self._child: _Child | None = None

    def show(self, data: bytes, most_width: int, most_height: int) -> "Deferred[Pixels | None]":
        """A picture, in its own shape, at most so large.

        Args:
            data: The file, PNG or GIF.
            most_width: In pixels.
            most_height: Likewise.

        Returns:
            Fires with it; with None where it is no picture, too large, or takes the child too long. Never fails.
        """
        return self._put(SHOW, data, most_width, most_height)

    def preview(self, data: bytes) -> "Deferred[Pixels | None]":
        """What may go into a message: its ``data`` is a PNG file of at most 8,192 bytes. See `show`."""
        return self._put(PREVIEW, data, PREVIEW_SIDES[0], PREVIEW_SIDES[0])

    def stop(self) -> None:
        """Nothing more is read; whoever waits gets None."""
        while self._waiting:
            self._waiting.popleft().done.callback(None)
        if self._child is not None:
            self._child.kill()

    def _put(self, mode: str, data: bytes, most_width: int, most_height: int) -> "Deferred[Pixels | None]":
        done: Deferred[Pixels | None] = Deferred()
        if not data or len(data) > MAX_FILE_BYTES:
            done.callback(None)
            return done
        self._waiting.append(_Job(mode, max(most_width, 1), max(most_height, 1), data, done))
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft().done.callback(None)
        self._next()
        return done

    def _next(self) -> None:
        if self._child is not None or not self._waiting:
            return
        job = self._waiting.popleft()
        self._child = _Child(self._reactor, job, self._ended)
        if not self._child.start(self._begin):
            self._ended(job, None)

    def _ended(self, job: _Job, found: Pixels | None) -> None:
        self._child = None
        job.done.callback(found)
        self._next()


class _Child(ProcessProtocol):
    """One child, for one picture.

    Args:
        reactor: Spawns and times.
        job: What it does.
        ended: Told what came of it, once it is gone.
    """

    def __init__(self, reactor: Any, job: _Job, ended: Callable[[_Job, Pixels | None], None]) -> None:
        self._reactor, self._job, self._ended = reactor, job, ended
        self._said = bytearray()
        self._timer: IDelayedCall | None = None

    def start(self, begin: str) -> bool:
        """Starts it: with nothing of our environment, in the root directory, isolated from what is installed."""
        root = str(Path(clients.__file__).parent.parent)
        wanted = (self._job.mode, str(self._job.most_width), str(self._job.most_height))
        command = [sys.executable, "-I", "-S", "-B", "-c", begin, root, *wanted]
        try:
            self._reactor.spawnProcess(self, sys.executable, command, env={}, path=os.sep)
        except OSError:  # no process or descriptor is left
            return False
        self._timer = self._reactor.callLater(WALL_SECONDS, self.kill)
        return True

    def kill(self) -> None:
        """Ends it at once."""
        self._said.clear()
        if self.transport is None:
            return
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            return

    def connectionMade(self) -> None:
        """It is there: it gets the file."""
        if self.transport is not None:
            self.transport.write(self._job.data)
            self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._said += data
        if len(self._said) > self._job.most_bytes:
            self.kill()

    def errReceived(self, data: bytes) -> None:
        """What it complains of is of no use to anybody."""

    def processEnded(self, reason: Failure) -> None:
        """It is gone, and all that it said is here."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        fine = reason.check(ProcessDone) is not None
        self._ended(self._job, self._job.accepted(bytes(self._said)) if fine else None)
