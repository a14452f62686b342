"""What the sessions of one process share, for either end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ed25519

from chatserv.crypto.suite import sha256
from chatserv.wire.records import RekeyLimits


@dataclass(frozen=True)
class SessionContext:
    """What a core must not take from the world itself, and the limits that both ends keep.

    Args:
        random: Gives so many random bytes.
        now_ms: The clock, in milliseconds since 1970.
        monotonic: A clock that never goes back, in seconds.
        line_bytes: Longest line of an open session, without CRLF.
        login_total_bytes: Bytes that a client may send before it is authenticated.
        rekey: When to change keys.
    """

    random: Callable[[int], bytes]
    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    line_bytes: int = 65_536
    login_total_bytes: int = 8192
    rekey: RekeyLimits = field(default_factory=RekeyLimits)


@dataclass(frozen=True)
class ServerIdentity:
    """The public half of a server: its RSA-3072 identity key (DER) and the ClientAuth methods that it takes."""

    spki: bytes = field(repr=False)
    methods: bytes

    @cached_property
    def server_id(self) -> bytes:
        """What clients pin: SHA-256 of the identity key, 32 bytes."""
        return sha256(self.spki)


@dataclass(frozen=True)
class DeviceCredentials:
    """Who a client is. The RSA half of the device's keys stays with the edge, which answers `UnwrapWanted`."""

    user: str
    device_id: bytes
    signing_key: ed25519.Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True)
class NewAccount:
    """What a registration adds to the credentials: the signed bytes, and the invite's token (32 bytes, or empty)."""

    token: bytes = field(repr=False)
    identity_spki: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    verifier: bytes = field(repr=False)
