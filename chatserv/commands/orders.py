"""Carries orders out: the one place where memory and sessions follow what changes beside the events of rooms.

A handler writes to the store and does nothing to the memory itself. What has become so is told to every node, in the order
of the store, and each does the same with it here. So whoever goes on after the store's answer and ``backplane.ordered``
finds the memory as the order has made it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from chatserv.commands.agreeing import hear
from chatserv.commands.attendance import end, expel, put_out
from chatserv.commands.broadcast import notify
from chatserv.commands.context import Context
from chatserv.commands.leaving import end_room, let_out
from chatserv.commands.rate_limits import Share
from chatserv.commands.room_comparing import carry_again, compare
from chatserv.commands.rooms_needed import bring
from chatserv.control_models import (
    REVOKED,
    AccountChanged,
    AccountEnded,
    Addressed,
    Announced,
    BanChanged,
    Consented,
    DeviceEnded,
    DevicesEntered,
    LeaveKept,
    Order,
    PasswordChanged,
    Retained,
    RoomClosed,
    decode_order,
)
from chatserv.domain.roles import Role
from chatserv.models import BanKind, Consent
from chatserv.wire import messages


def take_orders(context: Context, orders: Sequence[bytes]) -> None:
    """Carries orders out; where one fails, that is logged, and the others are carried out."""
    for body in orders:
        context.effects.spawn(_carry_out(context, body))


async def _carry_out(context: Context, body: bytes) -> None:
    """What is done before the first await is done when `take_orders` returns."""
    order = decode_order(body)
    if order is None:  # what it would change is not here
        context.store.give_up("another node has ordered what this version does not know: update this one")
        return
    await _WAYS[type(order)](context, order)


async def _change_account(context: Context, order: AccountChanged) -> None:
    context.hub.touch_account(order.name)
    for session in context.hub.sessions_of(order.name):
        session.role, session.muted = Role(order.role), order.muted
    if order.suspended:
        put_out(context, order.name, "suspended")


async def _end_account(context: Context, order: AccountEnded) -> None:
    if context.uploads is not None:
        context.uploads.forget(owner=order.name)
    put_out(context, order.name, order.why)


async def _end_device(context: Context, order: DeviceEnded) -> None:
    context.hub.touch([order.device_id])
    session = context.hub.session_of(order.device_id)
    if session is not None:
        end(context, session, REVOKED)


async def _end_guests(context: Context, order: PasswordChanged) -> None:
    """Whoever came by the old password goes, and comes no more; a login that is under way is tried anew."""
    context.flow.begin_anew(Share.GUESTS, order.account_id)
    context.hub.touch_account(order.name)
    for guest in context.guests.of(order.name):
        expel(context, guest, "password_changed")


async def _change_ban(context: Context, order: BanChanged) -> None:
    context.bans.change(order.ban, on=order.on)
    if order.on and order.ban.kind is BanKind.ACCOUNT:
        put_out(context, order.ban.subject, "banned")


async def _keep_leave(context: Context, order: LeaveKept) -> None:
    record = context.registry.get(order.room_id)
    if record is None:
        return  # what is not here is as the store has it when it comes
    if record.head.epoch == order.epoch:
        let_out(context, record, order.user, order.leave)
    else:
        await compare(context, order.room_id)


async def _consent(context: Context, order: Consented) -> None:
    said, record = order.said, context.registry.get(order.said.room_id)
    if record is None:
        if said.consent is Consent.AGREED and context.hub.sessions_of(said.user):  # it may have yielded before
            await bring(context, said.room_id)
    elif record.head.epoch != order.epoch:
        await compare(context, said.room_id)
    elif hear(context, said):
        await carry_again(context, said.user, said.room_id)


async def _close_room(context: Context, order: RoomClosed) -> None:
    if context.uploads is not None:
        context.uploads.forget(room=order.room_id)
    await end_room(context, order.room_id, order.log_size or context.log.ended(order.room_id))


async def _enter_room(context: Context, order: DevicesEntered) -> None:
    """The commit brings them in where the room is; it comes to where it is not, and they are."""
    context.hub.touch(order.device_ids)
    if any(context.hub.session_of(device_id) is not None for device_id in order.device_ids):
        await bring(context, order.room_id, order.seq)


async def _tell_addresses(context: Context, order: Addressed) -> None:
    context.addresses.hear(order.addresses)


async def _announce(context: Context, order: Announced) -> None:
    notify(context.hub.sessions, messages.Announcement(order.text, order.at_ms))


async def _raise_floors(context: Context, order: Retained) -> None:
    for room_id, floor in order.floors.items():
        room = context.hub.rooms.get(room_id)
        if room is not None:
            room.first = max(room.first, floor + 1)


_WAYS: Final[dict[type[Order], Callable[[Context, Any], Awaitable[None]]]] = {
    AccountChanged: _change_account,
    AccountEnded: _end_account,
    DeviceEnded: _end_device,
    PasswordChanged: _end_guests,
    BanChanged: _change_ban,
    LeaveKept: _keep_leave,
    Consented: _consent,
    RoomClosed: _close_room,
    Addressed: _tell_addresses,
    Announced: _announce,
    Retained: _raise_floors,
    DevicesEntered: _enter_room,
}
