"""The seams of the server: what the commands need, and what an edge has to provide.

Every port has an in-memory implementation, and one contract test that all implementations pass. Ports return awaitables,
never Deferreds. The values that travel are in `chatserv.models`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from chatserv.domain.roles import Role
from chatserv.models import (
    Account,
    AccountStatus,
    Appended,
    Ban,
    Certified,
    CommitDraft,
    ConsentAt,
    Device,
    Duplicate,
    Event,
    EventDraft,
    Invite,
    LeafDraft,
    PairTaken,
    PlaceAt,
    PrekeyItem,
    Registration,
    Room,
    Stale,
    StoredWrap,
    TakenPrekey,
)

AppendResult = Appended | Duplicate | Stale
CommitResult = Appended | Stale | PairTaken
CommitListener = Callable[[Sequence[Event]], None]
LogListener = Callable[[int, Sequence[bytes]], None]


class Store(Protocol):
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

    # -- accounts, devices, invites

    def add_invite(self, invite: Invite, now_ms: int) -> Awaitable[None]:
        """Stores an invite and forgets expired ones. Raises `Quota` above ``Limits.open_invites``."""
        ...

    def register(self, registration: Registration, now_ms: int) -> Awaitable[Account]:
        """Uses up the invite, makes account and device, and appends the leaves to the log, all or nothing.

        The same registration again (same name, same certificate) answers with the same account and appends nothing: a client
        whose connection died before the answer may repeat it. Raises `InviteInvalid` (unknown, used, expired, for another
        name), `NameTaken` (name or skeleton exists), `Quota` (``Limits.accounts``).
        """
        ...

    def device(self, name: str, device_id: bytes) -> Awaitable[Device | None]:
        """The device of that account, or None for an unknown account or device, and for a revoked device."""
        ...

    def account(self, name: str) -> Awaitable[AccountStatus | None]:
        """The account of that name."""
        ...

    def accounts(self, after: str, limit: int) -> Awaitable[Sequence[AccountStatus]]:
        """Accounts with ``name > after``, in order of name."""
        ...

    def set_account(
        self, name: str, *, role: Role | None = None, suspended: bool | None = None, muted: bool | None = None
    ) -> Awaitable[AccountStatus]:
        """Changes what is given. Raises `NotFound`, or `Forbidden` for the last administrator who is not suspended."""
        ...

    def set_ban(self, ban: Ban, *, on: bool) -> Awaitable[None]:
        """Adds a ban, or lifts it; harmless where it is so already, and the first ban stays as it was made.

        Raises `Quota` above ``Limits.bans``.
        """
        ...

    def bans(self) -> Awaitable[Sequence[Ban]]:
        """All bans, in order of subject."""
        ...

    # -- the log and keys

    def log(self) -> Awaitable[Sequence[bytes]]:
        """All leaves of the log (105 bytes each), in order."""
        ...

    def statement(self, index: int) -> Awaitable[bytes | None]:
        """The signed bytes behind the leaf with that index; None where there is no such leaf, or nothing behind it."""
        ...

    def certificates(self, hashes: Sequence[bytes]) -> Awaitable[Sequence[Certified]]:
        """Those of the certificates that are known, revoked ones included, in any order."""
        ...

    def revoke(self, cert_hash: bytes, leaf: LeafDraft, now_ms: int) -> Awaitable[bool]:
        """Ends the device with this certificate and appends the leaf. False where it is unknown or revoked already."""
        ...

    def publish_prekeys(self, device_id: bytes, prekeys: Sequence[PrekeyItem], most: int) -> Awaitable[int]:
        """Lists prekeys; a last-resort one replaces the one before. Returns how many one-time ones the device has.

        One-time prekeys beyond ``most`` are not taken; a number that was ever listed is not taken again: they are taken in
        order of their numbers, and only above the greatest that the device has ever listed. Raises `NotFound` for a device
        that is unknown or revoked.
        """
        ...

    def take_prekey(self, device_id: bytes, *, one_time: bool) -> Awaitable[TakenPrekey]:
        """Gives out the lowest one-time prekey, which is gone then, or the last-resort one where none is left or wanted."""
        ...

    def prekeys_left(self, device_id: bytes) -> Awaitable[int]:
        """How many one-time prekeys the device has."""
        ...

    # -- rooms

    def rooms(self) -> Awaitable[Sequence[Room]]:
        """All rooms that are not closed, oldest first."""
        ...

    def places(self, device_id: bytes) -> Awaitable[Sequence[PlaceAt]]:
        """The places of a device in rooms that are not closed, ended ones included."""
        ...

    def append(self, draft: EventDraft) -> Awaitable[AppendResult]:
        """Puts a message at ``head + 1`` of its room. Raises `NotFound` for an unknown or closed room.

        Duplicate (checked first), epoch, the device's open place under ``leaf``, a ``generation`` above its last one in this
        epoch, and seq are decided in the order of the calls, within the commit.
        """
        ...

    def commit(self, draft: CommitDraft) -> Awaitable[CommitResult]:
        """Compare-and-swap: makes the commit the room's newest if it follows the newest, with all that it brings.

        Makes the room in epoch 0. The commit is an event of the room. Every generation counts from 0 again. A device in
        ``added`` that has an open place keeps its ``since`` under the new leaf; another gets ``since`` = the seq before the
        commit's. A device in ``removed`` gets ``until`` = the commit's seq. ``asked``, ``agreed`` and ``gone`` become the
        consents of the room's users; ``sender`` is the inviter.

        Raises `NameTaken` (another open room has the name or its skeleton), `Quota` (``Limits.rooms``), `NotFound` (a room
        that was closed, or an unknown one above epoch 0).
        """
        ...

    def consents(self) -> Awaitable[Sequence[ConsentAt]]:
        """What users say to their places in rooms that are not closed, by age of the room; nothing of those of before."""
        ...

    def set_consents(self, consents: Sequence[ConsentAt]) -> Awaitable[None]:
        """Keeps each in place of what was kept before; of rooms that are closed or unknown, none."""
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

    def close_room(self, room_id: bytes, leaf: LeafDraft | None) -> Awaitable[None]:
        """Ends a room: its events, wraps and places go, its name is free, its id never used again. Appends the leaf.

        Raises `NotFound` for an unknown or closed room.
        """
        ...

    def mark_read(self, account_id: bytes, room_id: bytes, seq: int) -> Awaitable[None]:
        """Moves the account's read marker forward, never back. Raises `NotFound` (account, or unknown or closed room)."""
        ...

    def read_marks(self, account_id: bytes) -> Awaitable[Mapping[bytes, int]]:
        """The account's read markers by room."""
        ...

    def events(self, room_id: bytes, after: int, limit: int) -> Awaitable[Sequence[Event]]:
        """Up to ``limit`` committed events with ``seq > after``, in order of seq."""
        ...

    def events_before(self, room_id: bytes, before: int, since: int, limit: int) -> Awaitable[Sequence[Event]]:
        """The last ``limit`` committed events with ``since < seq < before``, in order of seq."""
        ...


class Backplane(Protocol):
    """Carries committed events to the sessions of every node, in the order of their seqs."""

    def publish(self, events: Sequence[Event]) -> None:
        """Hands on events that are committed."""
        ...

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` with events as they come, those of one room in order."""
        ...
