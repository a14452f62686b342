"""The seams of the server: what the commands need, and what an edge has to provide.

Every port has an in-memory implementation, and one contract test that all implementations pass. Ports return awaitables,
never Deferreds. Ids are bytes without meaning; only ``seq`` counts, per room, and the store alone gives it out.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

from chatserv.domain.roles import Role


class EventKind(IntEnum):
    """What a room's log holds."""

    MESSAGE = 0
    COMMIT = 1


class Account(msgspec.Struct, frozen=True):
    """A registered identity. ``name`` may change one day, ``account_id`` (16 bytes) never does."""

    account_id: bytes
    name: str
    role: Role


class Device(msgspec.Struct, frozen=True):
    """A key-holding installation of an account; ``certificate`` is kept as the signed bytes (CRYPTO 6.2)."""

    device_id: bytes
    certificate: bytes
    account: Account


class Invite(msgspec.Struct, frozen=True):
    """A one-use permission to register; only the SHA-256 of its token is stored.

    ``name`` empty: any name. ``expires_ms``: milliseconds since 1970.
    """

    token_hash: bytes
    role: Role
    expires_ms: int
    name: str = ""


class Registration(msgspec.Struct, frozen=True):
    """A checked request to register; signatures are verified before it gets here.

    ``token_hash`` is None where registration is open. ``skeleton`` is the confusable skeleton of ``name``. ``verifier``
    holds salt, KDF parameters, StoredKey and ServerKey (CRYPTO 10.4), as bytes.
    """

    token_hash: bytes | None
    name: str
    skeleton: str
    identity_spki: bytes
    device_id: bytes
    certificate: bytes
    verifier: bytes


class Room(msgspec.Struct, frozen=True):
    """A room as it stands: ``epoch`` is the current one, ``head`` the last ``seq`` given (0: none yet)."""

    room_id: bytes
    name: str
    epoch: int
    head: int


class Membership(msgspec.Struct, frozen=True):
    """An account's place in a room: it may read events with ``seq`` above ``since``."""

    room_id: bytes
    account_id: bytes
    since: int


class EventDraft(msgspec.Struct, frozen=True):
    """An event that wants its place in a room's log. ``id`` is the client's (16 bytes), ``body`` is opaque."""

    room_id: bytes
    id: bytes
    epoch: int
    account_id: bytes
    device_id: bytes
    sender: str
    kind: EventKind
    body: bytes
    at_ms: int


class Event(msgspec.Struct, frozen=True):
    """A stored event. ``sender`` is the name of the account at the time."""

    room_id: bytes
    seq: int
    at_ms: int
    sender: str
    kind: EventKind
    body: bytes


class Appended(msgspec.Struct, frozen=True):
    """The draft is durable under ``event.seq``."""

    event: Event


class Duplicate(msgspec.Struct, frozen=True):
    """The same (room, device, id) is stored already, under this ``seq``; nothing was added."""

    seq: int
    at_ms: int


class Stale(msgspec.Struct, frozen=True):
    """The room is in another epoch; nothing was added."""

    epoch: int


AppendResult = Appended | Duplicate | Stale
CommitListener = Callable[[Sequence[Event]], None]


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
        before any ``append`` of that commit answers.
        """
        ...

    def add_invite(self, invite: Invite, now_ms: int) -> Awaitable[None]:
        """Stores an invite and forgets expired ones. Raises `Quota` above ``Limits.open_invites``."""
        ...

    def register(self, registration: Registration, now_ms: int) -> Awaitable[Account]:
        """Uses up the invite and makes account, device and membership of every public room, all or nothing.

        The same registration again (same name, same certificate) answers with the same account: a client whose
        connection died before the answer may repeat it. Raises `InviteInvalid` (unknown, used, expired, for another
        name), `NameTaken` (name or skeleton exists), `Quota` (``Limits.accounts``).
        """
        ...

    def device(self, name: str, device_id: bytes) -> Awaitable[Device | None]:
        """The device of that account, or None for an unknown account or device."""
        ...

    def rooms(self) -> Awaitable[Sequence[Room]]:
        """All rooms with their heads."""
        ...

    def memberships(self, account_id: bytes) -> Awaitable[Sequence[Membership]]:
        """The rooms of an account."""
        ...

    def append(self, draft: EventDraft) -> Awaitable[AppendResult]:
        """Puts an event at ``head + 1`` of its room. Raises `NotFound` for an unknown room.

        Duplicate (checked first), epoch and seq are decided in the order of the calls, within the commit.
        """
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
