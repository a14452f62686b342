"""Who has agreed to be in which room, and the places that yield where a person was given too many."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from chatserv.commands.broadcast import notify
from chatserv.commands.context import Context
from chatserv.commands.delivery import room_info
from chatserv.commands.invitations import MEASURED, Invitation, who_yields
from chatserv.commands.room_registry import RoomRecord
from chatserv.commands.rooms_needed import record_at
from chatserv.commands.session import places_of
from chatserv.crypto.room_state import Role
from chatserv.domain.hub import LiveSession
from chatserv.errors import Quota
from chatserv.models import Consent, ConsentAt
from chatserv.node_models import Membership
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
    memberships = await context.store.memberships(user)
    agreeing, most = context.registry.agreeing, context.config.limits.rooms_per_account
    found, count = {each.room_id: each for each in memberships}, rooms_in(context, user, memberships)
    taken, back, full = list[ConsentAt](), list[bytes](), False
    try:
        for room_id in dict.fromkeys(room_ids):
            place = found.get(room_id)
            if place is None or place.consent is Consent.AGREED or (user, room_id) in agreeing:
                continue
            if place.consent is not Consent.EARLIER:
                if count >= most:
                    full = True
                    continue
                count += 1
            agreeing.add((user, room_id))
            taken.append(ConsentAt(room_id, user, place.inviter, Consent.AGREED))
            if place.consent is Consent.YIELDED:
                back.append(room_id)
        await _tell(context, taken)
    finally:
        agreeing.difference_update((user, each.room_id) for each in taken)
    if back:
        await bring_back(context, user, back)
    if full:
        raise Quota("agreed: to as many rooms as an account may be in")


def rooms_in(context: Context, user: str, memberships: Iterable[Membership]) -> int:
    """In how many of these rooms the user is by their own will, or was before anybody asked.

    What they are agreeing to counts; the room of their own devices is none of people, and does not.
    """
    agreeing = context.registry.agreeing
    return sum(
        not each.devices and (each.consent not in MEASURED or (user, each.room_id) in agreeing) for each in memberships
    )


async def _tell(context: Context, said: Sequence[ConsentAt]) -> None:
    if said:
        await context.store.set_consents(said)
        await context.backplane.ordered()


def hear(context: Context, said: ConsentAt) -> bool:
    """What a user says to their place, now that the store has it. Says whether their sessions have to be brought back.

    Once more, or late, it changes nothing: who has agreed has, and a place that nobody offers does not yield.
    """
    invitations = context.registry.invitations
    before = invitations.get(said.user, said.room_id)
    if before is None:
        return False
    if said.consent is Consent.AGREED:
        invitations.remove(said.user, said.room_id)
        return before.consent is Consent.YIELDED
    if said.consent is Consent.YIELDED and before.consent is not Consent.EARLIER:
        invitations.put(said.user, said.room_id, replace(before, consent=Consent.YIELDED))
        _take_out(context, said.user, said.room_id)
    elif said.consent is Consent.ASKED and before.consent is Consent.EARLIER:
        invitations.put(said.user, said.room_id, Invitation(said.inviter))
    return False


async def bring_back(context: Context, user: str, room_ids: Sequence[bytes]) -> None:
    """The user's sessions have their places again, and read from where these begin; who has them already keeps them."""
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
    asked = []
    for each in await context.store.memberships(user):
        if each.consent is Consent.EARLIER and (record := await record_at(context, each.room_id)) is not None:
            asked.append(ConsentAt(each.room_id, user, _host(record, user), Consent.ASKED))
    if asked:
        await _tell(context, asked)
        await make_way(context, [user])


def _host(record: RoomRecord, user: str) -> str:
    others = [member for member in record.state.members if member.role and member.user != user]
    owners = [member.user for member in others if member.role is Role.OWNER]
    return next(iter(owners + [member.user for member in others]), "")


async def make_way(context: Context, users: Sequence[str]) -> None:
    """Takes places from whoever was given more than a person may be, until there are no more than that."""
    most, theirs = context.config.limits.offers_per_account, dict[str, list[ConsentAt]]()
    for each in await context.store.offers(users):
        if each.consent is Consent.ASKED:
            theirs.setdefault(each.user, []).append(each)
    yielding = [each for offers in theirs.values() for each in who_yields(offers, most)]
    await _tell(context, [replace(each, consent=Consent.YIELDED) for each in yielding])


def _take_out(context: Context, user: str, room_id: bytes) -> None:
    context.hub.touch_account(user)
    for session in context.hub.sessions_of(user):
        context.hub.leave(session, room_id)
        context.leases.give_back(room_id, session)
        notify([session], messages.RoomClosed(room_id))
