"""Who comes and goes: sessions enter and leave the hub here, and whoever shares a room with them is told."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from chatserv.commands import guests
from chatserv.commands.broadcast import notify, notify_relaxed
from chatserv.commands.context import Context
from chatserv.commands.guests import GuestSession
from chatserv.commands.presence import MAX_PRESENT, company, names_in, shown_of, status_of
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import LiveSession
from chatserv.errors import WireError
from chatserv.wire import messages

HOUR_SECONDS: Final = 3600.0


def enter(context: Context, session: LiveSession) -> None:
    """Takes a session in. One of the same device that it replaces is told so, and ends; on other nodes too."""
    _note_seen(context, session)
    with _shown(context, session):
        replaced = context.hub.attach(session)
        if replaced is not None:
            session.seen, session.away = replaced.seen, replaced.away
            context.leases.forget(replaced)
            _end_replaced(replaced)
    context.backplane.take_over(session.device_id, session.number)


def taken_over(context: Context, device_id: bytes, number: int) -> None:
    """A device has begun a session with this number on another node: one here ends, if it is older. Clients do not come back
    after that, so late news of a session that was over before must not end a newer one.
    """
    context.hub.overtake(device_id, number)
    session = context.hub.session_of(device_id)
    if session is not None and session.number < number:
        depart(context, session)
        _end_replaced(session)


def _end_replaced(session: LiveSession) -> None:
    notify([session], messages.Farewell("replaced"))
    session.outbox.end(CloseReason.REPLACED)


def depart(context: Context, session: LiveSession) -> None:
    """Lets a session go, with all that it held; harmless when it is gone already."""
    if isinstance(session, GuestSession):
        guests.depart(context.hub, context.guests, session, context.backplane.show)
        return
    if context.hub.is_attached(session):
        _note_seen(context, session)
    context.leases.forget(session)
    with _shown(context, session):
        context.hub.detach(session)
        let_go(context, session.device_id)


def let_go(context: Context, device_id: bytes) -> None:
    """What is for a device is not heard any more, unless it is here, or another connection of it is about to be."""
    if not context.hub.knows(device_id):
        context.backplane.miss(device_id)


def expel(context: Context, session: LiveSession, code: str) -> None:
    """Ends a session for good: nothing more is done for it. ``code`` tells it why."""
    session.expelled = True
    depart(context, session)
    notify([session], messages.Farewell(code))
    session.outbox.end(CloseReason.NORMAL)


def put_out(context: Context, name: str, code: str) -> None:
    """Ends all sessions of an account, guests too; a login that is under way is refused. ``code`` says why."""
    context.hub.touch_account(name)
    with ExitStack() as stack:  # where one fails, the others end
        for each in (*context.hub.sessions_of(name), *context.guests.of(name)):
            stack.callback(end, context, each, code)


def end(context: Context, session: LiveSession, code: str) -> None:
    """Ends a session, at once but where a command of its own does that (`last_word`)."""
    if session.last_word == code:
        session.over = True
    else:
        expel(context, session, code)


@contextmanager
def last_word(context: Context, session: LiveSession | None, code: str) -> Iterator[None]:
    """While this lasts, a session hears what becomes of its command, by which it ends itself with this code; then it ends.

    Nothing else keeps it: what ends it for another reason does so at once. ``session``: None where it ends others only.
    """
    if session is None:
        yield
        return
    before, session.last_word = session.last_word, code
    try:
        yield
    finally:
        session.last_word = before
        if session.over and not session.expelled:
            expel(context, session, code)


def _note_seen(context: Context, session: LiveSession) -> None:
    """Has the store note that the device is here, once an hour at most; nobody waits for that."""
    if context.rates.seen.wait(session.device_id, 1, HOUR_SECONDS) > 0:
        return
    context.rates.seen.take(session.device_id)
    context.effects.spawn(_write_seen(context, session.device_id))


async def _write_seen(context: Context, device_id: bytes) -> None:
    try:
        await context.store.saw(device_id, context.now_ms())
    except WireError:  # busy, draining or a full disk: the next time is soon enough
        context.rates.seen.give_back(device_id)


async def set_presence(context: Context, session: LiveSession, command: messages.SetPresence) -> messages.Ok:
    """Says whether the person is at this device."""
    with _shown(context, session):
        session.away = command.away
    return messages.Ok(command.label)


def show(context: Context, session: LiveSession) -> None:
    """From now on others see that a session is there."""
    with _shown(context, session):
        session.seen = True


@contextmanager
def _shown(context: Context, session: LiveSession) -> Iterator[None]:
    """Shows others what what is done inside makes of the status of the session's user: on this node, and by other nodes."""
    hub, name = context.hub, session.name
    own, before = shown_of(hub, name), status_of(hub, name)
    yield
    now = status_of(hub, name)
    if now is not before:
        notify_relaxed(company(hub, name, _open_rooms(session)), messages.Presence(name, now))
    if shown_of(hub, name) != own:
        context.backplane.show(shown_of(hub, name, _open_rooms(session)))


def _open_rooms(session: LiveSession) -> list[bytes]:
    return [room_id for room_id, place in session.places.items() if place.until is None]


def notify_who_is_there(context: Context, session: LiveSession) -> None:
    """Tells a session that has caught up who is online in its rooms."""
    hub, names = context.hub, dict[str, None]()
    for room_id in _open_rooms(session):
        if room_id in hub.rooms and len(names) <= MAX_PRESENT:
            names |= names_in(hub, context.registry, hub.rooms[room_id])
    names.pop(session.name, None)
    for name in list(names)[:MAX_PRESENT]:
        notify_relaxed([session], messages.Presence(name, status_of(hub, name)))
