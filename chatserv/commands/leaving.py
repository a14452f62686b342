"""Leaving a room: at once for who leaves, with the next commit for the room; and the end of a room that everybody left."""

from chatserv.commands.broadcast import notify
from chatserv.commands.context import Context
from chatserv.commands.room_registry import RoomRecord, leave_stands
from chatserv.commands.rooms import record_of
from chatserv.crypto.commits import Leave, verify_leave
from chatserv.crypto.log_leaves import ZEROS, room_leaf
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadKey, BadMessage, Forbidden, Reject
from chatserv.models import LeafDraft
from chatserv.wire import messages


async def leave(context: Context, session: LiveSession, command: messages.Leave) -> messages.Ok:
    """Keeps the signed Leave for the next commit; from now on nothing of the room is for the account.

    Raises:
        Forbidden: Nobody leaves a direct message.
        BadMessage: It names another leaf than this device's.
        BadKey: This device has not signed it.
    """
    record = record_of(context, command.room)
    if record.is_direct:
        raise Forbidden("leave: of a direct message")
    if command.leaf != session.places[command.room].leaf:
        raise BadMessage("leave: of another device")
    farewell = Leave(command.leaf, command.signature)
    try:
        verify_leave(farewell, command.room, session.ed25519)
    except Reject as error:
        raise BadKey(error.detail) from None
    await context.store.leave(command.room, session.name, farewell.body())
    if context.registry.get(command.room) is record:
        _let_out(context, record, session.name, farewell)
        await close_if_deserted(context, record)
    return messages.Ok(command.label)


def _let_out(context: Context, record: RoomRecord, user: str, farewell: Leave) -> None:
    if not leave_stands(record.state, user, farewell.body()):
        return  # a commit has taken the device out meanwhile, and the Leave with it
    context.registry.keep_leave(record, user, farewell.body())
    context.hub.touch(each.device_id for each in record.state.devices_of(user))
    notify(
        [other for other in context.hub.rooms[record.room_id].here if other.synced],
        messages.LeaveWaiting(record.room_id),
    )
    for session in context.hub.sessions_of(user):
        context.hub.leave(session, record.room_id)
        context.leases.give_back(record.room_id, session)


async def close_if_deserted(context: Context, record: RoomRecord | None) -> None:
    """Ends a room that everybody has left, unless a commit is under way that may bring somebody in; that one asks again."""
    if record is not None and record.is_deserted and not context.leases.is_committing(record.room_id):
        await close_room(context, record)


async def close_room(context: Context, record: RoomRecord) -> None:
    """Ends a room that nobody is in any more; its name is free when the log says so."""
    leaf = None
    if record.name:
        ended = room_leaf(context.log.server_id, record.name, record.room_id, ZEROS, context.now_ms())
        leaf = LeafDraft(ended.encode())
    await context.store.close_room(record.room_id, leaf)
    context.registry.forget(record.room_id)
    context.leases.close(record.room_id)
    notify(context.hub.close(record.room_id), messages.RoomClosed(record.room_id))
    if leaf is not None:
        await context.log.covered(context.log.size)


async def close_deserted(context: Context) -> None:
    """Ends rooms whose last member had left when the server went down before it could end them."""
    for record in context.registry:
        await close_if_deserted(context, record)
