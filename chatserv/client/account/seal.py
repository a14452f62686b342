"""How a profile is sealed, as a small file beside what is sealed: where its key is, and never the key itself."""

import secrets
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatserv.client.account.profile_key import KEY_BYTES, ProfileKey
from chatserv.crypto.password import SALT_BYTES, PasswordParameters, salted_password
from chatserv.crypto.suite import same, xlabel
from chatserv.decoding import UNREADABLE
from chatserv.domain.passwords import PasswordInvalid, prepared_password
from chatserv.errors import Reject
from chatserv.i18n import _
from chatserv.private_files import PrivateFileError, read_private

FILE_NAME: Final = "seal.json"
BEGUN_NAME: Final = "seal.json.begun"  # while a profile is being sealed
SEALED: Final = ".sealed"  # behind the name of what is sealed
VERSION: Final = 1
# What is tried once a start costs a thief as much each time: four times a login's.
COST: Final = PasswordParameters(memory_kib=262_144, iterations=3)
_WRAPPED_BYTES: Final = KEY_BYTES + 16
_NONCE: Final = bytes(12)  # each wrapping has a salt, and so a key, of its own
_AAD: Final = b"chatserv1 profile key"


class Way(StrEnum):
    """Where the key of a profile is. ``NONE``: the profile is not sealed, by choice."""

    NONE = "none"
    KEYRING = "keyring"
    PASSPHRASE = "passphrase"  # nosec B105  # noqa: S105 - a word


class Seal(msgspec.Struct, frozen=True):
    """What stands in the file.

    Attributes:
        way: Where the key is.
        entry: Its name in the operating system's keyring, 16 bytes.
        check: See `ProfileKey.check`.
        salt, memory_kib, iterations, lanes: Of Argon2id, where a passphrase wraps the key.
        wrapped: The key under the passphrase, 48 bytes.
    """

    way: Way
    entry: bytes = b""
    check: bytes = b""
    salt: bytes = b""
    memory_kib: int = 0
    iterations: int = 0
    lanes: int = 0
    wrapped: bytes = b""
    version: int = VERSION

    def __repr__(self) -> str:
        return f"Seal(way={self.way.value!r})"

    def fits(self, key: ProfileKey) -> bool:
        """Whether this is the key."""
        return same(key.check(), self.check)

    def unwrap(self, passphrase: str) -> ProfileKey | None:
        """The key by its passphrase, or None for another passphrase. Takes about a second; releases the GIL."""
        try:
            kek = _kek(prepared_password(passphrase), self.salt, self._cost())
            return ProfileKey(AESGCM(kek).decrypt(_NONCE, self.wrapped, _AAD))
        except (PasswordInvalid, InvalidTag):
            return None

    def _check(self) -> None:
        self._cost().check()
        if (len(self.salt), len(self.wrapped)) != (SALT_BYTES, _WRAPPED_BYTES):
            raise Reject("sealed key: wrong length")

    def _cost(self) -> PasswordParameters:
        return PasswordParameters(self.memory_kib, self.iterations, self.lanes)


def keyring_seal(key: ProfileKey, entry: bytes) -> Seal:
    """For a key that the operating system's keyring has under that name."""
    return Seal(Way.KEYRING, entry, key.check())


def passphrase_seal(key: ProfileKey, passphrase: str, cost: PasswordParameters = COST) -> Seal:
    """Wraps a key. Takes about a second; releases the GIL. Raises `PasswordInvalid` for what is too short."""
    salt = secrets.token_bytes(SALT_BYTES)
    wrapped = AESGCM(_kek(prepared_password(passphrase), salt, cost)).encrypt(_NONCE, bytes(key), _AAD)
    return Seal(
        Way.PASSPHRASE, b"", key.check(), salt, cost.memory_kib, cost.iterations, cost.lanes, wrapped
    )  # fmt: skip


def _kek(prepared: str, salt: bytes, cost: PasswordParameters) -> bytes:
    return xlabel(salted_password(prepared, salt, cost), "profile", b"", KEY_BYTES)


def read_seal(directory: Path, name: str = FILE_NAME) -> Seal | None:
    """What a profile's file says, or None where it has none. Raises `PrivateFileError`."""
    path = directory / name
    data = read_private(path)
    if data is None:
        return None
    try:
        seal = msgspec.json.decode(data, type=Seal)
        if seal.way is Way.PASSPHRASE:
            seal._check()
    except (*UNREADABLE, Reject):
        raise PrivateFileError(f"{path}: {_('damaged; restore it from a backup')}", file=path) from None
    if seal.version != VERSION:
        raise PrivateFileError(f"{path}: {_('made by a newer version of this program: update this one')}", file=path)
    return seal
