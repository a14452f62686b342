"""What a command takes in the room that it names, and who has it."""

from enum import Enum
from typing import Any

from chatserv.commands.context import Context
from chatserv.commands.room_registry import RoomRecord
from chatserv.crypto.room_state import Role
from chatserv.domain.hub import LiveSession
from chatserv.errors import Banned, Muted, NotMember, StaleCommit, WireError
from chatserv.wire import messages


class Access(Enum):
    """What it takes."""

    NOTHING = "the command names no room, or asks nothing of it"
    LISTED = "a member, or anybody who is not banned where the room is public"
    LISTED_OR_NEW = "the same, or a room that is to be made and does not exist"
    PLACE = "the device has a place, open or ended"
    DEVICE = "a member, with this device in the room"
    LEASE = "the session holds the commit lease"


async def bring(context: Context, session: LiveSession, command: Any) -> None:
    """Has the room here that the command names, which nobody here may need but for this. Raises `Busy`.

    Whether there is one that somebody makes the store says when it is made.
    """
    is_new = isinstance(command, messages.BeginCommit) and command.new
    if command.room not in session.places and not is_new:
        await context.backplane.load(command.room)


def refusal(
    context: Context, session: LiveSession, access: Access, command: Any, *, muted_may: bool
) -> WireError | None:
    """Why the session may not do that in the room that the command names; None where it may."""
    if access is Access.NOTHING:
        return None
    room_id: bytes = command.room
    if access is Access.LEASE:
        return None if context.leases.held(room_id, session) else StaleCommit(f"room {room_id.hex()}: no lease")
    record = context.registry.get(room_id)
    if record is None:
        is_new = access is Access.LISTED_OR_NEW and command.new
        return None if is_new else NotMember(f"room {room_id.hex()}")
    return _refusal(session, access, record) or (None if muted_may else _mute(session, record))


def _refusal(session: LiveSession, access: Access, record: RoomRecord) -> WireError | None:
    place = session.places.get(record.room_id)
    if access is Access.PLACE and place is not None:
        return None
    role = record.role(session.name)
    if role is Role.BANNED:
        return Banned(f"room {record.room_id.hex()}", by="room")
    if access is Access.LISTED or access is Access.LISTED_OR_NEW:
        allowed = bool(role) or bool(record.name)
    else:
        allowed = access is Access.DEVICE and bool(role) and place is not None and place.until is None
    return None if allowed else NotMember(f"room {record.room_id.hex()}")


def _mute(session: LiveSession, record: RoomRecord) -> WireError | None:
    if record.muted(session.name):
        return Muted(f"room {record.room_id.hex()}", by="room")
    return Muted("by an administrator", by="server") if session.muted else None
