"""Sending and reading back, read markers, and who types."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.agreeing import agree
from chatserv.commands.broadcast import notify_relaxed
from chatserv.commands.context import Context
from chatserv.commands.delivery import wire_event
from chatserv.commands.room_registry import RoomRecord
from chatserv.crypto.envelope import HEADER_BYTES, Envelope
from chatserv.crypto.room_state import Role
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadMessage, Busy, NotMember, Quota, RateLimited, Reject, StaleEpoch, TooLarge, WireError
from chatserv.failpoints import failpoint
from chatserv.models import Appended, Duplicate, EventDraft, Stale
from chatserv.ports import NO_GENERATION
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.records import ARRAY_HEADER_BYTES, plaintext_room

HISTORY_STEP = 16  # events read at once: enough for most pages, and little where events are large
PAGE_BYTES = 64  # of a page that are not events


def record_of(context: Context, room_id: bytes) -> RoomRecord:
    """The room. Raises `NotMember` where it was closed while something else was waited for."""
    record = context.registry.get(room_id)
    if record is None:
        raise NotMember(f"room {room_id.hex()}")
    return record


class SlowMode(Struct, frozen=True):
    """The turn of one user of a room with slow mode. ``give_back`` undoes it where the message came to nothing."""

    give_back: Callable[[], None]


_NO_TURN: Final = SlowMode(lambda: None)


async def send(context: Context, session: LiveSession, command: messages.Send) -> messages.Sent:
    """Puts an envelope into the room's log; answers after the commit. Only its clear header is read.

    Raises:
        Busy: One that the session has sent before it was refused for now: it comes first, or the readers would miss it.
    """
    try:
        draft = _draft(context, session, command)
    except StaleEpoch:  # another node may have stored it, and it would be sealed anew and said twice
        again = await sent_before(context, session, command)
        if again is None:
            raise
        return again
    _wait_behind(context, session, draft)
    try:
        return await _append(context, session, command, draft)
    except WireError as error:
        if error.retryable and not isinstance(error, StaleEpoch):
            _note_refused(context, session, draft, error.after_seconds or context.config.limits.retry_seconds)
        raise


def _note_refused(context: Context, session: LiveSession, draft: EventDraft, seconds: float) -> None:
    again = context.effects.seconds() + seconds
    first = session.refused.get(draft.room_id)
    if first is None or (draft.epoch, draft.generation) < first[:2]:
        session.refused[draft.room_id] = (draft.epoch, draft.generation, again)


def turned_away(context: Context, session: LiveSession, command: messages.Send, error: RateLimited) -> None:
    """A message was refused before it was looked at: those behind it must not overtake it.

    Some of them may have been let into the line, at the end of which the first one could have come again just so.
    """
    if command.room in session.places:
        seconds = (error.after_seconds or 0) + context.config.limits.retry_seconds
        with suppress(WireError):  # it would be refused for good
            _note_refused(context, session, _draft(context, session, command), seconds)


def _wait_behind(context: Context, session: LiveSession, draft: EventDraft) -> None:
    """Turns a message away that would overtake one that was refused for now, until that could have come again."""
    refused = session.refused.get(draft.room_id)
    if refused is None:
        return
    epoch, generation, again = refused
    left = again - context.effects.seconds()
    if epoch == draft.epoch and left > 0:
        if draft.generation > generation:
            raise Busy("send: behind one that was refused", after_seconds=left)
        if draft.generation < generation:
            return  # it came first, and has waited for its turn
    del session.refused[draft.room_id]


async def _append(context: Context, session: LiveSession, command: messages.Send, draft: EventDraft) -> messages.Sent:
    try:
        slow = _slow_mode(context, session, record_of(context, command.room))
    except RateLimited:
        again = await sent_before(context, session, command)
        if again is None:
            raise
        return again
    stored = False
    try:
        failpoint("send.checked")
        result = await context.store.append(draft)
        failpoint("send.stored")
        stored = isinstance(result, Appended)
    finally:
        if not stored:
            slow.give_back()
    if isinstance(result, Stale):
        raise StaleEpoch(f"epoch {command.epoch}, {result.epoch} is current")
    if context.registry.invitations.get(session.name, command.room) is not None:  # who speaks agrees to be there
        with suppress(Quota):  # it is said; and they are in as many rooms as they may be, so this stays an invitation
            await agree(context, session.name, [command.room])
    return await _sent(context, command, result)


async def _sent(context: Context, command: messages.Send, result: Appended | Duplicate) -> messages.Sent:
    """The answer, which does not overtake what it says is stored."""
    found = result.event if isinstance(result, Appended) else result
    await context.backplane.reached(command.room, found.seq)
    return messages.Sent(command.label, command.id, found.seq, found.at_ms)


def _draft(context: Context, session: LiveSession, command: messages.Send) -> EventDraft:
    if len(command.envelope) > context.config.limits.envelope_bytes:
        raise TooLarge(f"envelope: {len(command.envelope)} bytes")
    try:
        header = Envelope.decode(command.envelope).header
    except Reject as error:
        raise BadMessage(error.detail) from None
    place = session.places[command.room]
    if (header.room_id, header.epoch) != (command.room, command.epoch):
        raise BadMessage("envelope: its header names another room or epoch")
    if (
        command.epoch > context.hub.rooms[command.room].epoch
    ):  # what it changed is not known here yet: who is muted, say
        raise StaleEpoch("of a commit that was not handed out here")
    if header.leaf != place.leaf and command.epoch == context.hub.rooms[command.room].epoch:
        raise BadMessage("envelope: its header names another place in the room")
    return EventDraft(
        room_id=command.room,
        id=command.id,
        epoch=command.epoch,
        account_id=session.account_id,
        device_id=session.device_id,
        sender=session.name,
        body=command.envelope,
        at_ms=context.now_ms(),
        leaf=header.leaf,
        generation=header.generation,
    )


def _slow_mode(context: Context, session: LiveSession, record: RoomRecord) -> SlowMode:
    """Takes the user's turn. Raises `RateLimited` where the one before is too near; moderators and owners are free."""
    seconds = record.state.policy.slow_seconds
    if not seconds or record.role(session.name) != Role.MEMBER:
        return _NO_TURN
    rates, key = context.rates.messages, (record.room_id, session.name)
    wait = rates.wait(key, 1, seconds)
    if wait > 0:
        raise RateLimited("slow mode", after_seconds=wait, by="room")
    rates.take(key)
    return SlowMode(lambda: rates.give_back(key))


async def sent_before(context: Context, session: LiveSession, command: messages.Send) -> messages.Sent | None:
    """The answer to a send of what is stored already, whatever else would speak against it; None where it is not.

    Asked by a draft that the store cannot take.
    """
    if command.room not in session.places:
        return None
    asking = EventDraft(
        room_id=command.room,
        id=command.id,
        epoch=command.epoch,
        account_id=session.account_id,
        device_id=session.device_id,
        sender=session.name,
        body=command.envelope[:HEADER_BYTES],  # it says where the message stands
        at_ms=context.now_ms(),
        generation=NO_GENERATION,
    )
    result = await context.store.append(asking)
    return await _sent(context, command, result) if isinstance(result, Duplicate) else None


async def history(context: Context, session: LiveSession, command: messages.History) -> messages.Page:
    """The last events before ``before``, as many as asked for, allowed, and fitting into one line."""
    place, limits = session.places[command.room], context.config.limits
    wanted, before = min(command.limit, limits.history_events), command.before
    before = min(before, context.hub.target(session, command.room) + 1)  # what comes after that is not for it, maybe
    room = plaintext_room(limits.line_bytes) - ARRAY_HEADER_BYTES - PAGE_BYTES
    page: list[messages.Event] = []
    while len(page) < wanted:
        step = min(HISTORY_STEP, wanted - len(page))
        events = await context.store.events_before(command.room, before, place.since, step)
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


async def mark_read(context: Context, session: LiveSession, command: messages.MarkRead) -> messages.Ok:
    """Keeps the account's read marker, and tells who is live in the room, the account's other devices too.

    Raises `BadMessage` beyond the room's head: nobody has read what is not said yet.
    """
    if command.seq > context.hub.rooms[command.room].head:
        raise BadMessage("read: beyond the head")
    await context.store.mark_read(session.account_id, command.room, command.seq)
    _tell_others(context, session, command.room, messages.Read(command.room, session.name, command.seq))
    context.backplane.tell(Notice(NoticeKind.READ, command.room, session.name, command.seq))
    return messages.Ok(command.label)


async def typing(context: Context, session: LiveSession, command: messages.SetTyping) -> messages.Ok:
    """Tells who is live in the room."""
    _tell_others(context, session, command.room, messages.Typing(command.room, session.name))
    context.backplane.tell(Notice(NoticeKind.TYPING, command.room, session.name))
    return messages.Ok(command.label)


def _tell_others(context: Context, session: LiveSession, room_id: bytes, notice: messages.Message) -> None:
    room = context.hub.rooms.get(room_id)
    if room is not None:
        notify_relaxed((other for other in room.live if other is not session), notice)
