"""One log file: turned over when it is full, opened anew when somebody has moved it, and never anybody's trouble."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from twisted.python.logfile import LogFile

from chatserv.config import Logging
from chatserv.failpoints import failpoint

RETRY_SECONDS = 1.0  # how often a broken file is tried again, and a whole one is looked for in its directory
_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)  # of an old file; `Logging.keep_files` is at most 1000


class RotatingFile(LogFile):
    """A `LogFile` that notices a short write, and the loss of its name to a rotation or removal by others."""

    def __init__(self, path: Path, settings: Logging) -> None:
        LogFile.__init__(self, path.name, str(path.parent), settings.max_size, 0o600, settings.keep_files)

    def write(self, data: bytes) -> None:
        """Appends ``data``, all of it or none. Raises OSError or, after a rotation that failed half-way, ValueError."""
        if LogFile.shouldRotate(self):
            LogFile.rotate(self)
        start = self._file.seek(0, os.SEEK_END)  # the operator's command may have written too
        try:
            failpoint("logs.writing")
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
    failpoint("logs.opening")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return RotatingFile(path, settings)


class Sink:
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

    def cut(self, count: int) -> None:
        """Takes so many bytes off the end of the file."""
        self.close()
        with suppress(OSError):
            os.truncate(self.path, max(0, self.path.stat().st_size - count))

    def close(self) -> None:
        """Lets go of the file; the next write opens it."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError, ValueError):
                LogFile.close(file)

    def reopen(self) -> None:
        """Lets go of the file; the next write opens it by name, without waiting."""
        self.close()
        self._checked = -RETRY_SECONDS
