"""The operations on rooms: what the server knows of each, and the end of one. Who is in it only its members decide."""

from collections.abc import Mapping
from typing import Any

from chatserv.commands.leaving import close_room
from chatserv.commands.room_registry import members_of, standing_leaves
from chatserv.commands.rooms_needed import record_at
from chatserv.crypto.room_state import State
from chatserv.i18n import _
from chatserv.local_errors import NotDone
from chatserv.models import Room
from chatserv.operations.people import require_yes
from chatserv.operations.registry import Result
from chatserv.operations.world import World


async def list_rooms(world: World, _arguments: Mapping[str, Any]) -> Result:
    """All rooms, the oldest first."""
    rooms = await world.context.store.rooms()
    return Result({"rooms": [_facts(room) for room in rooms]})


async def close(world: World, arguments: Mapping[str, Any]) -> Result:
    """Ends a room for good."""
    wanted = arguments["room"]
    for room in await world.context.store.rooms():
        if wanted not in {room.room_id.hex(), room.name or room.room_id.hex()}:
            continue
        record = await record_at(world.context, room.room_id)
        if record is not None:
            require_yes(arguments)
            await close_room(world.context, record, in_use=True)
            return Result(_facts(room))
    raise NotDone(_("there is no room {room}").format(room=wanted))


def _facts(room: Room) -> dict[str, Any]:
    state = State.decode(room.state)
    return {
        "room": room.room_id.hex(),
        "name": room.name,
        "members": len(members_of(state, standing_leaves(room, state))),
        "devices": len(state.roster),
        "events": room.head,
    }
