"""Commands about the session itself, and the first message of one."""

from chatserv.commands.context import Context
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import LiveSession
from chatserv.wire import messages


async def ping(context: Context, session: LiveSession, command: messages.Ping) -> messages.Ok:  # noqa: ARG001
    """Answers."""
    return messages.Ok(command.label)


async def bye(context: Context, session: LiveSession, command: messages.Bye) -> messages.Ok:  # noqa: ARG001
    """Answers, then closes."""
    session.outbox.end(CloseReason.NORMAL)
    return messages.Ok(command.label)


def welcome(context: Context, session: LiveSession) -> messages.Welcome:
    """What a session is told first: who it is, its rooms and their heads, the limits, the clock, the store."""
    limits = context.config.limits
    rooms = (context.hub.rooms[room_id] for room_id in session.memberships)
    return messages.Welcome(
        account=session.account_id,
        name=session.name,
        role=session.role.name.lower(),
        rooms=tuple(
            messages.RoomInfo(room.room_id, room.name, room.epoch, session.memberships[room.room_id], room.head)
            for room in rooms
        ),
        limits=messages.LimitInfo(limits.line_bytes, limits.envelope_bytes, limits.idle_seconds, limits.history_events),
        time=context.now_ms(),
        log_head=b"",
        store=context.store.incarnation,
    )
