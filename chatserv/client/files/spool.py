"""The folder of a profile in which the sealed bytes of files lie, and what is done there off the reactor's thread."""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from chatserv.client.files.failures import FileInvalid
from chatserv.client.storage.files import Upload
from chatserv.crypto.e2e.file import FileSealer
from chatserv.errors import Reject
from chatserv.owners import system_text
from chatserv.private_files import FILE_MODE, PrivateFileError, make_directory

PIECE_BYTES: Final = 1 << 20
"""What is brought to the disk at once."""
SMALL_BYTES: Final = 1 << 18
"""What is read, sealed, opened or hashed at once: each thread that does so keeps some times as much."""
FOLDER: Final = "files"


def unusable(path: str, error: OSError) -> PrivateFileError:
    """What the system says of a file, as an error in words."""
    return PrivateFileError(f"{path}: {system_text(error)}", file=path)


class Spool:
    """Files of sealed bytes, by names of our own.

    Args:
        profile: The directory of the profile; None: nothing can be kept.
    """

    def __init__(self, profile: Path | None) -> None:
        self._folder = (profile or Path(os.devnull)) / FOLDER

    def _path(self, name: str) -> str:
        return os.fspath(self._folder / name)

    def open(self, name: str) -> int:
        """A descriptor to read and write the file, made where it is missing. Raises `PrivateFileError`."""
        path = self._path(name)
        make_directory(self._folder)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise unusable(path, error) from None

    def size(self, name: str) -> int:
        """How many bytes it has; 0 where there is none."""
        try:
            return os.lstat(self._path(name)).st_size
        except OSError:
            return 0

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Some of its bytes. Raises `PrivateFileError`, also where they are not there."""
        descriptor = self.open(name)
        try:
            data = os.pread(descriptor, size, offset)
        except OSError as error:
            raise unusable(self._path(name), error) from None
        finally:
            os.close(descriptor)
        if not data:
            raise PrivateFileError(f"{self._path(name)}: ends early", file=self._path(name))
        return data

    def append(self, name: str, offset: int, data: bytes, *, sync: bool = True) -> None:
        """Writes bytes from a place on; what was behind it goes. Raises `PrivateFileError`.

        ``sync``: they are on the disk then, with all that was written before.
        """
        descriptor = self.open(name)
        try:
            os.ftruncate(descriptor, offset)
            write_all(descriptor, data, offset)
            if sync:
                os.fdatasync(descriptor)
        except OSError as error:
            raise unusable(self._path(name), error) from None
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Forgets it."""
        with suppress(OSError):
            os.unlink(self._path(name))

    def sweep(self, known: Iterable[str]) -> None:
        """Removes whatever has none of these names."""
        names = set(known)
        with suppress(OSError):
            for name in os.listdir(self._folder):
                if name not in names:
                    self.remove(name)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Writes all of it from a place on. Raises `OSError`."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def open_source(path: str) -> tuple[int, os.stat_result]:
    """Opens a file that is to be sent, without following a link or waiting for a pipe. Raises `FileInvalid`."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # opening some devices does something already
            raise FileInvalid("no regular file")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise FileInvalid(system_text(error)) from None
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise FileInvalid("no regular file")
    return descriptor, facts


class Sealing:
    """Seals one file into the spool, a piece a call; each call is for a thread, and `close` for any end.

    It is on the disk after the last one, and every MiB before it, so that no sync takes long.

    Args:
        spool: Where the sealed bytes go.
        name: What they are called there.
        upload: Which file; it is opened here. Raises `FileInvalid` where it is not what it was.
    """

    def __init__(self, spool: Spool, name: str, upload: Upload) -> None:
        self._spool, self._name = spool, name
        self._source, self._facts = open_source(upload.path)
        self._sealer = FileSealer(upload.body.key, upload.room_id, upload.body.size)
        self._written = self._synced = 0

    def step(self) -> bool:
        """Seals the next piece; whether there is more. Raises `FileInvalid`, `PrivateFileError`."""
        try:
            data = os.read(self._source, SMALL_BYTES)
        except OSError as error:
            raise FileInvalid(system_text(error)) from None
        try:
            sealed = self._sealer.update(data) if data else self._last()
        except Reject as error:
            raise FileInvalid(error.detail) from None
        written = self._written + len(sealed)
        sync = not data or written - self._synced >= PIECE_BYTES
        self._spool.append(self._name, self._written, sealed, sync=sync)
        self._written, self._synced = written, written if sync else self._synced
        return bool(data)

    def _last(self) -> bytes:
        now = os.fstat(self._source)
        if (now.st_size, now.st_mtime_ns) != (self._facts.st_size, self._facts.st_mtime_ns):
            raise FileInvalid("it changed while it was read")
        return self._sealer.finalize()

    @property
    def hash(self) -> bytes:
        """SHA-256 of what was sealed, 32 bytes."""
        return self._sealer.hash

    def close(self) -> None:
        """Closes the file."""
        os.close(self._source)


class Hashing:
    """SHA-256 of a file of the spool, a piece a call; each call is for a thread.

    Args:
        spool: Where it is.
        name: What it is called there.
        size: How many bytes it has.
    """

    def __init__(self, spool: Spool, name: str, size: int) -> None:
        self._spool, self._name, self._size = spool, name, size
        self._at, self._hash = 0, sha256()

    def step(self) -> bool:
        """Takes the next piece; whether there is more. Raises `PrivateFileError`."""
        data = self._spool.read(self._name, self._at, min(SMALL_BYTES, self._size - self._at))
        self._hash.update(data)
        self._at += len(data)
        return self._at < self._size

    @property
    def hash(self) -> bytes:
        """Of all that was taken, 32 bytes."""
        return self._hash.digest()
