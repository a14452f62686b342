"""How things stand, for whoever comes later than the events that told it."""

from chatserv.client.engine import Engine
from chatserv.client.events import ClientEvent, RoomOffered
from chatserv.client.outbound.pending import SENDING, queued


def standing(engine: Engine) -> list[ClientEvent]:
    """Texts and files on their way, and rooms that wait for our consent, as events."""
    found: list[ClientEvent] = []
    for room in engine.rooms.ours():
        name = engine.rooms.name(room)
        waiting = engine.outbox.waiting.of(room.room_id)
        found += [queued(name, each, room.room_id) for each in waiting if each.state == SENDING]
        if room.offered and not room.hidden and room.row is not None:
            found.append(RoomOffered(name, room.row.inviter, room.room_id))
    return found
