"""What the sessions of one process share, for either end."""

from collections.abc import Callable
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct, field

from chatserv.crypto.server_keys import first_key_id
from chatserv.crypto.suite import sha256
from chatserv.discreet import Discreet
from chatserv.wire.password_login import GuestOffer
from chatserv.wire.records import RekeyLimits


class SessionContext(Struct, frozen=True):
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


class ServerIdentity(Discreet, frozen=True, dict=True):
    """The public half of a server.

    Attributes:
        spki: Its RSA-3072 identity key (DER): the newest.
        methods: The ClientAuth methods that it takes.
        rotations: The signed rotations from its first key to this one.
    """

    shown = ("methods",)

    spki: bytes
    methods: bytes
    rotations: tuple[bytes, ...] = ()

    @cached_property
    def key_id(self) -> bytes:
        """SHA-256 of the identity key, 32 bytes."""
        return sha256(self.spki)

    @cached_property
    def server_id(self) -> bytes:
        """What the server is called by: SHA-256 of its first identity key, 32 bytes."""
        return first_key_id(self.rotations) if self.rotations else self.key_id


class DeviceCredentials(Discreet, frozen=True):
    """Who a client is. The RSA half of the device's keys stays with the edge, which answers `UnwrapWanted`."""

    shown = ("user", "device_id")

    user: str
    device_id: bytes
    signing_key: ed25519.Ed25519PrivateKey


class GuestCredentials(Discreet, frozen=True):
    """Who logs in by password, and as what device it would like to be known. The edge answers `PasswordKeyWanted`."""

    shown = ("user", "offer")

    user: str
    offer: GuestOffer
    signing_key: ed25519.Ed25519PrivateKey

    @property
    def device_id(self) -> bytes:
        """The id of that device, 16 bytes."""
        return self.offer.device_id


class NewAccount(Discreet, frozen=True):
    """What a registration adds to the credentials: the signed bytes, and the invite's token (32 bytes, or empty)."""

    token: bytes
    identity_spki: bytes
    certificate: bytes
    verifier: bytes
