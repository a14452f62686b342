"""What stands in the field and is not sent yet: it belongs to the room where it was written."""

from dataclasses import dataclass, field

from chatserv.client import MessageReceived, RoomHandle
from clients.window.widgets.history import History


@dataclass(frozen=True)
class Begun:
    """What the next line is: an answer to a message, or its new text (``edit``); in this room and in no other."""

    edit: bool
    message: MessageReceived
    room: RoomHandle


@dataclass
class Draft:
    """What a room's field holds while another room is on the screen.

    Attributes:
        text: What was being written.
        begun: What it was, if it was no ordinary message.
        room: Where; None where the room was not known yet.
        history: What was sent from there before.
    """

    text: str = ""
    begun: Begun | None = None
    room: RoomHandle | None = None
    history: History = field(default_factory=History)
