"""What a node asks the store to come as far as others are, each of one moment; and what it does not have in memory."""

from collections.abc import Mapping

import msgspec

from chatserv.domain.hub import Place
from chatserv.models import AccountStatus, Consent, ConsentAt, PlaceAt, Room


class RoomAt(msgspec.Struct, frozen=True):
    """A room with all that a node has of it.

    Attributes:
        room: The room.
        places: Of its devices, ended ones too.
        consents: What its users say to that.
        control: The number of the last control entry then.
    """

    room: Room
    places: Mapping[bytes, Place]
    consents: tuple[ConsentAt, ...]
    control: int = 0


class Numbers(msgspec.Struct, frozen=True):
    """How far the store has come with what is not a room's.

    Attributes:
        log_size: How many leaves the log has.
        control: The number of the last control entry.
        head: The log's signed head that clients may have been told of; empty where none is kept.
    """

    log_size: int
    control: int
    head: bytes = b""


class Standing(msgspec.Struct, frozen=True):
    """Where a device is that logs in.

    Attributes:
        places: Its places in rooms that are not closed, ended ones too, by age of the room.
        heads: How far each of these rooms has come.
        numbers: How far everything else has.
    """

    places: tuple[PlaceAt, ...]
    heads: Mapping[bytes, int]
    numbers: Numbers


class Arriving(msgspec.Struct, frozen=True):
    """What a device that logs in goes by.

    Attributes:
        status: The account.
        reads: The account's read markers, by room.
        prekeys: One-time prekeys of the device.
        backup: The counter of the account's backup; 0 where there is none.
        standing: Its places. All else is no newer than this: what has changed meanwhile is in these numbers, or comes.
    """

    status: AccountStatus
    reads: Mapping[bytes, int]
    prekeys: int
    backup: int
    standing: Standing


class Membership(msgspec.Struct, frozen=True):
    """Somebody's place in an open room, whether they have agreed to it or not.

    Attributes:
        room_id: The room.
        inviter: Who has taken them in; empty for who came by themselves.
        consent: What they say to that.
        devices: It is the room of their own devices.
    """

    room_id: bytes
    inviter: str
    consent: Consent
    devices: bool


class PublicRoom(msgspec.Struct, frozen=True):
    """A room that everybody may find.

    Attributes:
        room_id: The room.
        name: Its name.
        policy: The beginning of its state, up to the end of the policy at least.
        members: How many are in it.
    """

    room_id: bytes
    name: str
    policy: bytes
    members: int
