"""A room of which this node has missed too much, or that is new to it: it stands where the store has it from then on."""

from chatserv.commands.broadcast import notify
from chatserv.commands.delivery import room_info
from chatserv.commands.presence import introduce
from chatserv.commands.room_registry import RoomRegistry
from chatserv.domain.hub import Hub, LiveRoom, LiveSession
from chatserv.domain.room_reload import reload_room
from chatserv.node_models import RoomAt
from chatserv.wire import messages


def reload(hub: Hub, registry: RoomRegistry, found: RoomAt) -> None:
    """Takes a room in as the store has it; its sessions read on in the log by themselves, as far as they may.

    What control entries will say of it, Leaves and consents, may be in it already.
    """
    room, record = found.room, registry.reload(found)
    fresh = LiveRoom(room.room_id, room.name, room.epoch, room.head, room.commit_hash, room.gone_through + 1)
    newcomers: list[LiveSession] = []

    def greet(session: LiveSession) -> None:
        agreed = registry.invitations.get(session.name, room.room_id) is None
        notify([session], messages.RoomEntered(room_info(hub.rooms[room.room_id], session, 0, agreed=agreed)))
        if session.synced and session.places[room.room_id].until is None:
            newcomers.append(session)

    def is_open(device_id: bytes) -> bool:
        session = hub.session_of(device_id)
        if session is None:
            return True
        yielded = registry.invitations.has_yielded(session.name, room.room_id)
        if yielded and room.room_id in session.places:
            notify([session], messages.RoomClosed(room.room_id))
        return session.name not in record.leaves and not yielded

    hub.touch(found.places)
    places = {device_id: place for device_id, place in found.places.items() if is_open(device_id)}
    reload_room(hub, fresh, places, greet)
    for newcomer in newcomers:
        introduce(hub, registry, hub.rooms[room.room_id], newcomer)
