"""Rooms that come to a node when somebody there needs them, and go when nobody does."""

from typing import Final

from chatserv.commands.context import Context
from chatserv.commands.room_registry import RoomRecord
from chatserv.errors import WireError

RETRY_SECONDS: Final = 1.0  # after a question that the store refused


def needed(context: Context) -> set[bytes]:
    """The rooms that somebody here needs: where a session has a place, open or ended, or a commit is waited for."""
    found = {*context.leases.rooms, *context.registry.comparing}
    for session in context.hub.sessions:
        found.update(session.places)
    return found


def let_go(context: Context, room_id: bytes) -> None:
    """Nobody here needs the room any more; whoever does has it brought again."""
    context.backplane.unload(room_id)
    context.registry.forget(room_id)
    context.hub.rooms.pop(room_id, None)


async def record_at(context: Context, room_id: bytes) -> RoomRecord | None:
    """A room that perhaps nobody here needs; None where there is none. Raises `Busy`."""
    await context.backplane.load(room_id)
    return context.registry.get(room_id)


async def bring(context: Context, room_id: bytes, seq: int = 0) -> None:
    """Has a room here, up to ``seq``, as soon as the store can be asked; who has a place there is told so by that."""
    while True:
        try:
            await context.backplane.load(room_id)
            await context.backplane.reached(room_id, seq)
        except WireError:
            await context.effects.pause(RETRY_SECONDS)
        else:
            return
