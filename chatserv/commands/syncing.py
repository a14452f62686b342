"""Catching up: what a device has missed, from the log, and then live events."""

from contextlib import suppress

from chatserv.commands.attendance import notify_who_is_there, show
from chatserv.commands.broadcast import notify
from chatserv.commands.context import Context
from chatserv.commands.delivery import encode_event
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadMessage, Internal, WireError
from chatserv.failpoints import failpoint
from chatserv.wire import messages


async def sync(context: Context, session: LiveSession, command: messages.Sync) -> messages.Ok:
    """Streams what the client misses, room by room in turn, then live events; answers when every gap is closed.

    From then on the client holds against the server what the log says of a room and the room does not: so on a node that has
    heard of a commit by the log alone it is answered behind that commit.
    """
    if session.synced:
        raise BadMessage("sync: only once a session")
    failpoint("sync.begun")
    session.synced = True
    show(context, session)
    known = dict(command.cursors) if command.store == context.store.incarnation else {}
    passed: dict[bytes, int] = {}
    for room_id, place in session.places.items():
        target = context.hub.target(session, room_id)
        if room_id in known:
            passed[room_id] = min(known[room_id], target)
        position = max(place.since, passed.get(room_id, 0))
        if place.until is None or position < target:
            session.behind[room_id] = position
    if passed:
        with suppress(WireError):  # only frees wraps: a disk that is full does not keep anybody from reading
            await context.store.passed(session.device_id, passed)
    await catch_up(context, session)
    with suppress(WireError):
        await context.backplane.keep_up(session.device_id)
        await catch_up(context, session)
    failpoint("sync.live")
    if context.hub.is_attached(session):
        notify_who_is_there(context, session)
        for room_id, place in session.places.items():
            record = context.registry.get(room_id)
            if place.until is None and record is not None and record.leaves:
                notify([session], messages.LeaveWaiting(room_id))
    return messages.Ok(command.label)


async def catch_up(context: Context, session: LiveSession) -> None:
    """Reads the log for a session that is behind, a page a room in turn, until nothing is missing in any of its rooms."""
    session.catching_up = True
    try:
        while session.behind and context.hub.is_attached(session) and not session.outbox.closed:
            room_id, position = next(iter(session.behind.items()))
            del session.behind[room_id]
            if not context.hub.go_live(session, room_id, position):
                session.behind[room_id] = position  # at the end of the line: rooms take turns
                await _queue_page(context, session, room_id, position)
    finally:
        session.catching_up = False


async def _queue_page(context: Context, session: LiveSession, room_id: bytes, position: int) -> None:
    """Reads on in a room; stops where the session lost its place, or got another one, meanwhile."""
    # Never past the head: what is committed above it is still to be delivered, and would come twice.
    missing = context.hub.target(session, room_id) - position
    events = await context.store.events(room_id, position, min(missing, context.config.limits.page_events))
    failpoint("sync.page_read")
    if not events and session.behind.get(room_id) == position:
        if context.hub.rooms[room_id].first == 1 and not context.config.retention.is_set:
            raise Internal(f"room {room_id.hex()}: nothing after {position}")
        session.behind[room_id] = context.hub.target(session, room_id)  # what was there was not kept
    for event in events:
        if session.behind.get(room_id) != position or event.seq > context.hub.target(session, room_id):
            return
        part = encode_event(event)
        session.outbox.queue((part,), len(part))
        position = session.behind[room_id] = event.seq
        await session.outbox.writable()  # a page alone may be more than the hard limit
