"""What a client tells the program around it.

``room`` is always the name under which the room can be addressed now: ``lobby`` for a room, ``@bob`` for the direct
messages with bob. ``room_id`` (16 bytes) names the same room for good. ``at_ms`` is the server's clock, milliseconds since
1970; it decides nothing. ``seq`` and ``at_ms`` of an edit, a deletion or a sign are those of that change.
"""

from dataclasses import dataclass, field
from enum import Enum

from chatserv.client.file_events import Attachment
from chatserv.client.file_events import FileProgress as FileProgress
from chatserv.client.history_results import HistoryReceived as HistoryReceived
from chatserv.client.room_events import Announced as Announced
from chatserv.client.room_events import MessagesExpired as MessagesExpired
from chatserv.client.room_events import PresenceSeen as PresenceSeen
from chatserv.client.room_events import ReadMoved as ReadMoved
from chatserv.client.room_events import RetentionChanged as RetentionChanged
from chatserv.client.room_events import RoomChanged as RoomChanged
from chatserv.client.room_events import RoomJoined as RoomJoined
from chatserv.client.room_events import RoomLeft as RoomLeft
from chatserv.client.room_events import RoomOffered as RoomOffered
from chatserv.client.room_events import RoomTitled as RoomTitled
from chatserv.client.room_events import TypingSeen as TypingSeen
from chatserv.client.trust_events import Alarm as Alarm
from chatserv.client.trust_events import DeviceAsks as DeviceAsks
from chatserv.client.trust_events import DeviceGone as DeviceGone
from chatserv.client.trust_events import DeviceSeen as DeviceSeen
from chatserv.client.trust_events import IdentityChanged as IdentityChanged
from chatserv.client.trust_events import KeysBroken as KeysBroken
from chatserv.client.trust_events import OtherServer as OtherServer
from chatserv.client.trust_events import RotationDone as RotationDone
from chatserv.client.trust_events import RotationOpen as RotationOpen
from chatserv.client.trust_events import ServerKeyChanged as ServerKeyChanged
from chatserv.client.trust_events import TrustEvent
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
    ``unproved``: it came from a file (``import_history``) without anything that shows who has said it. ``file``: what was
    sent, and ``text`` what is said beside it.
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
    unproved: bool = False
    file: Attachment | None = None


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The author has replaced a message's text."""

    room: str
    message_id: bytes
    sender: str
    text: str = field(repr=False)
    seq: int = field(default=0, compare=False)
    at_ms: int = field(default=0, compare=False)
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """The author, or a moderator (``by``), has taken a message back."""

    room: str
    message_id: bytes
    by: str
    seq: int = field(default=0, compare=False)
    at_ms: int = field(default=0, compare=False)
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Reacted:
    """Somebody has put an emoji to a message, or taken it away."""

    room: str
    message_id: bytes
    sender: str
    emoji: str
    on: bool
    seq: int = field(default=0, compare=False)
    at_ms: int = field(default=0, compare=False)
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A device of ``user`` has these messages of ours."""

    room: str
    user: str
    message_ids: tuple[bytes, ...]
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SendQueued:
    """A text of ours waits for the server; also told at the start, for what an earlier run left. ``at_ms``: our clock."""

    room: str
    message_id: bytes
    text: str = field(repr=False)
    at_ms: int
    action: bool = False
    reply_to: bytes | None = None
    room_id: bytes = field(default=b"", repr=False, compare=False)
    file: Attachment | None = None


@dataclass(frozen=True, slots=True)
class SendAcknowledged:
    """The message is stored and ordered."""

    message_id: bytes
    seq: int
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SendFailed:
    """The message is not stored and will not be."""

    message_id: bytes
    error: ChatError
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SendHeld:
    """Messages to the room wait for a person: the identity of these users has changed (``accept_identity``)."""

    room: str
    users: tuple[str, ...]
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SendDelayed:
    """The server cannot store what is said in the room for now, such as on a full disk; told once, and tried again."""

    room: str
    error: ChatError
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class GapSeen:
    """Messages ``first`` to ``last`` of a room were not delivered: the server lost or withheld them.

    ``backup_ms``: see `ServerRestored`; 0 where the server was never restored.
    """

    room: str
    first: int
    last: int
    room_id: bytes = field(default=b"", repr=False, compare=False)
    backup_ms: int = field(default=0, repr=False, compare=False)


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
    room_id: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RoomRewound:
    """The server has less of the room than we have (``position`` above ``head``): it has lost messages or changes.

    ``stopped``: changes, so that nothing can be sent or changed there any more (`RoomHandle.stands_still`). ``backup_ms``:
    see `ServerRestored`; 0 where the server was never restored.
    """

    room: str
    position: int
    head: int
    room_id: bytes = field(default=b"", repr=False, compare=False)
    stopped: bool = field(default=False, compare=False)
    backup_ms: int = field(default=0, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ServerRestored:
    """The server says that it was restored at ``at_ms`` from a backup of ``backup_ms``: what came between, it has lost.

    ``mending``: it stores nothing, and is given back what people's devices hold, this one too. It is the server's word, and
    excuses nothing: no alarm is left out for it.
    """

    backup_ms: int
    at_ms: int
    mending: bool = False


@dataclass(frozen=True, slots=True)
class ArchiveFull:
    """This device keeps ``limit`` messages of a room, and has so many: the oldest goes with each new one. Told once."""

    room: str
    limit: int
    room_id: bytes = field(default=b"", repr=False, compare=False)


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
    | MessagesExpired
    | MessagesMissing
    | RoomRewound
    | ServerRestored
    | ArchiveFull
    | FileProgress
    | HistoryReceived
    | RoomOffered
    | RoomJoined
    | RoomLeft
    | RoomChanged
    | RoomTitled
    | ReadMoved
    | TypingSeen
    | PresenceSeen
    | Announced
    | RetentionChanged
    | TrustEvent
)
