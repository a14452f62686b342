"""The server's messages that nobody asked for."""

from typing import Annotated

import msgspec
from msgspec import Meta

from chatserv.crypto.restored import RESTORED_BYTES
from chatserv.wire.fields import (
    MAX_ROOMS,
    AddressList,
    Code,
    Epoch,
    Hash,
    Id,
    Message,
    Name,
    Path,
    Seq,
    Size,
    Spki,
    TellBody,
    Wrap,
)


class RoomInfo(msgspec.Struct, frozen=True):
    """A room in which the device has, or had, a place. Events with ``seq`` above ``since``, up to ``head``, can be read.

    ``head`` ends, in a room that the device is no more in, with the commit that removed it. ``name``: of a public room.
    ``read``: the account's read marker. ``commit_hash``: of the epoch's commit. ``agreed``: the account is known to want to
    be in it. ``first``: messages before this seq may be gone by the server's rule (`RetentionInfo`).
    """

    room: Id
    name: Name
    epoch: Epoch
    since: Seq
    head: Seq
    read: Seq = 0
    commit_hash: Annotated[bytes, Meta(max_length=32)] = b""
    agreed: bool = True
    first: Seq = 1


class RetentionInfo(msgspec.Struct, frozen=True):
    """For how long the server keeps messages: ``age`` in seconds, and while its database has ``bytes``. 0: for ever."""

    age: Annotated[float, Meta(ge=0)] = 0.0
    bytes: Annotated[int, Meta(ge=0)] = 0


class LimitInfo(msgspec.Struct, frozen=True):
    """Limits that both ends keep, in bytes and seconds; 0: the server names none.

    ``chat_burst``, ``chat_per_second``: of what is said, typing, read marks and presence, at once and after that;
    ``chat_burst_bytes``, ``chat_bytes_per_second``: of the bytes of envelopes above the smallest. ``blob_bytes``: of the
    largest blob, and ``blob_days`` that one is kept; 0: the server takes no files.
    """

    line_bytes: int
    envelope_bytes: int
    idle_seconds: float
    history_events: int
    one_time_prekeys: int = 50
    rooms_per_account: int = 200
    chat_burst: int = 0
    chat_per_second: float = 0.0
    chat_burst_bytes: int = 0
    chat_bytes_per_second: int = 0
    blob_bytes: Size = 0
    blob_days: Annotated[float, Meta(ge=0, le=36_500)] = 0.0


class Welcome(Message, frozen=True, tag="welcome"):
    """The first message after login.

    ``log_head``: the newest signed tree head (432 bytes). ``server_key``: the server's identity key (DER), whose hash is the
    pin. ``prekeys``: one-time prekeys of this device at the server. ``muted``: by the server's administrators. ``backup``:
    the counter of the account's backup at the server, 0 where there is none. ``restored``: what the server has signed about
    its last restore from a backup (docs/crypto.rst 5), empty where there was none. ``mending``: what it lacks since is being
    mended: it stores nothing, wants to be offered what the client holds, and ends the session when that is over.
    ``addresses``: see `Addresses`.
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
    backup: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    restored: Annotated[bytes, Meta(max_length=RESTORED_BYTES)] = b""
    mending: bool = False
    addresses: AddressList = ()
    retention: RetentionInfo = RetentionInfo()


class GuestWelcome(Message, frozen=True, tag="guest_welcome"):
    """The first message to a guest, somebody who has logged in by password and is no device yet: whose guest it is.

    ``log_head``: the newest signed tree head (432 bytes). ``server_key``: the server's identity key (DER), whose hash is the
    pin. ``identity_spki``: the account's newest identity key (DER), as the server says; the log has its fingerprint.
    """

    account: Id
    name: Name
    time: int
    log_head: Annotated[bytes, Meta(max_length=432)]
    server_key: Annotated[bytes, Meta(max_length=1024)]
    identity_spki: Spki
    limits: LimitInfo


class GuestWaits(Message, frozen=True, tag="guest_waits"):
    """A guest of the own account is there since ``at``, and would like to be the device that it offered to be.

    ``rsa_spki``: DER. ``created``: milliseconds since 1970, as its certificate is to say.
    """

    device_id: Id
    rsa_spki: Spki
    ed25519: Hash
    created: int
    at: int


class GuestGone(Message, frozen=True, tag="guest_gone"):
    """A guest of the own account is there no more: it has become a device, or left."""

    device_id: Id


class Told(Message, frozen=True, tag="told"):
    """Another session of the own account says something: the device or guest ``sender``."""

    sender: Id
    guest: bool
    body: TellBody

    def __repr__(self) -> str:
        return f"Told(sender={self.sender.hex()}, guest={self.guest}, {len(self.body)} bytes)"


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
    """There is no such room any more, or no place in it for who did not agree to it.

    ``logged``: how long the log is whose leaves say that it has ended; 0: they do not.
    """

    room: Id
    logged: Annotated[int, Meta(ge=0, le=2**53)] = 0


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
    """Somebody says that they have read the room up to ``seq``."""

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


class Addresses(Message, frozen=True, tag="addresses"):
    """Where the server can be reached besides, or will be: it is about to move. Takes the place of what was said before."""

    addresses: AddressList


class Farewell(Message, frozen=True, tag="bye"):
    """The server ends this session; ``code`` says why."""

    code: Code


Notice = (
    Welcome
    | GuestWelcome
    | GuestWaits
    | GuestGone
    | Told
    | Event
    | RoomEntered
    | RoomClosed
    | WrapReady
    | LeaveWaiting
    | LogHead
    | PrekeysLow
    | Presence
    | Typing
    | Read
    | Announcement
    | Keepalive
    | DrainingNotice
    | Addresses
    | Farewell
)
