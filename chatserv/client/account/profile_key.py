"""The key that a sealed profile's files are under, and what is made of it (docs/crypto.rst, "At rest")."""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatserv.crypto.suite import same, xlabel

KEY_BYTES: Final = 32
CHECK_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_MAGIC: Final = b"chatserv sealed\x01"


class ProfileKey:
    """32 random bytes, which no ``repr`` shows; ``bytes(key)`` gives them to whoever shares the profile.

    Args:
        secret: Exactly `KEY_BYTES`.

    Raises:
        ValueError: Another length.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"profile key: {len(secret)} bytes")
        self._secret = bytes(secret)

    @classmethod
    def generate(cls) -> "ProfileKey":
        """A new one."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def __bytes__(self) -> bytes:
        return self._secret

    def __repr__(self) -> str:
        return "ProfileKey(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProfileKey) and same(self._secret, other._secret)

    __hash__ = None  # type: ignore[assignment]  # a dictionary would compare it in another time

    def check(self) -> bytes:
        """What tells the right key from others and tells nothing else, 16 bytes."""
        return xlabel(self._secret, "profile check", b"", CHECK_BYTES)

    def for_database(self) -> bytes:
        """The database's key, 32 bytes."""
        return xlabel(self._secret, "profile database", b"", KEY_BYTES)

    def seal(self, name: str, data: bytes) -> bytes:
        """A file's bytes, sealed by AES-256-GCM under a key of the file's name, with a random nonce."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _MAGIC + nonce + self._cipher(name).encrypt(nonce, data, _MAGIC)

    def open(self, name: str, sealed: bytes) -> bytes | None:
        """Undoes `seal`; None where this is not what was sealed under that name by this key."""
        start = len(_MAGIC) + _NONCE_BYTES
        if not sealed.startswith(_MAGIC) or len(sealed) < start:
            return None
        try:
            return self._cipher(name).decrypt(sealed[len(_MAGIC) : start], sealed[start:], _MAGIC)
        except InvalidTag:
            return None

    def _cipher(self, name: str) -> AESGCM:
        return AESGCM(xlabel(self._secret, "profile file", name.encode(), KEY_BYTES))
