"""A received file, opened to a directory of the person's: under a name that is safe, and over nothing that is there."""

import os
from contextlib import suppress
from typing import Final

from chatserv.client.file_names import numbered, safe_file_name
from chatserv.client.files.failures import FileDamaged
from chatserv.client.files.spool import SMALL_BYTES, Spool, unusable, write_all
from chatserv.crypto.e2e.file import FileOpener, sealed_size
from chatserv.crypto.file_body import File
from chatserv.errors import Reject
from chatserv.private_files import FILE_MODE, PrivateFileError

MAX_NUMBER: Final = 9999
"""Of files with one name in a directory."""
_DESCRIPTORS: Final = "/proc/self/fd"


class Saving:
    """Opens one file, a piece a call; each call is for a thread, and `close` for any end.

    Everything is done relative to the directory as it was when this was made. What is not whole has no name, so it goes with
    this process, whatever ends it; where a file system has no such files, it has one that ends with ``.part`` and goes with
    `close`.

    Args:
        spool: Where the sealed bytes lie.
        name: What they are called there.
        room_id: Of the message, 16 bytes.
        file: What it says.
        directory: Where to. Raises `PrivateFileError` where it cannot be used.
        part: What tells its ``.part`` from those of others, if it gets one.
    """

    def __init__(self, spool: Spool, name: str, room_id: bytes, file: File, directory: str, part: str) -> None:
        self._spool, self._name, self._directory = spool, name, directory
        self._sealed, self._wanted = sealed_size(file.size), safe_file_name(file.name)
        self._opener = FileOpener(file.key, room_id, file.size)
        self._read = self._written = 0
        self._folder = open_directory(directory)
        self._part = f"{part}.part"
        try:
            unnamed = _unnamed(self._folder)
            self._named = unnamed is None
            self._file = self._create(self._part) if unnamed is None else unnamed
        except OSError as error:
            os.close(self._folder)
            raise unusable(directory, error) from None

    def _create(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, FILE_MODE, dir_fd=self._folder)

    def step(self) -> bool:
        """Opens and writes the next piece; whether there is more. Raises `FileDamaged`, `PrivateFileError`."""
        sealed = self._spool.read(self._name, self._read, min(SMALL_BYTES, self._sealed - self._read))
        self._read += len(sealed)
        more = self._read < self._sealed
        try:
            data = self._opener.update(sealed)
            if not more:
                data += self._opener.finalize()
        except Reject as error:
            raise FileDamaged(error.detail) from None
        try:
            write_all(self._file, data, self._written)
        except OSError as error:
            raise unusable(self._directory, error) from None
        self._written += len(data)
        return more

    def finish(self) -> str:
        """Gives the file its name, the first one that is free. Returns its path. Raises `PrivateFileError`."""
        try:
            os.fsync(self._file)
            for number in range(1, MAX_NUMBER + 1):
                name = numbered(self._wanted, number)
                if self._link(name):
                    os.fsync(self._folder)
                    return os.path.join(self._directory, name)
        except OSError as error:
            raise unusable(self._directory, error) from None
        raise PrivateFileError(f"{self._directory}: too many files with this name", file=self._directory)

    def _link(self, name: str) -> bool:
        source = self._part if self._named else f"{_DESCRIPTORS}/{self._file}"
        folders = {"src_dir_fd": self._folder, "dst_dir_fd": self._folder}
        try:
            os.link(source, name, follow_symlinks=not self._named, **folders)
        except FileExistsError:
            return False
        except OSError:  # no links here, in whatever words: the name is taken first, then given to the file
            self._give_name()
            return self._rename(name)
        return True

    def _give_name(self) -> None:
        if self._named:
            return
        unnamed, self._file, at = self._file, self._create(self._part), 0
        self._named = True
        try:
            while sent := os.sendfile(self._file, unnamed, at, SMALL_BYTES):
                at += sent
        finally:
            os.close(unnamed)
        os.fsync(self._file)

    def _rename(self, name: str) -> bool:
        try:
            os.close(self._create(name))
        except FileExistsError:
            return False
        os.rename(self._part, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        return True

    def close(self) -> None:
        """Removes what is not whole."""
        if self._named:
            with suppress(OSError):
                os.unlink(self._part, dir_fd=self._folder)
        os.close(self._file)
        os.close(self._folder)


def _unnamed(folder: int) -> int | None:
    """A descriptor of a new file of a directory that has no name, and can get one; None where there are no such files."""
    flag = getattr(os, "O_TMPFILE", 0)
    if not flag or not os.path.isdir(_DESCRIPTORS):
        return None
    try:
        return os.open(".", os.O_RDWR | flag | os.O_CLOEXEC, FILE_MODE, dir_fd=folder)
    except OSError:
        return None  # or the directory cannot be written to: who creates a file there learns why


def open_directory(directory: str) -> int:
    """A descriptor of a directory that a person has chosen. Raises `PrivateFileError`."""
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unusable(directory, error) from None
    except ValueError as error:  # a null byte
        raise PrivateFileError(str(error), file="") from None
