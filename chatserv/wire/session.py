"""What both ends of a session share: the events a core reports, its states, and the transcript (docs/protocol.rst 4).

A core is bytes in, events out: no socket, no clock, no thread. ``receive_line`` never raises for the peer's fault; it
reports `Failed`. What a core cannot do alone (a slow signature, a look-up) comes out as an event that ends in ``Wanted``
and goes back in by the method that the event names; no line may be fed meanwhile. An answer that comes after the session
has ended (a deadline passed, say) is ignored.
"""

import hashlib
from enum import Enum
from typing import Final

from msgspec import Struct

from chatserv.crypto.password import PasswordParameters
from chatserv.crypto.statements import DeviceFacts
from chatserv.discreet import Discreet
from chatserv.errors import Reject, WireError
from chatserv.wire.handshake import RegistrationRequest
from chatserv.wire.password_login import GuestOffer
from chatserv.wire.records import RecordLayer, RecordType, decode_alert

# Errors that the server names before there are keys: ``ERR <index + 1>``, and nothing else.
EARLY_ERRORS: Final = ("bad_frame", "version", "suite", "too_large", "busy", "timed_out", "draining")


class State(Enum):
    """Where a session stands. The tables of the two cores say what may come in each state."""

    IDLE = "nothing sent yet"
    HELLO = "waiting for the other side's hello"
    SIGNING = "waiting for the identity key's signature"
    AUTH = "waiting for the other side to say who it is"
    LOOKUP = "waiting for the store"
    VERIFIER = "waiting for the store, for what checks a password"
    PROOF = "waiting for the proof of a password"
    TURN = "waiting until the proof may be tried"
    CHALLENGE = "waiting for PasswordChallenge"
    DERIVE = "waiting for the password's key"
    FINISH = "waiting for ServerFinish"
    UNWRAP = "waiting for the device key's decryption"
    FINISHED = "waiting for the proof of the traffic keys"
    OPEN = "messages flow"
    CLOSED = "over"


WAITING_FOR_US: Final = frozenset(
    {State.IDLE, State.SIGNING, State.LOOKUP, State.VERIFIER, State.TURN, State.DERIVE, State.UNWRAP}
)


class LineReady(Discreet, frozen=True):
    """Write these bytes (one line with its CRLF) now."""

    line: bytes


class SignatureWanted(Discreet, frozen=True):
    """Server: sign this with the identity key, then call ``signed``."""

    to_sign: bytes


class DeviceWanted(Struct, frozen=True):
    """Server: look this device up, then call ``device`` with its certificate or None, or ``refuse``."""

    user: str
    device_id: bytes


class RegistrationWanted(Struct, frozen=True):
    """Server: make this account durable, then call ``registered`` or ``refuse``. All signatures are checked."""

    request: RegistrationRequest
    facts: DeviceFacts


class VerifierWanted(Struct, frozen=True):
    """Server: look up what checks this user's password, then call ``challenge`` with it, or ``refuse``."""

    user: str


class ProofWanted(Struct, frozen=True):
    """Server: when this user's password may be tried, call ``proved``, which tries it; or ``refuse``."""

    user: str
    offer: GuestOffer


class PasswordKeyWanted(Discreet, frozen=True):
    """Client: derive 32 bytes from the password (`chatserv.crypto.password.salted_password`), then call ``derived``."""

    shown = ("parameters",)

    salt: bytes
    parameters: PasswordParameters


class UnwrapWanted(Discreet, frozen=True):
    """Client: open this RSA-OAEP ciphertext with the device's key, then call ``unwrapped`` with the result or None."""

    ciphertext: bytes
    label: bytes


class Authenticated(Discreet, frozen=True):
    """The session is open. ``exporter`` is 32 bytes for other protocols to bind to."""

    shown = ("user", "device_id", "session_id")

    user: str
    device_id: bytes
    session_id: bytes
    exporter: bytes


class PlaintextReceived(Discreet, frozen=True):
    """A DATA record: an array of messages."""

    plaintext: bytes


class CloseReceived(Struct, frozen=True):
    """The other side ended the session on purpose; ``reason`` is a `chatserv.domain.closing.CloseReason`, or unknown."""

    reason: int


class Failed(Struct, frozen=True):
    """The session is over: the other side broke a rule, or refused us. ``told``: the error is the other side's word."""

    error: WireError
    told: bool = False


Event = (
    LineReady
    | SignatureWanted
    | DeviceWanted
    | RegistrationWanted
    | VerifierWanted
    | ProofWanted
    | PasswordKeyWanted
    | UnwrapWanted
    | Authenticated
    | PlaintextReceived
    | CloseReceived
    | Failed
)


class Transcript:
    """SHA-256 over what both sides have sent so far."""

    __slots__ = ("_hash",)

    def __init__(self, *parts: bytes) -> None:
        self._hash = hashlib.sha256(b"".join(parts))

    def add(self, part: bytes) -> bytes:
        """Takes a part in and gives the hash up to and with it, 32 bytes."""
        self._hash.update(part)
        return self._hash.digest()


def receive_open(layer: RecordLayer, line: bytes) -> list[Event]:
    """The events of a line on an open session. Raises `chatserv.errors.WireError` for the peer's fault."""
    kind, plaintext = layer.open(line)
    if kind == RecordType.DATA:
        return [PlaintextReceived(plaintext)]
    if kind == RecordType.KEY_UPDATE:
        return []
    if kind == RecordType.CLOSE and len(plaintext) == 1:
        return [CloseReceived(plaintext[0])]
    if kind == RecordType.ALERT:
        return [Failed(decode_alert(plaintext), told=True)]
    raise Reject(f"record: type {kind} on an open session")
