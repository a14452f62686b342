"""A folder that nobody else can look into, for files on their way to or from another program; gone when ours ends."""

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from clients.shared.file_kinds import HEAD_BYTES, is_picture
from clients.window.pictures.child import MAX_FILE_BYTES

_OPEN: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class PrivateFolder:
    """Made when it is needed; in memory (``XDG_RUNTIME_DIR``) where the system has such a place."""

    def __init__(self) -> None:
        self._path: Path | None = None

    def new(self) -> Path:
        """A folder of its own inside it. Raises OSError."""
        if self._path is None:
            runtime = os.environ.get("XDG_RUNTIME_DIR", "")
            place = runtime if runtime and os.access(runtime, os.W_OK) else None
            self._path = Path(tempfile.mkdtemp(prefix="chatserv-", dir=place))
        return Path(tempfile.mkdtemp(dir=self._path))

    def put(self, name: str, data: bytes) -> Path:
        """A file of its own. Raises OSError."""
        path = self.new() / name
        path.write_bytes(data)
        return path

    def forget(self, path: Path) -> None:
        """A file, and the folder that was made for it."""
        if self._path is not None and self._path in path.parents:
            shutil.rmtree(path.parent, ignore_errors=True)

    def remove(self) -> None:
        """All of it."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None


def _read(path: Path, most: int) -> bytes:
    """The beginning of a regular file; nothing of anything else, nor of one that cannot be read."""
    try:
        descriptor = os.open(path, _OPEN)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        return file.read(most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def read_head(path: Path) -> bytes:
    """By what a file's kind is looked at."""
    return _read(path, HEAD_BYTES)


def read_file(path: Path) -> bytes:
    """A picture for the child that reads it; nothing of other files, and of those that are too large."""
    if not is_picture(read_head(path)):
        return b""
    found = _read(path, MAX_FILE_BYTES + 1)
    return found if len(found) <= MAX_FILE_BYTES else b""
