"""A hole in a room: what the server has counted and not sent."""

from chatserv.client.events import GapSeen, MessagesExpired
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms


def hole_seen(context: ClientContext, rooms: Rooms, room: Room, first: int, last: int) -> GapSeen | MessagesExpired:
    """What is told of it: that the server has not kept it, by its own rule, or that it is lost or withheld."""
    if not rooms.rule.explains(room.room_id, last, context.now_ms()):
        return GapSeen(rooms.name(room), first, last, room.room_id)
    rooms.rule.explained(room.room_id, room.head.epoch)
    return MessagesExpired(rooms.name(room), first, last, room.room_id)
