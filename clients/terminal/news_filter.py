"""Which news a person reads where."""

from chatserv.client import (
    Alarm,
    ClientEvent,
    DeviceAsks,
    DeviceGone,
    DeviceSeen,
    FileProgress,
    HistoryReceived,
    IdentityChanged,
    KeysBroken,
)
from chatserv.client.events import (
    Announced,
    ArchiveFull,
    Delivered,
    GapSeen,
    MessageReceived,
    MessagesExpired,
    MessagesMissing,
    OtherServer,
    PresenceSeen,
    ReadMoved,
    RetentionChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RotationDone,
    RotationOpen,
    SendAcknowledged,
    SendDelayed,
    SendFailed,
    SendHeld,
    SendQueued,
    ServerKeyChanged,
    ServerRestored,
    StatusChanged,
    TypingSeen,
)


def concerns(event: ClientEvent, room: str) -> bool:
    """Whether somebody who looks at this room is told: of what concerns all of it always, of a room's news only there."""
    match event:
        case Alarm() | Announced() | DeviceSeen() | IdentityChanged() | SendHeld() | SendDelayed() | SendFailed():
            return True
        case ServerRestored() | DeviceAsks() | DeviceGone() | RotationOpen() | RotationDone() | ServerKeyChanged():
            return True
        case RetentionChanged() | MessagesExpired() | OtherServer() | HistoryReceived():
            return True
        case ArchiveFull() | GapSeen() | MessagesMissing() | RoomRewound() | KeysBroken():
            return True
        case RoomJoined() | RoomLeft() | RoomOffered() | PresenceSeen():  # presence: of the room's members (Showing)
            return True
        case StatusChanged() | MessageReceived() | SendQueued() | SendAcknowledged() | FileProgress():
            return False  # shown otherwise
        case Delivered() | ReadMoved() | TypingSeen():
            return False  # too much of it for lines that stay
        case _:
            return event.room == room
