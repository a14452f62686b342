"""A backup as one file: a tar archive of the database, the keys and, last, a manifest with the hash of each.

What is read from one is not trusted: names are of a short list, kinds plain, sizes bounded, and nothing is written by a name
that stands in it.
"""

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from chatserv.backup.refusals import BackupError, Pace, unusable
from chatserv.crypto.suite import load_rsa_spki, pss_sign, pss_verify, to_sign
from chatserv.decoding import UNREADABLE
from chatserv.i18n import _
from chatserv.private_files import FILE_MODE

Write = Callable[[bytes], object]
FORMAT: Final = 1
DATABASE: Final = "chatserv.db"
IDENTITY: Final = "identity.pem"
TLS_KEY: Final = "tls.key"
TLS_CERTIFICATE: Final = "tls.crt"
MANIFEST: Final = "manifest.json"
LABEL: Final = "backup manifest"
SMALL: Final = (IDENTITY, TLS_KEY, TLS_CERTIFICATE)
MAX_SMALL_BYTES: Final = 1 << 18
STEP_BYTES: Final = 1 << 20
SYNC_BYTES: Final = 8 << 20  # written between two syncs: a disk that has much to write holds up the store's own syncs


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file in a backup: its length, and its SHA-256 in hexadecimal digits."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself; bytes are in base64.

    Attributes:
        format: `FORMAT`.
        program: The version that made it.
        made_ms: When, in milliseconds since 1970.
        server_id: Of which server, 32 bytes.
        server_key: The key (SPKI, DER) that has signed the head.
        identity: Whether the private half is in it, or kept apart.
        incarnation: Of the store, 16 bytes.
        schema: The revision of the database.
        head: The signed head over the whole log in it.
        counts: How many rows each table has.
        files: What is in it, but for the manifest.
        signature: The key's, over all of the above.
    """

    format: int
    program: str
    made_ms: int
    server_id: bytes
    server_key: bytes
    identity: Literal["inside", "apart"]
    incarnation: bytes
    schema: str
    head: bytes
    counts: dict[str, int]
    files: dict[str, FileFacts]
    signature: bytes = b""

    def signed_by(self, key: rsa.RSAPrivateKey) -> "Manifest":
        """The same with the signature: who can write to a backup that is kept elsewhere changes nothing in it unseen."""
        return msgspec.structs.replace(self, signature=pss_sign(key, to_sign(LABEL, self._unsigned())))

    def verify(self) -> None:
        """Checks the signature. Raises `Reject`."""
        pss_verify(load_rsa_spki(self.server_key), self.signature, LABEL, self._unsigned())

    def _unsigned(self) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(self, signature=b""), order="sorted")


class Source(Protocol):
    """What can be read."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        ...


class HashingReader:
    """Reads a file for tar in its pace, and hashes what it reads."""

    def __init__(self, file: Source, pace: Pace) -> None:
        self._file, self._pace = file, pace
        self._hash, self._bytes = hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self._hash.update(data)
        self._bytes += len(data)
        self._pace.step()
        return data

    @property
    def facts(self) -> FileFacts:
        """Of what was read so far."""
        return FileFacts(self._bytes, self._hash.hexdigest())


class ArchiveWriter:
    """Puts files into an archive.

    Args:
        file: Where it is written.
        made_ms: The time that all of them bear.
        pace: At which pace.
    """

    def __init__(self, file: BinaryIO, made_ms: int, pace: Pace) -> None:
        self._file, self._seconds, self._pace = file, made_ms // 1000, pace
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, copybufsize=STEP_BYTES)
        self.files: dict[str, FileFacts] = {}

    def add(self, name: str, source: BinaryIO, size: int) -> None:
        """The next file: so many bytes of ``source``."""
        reader = HashingReader(_Synced(source, self._file), self._pace)
        self._tar.addfile(self._entry(name, size), reader)
        self.files[name] = reader.facts

    def add_bytes(self, name: str, data: bytes) -> None:
        """The next file: these bytes."""
        self.add(name, io.BytesIO(data), len(data))

    def close(self, manifest: Manifest) -> None:
        """Writes the manifest, and the archive's end."""
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
        self._tar.addfile(self._entry(MANIFEST, len(text)), io.BytesIO(text))
        self._tar.close()

    def _entry(self, name: str, size: int) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = size, FILE_MODE, self._seconds
        return entry


class _Synced:
    """A source whose copy is brought to the disk every now and then."""

    def __init__(self, source: BinaryIO, copy: BinaryIO) -> None:
        self._source, self._copy, self._open = source, copy, 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._open += len(data)
        if self._open >= SYNC_BYTES:
            self._open = 0
            self._copy.flush()
            os.fdatasync(self._copy.fileno())
        return data


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read, which has to be a plain one: no device, and nothing that one could wait for. Raises `BackupError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unusable(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BackupError(path, _("not a plain file"))
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_archive(path: Path, file: BinaryIO, database: Write | None, pace: Pace) -> tuple[Manifest, dict[str, bytes]]:
    """Reads an archive to its end, and checks each file against the manifest.

    Args:
        path: For errors.
        file: The archive, at its start.
        database: Gets the database, a piece at a time; None: it is hashed alone.
        pace: At which pace.

    Returns:
        The manifest, and the small files by name.

    Raises:
        BackupError: It is no backup, of a newer version, cut off, or changed.
    """
    try:
        return _read(path, file, database, pace)
    except BackupError:
        raise
    except OSError as error:
        raise unusable(path, error) from None
    except (
        tarfile.TarError,
        ValueError,
        ArithmeticError,
        LookupError,
        EOFError,
    ) as error:  # what tarfile says of nonsense
        raise BackupError(path, _("not a backup, or cut off"), str(error)) from None


def _read(path: Path, file: BinaryIO, database: Write | None, pace: Pace) -> tuple[Manifest, dict[str, bytes]]:
    found: dict[str, FileFacts] = {}
    small: dict[str, bytes] = {}
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for entry in tar:
            if MANIFEST in small or entry.name in found or entry.name not in {DATABASE, *SMALL, MANIFEST}:
                raise BackupError(path, _("not a backup"), _("an entry that is none of ours"))
            if entry.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or entry.issparse():
                raise BackupError(path, _("not a backup"), _("an entry that is no plain file"))
            if entry.name != DATABASE and entry.size > MAX_SMALL_BYTES:
                raise BackupError(path, _("not a backup"), _("an entry that is too large"))
            found[entry.name] = _take(tar.extractfile(entry), entry, database, small, pace)
    if MANIFEST in small and os.fstat(file.fileno()).st_size % tarfile.RECORDSIZE:
        raise BackupError(path, _("cut off"))
    if MANIFEST not in small:
        raise BackupError(path, _("cut off"), _("its manifest is missing"))
    manifest = read_manifest(path, small.pop(MANIFEST))
    del found[MANIFEST]
    for name in {*manifest.files, *found}:
        if manifest.files.get(name) != found.get(name):
            raise BackupError(
                path, _("{name} is not what the backup was made with").format(name=name), _("use another")
            )
    if DATABASE not in found or (manifest.identity == "inside") != (IDENTITY in found):
        raise BackupError(path, _("not a backup"), _("a file is missing"))
    return manifest, small


def _take(
    source: Any, entry: tarfile.TarInfo, database: Write | None, small: dict[str, bytes], pace: Pace
) -> FileFacts:
    reader = HashingReader(source, pace)
    if entry.name != DATABASE:
        small[entry.name] = reader.read()
        return reader.facts
    while data := reader.read(STEP_BYTES):
        if database is not None:
            database(data)
    return reader.facts


def read_manifest(path: Path, text: bytes) -> Manifest:
    """A manifest from its JSON. Raises `BackupError`."""
    try:
        if (number := msgspec.json.decode(text, type=_Format).format) != FORMAT:
            said = _("a backup of format {number}").format(number=number)
            raise BackupError(path, said, _("this version reads format {number}").format(number=FORMAT))
        return msgspec.json.decode(text, type=Manifest)
    except UNREADABLE as error:
        raise BackupError(path, _("its manifest cannot be read"), str(error)) from None


class _Format(msgspec.Struct):
    format: int
