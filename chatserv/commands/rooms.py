"""Sending, catching up, and reading back."""

from chatserv.commands.context import Context, encode_event, wire_event
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadMessage, Internal, NotMember, StaleEpoch, TooLarge
from chatserv.ports import Appended, EventDraft, EventKind, Stale
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.records import ARRAY_HEADER_BYTES, plaintext_room

HISTORY_STEP = 16  # events read at once: enough for most pages, and little where events are large
PAGE_BYTES = 64  # of a page that are not events


def _require_member(session: LiveSession, room: bytes) -> int:
    since = session.memberships.get(room)
    if since is None:
        raise NotMember(f"room {room.hex()}")
    return since


async def send(context: Context, session: LiveSession, command: messages.Send) -> messages.Sent:
    """Puts an envelope into the room's log; answers after the commit. The body is opaque."""
    _require_member(session, command.room)
    if len(command.envelope) > context.config.limits.envelope_bytes:
        raise TooLarge(f"envelope: {len(command.envelope)} bytes")
    draft = EventDraft(
        room_id=command.room,
        id=command.id,
        epoch=command.epoch,
        account_id=session.account_id,
        device_id=session.device_id,
        sender=session.name,
        kind=EventKind.MESSAGE,
        body=command.envelope,
        at_ms=context.now_ms(),
    )
    result = await context.store.append(draft)
    if isinstance(result, Stale):
        raise StaleEpoch(f"epoch {command.epoch}, {result.epoch} is current")
    if isinstance(result, Appended):
        return messages.Sent(command.label, command.id, result.event.seq, result.event.at_ms)
    return messages.Sent(command.label, command.id, result.seq, result.at_ms)


async def sync(context: Context, session: LiveSession, command: messages.Sync) -> messages.Ok:
    """Streams what the client misses, room by room in turn, then live events; answers when every gap is closed."""
    if session.synced:
        raise BadMessage("sync: only once a session")
    session.synced = True
    cursors = dict(command.cursors) if command.store == context.store.incarnation else {}
    for room_id, since in session.memberships.items():
        session.behind[room_id] = max(since, min(cursors.get(room_id, 0), context.hub.rooms[room_id].head))
    await catch_up(context, session)
    return messages.Ok(command.label)


async def catch_up(context: Context, session: LiveSession) -> None:
    """Reads the log for a session that is behind, a page a room in turn, until it is live in all of its rooms."""
    session.catching_up = True
    try:
        while session.behind and not session.outbox.closed:
            room_id = next(iter(session.behind))
            position = session.behind.pop(room_id)
            if not context.hub.go_live(session, room_id, position):
                session.behind[room_id] = await _queue_page(context, session, room_id, position)
    finally:
        session.catching_up = False


async def _queue_page(context: Context, session: LiveSession, room_id: bytes, position: int) -> int:
    # Never past the head: what is committed above it is still to be delivered, and would come twice.
    missing = context.hub.rooms[room_id].head - position
    events = await context.store.events(room_id, position, min(missing, context.config.limits.page_events))
    if not events:
        raise Internal(f"room {room_id.hex()}: nothing after {position}")
    for event in events:
        part = encode_event(event)
        session.outbox.queue((part,), len(part))
        await session.outbox.writable()  # a page alone may be more than the hard limit
    return events[-1].seq


async def history(context: Context, session: LiveSession, command: messages.History) -> messages.Page:
    """The last events before ``before``, as many as asked for, allowed, and fitting into one line."""
    since, limits = _require_member(session, command.room), context.config.limits
    wanted, before = min(command.limit, limits.history_events), command.before
    room = plaintext_room(limits.line_bytes) - ARRAY_HEADER_BYTES - PAGE_BYTES
    page: list[messages.Event] = []
    while len(page) < wanted:
        events = await context.store.events_before(command.room, before, since, min(HISTORY_STEP, wanted - len(page)))
        for event in reversed(events):
            travelling = wire_event(event)
            room -= len(encode_message(travelling))
            if room < 0:
                break
            page.append(travelling)
            before = event.seq
        if room < 0 or len(events) < HISTORY_STEP:
            break
    await session.outbox.writable()  # many pages asked for at once are more than the hard limit
    return messages.Page(command.label, tuple(reversed(page)))
