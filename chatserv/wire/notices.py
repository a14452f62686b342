"""The server's messages that nobody asked for."""

from typing import Annotated

import msgspec
from msgspec import Meta

from chatserv.wire.fields import MAX_ROOMS, Code, Epoch, Id, Message, Name, Path, Seq, Size, Wrap


class RoomInfo(msgspec.Struct, frozen=True):
    """A room in which the device has, or had, a place. Events with ``seq`` above ``since``, up to ``head``, can be read.

    ``head`` ends, in a room that the device is no more in, with the commit that removed it. ``name``: of a public room.
    ``read``: the account's read marker. ``commit_hash``: of the epoch's commit. ``agreed``: the account is known to want to
    be in it.
    """

    room: Id
    name: Name
    epoch: Epoch
    since: Seq
    head: Seq
    read: Seq = 0
    commit_hash: Annotated[bytes, Meta(max_length=32)] = b""
    agreed: bool = True


class LimitInfo(msgspec.Struct, frozen=True):
    """Limits that both ends keep, in bytes and seconds."""

    line_bytes: int
    envelope_bytes: int
    idle_seconds: float
    history_events: int
    one_time_prekeys: int = 50
    rooms_per_account: int = 200


class Welcome(Message, frozen=True, tag="welcome"):
    """The first message after login.

    ``log_head``: the newest signed tree head (432 bytes). ``server_key``: the server's identity key (DER), whose hash is the
    pin. ``prekeys``: one-time prekeys of this device at the server. ``muted``: by the server's administrators.
    """

    account: Id
    name: Name
    role: Code
    rooms: Annotated[tuple[RoomInfo, ...], Meta(max_length=MAX_ROOMS)]
    limits: LimitInfo
    time: int
    log_head: Annotated[bytes, Meta(max_length=432)]
    store: Id
    server_key: Annotated[bytes, Meta(max_length=1024)] = b""
    prekeys: int = 0
    muted: bool = False


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


class RoomEntered(Message, frozen=True, tag="room"):
    """The device has a place in this room from now on; the commit that gave it comes next."""

    info: RoomInfo


class RoomClosed(Message, frozen=True, tag="room_closed"):
    """The room's last member left it; there is no such room any more."""

    room: Id


class WrapReady(Message, frozen=True, tag="wrap"):
    """The device's own wrap of an epoch, before the commit that opens it."""

    room: Id
    epoch: Epoch
    path: Path
    wrap: Wrap


class LeaveWaiting(Message, frozen=True, tag="leave_waiting"):
    """Somebody left: a commit has to take their devices out."""

    room: Id


class LogHead(Message, frozen=True, tag="log_head"):
    """The log has grown: its leaves from index ``after`` on (none where they are many), and the new signed tree head."""

    after: Size
    leaves: bytes
    head: Annotated[bytes, Meta(max_length=432)]


class PrekeysLow(Message, frozen=True, tag="prekeys_low"):
    """So few one-time prekeys of this device are left."""

    one_time: int


class Presence(Message, frozen=True, tag="presence"):
    """A person in a common room came, left or went away. ``status``: 0 offline, 1 online, 2 away."""

    user: Name
    status: Annotated[int, Meta(ge=0, le=2)]


class Typing(Message, frozen=True, tag="typing"):
    """Somebody types in a room."""

    room: Id
    user: Name


class Read(Message, frozen=True, tag="read"):
    """Somebody, perhaps we on another device, has read the room up to ``seq``."""

    room: Id
    user: Name
    seq: Seq


class Announcement(Message, frozen=True, tag="announce"):
    """An administrator tells everybody something, in the clear."""

    text: Annotated[str, Meta(max_length=1000)]
    at: int


class Keepalive(Message, frozen=True, tag="keepalive"):
    """Nothing came for a while: answer with `Ping` or be cut."""


class DrainingNotice(Message, frozen=True, tag="draining"):
    """The server goes down; come back in so many seconds."""

    reconnect_after: float


class Farewell(Message, frozen=True, tag="bye"):
    """The server ends this session; ``code`` says why."""

    code: Code
