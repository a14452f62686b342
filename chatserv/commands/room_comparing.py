"""What the store has of a room beside its events, where an order is about another time of it than the one that is here.

A room's commits and the orders come in two streams. An order about a room says of which epoch it is, and is carried out
where that is the one that is here. Else the room has gone on since, here or in the store, and what was ordered may be over:
then the two are compared, once they stand at one place.
"""

from typing import Final

from chatserv.commands.agreeing import bring_back, hear
from chatserv.commands.context import Context
from chatserv.commands.leaving import close_if_deserted, end_room, let_out
from chatserv.errors import Busy, WireError

RETRY_SECONDS: Final = 1.0  # after a question that the store refused
TRIES: Final = 3  # where commits come in between; then that is waited for, too


async def compare(context: Context, room_id: bytes) -> None:
    """Brings Leaves and consents to where the store has them; answers when that is so.

    One at a time a room: who comes meanwhile has it done once more.
    """
    comparing = context.registry.comparing
    if room_id in comparing:
        comparing[room_id] = True
        return
    comparing[room_id] = True
    try:
        while comparing[room_id]:
            comparing[room_id] = False
            try:
                await _compare(context, room_id)
            except WireError:
                comparing[room_id] = True
                await context.effects.pause(RETRY_SECONDS)
    finally:
        del comparing[room_id]


async def _compare(context: Context, room_id: bytes) -> None:
    for _ in range(TRIES):
        await context.backplane.load(room_id)
        found = (await context.store.rooms_at([room_id])).get(room_id)
        if found is None:
            return  # the order that says so comes
        await context.backplane.reached(room_id, found.room.head)
        record = context.registry.get(room_id)
        if record is None:
            return
        if record.head.epoch == found.room.epoch:
            break
    else:
        raise Busy("room: it goes on all the time")
    for user, leave in found.room.leaves:
        let_out(context, record, user, leave)
    for said in found.consents:
        if hear(context, said):
            context.effects.spawn(carry_again(context, said.user, room_id))
    await close_if_deserted(context, record)


async def carry_again(context: Context, user: str, room_id: bytes) -> None:
    """A room that had yielded is there again for its user, once the store can be asked for their places."""
    while True:
        try:
            await bring_back(context, user, [room_id])
        except WireError:
            await context.effects.pause(RETRY_SECONDS)
        else:
            return


async def gone(context: Context, room_id: bytes) -> None:
    """The store has no such room any more; the order that says so may have come already, or comes now."""
    while context.registry.get(room_id) is not None:
        try:
            await context.backplane.current()
        except WireError:
            await context.effects.pause(RETRY_SECONDS)
        else:
            await end_room(context, room_id, context.log.ended(room_id))
