"""Orders: what changes beside the events of rooms, as the store tells it to every node in one order.

An order says what has become so, not what is to be done, and may come again or to a node that knows more: carrying it out a
second time changes nothing (`chatserv.commands.orders`).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from chatserv.decoding import UNREADABLE
from chatserv.models import AccountStatus, Appended, Ban, CommitDraft, Consent, ConsentAt

KEPT: Final = 100_000
"""So many of the newest are kept where there are several nodes; one that has missed more starts anew."""


FLOORS: Final = 100
"""Rooms in one order: the bus takes 4 KiB of each."""

ENTERING: Final = 200
"""Devices in one order, likewise."""


class Order(msgspec.Struct, frozen=True, array_like=True, tag_field="order"):
    """What all have in common: a kind, by which they are told apart."""


class AccountChanged(Order, frozen=True, tag=1):
    """An account as it stands now; ``role`` by its number."""

    name: str
    role: int
    suspended: bool
    muted: bool

    @classmethod
    def of(cls, status: AccountStatus) -> "AccountChanged":
        """What has become of an account."""
        return cls(status.account.name, int(status.account.role), status.suspended, status.muted)


class AccountEnded(Order, frozen=True, tag=2):
    """All devices that an account had are at their end; ``why``: what their sessions are told."""

    name: str
    why: str


class DeviceEnded(Order, frozen=True, tag=3):
    """A device was revoked."""

    device_id: bytes


class PasswordChanged(Order, frozen=True, tag=4):
    """Who has logged in by an account's password has done so by an old one."""

    account_id: bytes
    name: str


class BanChanged(Order, frozen=True, tag=5):
    """A ban, or that it was lifted."""

    ban: Ban
    on: bool


class LeaveKept(Order, frozen=True, tag=6):
    """A Leave waits for the next commit of a room, which had this epoch and this head then."""

    room_id: bytes
    epoch: int
    head: int
    user: str
    leave: bytes


class RoomClosed(Order, frozen=True, tag=7):
    """A room has ended; the log says so up to ``log_size``, 0 where it does not."""

    room_id: bytes
    log_size: int


class Consented(Order, frozen=True, tag=8):
    """What a user says to their place in a room, which had this epoch and this head then."""

    said: ConsentAt
    epoch: int
    head: int


class Addressed(Order, frozen=True, tag=9):
    """Where else the server can be reached, as an operator has said."""

    addresses: tuple[str, ...]


class Announced(Order, frozen=True, tag=10):
    """Something for everybody who is online."""

    text: str
    at_ms: int


class Retained(Order, frozen=True, tag=11):
    """What of rooms is not kept any more: up to which seqs."""

    floors: dict[bytes, int]


class DevicesEntered(Order, frozen=True, tag=12):
    """Devices have got places in a room, by the commit at ``seq``; nodes where they are may not have the room."""

    room_id: bytes
    seq: int
    device_ids: tuple[bytes, ...]


def entered(draft: CommitDraft, result: object) -> list[DevicesEntered]:
    """The orders that follow from what has become of a commit, with a bound of devices in each."""
    if not isinstance(result, Appended):
        return []
    devices = tuple(device_id for device_id, _ in draft.added)
    pages = [devices[at : at + ENTERING] for at in range(0, len(devices), ENTERING)]
    return [DevicesEntered(draft.room_id, result.event.seq, page) for page in pages]


def retained(floors: Mapping[bytes, int]) -> list[Retained]:
    """The orders of what is not kept any more, with a bound of rooms in each."""
    rooms = list(floors)
    pages = [rooms[at : at + FLOORS] for at in range(0, len(rooms), FLOORS)]
    return [Retained({room_id: floors[room_id] for room_id in page}) for page in pages]


def may_follow(before: Consent | None, after: Consent) -> bool:
    """Whether what a user says now takes the place of what is kept, None: nothing.

    Who agrees does so whatever was before; a place yields only while they have not, and they are asked once.
    """
    return {Consent.YIELDED: before is Consent.ASKED, Consent.ASKED: before in {None, Consent.EARLIER}}.get(after, True)


GONE: Final = "gone"
REVOKED: Final = "revoked"

AnyOrder = (
    AccountChanged
    | AccountEnded
    | DeviceEnded
    | PasswordChanged
    | BanChanged
    | LeaveKept
    | RoomClosed
    | Consented
    | Addressed
    | Announced
    | Retained
    | DevicesEntered
)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyOrder)


def encode_order(order: Order) -> bytes:
    """As it is stored and told."""
    return _encoder.encode(order)


def decode_order(body: bytes) -> AnyOrder | None:
    """An order; None for one that this version does not know."""
    try:
        return _decoder.decode(body)
    except UNREADABLE:
        return None
