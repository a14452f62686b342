"""Mending a server that was restored from a backup: takes what clients offer, decides it, and puts it back.

First the leaves of the log, at once, where they lead to a root that this server has signed; then, when nothing more is
offered, the commits of each room by the public checks, and then its messages at their old places: what the device offers
that has sent it, or what two members offer alike (docs/design.rst).
"""

from collections.abc import Callable
from typing import Final

import msgspec

from chatserv.commands.context import Context
from chatserv.commands.leaving import close_deserted
from chatserv.commands.mended_accounts import MendedAccounts
from chatserv.commands.mending_log import log_own_keys
from chatserv.commands.mending_rooms import RoomMending
from chatserv.commands.mending_state import Report
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadMessage
from chatserv.mending_models import MendingState, OfferedEvent, Voucher
from chatserv.models import EventKind
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

COMMIT_ID_BYTES: Final = 32
MESSAGE_ID_BYTES: Final = 16


async def offer_events(context: Context, session: LiveSession, command: messages.OfferEvents) -> messages.Taken:
    """Keeps what is offered until it is decided.

    Raises:
        Forbidden: Nothing is being mended.
        BadMessage: An id that no such event has.
        Quota: It takes too many bytes.
    """
    context.mending.require()
    offers = [_offered(each) for each in command.events]
    by = Voucher(session.name, session.device_id)
    new = await context.store.offer(command.room, by, offers, context.mending.limits)
    if new:
        context.mending.came()
    return messages.Taken(command.label, new)


def _offered(offered: messages.Offered) -> OfferedEvent:
    due = COMMIT_ID_BYTES if offered.kind == EventKind.COMMIT else MESSAGE_ID_BYTES
    if len(offered.id) != due:
        raise BadMessage("offer: the id of another kind of event")
    return OfferedEvent(offered.seq, offered.id, EventKind(offered.kind), offered.at, offered.body)


def prepare(context: Context, state: MendingState, sign: Callable[[bytes], bytes]) -> None:
    """Takes in how a store stands, before anybody can log in. ``sign``: by the server's key, at once."""

    async def work() -> Report:
        return await _finish(context)

    context.mending.take_in(state, context.log.server_id, sign, work)


async def _finish(context: Context) -> Report:
    """Decides all that was offered, room by room, and lets everybody come anew.

    Interrupted, it begins anew: what was put back already has its place.
    """
    await log_own_keys(context)
    accounts = await MendedAccounts(context).carry_out()
    rooms = []
    for room_id in await context.store.offered_rooms():
        found = await RoomMending(context, room_id).mend()
        if found:
            rooms.append(found)
    report: Report = {"log": {"leaves": context.log.size, **accounts}, "rooms": rooms}
    await context.log.give_up_higher()  # before the store is as any other: a start would refuse it
    await context.store.end_mending(msgspec.json.encode(report))
    for session in list(context.hub.sessions):
        part = encode_message(messages.DrainingNotice(0.0))
        session.outbox.queue((part,), len(part))
        session.outbox.end(CloseReason.DRAINING)
    context.effects.spawn(close_deserted(context))
    return report
