"""Sending, catching up, and reading back."""

from collections import deque

from chatserv.commands.context import Context, encode_event, wire_event
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadMessage, NotFound, NotMember, StaleEpoch, TooLarge
from chatserv.ports import Appended, EventDraft, EventKind, Stale
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.records import ARRAY_HEADER_BYTES, plaintext_room


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
    behind: deque[tuple[bytes, int]] = deque()
    for room_id, since in session.memberships.items():
        behind.append((room_id, max(since, min(cursors.get(room_id, 0), context.hub.rooms[room_id].head))))
    while behind and not session.outbox.closed:
        room_id, position = behind.popleft()
        if context.hub.go_live(session, room_id, position):
            continue
        events = await context.store.events(room_id, position, context.config.limits.page_events)
        if not events:
            raise NotFound(f"room {room_id.hex()}: nothing after {position}")
        parts = [encode_event(event) for event in events]
        session.outbox.queue(parts, sum(map(len, parts)))
        behind.append((room_id, events[-1].seq))
        await session.outbox.writable()
    return messages.Ok(command.label)


async def history(context: Context, session: LiveSession, command: messages.History) -> messages.Page:
    """The last events before ``before``, as many as asked for, allowed, and fitting into one line."""
    since = _require_member(session, command.room)
    limits = context.config.limits
    limit = min(command.limit, limits.history_events)
    events = await context.store.events_before(command.room, command.before, since, limit)
    page = [wire_event(event) for event in events]
    room = plaintext_room(limits.line_bytes) - ARRAY_HEADER_BYTES
    while len(encode_message(messages.Page(command.label, tuple(page)))) > room:
        page = page[len(page) // 2 or 1 :]
    return messages.Page(command.label, tuple(page))
