"""What a client tells the program around it."""

from dataclasses import dataclass, field
from enum import Enum

from chatserv.errors import ChatError, WireError
from chatserv.i18n import N_


class Replaced(ChatError):
    """Another connection of the same device took over: a copy of this profile is in use elsewhere."""

    code = "replaced"
    text = N_("Another program uses a copy of this profile; each device needs a profile of its own.")


class Status(Enum):
    """How the client stands to its server."""

    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The connection came, went, or cannot come back. ``error``: why it went or failed, where that is known."""

    status: Status
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message of a room, in the room's order, each exactly once. ``at_ms``: the server's clock, milliseconds since 1970.

    ``text`` is None where the content is of a type that this version does not know. ``own``: by our account.
    """

    room: str
    seq: int
    at_ms: int
    sender: str
    message_id: bytes
    text: str | None = field(repr=False)
    own: bool


@dataclass(frozen=True, slots=True)
class GapSeen:
    """Messages ``first`` to ``last`` of a room were not delivered: the server lost or withheld them."""

    room: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RoomRewound:
    """The room ends before what we have read of it (``position`` above ``head``): the server has lost messages.

    Reading begins anew, so messages that were shown may come again.
    """

    room: str
    position: int
    head: int


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
class Answered:
    """The reply to a command other than a send: a message of `chatserv.wire.messages`, or an error."""

    label: int
    reply: object


@dataclass(frozen=True, slots=True)
class RetryWanted:
    """The server had no time for a send; call ``retry`` after so many seconds."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class SyncRefused:
    """The server does not stream what is missing; only another connection can ask again."""

    error: WireError


ClientEvent = (
    StatusChanged
    | MessageReceived
    | GapSeen
    | RoomRewound
    | SendAcknowledged
    | SendFailed
    | Answered
    | RetryWanted
    | SyncRefused
)
