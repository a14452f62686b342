"""Who has agreed to be in which room, and the places that yield where a person was given too many."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chatserv.commands.broadcast import notify
from chatserv.commands.context import Context
from chatserv.commands.delivery import room_info
from chatserv.commands.room_registry import RoomRecord
from chatserv.commands.session import places_of
from chatserv.crypto.room_state import Role
from chatserv.domain.hub import LiveSession
from chatserv.errors import Quota
from chatserv.models import Consent, ConsentAt
from chatserv.wire import messages


async def agreed(context: Context, session: LiveSession, command: messages.Agreed) -> messages.Ok:
    """Takes note of what the user agrees to.

    ``all``: of the rooms of the welcome that were not known to be agreed to, the others are not; so places of before anybody
    asked count as given from now on.

    Raises:
        Quota: The account is in as many rooms as it may be; of the rooms, as many as fit were taken.
    """
    try:
        await agree(context, session.name, command.rooms)
    finally:
        if command.all:
            await _ask_about_earlier(context, session.name)
    return messages.Ok(command.label)


async def agree(context: Context, user: str, room_ids: Iterable[bytes]) -> None:
    """The user agrees to rooms that they were taken into; one that had yielded is carried again. Raises `Quota`."""
    invitations, most = context.registry.invitations, context.config.limits.rooms_per_account
    taken, back, full = [], [], False
    for room_id in dict.fromkeys(room_ids):
        invitation = invitations.get(user, room_id)
        if invitation is None:
            continue
        if invitation.consent is not Consent.EARLIER and context.registry.rooms_of(user) >= most:
            full = True
            continue
        invitations.remove(user, room_id)
        taken.append(ConsentAt(room_id, user, invitation.inviter, Consent.AGREED))
        if invitation.consent is Consent.YIELDED:
            back.append(room_id)
    if taken:
        await context.store.set_consents(taken)
    if back:
        await _bring_back(context, user, back)
    if full:
        raise Quota("agreed: to as many rooms as an account may be in")


async def _bring_back(context: Context, user: str, room_ids: Sequence[bytes]) -> None:
    """The user's sessions have their places again, and read from where these begin."""
    context.hub.touch_account(user)
    for session in context.hub.sessions_of(user):
        places = await places_of(context, user, session.device_id)
        for room_id in room_ids:
            place = places.get(room_id)
            if place is None or room_id in session.places or not context.hub.is_attached(session):
                continue
            context.hub.enter(session, room_id, place.leaf, place.since)
            notify([session], messages.RoomEntered(room_info(context.hub.rooms[room_id], session, 0)))
            if session.synced:
                context.hub.put_behind(session, room_id, place.since)


async def _ask_about_earlier(context: Context, user: str) -> None:
    """What is left of before anybody asked was not agreed to; whose room it is stands for who took the user in."""
    invitations, asked = context.registry.invitations, []
    for room_id, invitation in invitations.of(user):
        record = context.registry.get(room_id)
        if invitation.consent is Consent.EARLIER and record is not None:
            inviter = _host(record, user)
            invitations.put(user, room_id, replace(invitation, inviter=inviter, consent=Consent.ASKED))
            asked.append(ConsentAt(room_id, user, inviter, Consent.ASKED))
    if asked:
        await context.store.set_consents(asked)
        await make_way(context, [user])


def _host(record: RoomRecord, user: str) -> str:
    others = [member for member in record.state.members if member.role and member.user != user]
    owners = [member.user for member in others if member.role is Role.OWNER]
    return next(iter(owners + [member.user for member in others]), "")


async def make_way(context: Context, users: Iterable[str]) -> None:
    """Takes places from whoever was given more than a person may be, until there are no more than that."""
    invitations, most, yielding = context.registry.invitations, context.config.limits.offers_per_account, []
    for user in users:
        while (room_id := invitations.who_yields(user, most)) is not None:
            invitation = invitations.get(user, room_id)
            if invitation is None:
                raise AssertionError("a place that nobody has yields")
            invitations.put(user, room_id, replace(invitation, consent=Consent.YIELDED))
            yielding.append(ConsentAt(room_id, user, invitation.inviter, Consent.YIELDED))
            _take_out(context, user, room_id)
    if yielding:
        await context.store.set_consents(yielding)


def _take_out(context: Context, user: str, room_id: bytes) -> None:
    context.hub.touch_account(user)
    for session in context.hub.sessions_of(user):
        if room_id in session.places:
            context.hub.leave(session, room_id)
            context.leases.give_back(room_id, session)
            notify([session], messages.RoomClosed(room_id))
