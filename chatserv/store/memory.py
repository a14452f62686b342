"""The store in memory: the rules of the port in their shortest form, for tests and for models of other stores."""

import secrets
from collections.abc import Mapping, Sequence

import msgspec
from twisted.logger import Logger

from chatserv.control_models import Addressed, RoomClosed, entered, retained
from chatserv.crypto.log_leaves import TreeHead
from chatserv.crypto.suite import RSA_BYTES
from chatserv.domain.retention import Kept, RetentionDue
from chatserv.errors import Busy, Draining, NotFound, ReadOnly
from chatserv.local_errors import LocalProtocolError
from chatserv.models import CommitDraft, ConsentAt, Duplicate, Event, EventDraft, LeafDraft, Room, StoredWrap
from chatserv.node_models import Membership, Numbers, PublicRoom, RoomAt, Standing
from chatserv.node_ports import CommitListener, LogListener
from chatserv.ports import NO_GENERATION, AppendResult, CommitResult
from chatserv.store import memory_members
from chatserv.store.limits import StoreLimits
from chatserv.store.memory_accounts import AccountTable
from chatserv.store.memory_blobs import BlobCalls
from chatserv.store.memory_calls import AccountCalls
from chatserv.store.memory_leases import LeaseCalls
from chatserv.store.memory_mending import MendingCalls
from chatserv.store.memory_orders import OrderCalls
from chatserv.store.memory_retention import MemoryRetention
from chatserv.store.memory_rooms import RoomTable


class MemoryStore(BlobCalls, LeaseCalls, OrderCalls, AccountCalls, MendingCalls):
    """`chatserv.ports.Store` in dictionaries. Every call is a commit of its own and answers at once, so none waits.

    Args:
        limits: All but ``queue`` and ``batch`` count here.
        incarnation: 16 bytes; random if None.
    """

    _logger = Logger()

    def __init__(self, limits: StoreLimits, incarnation: bytes | None = None) -> None:
        super().__init__()
        self._limits = limits
        self._incarnation = incarnation or secrets.token_bytes(16)
        self._opened = False
        self._closed = False
        self._gave_up = ""
        self._listeners: list[CommitListener] = []
        self._log_listeners: list[LogListener] = []
        self._leaves: list[bytes] = []
        self._head = b""
        self._addresses: tuple[str, ...] = ()
        self._statements: dict[int, bytes] = {}
        self._rooms = RoomTable(limits, self._append_log, self._publish)
        self._retention = MemoryRetention(self._rooms)
        self._accounts = AccountTable(limits, self._append_log, self._rooms.end_device)

    @property
    def incarnation(self) -> bytes:
        """16 random bytes."""
        return self._incarnation

    async def open(self) -> None:
        """Takes up work. Raises `LocalProtocolError` the second time."""
        if self._opened:
            raise LocalProtocolError("a store opens once")
        self._opened = True

    async def close(self) -> None:
        """Later calls fail with `Draining`."""
        self._closed = True

    async def ping(self) -> None:
        """Answers at once."""
        self._check_open()

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` with every new event; one that raises is logged and disturbs nobody."""
        self._listeners.append(listener)

    def subscribe_log(self, listener: LogListener) -> None:
        """Calls ``listener`` with new leaves of the log; one that raises is logged and disturbs nobody."""
        self._log_listeners.append(listener)

    def give_up(self, reason: str) -> None:
        """Takes no calls any more."""
        self._gave_up = self._gave_up or reason

    async def log(self) -> Sequence[bytes]:
        """All leaves of the log, in order."""
        self._check_open()
        return list(self._leaves)

    async def statement(self, index: int) -> bytes | None:
        """The signed bytes behind a leaf."""
        self._check_open()
        return self._statements.get(index) or None

    async def keep_head(self, signed: bytes, last: bytes) -> bytes:
        """Keeps a signed head; gives the one that is kept then. Raises `NotFound`."""
        self._check_open()
        new = TreeHead.decode(signed[:-RSA_BYTES])
        if b"".join(self._leaves[: new.size][new.size - 1 :]) != last:
            raise NotFound(f"log: another leaf {new.size - 1}")
        old = TreeHead.decode(self._head[:-RSA_BYTES]) if self._head else None
        if old is None or (old.size, old.at_ms) < (new.size, new.at_ms):
            self._head = signed
        return self._head

    async def set_addresses(self, addresses: Sequence[str], before: Sequence[str] | None = None) -> bool:
        """Keeps where else the server can be reached."""
        self._check_open()
        if before is not None and tuple(before) != self._addresses:
            return False
        self._addresses = tuple(addresses)
        self._order(Addressed(self._addresses))
        return True

    async def addresses(self) -> Sequence[str]:
        """What was kept last."""
        self._check_open()
        return self._addresses

    async def rooms(self) -> Sequence[Room]:
        """All open rooms, oldest first."""
        self._check_open()
        return self._rooms.rooms()

    async def rooms_of(self, name: str) -> Sequence[bytes]:
        """Open rooms that an account has to do with, by id."""
        self._check_open()
        return self._rooms.rooms_of(name, self._accounts.device_ids(name))

    async def append(self, draft: EventDraft) -> AppendResult:
        """Puts a message at the end of its room. Raises `NotFound` for an unknown or closed room."""
        self._check_open()
        if not memory_members.is_silent(self._accounts, draft.sender):
            return self._rooms.append(draft)
        found = self._rooms.append(msgspec.structs.replace(draft, generation=NO_GENERATION))
        if isinstance(found, Duplicate) or draft.generation == NO_GENERATION:
            return found
        raise Busy("its sender may not speak", after_seconds=1)

    async def commit(self, draft: CommitDraft) -> CommitResult:
        """Makes a commit the room's newest. Raises `NotFound`, `NameTaken` or `Quota`."""
        self._check_open()
        result = self._rooms.commit(draft)
        for order in entered(draft, result):
            self._order(order)
        return result

    async def consents(self) -> Sequence[ConsentAt]:
        """What users say to their places in open rooms."""
        self._check_open()
        return memory_members.consents(self._rooms.open_rooms())

    async def memberships(self, user: str) -> Sequence[Membership]:
        """The places of somebody in open rooms, by age of the room."""
        self._check_open()
        return memory_members.memberships(self._rooms.open_rooms(), user)

    async def offers(self, users: Sequence[str]) -> Sequence[ConsentAt]:
        """The places of these that others gave them and they have not agreed to, by age of the room."""
        self._check_open()
        return memory_members.offers(self._rooms.open_rooms(), users)

    async def public_rooms(self, after: str, limit: int) -> Sequence[PublicRoom]:
        """Up to ``limit`` rooms with names behind ``after``, in order of name."""
        self._check_open()
        return memory_members.public_rooms(self._rooms.open_rooms(), after, limit)

    async def empty_rooms(self) -> Sequence[bytes]:
        """Open rooms that nobody is in, by age."""
        self._check_open()
        return memory_members.empty_rooms(self._rooms.open_rooms())

    async def set_consents(self, consents: Sequence[ConsentAt]) -> Sequence[ConsentAt]:
        """Keeps what may follow what was kept before; gives that."""
        self._check_open()
        orders = self._rooms.set_consents(consents)
        for order in orders:
            self._order(order)
        return [order.said for order in orders]

    async def commits(self, room_id: bytes, epoch: int, limit: int) -> Sequence[bytes]:
        """Up to ``limit`` commits from ``epoch`` on, in order."""
        self._check_open()
        return self._rooms.commits(room_id, epoch, limit)

    async def wrap(self, room_id: bytes, epoch: int, device_id: bytes) -> StoredWrap | None:
        """The wrap of the device in that epoch, where it is still kept."""
        self._check_open()
        return self._rooms.wrap(room_id, epoch, device_id)

    async def passed(self, device_id: bytes, cursors: Mapping[bytes, int]) -> None:
        """Forgets the device's wraps of epochs that ended before its cursors."""
        self._check_open()
        self._rooms.passed(device_id, cursors)

    async def leave(self, room_id: bytes, user: str, leave: bytes) -> None:
        """Keeps a Leave until a commit takes it. Raises `NotFound`."""
        self._check_open()
        self._order(self._rooms.leave(room_id, user, leave))

    async def close_room(self, room_id: bytes, *leaves: LeafDraft | None, epoch: int | None = None) -> None:
        """Ends a room. Raises `NotFound` or `StaleCommit`."""
        self._check_open()
        self._rooms.close_room(room_id, *leaves, epoch=epoch)
        self._order(RoomClosed(room_id, len(self._leaves) if leaves and leaves[-1] is not None else 0))

    async def mark_read(self, account_id: bytes, room_id: bytes, seq: int) -> None:
        """Moves the account's read marker forward, never back. Raises `NotFound`."""
        self._check_open()
        if not self._accounts.holds(account_id):
            raise NotFound("account")
        self._rooms.mark_read(account_id, room_id, seq)

    async def read_marks(self, account_id: bytes) -> Mapping[bytes, int]:
        """The account's read markers by room."""
        self._check_open()
        return self._rooms.read_marks(account_id)

    async def retain(self, due: RetentionDue) -> Kept:
        """Deletes some of what is not to be kept."""
        self._check_open()
        kept = self._retention.retain(due)
        for order in retained(kept.floors):
            self._order(order)
        return kept

    async def events(self, room_id: bytes, after: int, limit: int) -> Sequence[Event]:
        """Up to ``limit`` events with ``seq > after``, in order."""
        self._check_open()
        return self._rooms.between(room_id, after, None)[: max(limit, 0)]

    async def events_before(self, room_id: bytes, before: int, since: int, limit: int) -> Sequence[Event]:
        """The last ``limit`` events with ``since < seq < before``, in order."""
        self._check_open()
        found = self._rooms.between(room_id, since, before)
        return found[max(len(found) - max(limit, 0), 0) :]

    async def rooms_at(self, room_ids: Sequence[bytes]) -> Mapping[bytes, RoomAt]:
        """Rooms as they stand."""
        self._check_open()
        return self._rooms.rooms_at(room_ids, (await self.numbers()).control)

    async def moved(self, heads: Mapping[bytes, int]) -> Mapping[bytes, int]:
        """The heads of those of these rooms that are open and not there."""
        self._check_open()
        now = {each.room_id: each.head for each in self._rooms.rooms()}
        return {room_id: now[room_id] for room_id, head in heads.items() if now.get(room_id, head) != head}

    async def standing(self, device_id: bytes) -> Standing:
        """Where a device is that logs in."""
        self._check_open()
        places = tuple(self._rooms.places(device_id))
        theirs, heads = {each.room_id for each in places}, {each.room_id: each.head for each in self._rooms.rooms()}
        return Standing(places, {room_id: heads[room_id] for room_id in theirs}, await self.numbers())

    async def numbers(self) -> Numbers:
        """How far the store has come with what is not a room's."""
        self._check_open()
        return Numbers(len(self._leaves), self._ordered, self._head)

    async def leaves(self, first: int, limit: int) -> Sequence[bytes]:
        """Up to ``limit`` leaves of the log from index ``first`` on, in order."""
        self._check_open()
        return self._leaves[first : first + limit]

    def _append_log(self, drafts: Sequence[LeafDraft]) -> None:
        if not drafts:
            return
        first = len(self._leaves)
        leaves = [draft.leaf for draft in drafts]
        self._leaves.extend(leaves)
        self._statements.update(enumerate((draft.statement for draft in drafts), first))
        for listener in self._log_listeners:
            with self._logger.failuresHandled("A listener for the log failed."):
                listener(first, leaves)

    def _publish(self, event: Event) -> None:
        for listener in self._listeners:
            with self._logger.failuresHandled("A listener for commits failed."):
                listener([event])

    def _check_open(self) -> None:
        if self._gave_up:
            raise ReadOnly(self._gave_up)
        if self._closed:
            raise Draining("the store is closing")
        if not self._opened:
            raise LocalProtocolError("the store is not open")
