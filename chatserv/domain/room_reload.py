"""A room that is read anew, since too much of it was missed to be told one by one. Pure: no clock, no I/O.

Its sessions are put behind where they were, and read on in the log; what they may read, and who is in the room, is as the
store has it.
"""

from collections.abc import Callable, Mapping

from chatserv.domain.hub import Hub, LiveRoom, LiveSession, Place


def reload_room(hub: Hub, fresh: LiveRoom, places: Mapping[bytes, Place], greet: Callable[[LiveSession], None]) -> None:
    """Brings a room to where the store has it, or takes it in.

    Args:
        hub: Who is here.
        fresh: The room as it stands, without sessions; its head is not below what was delivered here.
        places: By device, all of the room, ended ones included.
        greet: Tells a session that has a new place; before the events in it.
    """
    room = hub.rooms.get(fresh.room_id)
    if room is None:
        hub.add_rooms([fresh])
        room = fresh
    delivered, room.head = room.head, fresh.head
    room.name, room.epoch, room.commit_hash, room.first = fresh.name, fresh.epoch, fresh.commit_hash, fresh.first
    hub.touch(places)
    here = dict.fromkeys(room.here)
    here |= dict.fromkeys(session for session in map(hub.session_of, places) if session is not None)
    live = list(room.live)
    for session in here:
        _move(hub, room.room_id, session, places.get(session.device_id), greet)
    for session in live:
        if room.room_id in session.places and room.room_id not in session.behind:
            room.live[session] = None
            hub.put_behind(session, room.room_id, delivered)


def _move(
    hub: Hub, room_id: bytes, session: LiveSession, place: Place | None, greet: Callable[[LiveSession], None]
) -> None:
    """Gives one session the place that it has now."""
    before = session.places.get(room_id)
    if place is None:
        hub.leave(session, room_id)
    elif before is None or place.since != before.since:
        session.places[room_id] = place
        session.behind.pop(room_id, None)
        room = hub.rooms[room_id]
        room.live.pop(session, None)
        if place.until is None:
            room.here[session] = None
        else:
            room.here.pop(session, None)
        greet(session)
        if session.synced:
            session.behind[room_id] = place.since
            session.outbox.fell_behind()
    elif place.until is not None and before.until is None:
        hub.end_place(session, room_id, place.until)
    else:
        session.places[room_id] = place
