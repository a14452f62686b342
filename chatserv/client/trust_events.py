"""What a client tells the program of keys, and of who breaks the rules; part of `chatserv.client.events`."""

from dataclasses import dataclass, field
from typing import Final

SHORT_ID_DIGITS: Final = 8


def short_id(device_id: bytes) -> str:
    """How a device is named to people that has no name: the first eight hexadecimal digits of its id."""
    return device_id.hex()[:SHORT_ID_DIGITS]


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """The identity key of ``user`` is another one than was known: nothing is sent to their rooms until it is accepted.

    ``signed``: the known one has signed it (a rotation), so there is nothing to accept, and who was verified still is.
    ``accepted_on``: it was accepted on another device of ours, of this name, and counts here too; as one not verified.
    """

    user: str
    was_verified: bool
    signed: bool = False
    accepted_on: str = ""


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """A device of ``user`` was not known before; it is certified by the identity that we know."""

    user: str
    device_id: bytes


@dataclass(frozen=True, slots=True)
class DeviceAsks:
    """Somebody has logged in with our password on a new device, and would like it to be approved (`OwnDevices.approve`).

    ``words``: six, which have to be the same there. ``device_id``: 16 bytes.
    """

    device_id: bytes
    words: str


@dataclass(frozen=True, slots=True)
class DeviceGone:
    """A new device that had asked waits no more: it was approved, refused, or has gone."""

    device_id: bytes


@dataclass(frozen=True, slots=True)
class RotationOpen:
    """These devices of ours were revoked, and the identity key that they held is still in force: it has to be renewed.

    A device that holds it does so by itself; until then, whoever has one of those devices can speak of new devices as ours.
    """

    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RotationDone:
    """Our identity key is another one now, signed by the one before: nobody has to verify us anew.

    The recovery code that was made before opens nothing any more; a new one is to be made.
    """


@dataclass(frozen=True, slots=True)
class ServerKeyChanged:
    """The server has another identity key now, signed by the one before: there is nothing to do.

    ``fingerprint``: SHA-256 of the new key, 32 bytes. What the server is called by in links stays.
    """

    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class OtherServer:
    """At ``address`` (``HOST:PORT``), one of several, somebody answers who is not our server. Told once for each address.

    Nothing was sent there, and the other addresses are tried: the operator has named a wrong one, or somebody is in the
    middle there.
    """

    address: str


@dataclass(frozen=True, slots=True)
class KeysBroken:
    """The keys of a change by ``by`` do not open: messages cannot be read until the next change, which is on its way."""

    room: str
    by: str
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Somebody breaks the rules: the server, or a person.

    ``what`` is a key of `chatserv.client.ALARMS`, which says for each who is to blame and what to do. ``user``: the person
    who did it; of ``bad_commit``, who has signed the change that the server passed on. ``evidence``, with ``log_forked``:
    two signed heads, 432 bytes each, that cannot be of one log; ``file``: where they lie so that others can check them
    (`chatserv.client.check_evidence`), if that can be proven to others. After ``log_forked``, ``false_statement`` and
    ``false_rotation`` nothing is sent any more, also after a restart. ``room_id``: the room that it is
    about, if it is about one. ``backup_ms``: where a restore may be the reason, see `ServerRestored`; else 0.
    """

    what: str
    detail: str = ""
    user: str = ""
    evidence: tuple[bytes, ...] = field(default=(), repr=False)
    file: str = ""
    room_id: bytes = field(default=b"", repr=False, compare=False)
    backup_ms: int = field(default=0, repr=False, compare=False)


TrustEvent = (
    IdentityChanged
    | DeviceAsks
    | DeviceGone
    | DeviceSeen
    | KeysBroken
    | RotationOpen
    | RotationDone
    | ServerKeyChanged
    | OtherServer
    | Alarm
)
