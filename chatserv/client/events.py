"""What a client tells the program around it.

``room`` is always the name under which the room can be addressed: ``lobby`` for a room, ``@bob`` for the direct messages
with bob. ``at_ms`` is the server's clock, milliseconds since 1970; it decides nothing.
"""

from dataclasses import dataclass, field
from enum import Enum

from chatserv.client.trust_events import Alarm as Alarm
from chatserv.client.trust_events import DeviceSeen as DeviceSeen
from chatserv.client.trust_events import IdentityChanged as IdentityChanged
from chatserv.client.trust_events import KeysBroken as KeysBroken
from chatserv.errors import ChatError


class Status(Enum):
    """How the client stands to its server. ``SYNCING``: connected, and catching up; ``ONLINE``: everything is here."""

    CONNECTING = "connecting"
    SYNCING = "syncing"
    ONLINE = "online"
    OFFLINE = "offline"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The connection came, went, or cannot come back. ``error``: why it went or failed, where that is known."""

    status: Status
    error: Exception | None = None


# -- messages ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message of a room, in the room's order, each exactly once.

    ``text`` is None where the content is of a type that this version does not know, or could not be opened (``unreadable``).
    ``own``: by our account. ``sender``: the user whose device signed it. ``mentioned``: our account is. ``action``: ``/me``.
    ``edited``: the text is not the first one. ``deleted``: it was taken back, and has no text any more.
    ``room_id``: names the room, whatever it is called by now. ``identity_changed``: it was signed by another identity of
    ``sender`` than the one that we go by, which nobody has accepted here: it may be by somebody else. ``at_ms``: when the
    server says that it took it; ``sent_ms``: what the sender has signed as the time, 0 where that is not known.
    """

    room: str
    seq: int
    at_ms: int
    sender: str
    message_id: bytes
    text: str | None = field(repr=False)
    own: bool
    action: bool = False
    reply_to: bytes | None = None
    mentioned: bool = False
    unreadable: bool = False
    edited: bool = False
    deleted: bool = False
    room_id: bytes = field(default=b"", repr=False)
    reactions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    identity_changed: bool = False
    sent_ms: int = 0


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The author has replaced a message's text."""

    room: str
    message_id: bytes
    sender: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """The author, or a moderator (``by``), has taken a message back."""

    room: str
    message_id: bytes
    by: str


@dataclass(frozen=True, slots=True)
class Reacted:
    """Somebody has put an emoji to a message, or taken it away."""

    room: str
    message_id: bytes
    sender: str
    emoji: str
    on: bool


@dataclass(frozen=True, slots=True)
class Delivered:
    """A device of ``user`` has these messages of ours."""

    room: str
    user: str
    message_ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SendQueued:
    """A text of ours waits for the server; also told at the start, for what an earlier run left. ``at_ms``: our clock."""

    room: str
    message_id: bytes
    text: str = field(repr=False)
    at_ms: int
    action: bool = False
    reply_to: bytes | None = None


@dataclass(frozen=True, slots=True)
class SendAcknowledged:
    """The message is stored and ordered."""

    message_id: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class SendFailed:
    """The message is not stored and will not be."""

    message_id: bytes
    error: ChatError


@dataclass(frozen=True, slots=True)
class SendHeld:
    """Messages to the room wait for a person: the identity of these users has changed (``accept_identity``)."""

    room: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SendDelayed:
    """The server cannot store what is said in the room for now, such as on a full disk; told once, and tried again."""

    room: str
    error: ChatError


@dataclass(frozen=True, slots=True)
class GapSeen:
    """Messages ``first`` to ``last`` of a room were not delivered: the server lost or withheld them."""

    room: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class MessagesMissing:
    """So many messages of ``sender`` are missing: their numbers show it, or ``by`` says so, who changed the room.

    Where ``sender`` is our own account, the server has acknowledged them. ``by`` had not got them when changing it; if that
    is empty, they never came into the room at all.
    """

    room: str
    sender: str
    count: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class RoomRewound:
    """The server has less of the room than we have (``position`` above ``head``): it has lost messages or changes."""

    room: str
    position: int
    head: int


# -- rooms ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RoomOffered:
    """Somebody has taken us into a private room or begun direct messages: nothing of it is shown until `accept`."""

    room: str
    by: str


@dataclass(frozen=True, slots=True)
class RoomJoined:
    """We are in a room from now on."""

    room: str


@dataclass(frozen=True, slots=True)
class RoomLeft:
    """We are no more in a room. ``by``: who removed us; empty where we left, or the room was closed."""

    room: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """A commit changed the room. ``lines`` tell people what: (word, users), such as ``("joined", ("bob",))``.

    The words: joined, left, kicked, struck (the server's log says that their account is gone, or their identity another
    one, and whoever commits next takes them out), banned, unbanned, muted, unmuted, owner, moderator, member, devices,
    policy, rotated.
    """

    room: str
    by: str
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class RoomTitled:
    """The room has another name or topic. ``room`` is the new name, ``before`` the one so far."""

    room: str
    before: str
    topic: str
    by: str


@dataclass(frozen=True, slots=True)
class ReadMoved:
    """``user`` has read the room up to ``seq``."""

    room: str
    user: str
    seq: int


@dataclass(frozen=True, slots=True)
class TypingSeen:
    """``user`` types in the room."""

    room: str
    user: str


@dataclass(frozen=True, slots=True)
class PresenceSeen:
    """``user`` is ``online``, ``away`` or ``offline``."""

    user: str
    presence: str


@dataclass(frozen=True, slots=True)
class Announced:
    """An administrator of the server tells everybody something; it was not encrypted end to end."""

    text: str
    at_ms: int


ClientEvent = (
    StatusChanged
    | MessageReceived
    | MessageEdited
    | MessageDeleted
    | Reacted
    | Delivered
    | SendQueued
    | SendAcknowledged
    | SendFailed
    | SendHeld
    | SendDelayed
    | GapSeen
    | MessagesMissing
    | RoomRewound
    | RoomOffered
    | RoomJoined
    | RoomLeft
    | RoomChanged
    | RoomTitled
    | ReadMoved
    | TypingSeen
    | PresenceSeen
    | Announced
    | IdentityChanged
    | DeviceSeen
    | KeysBroken
    | Alarm
)
