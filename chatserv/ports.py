"""The seams of the server: what the commands need, and what an edge has to provide.

Every port has an in-memory implementation, and one contract test that all implementations pass. Ports return awaitables,
never Deferreds. The values that travel are in `chatserv.models`.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from chatserv.account_ports import AccountStore
from chatserv.blob_ports import BlobStore
from chatserv.domain.retention import Kept, RetentionDue
from chatserv.mending_ports import MendingStore
from chatserv.models import (
    Appended,
    CommitDraft,
    ConsentAt,
    Duplicate,
    Event,
    EventDraft,
    LeafDraft,
    PairTaken,
    Room,
    Stale,
    StoredWrap,
)
from chatserv.node_models import Arriving, Membership, Numbers, PublicRoom, RoomAt, Standing
from chatserv.node_ports import CommitListener, LogListener

AppendResult = Appended | Duplicate | Stale
NO_GENERATION = -1  # of a draft that only asks whether it is stored: it is above no other
CommitResult = Appended | Stale | PairTaken


class Store(AccountStore, BlobStore, MendingStore, Protocol):
    """What must survive. Every method answers after its commit; a failed one leaves nothing behind.

    Errors: `chatserv.errors.StorageFull` (disk full), `ReadOnly` (after a failed fsync or I/O error), `Busy` (more than
    ``Limits.store_queue`` requests waiting).
    """

    @property
    def incarnation(self) -> bytes:
        """16 random bytes, new after each restore: cursors of another incarnation are not trusted."""
        ...

    def open(self) -> Awaitable[None]:
        """Takes up work."""
        ...

    def close(self) -> Awaitable[None]:
        """Commits what waits, then lets go of files and threads. Later calls fail with `Draining`."""
        ...

    def ping(self) -> Awaitable[None]:
        """Answers as soon as reading and writing would get their turn, however many requests wait for it."""
        ...

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` in the reactor's thread after each commit with its new events, in the order of their seqs,
        before any ``append`` or ``commit`` of that transaction answers.
        """
        ...

    def subscribe_log(self, listener: LogListener) -> None:
        """Calls ``listener`` likewise with the index of the first new leaf of the log and the leaves (105 bytes each),
        before the events of the same transaction.
        """
        ...

    def subscribe_control(self, listener: LogListener) -> None:
        """Calls ``listener`` likewise with the number of the first order and the orders, after leaves and events."""
        ...

    def orders(self, after: int, limit: int) -> Awaitable[Sequence[bytes]]:
        """Up to ``limit`` orders with numbers above ``after``, in order and without a gap; one server alone keeps none.

        Where what follows ``after`` is not kept any more the store gives up, and raises `ReadOnly`.
        """
        ...

    def session_number(self) -> Awaitable[int]:
        """A number for a session that begins, greater than those of all that have begun before."""
        ...

    def give_up(self, reason: str) -> None:
        """What this server has in memory is not what the store has: it writes nothing any more, until it has started anew.

        ``reason`` is for the operator.
        """
        ...

    def set_addresses(self, addresses: Sequence[str], before: Sequence[str] | None = None) -> Awaitable[bool]:
        """Keeps where else the server can be reached, in the place of what was kept before. ``before``: only of that.

        Says whether it did.
        """
        ...

    def announce(self, text: str, at_ms: int) -> Awaitable[None]:
        """Has every node tell everybody who is online; one server alone writes nothing for that."""
        ...

    def addresses(self) -> Awaitable[Sequence[str]]:
        """What was kept last; none at first."""
        ...

    # -- rooms

    def rooms(self) -> Awaitable[Sequence[Room]]:
        """All rooms that are not closed, oldest first."""
        ...

    def rooms_of(self, name: str) -> Awaitable[Sequence[bytes]]:
        """Open rooms in which a device of the account has or had a place, or to which its user has said something; by id."""
        ...

    def memberships(self, user: str) -> Awaitable[Sequence[Membership]]:
        """The open rooms that somebody is in, or was taken into, by age of the room; not those that they are leaving."""
        ...

    def offers(self, users: Sequence[str]) -> Awaitable[Sequence[ConsentAt]]:
        """The places of these that others gave them and they have not agreed to, by age of the room."""
        ...

    def public_rooms(self, after: str, limit: int) -> Awaitable[Sequence[PublicRoom]]:
        """Up to ``limit`` open rooms with names behind ``after``, in order of name."""
        ...

    def empty_rooms(self) -> Awaitable[Sequence[bytes]]:
        """Open rooms that nobody is in, by age."""
        ...

    def append(self, draft: EventDraft) -> Awaitable[AppendResult]:
        """Puts a message at ``head + 1`` of its room. Raises `NotFound` for an unknown or closed room.

        Duplicate (checked first: the same device and id, and the same place in its chain by the clear header), epoch, the
        device's open place under ``leaf``, a ``generation`` above its last one in this epoch, and seq are decided in the
        order of the calls, within the commit.
        """
        ...

    def commit(self, draft: CommitDraft) -> Awaitable[CommitResult]:
        """Compare-and-swap: makes the commit the room's newest if it follows the newest, with all that it brings.

        Makes the room in epoch 0. The commit is an event of the room. Every generation counts from 0 again. A device in
        ``added`` that has an open place keeps its ``since`` under the new leaf; another gets ``since`` = the seq before the
        commit's. A device in ``removed`` gets ``until`` = the commit's seq. ``asked``, ``agreed`` and ``gone`` become the
        consents of the room's users; ``sender`` is the inviter. With ``at_seq`` it goes to that place, where nothing is and
        which lies behind that of the commit before, and the room's end does not go back; else it is stale.

        Raises `NameTaken` (another open room has the name or its skeleton), `Quota` (``Limits.rooms``), `NotFound` (a room
        that was closed, or an unknown one above epoch 0).
        """
        ...

    def consents(self) -> Awaitable[Sequence[ConsentAt]]:
        """What users say to their places in rooms that are not closed, by age of the room; nothing of those of before."""
        ...

    def set_consents(self, consents: Sequence[ConsentAt]) -> Awaitable[Sequence[ConsentAt]]:
        """Keeps each that may follow what was kept before (`may_follow`); of rooms that are closed or unknown, none.

        Gives those that were kept.
        """
        ...

    def commits(self, room_id: bytes, epoch: int, limit: int) -> Awaitable[Sequence[bytes]]:
        """Up to ``limit`` commits from ``epoch`` on, in order."""
        ...

    def wrap(self, room_id: bytes, epoch: int, device_id: bytes) -> Awaitable[StoredWrap | None]:
        """The wrap of the device in that epoch, where it is still kept."""
        ...

    def passed(self, device_id: bytes, cursors: Mapping[bytes, int]) -> Awaitable[None]:
        """The device has dealt with all events up to these seqs: forgets its wraps of the epochs that ended before them."""
        ...

    def leave(self, room_id: bytes, user: str, leave: bytes) -> Awaitable[None]:
        """Keeps a Leave (``u32 leaf; sig[64]``) until a commit takes it; a second one of the user replaces the first.

        The user's consent is forgotten.

        Raises `NotFound` for an unknown or closed room.
        """
        ...

    def close_room(self, room_id: bytes, *leaves: LeafDraft | None, epoch: int | None = None) -> Awaitable[None]:
        """Ends a room: its events, wraps and places go, its name is free, its id never used again. Appends the leaves, the
        last of which says to all that it has ended.

        Raises `NotFound` for an unknown or closed room, `StaleCommit` where it is in another epoch than this one.
        """
        ...

    def mark_read(self, account_id: bytes, room_id: bytes, seq: int) -> Awaitable[None]:
        """Moves the account's read marker forward, never back. Raises `NotFound` (account, or unknown or closed room)."""
        ...

    def read_marks(self, account_id: bytes) -> Awaitable[Mapping[bytes, int]]:
        """The account's read markers by room."""
        ...

    def retain(self, due: RetentionDue) -> Awaitable[Kept]:
        """Deletes at most ``due.most`` messages that are not to be kept, the oldest first; commits stay.

        A draft with the id of one of them is a `Duplicate` still. Notes how old what is there is, by ``due.now_ms``.
        """
        ...

    def events(self, room_id: bytes, after: int, limit: int) -> Awaitable[Sequence[Event]]:
        """Up to ``limit`` committed events with ``seq > after``, in order of seq."""
        ...

    def events_before(self, room_id: bytes, before: int, since: int, limit: int) -> Awaitable[Sequence[Event]]:
        """The last ``limit`` committed events with ``since < seq < before``, in order of seq."""
        ...

    # -- what a node has to read, to come as far as others; each is of one moment

    def rooms_at(self, room_ids: Sequence[bytes]) -> Awaitable[Mapping[bytes, RoomAt]]:
        """Rooms as they stand; those that are closed or unknown are missing."""
        ...

    def moved(self, heads: Mapping[bytes, int]) -> Awaitable[Mapping[bytes, int]]:
        """The heads of those of these rooms that are open and not there."""
        ...

    def standing(self, device_id: bytes) -> Awaitable[Standing]:
        """Where a device is that logs in."""
        ...

    def arriving(self, name: str, device_id: bytes) -> Awaitable[Arriving | None]:
        """What a device of that account goes by that logs in; None for an unknown device, and for a revoked one."""
        ...

    def numbers(self) -> Awaitable[Numbers]:
        """How far the store has come with what is not a room's."""
        ...

    def leaves(self, first: int, limit: int) -> Awaitable[Sequence[bytes]]:
        """Up to ``limit`` leaves of the log from index ``first`` on, in order."""
        ...
