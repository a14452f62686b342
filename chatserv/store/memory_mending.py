"""A restored store in memory: what it lacks is offered, kept, decided and put back."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.crypto.restored import Restored
from chatserv.errors import Quota, StaleCommit
from chatserv.mending_models import (
    OFFER_BYTES,
    Candidate,
    MendedMessage,
    MendingState,
    OfferedEvent,
    OfferLimits,
    Voucher,
)
from chatserv.models import LeafDraft
from chatserv.store.memory_accounts import AccountTable
from chatserv.store.memory_rooms import RoomTable

_Key = tuple[int, bytes, bytes]  # kind, id, body
_Charge = tuple[bytes, int, _Key]  # room, place, what was offered there


class MendingCalls(ABC):
    """The rules of `chatserv.mending_ports.MendingStore` in their shortest form."""

    _rooms: RoomTable
    _accounts: AccountTable
    _incarnation: bytes
    _leaves: list[bytes]
    _statements: dict[int, bytes]

    def __init__(self) -> None:
        self._state = MendingState()
        self._floors: dict[bytes, int] = {}
        self._offers: dict[bytes, dict[int, dict[bytes, tuple[Voucher, OfferedEvent]]]] = {}
        self._charged: dict[_Charge, str] = {}

    @abstractmethod
    def _check_open(self) -> None: ...

    @abstractmethod
    def _append_log(self, drafts: Sequence[LeafDraft]) -> None: ...

    def begin_mending(self, now: bytes, backup_ms: int, now_ms: int) -> None:
        """What `chatserv.store.mending_statements.begin_mending` does; ``now``: the new incarnation."""
        root = tree_root(map(leaf_hash, self._leaves))
        restored = Restored(backup_ms, now_ms, len(self._leaves), root, self._incarnation, now)
        self._state, self._incarnation = MendingState(restored.encode(), mending=True), now
        self._accounts.forget_prekeys()
        self._floors = {room.room_id: room.head for room in self._rooms.rooms()}
        self._forget()

    def _forget(self) -> None:
        self._offers.clear()
        self._charged.clear()

    async def mending_state(self) -> MendingState:
        """The last restore, and whether it is being mended."""
        self._check_open()
        return self._state

    async def offer(self, room_id: bytes, by: Voucher, offers: Sequence[OfferedEvent], limits: OfferLimits) -> int:
        """Keeps what is new of the offers, and says how many those are. Raises `Quota`."""
        self._check_open()
        if self._rooms.is_closed(room_id):
            return 0
        floor = self._floors.get(room_id, 0)
        there = self._offers.setdefault(room_id, {})
        wanted = {each.seq: each for each in offers if floor < each.seq <= floor + limits.span}
        new = {
            seq: each
            for seq, each in wanted.items()
            if not self._rooms.is_taken(room_id, seq) and by.device_id not in there.get(seq, {})
        }
        charged, vouched = dict(self._charged), {(room_id, seq, _key(each)) for seq, each in new.items()}
        for seq, each in new.items():
            charged.setdefault((room_id, seq, _key(each)), by.user)
        for (room, seq, key), user in self._give_way(charged, vouched, by.user, limits):
            places = self._offers[room]
            left = {
                device: said for device, said in places.pop(seq).items() if (_key(said[1]), said[0].user) != (key, user)
            }
            if left:
                places[seq] = left
        self._charged = charged
        for seq, each in new.items():
            there.setdefault(seq, {})[by.device_id] = (by, each)
        return len(new)

    def _give_way(
        self, charged: dict[_Charge, str], vouched: set[_Charge], user: str, limits: OfferLimits
    ) -> list[tuple[_Charge, str]]:
        """Whose offers give way to those of this user: the last ones of who has offered most, those of one user first.

        What somebody else offers too stays, and is charged to them. Raises `Quota`.
        """
        held = dict.fromkeys(charged.values(), 0)
        for (_, _, key), who in charged.items():
            held[who] += OFFER_BYTES + len(key[2])
        if held.get(user, 0) > limits.account:
            raise Quota("offers: of one account")
        gone: list[tuple[_Charge, str]] = []

        def heirs(charge: _Charge) -> list[str]:
            users = self._users(charge) | ({user} if charge in vouched else set())
            return sorted(each for each in users if each != charged[charge] and (charge, each) not in gone)

        while sum(held.values()) > limits.total:
            most = max(held, key=lambda each: (held[each], each == user))
            if most == user:
                raise Quota("offers: of all")
            theirs = [each for each, who in charged.items() if who == most]
            last = ([each for each in theirs if not heirs(each)] or theirs)[-1]
            size, others = OFFER_BYTES + len(last[2][2]), heirs(last)
            gone.append((last, most))
            held[most] -= size
            if others:
                charged[last] = heir = min(others, key=lambda each: held.get(each, 0))
                held[heir] = held.get(heir, 0) + size
            else:
                del charged[last]
        return gone

    def _users(self, charge: _Charge) -> set[str]:
        room_id, seq, key = charge
        return {by.user for by, said in self._offers.get(room_id, {}).get(seq, {}).values() if _key(said) == key}

    async def mending_floor(self, room_id: bytes) -> int:
        """The last place of a room at the restore."""
        self._check_open()
        return self._floors.get(room_id, 0)

    async def offered_rooms(self) -> Sequence[bytes]:
        """The rooms that there are offers for."""
        self._check_open()
        return sorted(room_id for room_id, places in self._offers.items() if places)

    async def offered(self, room_id: bytes, after: int, limit: int) -> Sequence[Candidate]:
        """All candidates of the first places above ``after``."""
        self._check_open()
        found: list[Candidate] = []
        places = self._offers.get(room_id, {})
        for seq in sorted(seq for seq in places if seq > after)[:limit]:
            same: dict[_Key, list[tuple[Voucher, OfferedEvent]]] = {}
            for by, each in places[seq].values():
                same.setdefault(_key(each), []).append((by, each))
            found += [
                Candidate(said[0][1], tuple(sorted((by for by, _ in said), key=lambda by: (by.user, by.device_id))))
                for said in same.values()
            ]
        return found

    async def mend_messages(self, room_id: bytes, mended: Sequence[MendedMessage]) -> Sequence[int]:
        """Puts messages where nothing is; returns the places that were filled. Raises `NotFound`."""
        self._check_open()
        return [each.seq for each in mended if self._rooms.mend(room_id, each)]

    async def append_leaves(self, first: int, leaves: Sequence[LeafDraft]) -> None:
        """Puts leaves at the end of the log. Raises `StaleCommit`."""
        self._check_open()
        if len(self._leaves) != first:
            raise StaleCommit("log: has grown meanwhile")
        self._append_log(leaves)

    async def fill_statement(self, index: int, statement: bytes) -> bool:
        """Keeps what was signed behind a leaf that has nothing behind it."""
        self._check_open()
        if index >= len(self._leaves) or self._statements.get(index):
            return False
        self._statements[index] = statement
        return True

    async def end_mending(self, report: bytes) -> None:
        """Forgets the offers."""
        self._check_open()
        self._forget()
        self._floors.clear()
        self._state = MendingState(self._state.restored, mending=False, report=report)


def _key(offered: OfferedEvent) -> _Key:
    return int(offered.kind), offered.id, offered.body
