"""Every message of the protocol, one frozen struct each, tagged ``t`` on the wire (docs/protocol.rst).

A command carries ``label``, the client's choice, and gets exactly one reply with the same label. A notice comes unasked.
Ids are 16 bytes without meaning, times are milliseconds since 1970, unknown fields are ignored.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

Label = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=500)]
Code = Annotated[str, Meta(max_length=32)]
Token = Annotated[bytes, Meta(min_length=32, max_length=32)]
Epoch = Annotated[int, Meta(ge=0, le=2**32 - 1)]
MAX_CURSORS: Final = 1000
MAX_PAGE: Final = 1000
MAX_ROOMS: Final = 1000  # of one account


class Message(msgspec.Struct, frozen=True, tag_field="t"):
    """What all messages have in common: the tag."""


class Command(Message, frozen=True, tag_field="t"):
    """A request of the client."""

    label: Label


class Reply(Message, frozen=True, tag_field="t"):
    """The server's one answer to a command."""

    label: Label


# -- commands ---------------------------------------------------------------------------------------------------------


class Ping(Command, frozen=True, tag="ping"):
    """Are you there? Answered by `Ok`."""


class Sync(Command, frozen=True, tag="sync"):
    """Asks for what is missing since ``cursors`` (room, last seq held), then for live events. Answered by `Ok` at the end.

    ``store`` is the incarnation that the cursors belong to; under another one they count as 0. A room without a cursor
    starts where the membership does.
    """

    store: Id
    cursors: Annotated[tuple[tuple[Id, Seq], ...], Meta(max_length=MAX_CURSORS)] = ()


class Send(Command, frozen=True, tag="send"):
    """Asks for a place in the room's log. Answered by `Sent`; ``envelope`` is opaque to the server."""

    room: Id
    id: Id
    epoch: Epoch
    envelope: bytes = msgspec.field()

    def __repr__(self) -> str:
        return f"Send(label={self.label}, room={self.room.hex()}, id={self.id.hex()}, {len(self.envelope)} bytes)"


class History(Command, frozen=True, tag="history"):
    """Asks for the last ``limit`` events before ``before``. Answered by `Page`."""

    room: Id
    before: Seq
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 50


class MakeInvite(Command, frozen=True, tag="invite"):
    """Asks for a one-use invite; administrators only. Answered by `Invited`. ``name`` empty: for any name."""

    name: Annotated[str, Meta(max_length=64)] = ""
    admin: bool = False


class Bye(Command, frozen=True, tag="bye"):
    """The client leaves. Answered by `Ok`, then by CLOSE."""


ClientMessage = Ping | Sync | Send | History | MakeInvite | Bye


# -- replies ----------------------------------------------------------------------------------------------------------


class Ok(Reply, frozen=True, tag="ok"):
    """Done."""


class Error(Reply, frozen=True, tag="error"):
    """Not done, and nothing stored. ``code`` is one of the table in docs/protocol.rst."""

    code: Code
    text: Text = ""
    retryable: bool = False
    after_seconds: float | None = None


class Sent(Reply, frozen=True, tag="sent"):
    """Stored under ``seq``; the same id again gets the same answer."""

    id: Id
    seq: Seq
    at: int


class Invited(Reply, frozen=True, tag="invited"):
    """A fresh invite; the server keeps only its hash."""

    token: Token
    expires: int

    def __repr__(self) -> str:
        return f"Invited(label={self.label}, expires={self.expires})"


# -- notices ----------------------------------------------------------------------------------------------------------


class RoomInfo(msgspec.Struct, frozen=True):
    """A room of the account. Events with ``seq`` above ``since``, up to ``head``, can be read."""

    room: Id
    name: Name
    epoch: Epoch
    since: Seq
    head: Seq


class LimitInfo(msgspec.Struct, frozen=True):
    """Limits that both ends keep, in bytes and seconds."""

    line_bytes: int
    envelope_bytes: int
    idle_seconds: float
    history_events: int


class Welcome(Message, frozen=True, tag="welcome"):
    """The first message after login."""

    account: Id
    name: Name
    role: Code
    rooms: Annotated[tuple[RoomInfo, ...], Meta(max_length=MAX_ROOMS)]
    limits: LimitInfo
    time: int
    log_head: bytes
    store: Id


class Event(Message, frozen=True, tag="event"):
    """One entry of a room's log. ``sender`` is a hint, ``at`` the server's clock; neither decides anything."""

    room: Id
    seq: Seq
    at: int
    sender: Name
    kind: int
    body: bytes

    def __repr__(self) -> str:
        return f"Event(room={self.room.hex()}, seq={self.seq}, sender={self.sender!r}, {len(self.body)} bytes)"


class Page(Reply, frozen=True, tag="page"):
    """Events in order of seq; fewer than asked for where no more are left or the line is full."""

    events: tuple[Event, ...]


class Keepalive(Message, frozen=True, tag="keepalive"):
    """Nothing came for a while: answer with `Ping` or be cut."""


class DrainingNotice(Message, frozen=True, tag="draining"):
    """The server goes down; come back in so many seconds."""

    reconnect_after: float


class Farewell(Message, frozen=True, tag="bye"):
    """The server ends this session; ``code`` says why."""

    code: Code


ServerMessage = Ok | Error | Sent | Invited | Page | Welcome | Event | Keepalive | DrainingNotice | Farewell
