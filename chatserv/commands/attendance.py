"""Who comes and goes: sessions enter and leave the hub here, and whoever shares a room with them is told."""

from chatserv.commands.broadcast import notify, notify_relaxed
from chatserv.commands.context import Context
from chatserv.commands.presence import MAX_PRESENT, Status, status_of
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import Hub, LiveSession
from chatserv.wire import messages


def enter(context: Context, session: LiveSession) -> None:
    """Takes a session in. One of the same device that it replaces is told so, and ends."""
    before = status_of(context.hub, session.name)
    replaced = context.hub.attach(session)
    if replaced is not None:
        session.seen, session.away = replaced.seen, replaced.away
        context.leases.forget(replaced)
        notify([replaced], messages.Farewell("replaced"))
        replaced.outbox.end(CloseReason.REPLACED)
    _notify_change(context, session, before)


def depart(context: Context, session: LiveSession) -> None:
    """Lets a session go, with all that it held; harmless when it is gone already."""
    context.leases.forget(session)
    before = status_of(context.hub, session.name)
    context.hub.detach(session)
    _notify_change(context, session, before)


def expel(context: Context, session: LiveSession, code: str) -> None:
    """Ends a session for good: nothing more is done for it. ``code`` tells it why."""
    session.expelled = True
    depart(context, session)
    notify([session], messages.Farewell(code))
    session.outbox.end(CloseReason.NORMAL)


async def set_presence(context: Context, session: LiveSession, command: messages.SetPresence) -> messages.Ok:
    """Says whether the person is at this device."""
    before = status_of(context.hub, session.name)
    session.away = command.away
    _notify_change(context, session, before)
    return messages.Ok(command.label)


def show(context: Context, session: LiveSession) -> None:
    """From now on others see that a session is there."""
    before = status_of(context.hub, session.name)
    session.seen = True
    _notify_change(context, session, before)


def _notify_change(context: Context, session: LiveSession, before: Status) -> None:
    now = status_of(context.hub, session.name)
    if now is not before:
        notify_relaxed(_company(context.hub, session), messages.Presence(session.name, now))


def _company(hub: Hub, session: LiveSession) -> dict[LiveSession, None]:
    """The sessions of others that have caught up and share a room with this one."""
    found: dict[LiveSession, None] = {}
    for room_id, place in session.places.items():
        if place.until is None and room_id in hub.rooms:
            found |= hub.rooms[room_id].here
    return {other: None for other in found if other.synced and other.name != session.name}


def notify_who_is_there(context: Context, session: LiveSession) -> None:
    """Tells a session that has caught up who is online in its rooms."""
    names: dict[str, None] = {}
    for room_id, place in session.places.items():
        if place.until is None and room_id in context.hub.rooms:
            names |= {other.name: None for other in context.hub.rooms[room_id].here if other.name != session.name}
    for name in list(names)[:MAX_PRESENT]:
        notify_relaxed([session], messages.Presence(name, status_of(context.hub, name)))
