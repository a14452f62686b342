"""Leaving a room: at once for who leaves, with the next commit for the room; and the end of a room that everybody left."""

from contextlib import suppress

from chatserv.commands.broadcast import notify
from chatserv.commands.context import Context
from chatserv.commands.room_registry import RoomRecord, is_over, leave_stands
from chatserv.commands.rooms import record_of
from chatserv.commands.rooms_needed import record_at
from chatserv.crypto.commits import Leave, verify_leave
from chatserv.crypto.log_leaves import ZEROS, removal_leaf, room_leaf
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadKey, BadMessage, Forbidden, NotFound, Reject, StaleCommit
from chatserv.models import LeafDraft
from chatserv.wire import messages


async def leave(context: Context, session: LiveSession, command: messages.Leave) -> messages.Ok:
    """Keeps the signed Leave for the next commit; from now on nothing of the room is for the account.

    Raises:
        Forbidden: Nobody leaves a direct message, or the room of their own devices.
        BadMessage: It names another leaf than this device's.
        BadKey: This device has not signed it.
    """
    record = record_of(context, command.room)
    if record.is_fixed:
        raise Forbidden("leave: of a direct message")
    if command.leaf != session.places[command.room].leaf:
        raise BadMessage("leave: of another device")
    farewell = Leave(command.leaf, command.signature)
    try:
        verify_leave(farewell, command.room, session.ed25519)
    except Reject as error:
        raise BadKey(error.detail) from None
    await context.store.leave(command.room, session.name, farewell.body())
    await context.backplane.ordered()
    await close_if_deserted(context, context.registry.get(command.room))
    return messages.Ok(command.label)


def let_out(context: Context, record: RoomRecord, user: str, leave: bytes) -> None:
    """A Leave (``u32 leaf; sig[64]``) waits for the next commit; from now on nothing of the room is for its user."""
    if not leave_stands(record.state, user, leave):
        return  # a commit has taken the device out meanwhile, and the Leave with it
    context.registry.keep_leave(record, user, leave)
    context.hub.touch(each.device_id for each in record.state.devices_of(user))
    notify(
        [other for other in context.hub.rooms[record.room_id].here if other.synced],
        messages.LeaveWaiting(record.room_id),
    )
    for session in context.hub.sessions_of(user):
        context.hub.leave(session, record.room_id)
        context.leases.give_back(record.room_id, session)


async def close_if_deserted(context: Context, record: RoomRecord | None) -> None:
    """Ends a room that nobody is in any more, unless a commit is under way that may bring somebody in and asks again."""
    if (
        record is not None
        and is_over(context.log.facts, record.state, record.leaves)
        and not context.leases.is_committing(record.room_id)
    ):
        await _close(context, record)


async def _close(context: Context, record: RoomRecord) -> None:
    """Ends a room, unless another node has done so, or somebody has come in there."""
    with suppress(NotFound, StaleCommit):
        await close_room(context, record)


async def close_room(context: Context, record: RoomRecord, *, in_use: bool = False) -> None:
    """Ends a room; its name is free when the log says so.

    The log says to everybody who knows the room's id that it has ended: to those who are in it, and to who was away and has
    not seen the commits by which they or the last ones went. A server that tells this to some of them, and goes on with
    the others, is found out. Direct messages, and rooms of one's own devices, end by themselves only with the accounts.

    Args:
        context: The world.
        record: The room.
        in_use: Whether there are people in it, whom nobody has removed; else it ends only as it stands here.

    Raises:
        NotFound: It has ended already.
        StaleCommit: It has gone on, and somebody may be in it.
    """
    leaf = end = None
    if record.name:
        ended = room_leaf(context.log.server_id, record.name, record.room_id, ZEROS, context.now_ms())
        leaf = LeafDraft(ended.encode())
    if (in_use or not record.is_fixed) and not context.log.ended(record.room_id):
        end = LeafDraft(removal_leaf(context.log.server_id, record.room_id, ZEROS, context.now_ms()).encode())
    epoch = None if in_use else record.head.epoch
    await context.store.close_room(record.room_id, leaf, end, epoch=epoch)
    await context.backplane.ordered()
    if leaf is not None or end is not None:
        await context.log.covered()


async def end_room(context: Context, room_id: bytes, log_size: int) -> None:
    """A room has ended: nobody has a place in it any more, and who had is told once the log's head says so."""
    context.backplane.unload(room_id)
    context.registry.forget(room_id)
    context.leases.close(room_id)
    had = context.hub.close(room_id)
    if had:
        await context.log.covered(log_size)  # first: whoever is told looks there
        notify(had, messages.RoomClosed(room_id, log_size))


async def close_deserted(context: Context) -> None:
    """Ends rooms whose last member was out when the server went down before it could end them, and those of which the log
    of a server that was restored says that they have ended. These are in nobody's session any more (`put_out_of_ended`,
    `places_of`), so nothing has to wait for this.
    """
    over = context.registry.over
    if context.backplane.node_id:  # rooms that nobody is in are not here
        over = [*over, *await context.store.empty_rooms()]
    for room_id in over:
        await close_if_deserted(context, await record_at(context, room_id))
    for room_id in list(context.hub.rooms):
        record = context.registry.get(room_id)
        if record is not None and context.log.ended(room_id):
            await _close(context, record)


async def put_out_of_ended(context: Context) -> None:
    """The log has got leaves back, which may say that rooms have ended: these go from the sessions that have them, at once;
    the store keeps them until it may be written to again.
    """
    told = []
    for room in list(context.hub.rooms.values()):
        size = context.log.ended(room.room_id)
        if size:
            told.append((room.room_id, size, context.hub.close(room.room_id)))
            context.hub.add_rooms([room])
    for room_id, size, had in told:
        await context.log.covered(size)
        notify(had, messages.RoomClosed(room_id, size))
