"""Who is in which room of the store in memory, and who may speak."""

from collections.abc import Sequence
from heapq import nsmallest

from chatserv.crypto.room_state import POLICY_END, is_of_devices
from chatserv.models import BanKind, Consent, ConsentAt
from chatserv.node_models import Membership, PublicRoom
from chatserv.store.memory_accounts import AccountTable
from chatserv.store.memory_room import MemoryRoom

Rooms = Sequence[MemoryRoom]


def consents(rooms: Rooms) -> list[ConsentAt]:
    """What users say to their places, in the order of the rooms."""
    return [room.consents[user] for room in rooms for user in sorted(room.consents)]


def memberships(rooms: Rooms, user: str) -> list[Membership]:
    """The places of somebody, in the order of the rooms."""
    found = [(room.consents[user], is_of_devices(room.newest.state)) for room in rooms if user in room.consents]
    return [Membership(said.room_id, said.inviter, said.consent, devices) for said, devices in found]


def offers(rooms: Rooms, users: Sequence[str]) -> list[ConsentAt]:
    """The places of these that others gave them and they have not agreed to."""
    said = [room.consents[user] for room in rooms for user in sorted(set(users) & room.consents.keys())]
    return [each for each in said if each.consent in {Consent.ASKED, Consent.YIELDED}]


def public_rooms(rooms: Rooms, after: str, limit: int) -> list[PublicRoom]:
    """Up to ``limit`` with names behind ``after``, in order of name."""
    named = [(room.newest, len(room.consents)) for room in rooms if room.newest.name > after]
    found = nsmallest(max(limit, 0), named, key=lambda each: each[0].name)
    return [PublicRoom(each.room_id, each.name, each.state[:POLICY_END], members) for each, members in found]


def empty_rooms(rooms: Rooms) -> list[bytes]:
    """Those that nobody is in."""
    return [room.newest.room_id for room in rooms if not room.consents]


def is_silent(accounts: AccountTable, name: str) -> bool:
    """Whether nothing is stored of what they say: they are suspended, muted or banned."""
    status = accounts.account(name)
    banned = any((each.subject, each.kind) == (name, BanKind.ACCOUNT) for each in accounts.bans())
    return banned or (status is not None and (status.suspended or status.muted))
