"""The bytes of files on the disk: ``ab/<id in hex>`` below one directory, where nobody else may look.

Everything here blocks. Names come from ids of 16 bytes alone, each step down is opened beside the one above, and no link is
followed; so whatever somebody puts there, nothing is read or written elsewhere.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from chatserv.blob_ports import SHELVES
from chatserv.errors import NotFound, ReadOnly, StorageFull
from chatserv.failpoints import failpoint
from chatserv.i18n import _
from chatserv.private_files import DIRECTORY_MODE, FILE_MODE, PrivateFileError, check_directory, make_directory

ID_BYTES: Final = 16
STEP_BYTES: Final = 1 << 20  # read in one go
FINAL_MODE: Final = 0o400  # of a file that is whole: nobody writes there any more
_PLAIN: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS: Final = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}
_FOLDERS: Final = {f"{number:02x}": number for number in range(SHELVES)}
_OF_SYSTEM: Final = {"lost+found"}  # at the top of a disk
_OF_NFS: Final = ".nfs"
"""So begins there what was removed while somebody had it open."""
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BlobDirectory:
    """The directory of all files.

    Args:
        path: Where; `make` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Makes the directory where it is missing. Raises `PrivateFileError`: it cannot be, or as `check`."""
        self._refuse_link()
        make_directory(self.path)

    def check(self) -> None:
        """Looks whether files can be there. Raises `PrivateFileError`: it is a link, no directory, or open to others."""
        self._refuse_link()
        check_directory(self.path)

    def _refuse_link(self) -> None:
        if self.path.is_symlink():
            said = _("a link, which is not followed: name the directory that it leads to")
            raise PrivateFileError(f"{self.path}: {said}", file=self.path)

    def write(self, blob_id: bytes, offset: int, data: bytes) -> None:
        """Puts bytes at their place; with the first ones the file is made. Raises `NotFound` too where it is final."""
        with _refusals(), self._shelf(blob_id[0], make=not offset) as shelf:
            failpoint("blob.writing")
            name, descriptor = blob_id.hex(), -1
            if not offset:
                with suppress(FileExistsError):
                    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, FILE_MODE, dir_fd=shelf)
            if descriptor < 0:
                if _is_final(os.stat(name, dir_fd=shelf, follow_symlinks=False)):
                    raise NotFound("blob: final")
                descriptor = _descriptor(name, os.O_WRONLY, shelf)
            try:
                if not offset:
                    # Also where it was there: whoever made it may have been cut short before this.
                    os.fsync(shelf)
                _write_all(descriptor, offset, data)
            finally:
                os.close(descriptor)
            failpoint("blob.written")

    def sync(self, blob_id: bytes) -> None:
        """Returns when all that was written is on the disk."""
        with _refusals(), self._file(blob_id) as descriptor:
            failpoint("blob.syncing")
            os.fsync(descriptor)
            failpoint("blob.synced")

    def finish(self, blob_ids: Collection[bytes]) -> None:
        """Makes files final: nobody writes there any more, by no other name either. What cannot be, stays as it is."""
        for blob_id in blob_ids:
            with suppress(NotFound, ReadOnly), _refusals(), self._file(blob_id) as descriptor:
                _finish(descriptor)

    def is_final(self, blob_id: bytes) -> bool:
        """Whether that is a file that is final."""
        with suppress(NotFound), _refusals(), self._file(blob_id) as descriptor:
            return _is_final(os.fstat(descriptor))
        return False

    def read(self, blob_id: bytes, offset: int, limit: int) -> bytes:
        """Up to ``limit`` bytes from ``offset`` on."""
        with _refusals(), self._file(blob_id) as descriptor:
            return os.pread(descriptor, limit, offset)

    def digest(self, blob_id: bytes, step: Callable[[], object] = bool) -> bytes:
        """The SHA-256 of the whole file. ``step`` is called between pieces."""
        found, offset = hashlib.sha256(), 0
        with _refusals(), self._file(blob_id) as descriptor:
            while data := os.pread(descriptor, STEP_BYTES, offset):
                found.update(data)
                offset += len(data)
                step()
        return found.digest()

    def remove(self, blob_ids: Collection[bytes]) -> list[bytes]:
        """Removes files, and gives those that the disk does not let go; harmless where there are none."""
        return [blob_id for blob_id in blob_ids if not self._remove(blob_id)]

    def _remove(self, blob_id: bytes) -> bool:
        try:
            with _refusals(), self._shelf(blob_id[0]) as shelf:
                failpoint("blob.removing")
                os.unlink(blob_id.hex(), dir_fd=shelf)
        except NotFound as gone:
            return not isinstance(gone.__cause__, IsADirectoryError)
        except (ReadOnly, StorageFull):
            return False
        return True

    def link(self, blob_id: bytes, other: "BlobDirectory", step: Callable[[], object] = bool) -> bool:
        """Puts a whole file into another directory too, by a hard link, or a copy where there can be none; it is final then.

        Gives False where it is gone. ``step`` is called between pieces of a copy.
        """
        name = blob_id.hex()
        with (
            suppress(NotFound),
            _refusals(),
            self._shelf(blob_id[0]) as shelf,
            _opened(name, os.O_RDONLY, shelf) as file,
        ):
            with other._shelf(blob_id[0], make=True) as target:
                try:
                    os.link(name, name, src_dir_fd=shelf, dst_dir_fd=target, follow_symlinks=False)
                    _finish(file)
                except FileExistsError:
                    pass
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    _copy(file, name, target, step)
                os.fsync(target)
            return True
        return False

    def sizes(self, blob_ids: Sequence[bytes]) -> list[int]:
        """How long these are; -1: there is no such plain file."""
        return [self._size(blob_id) for blob_id in blob_ids]

    def _size(self, blob_id: bytes) -> int:
        with suppress(NotFound), _refusals(), self._shelf(blob_id[0]) as shelf:
            facts = os.stat(blob_id.hex(), dir_fd=shelf, follow_symlinks=False)
            return facts.st_size if stat.S_ISREG(facts.st_mode) else -1
        return -1

    def shelf(self, number: int) -> list[bytes]:
        """The ids of all files whose ids begin with this byte."""
        with suppress(NotFound):
            found = (_id_of(name) for name in self._names(number))
            return [blob_id for blob_id in found if blob_id is not None and blob_id[0] == number]
        return []

    def misplaced(self) -> Iterator[str]:
        """What is called there as no file is, as ``ab/notes.txt``: by no id of its folder, or beside the folders.

        Nothing here reads or removes it. What file systems put there for themselves is left out.
        """
        top: list[str] = []
        with suppress(NotFound), _refusals():
            root = os.open(self.path, _FOLDER)
            try:
                top = os.listdir(root)
            finally:
                os.close(root)
        for folder in sorted(set(top).difference(_OF_SYSTEM)):
            number = _FOLDERS.get(folder)
            try:
                names = [] if number is None else sorted(self._names(number))
            except NotFound:
                number = None
            if number is None:
                yield folder
                continue
            ids = ((name, _id_of(name)) for name in names if not name.startswith(_OF_NFS))
            yield from (f"{folder}/{name}" for name, found in ids if found is None or found[0] != number)

    def _names(self, number: int) -> list[str]:
        with _refusals(), self._shelf(number) as shelf:
            return os.listdir(shelf)

    def has_place(self, size: int, share: float) -> bool:
        """Whether so many bytes more leave no more of the disk in use than this share. Raises `ReadOnly`: it is gone."""
        try:
            facts = os.statvfs(self.path)
        except OSError as error:
            raise ReadOnly(f"blob: {error.strerror}") from error
        whole = facts.f_blocks * facts.f_frsize
        return whole - facts.f_bavail * facts.f_frsize + size <= share * whole

    @contextmanager
    def _shelf(self, number: int, *, make: bool = False) -> Iterator[int]:
        """The folder of all ids that begin with this byte, as a descriptor."""
        root = os.open(self.path, _FOLDER)
        try:
            name = f"{number:02x}"
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, DIRECTORY_MODE, dir_fd=root)
                    os.fsync(root)
            shelf = os.open(name, _FOLDER, dir_fd=root)
        finally:
            os.close(root)
        try:
            yield shelf
        finally:
            os.close(shelf)

    @contextmanager
    def _file(self, blob_id: bytes) -> Iterator[int]:
        with self._shelf(blob_id[0]) as shelf, _opened(blob_id.hex(), os.O_RDONLY, shelf) as descriptor:
            yield descriptor


@contextmanager
def _opened(name: str, how: int, shelf: int) -> Iterator[int]:
    """A plain file. Raises as `_descriptor`."""
    descriptor = _descriptor(name, how, shelf)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _descriptor(name: str, how: int, shelf: int) -> int:
    """A plain file. Raises `FileNotFoundError` where it is anything else: a link, a folder, a device."""
    descriptor = os.open(name, how | _PLAIN, dir_fd=shelf)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "not a plain file", name)
    return descriptor


def _is_final(facts: os.stat_result) -> bool:
    return not facts.st_mode & stat.S_IWUSR


def _finish(descriptor: int) -> None:
    if not _is_final(os.fstat(descriptor)):
        os.fchmod(descriptor, FINAL_MODE)


def _copy(source: int, name: str, shelf: int, step: Callable[[], object]) -> None:
    part, offset = f"{name}.part", 0
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=shelf)
    target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, FINAL_MODE, dir_fd=shelf)
    try:
        while data := os.pread(source, STEP_BYTES, offset):
            _write_all(target, offset, data)
            os.fdatasync(target)
            offset += len(data)
            step()
        os.fsync(target)
    finally:
        os.close(target)
    os.rename(part, name, src_dir_fd=shelf, dst_dir_fd=shelf)


def _write_all(descriptor: int, offset: int, data: bytes) -> None:
    while data:
        done = os.pwrite(descriptor, data, offset)
        data, offset = data[done:], offset + done


def _id_of(name: str) -> bytes | None:
    if len(name) != 2 * ID_BYTES or name.strip("0123456789abcdef"):
        return None
    return bytes.fromhex(name)


@contextmanager
def _refusals() -> Iterator[None]:
    """Puts what the disk says into errors of the protocol."""
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "?")
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO}:
            raise NotFound(f"blob: {name}") from error
        raise (StorageFull if error.errno in _FULL else ReadOnly)(f"blob: {name}") from error
