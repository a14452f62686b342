"""The store in memory: the rules of the port in their shortest form, for tests and for models of other stores."""

import secrets
from collections.abc import Mapping, Sequence

from twisted.logger import Logger

from chatserv.domain.roles import Role
from chatserv.errors import Draining, NotFound
from chatserv.local_errors import LocalProtocolError
from chatserv.models import (
    Account,
    AccountStatus,
    Ban,
    Certified,
    CommitDraft,
    ConsentAt,
    Device,
    Event,
    EventDraft,
    Invite,
    LeafDraft,
    PlaceAt,
    PrekeyItem,
    Registration,
    Room,
    StoredWrap,
    TakenPrekey,
)
from chatserv.ports import AppendResult, CommitListener, CommitResult, LogListener
from chatserv.store.limits import StoreLimits
from chatserv.store.memory_accounts import AccountTable
from chatserv.store.memory_rooms import RoomTable


class MemoryStore:
    """`chatserv.ports.Store` in dictionaries. Every call is a commit of its own and answers at once, so none waits.

    Args:
        limits: All but ``queue`` and ``batch`` count here.
        incarnation: 16 bytes; random if None.
    """

    _logger = Logger()

    def __init__(self, limits: StoreLimits, incarnation: bytes | None = None) -> None:
        self._incarnation = incarnation or secrets.token_bytes(16)
        self._opened = False
        self._closed = False
        self._listeners: list[CommitListener] = []
        self._log_listeners: list[LogListener] = []
        self._leaves: list[bytes] = []
        self._statements: dict[int, bytes] = {}
        self._accounts = AccountTable(limits, self._append_log)
        self._rooms = RoomTable(limits, self._append_log, self._publish)

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

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` with every new event; one that raises is logged and disturbs nobody."""
        self._listeners.append(listener)

    def subscribe_log(self, listener: LogListener) -> None:
        """Calls ``listener`` with new leaves of the log; one that raises is logged and disturbs nobody."""
        self._log_listeners.append(listener)

    async def add_invite(self, invite: Invite, now_ms: int) -> None:
        """Stores an invite. Raises `Quota`, or `LocalProtocolError` for a token that exists."""
        self._check_open()
        self._accounts.add_invite(invite, now_ms)

    async def register(self, registration: Registration, now_ms: int) -> Account:
        """Makes an account. Raises `InviteInvalid`, `NameTaken`, `Quota` or `BadMessage` (a device that exists)."""
        self._check_open()
        return self._accounts.register(registration, now_ms)

    async def device(self, name: str, device_id: bytes) -> Device | None:
        """The device of that account, or None."""
        self._check_open()
        return self._accounts.device(name, device_id)

    async def account(self, name: str) -> AccountStatus | None:
        """The account of that name."""
        self._check_open()
        return self._accounts.account(name)

    async def accounts(self, after: str, limit: int) -> Sequence[AccountStatus]:
        """Accounts with ``name > after``, in order of name."""
        self._check_open()
        return self._accounts.accounts(after, limit)

    async def set_account(
        self, name: str, *, role: Role | None = None, suspended: bool | None = None, muted: bool | None = None
    ) -> AccountStatus:
        """Changes what is given. Raises `NotFound`, or `Forbidden` for the last administrator who is not suspended."""
        self._check_open()
        return self._accounts.set_account(name, role, suspended, muted)

    async def set_ban(self, ban: Ban, *, on: bool) -> None:
        """Adds a ban, or lifts it. Raises `Quota`."""
        self._check_open()
        self._accounts.set_ban(ban, on)

    async def bans(self) -> Sequence[Ban]:
        """All bans, in order of subject."""
        self._check_open()
        return self._accounts.bans()

    async def log(self) -> Sequence[bytes]:
        """All leaves of the log, in order."""
        self._check_open()
        return list(self._leaves)

    async def statement(self, index: int) -> bytes | None:
        """The signed bytes behind a leaf."""
        self._check_open()
        return self._statements.get(index) or None

    async def certificates(self, hashes: Sequence[bytes]) -> Sequence[Certified]:
        """Those of the certificates that are known."""
        self._check_open()
        return self._accounts.certificates(hashes)

    async def revoke(self, cert_hash: bytes, leaf: LeafDraft, now_ms: int) -> bool:  # noqa: ARG002 - nothing here tells when
        """Ends a device; False where it is unknown or revoked already."""
        self._check_open()
        return self._accounts.revoke(cert_hash, leaf)

    async def publish_prekeys(self, device_id: bytes, prekeys: Sequence[PrekeyItem], most: int) -> int:
        """Lists prekeys. Raises `NotFound` for a device that is unknown or revoked."""
        self._check_open()
        return self._accounts.publish_prekeys(device_id, prekeys, most)

    async def take_prekey(self, device_id: bytes, *, one_time: bool) -> TakenPrekey:
        """Gives out a prekey."""
        self._check_open()
        return self._accounts.take_prekey(device_id, one_time)

    async def prekeys_left(self, device_id: bytes) -> int:
        """How many one-time prekeys the device has."""
        self._check_open()
        return self._accounts.prekeys_left(device_id)

    async def rooms(self) -> Sequence[Room]:
        """All open rooms, oldest first."""
        self._check_open()
        return self._rooms.rooms()

    async def places(self, device_id: bytes) -> Sequence[PlaceAt]:
        """The places of a device, ended ones included."""
        self._check_open()
        return self._rooms.places(device_id)

    async def append(self, draft: EventDraft) -> AppendResult:
        """Puts a message at the end of its room. Raises `NotFound` for an unknown or closed room."""
        self._check_open()
        return self._rooms.append(draft)

    async def commit(self, draft: CommitDraft) -> CommitResult:
        """Makes a commit the room's newest. Raises `NotFound`, `NameTaken` or `Quota`."""
        self._check_open()
        return self._rooms.commit(draft)

    async def consents(self) -> Sequence[ConsentAt]:
        """What users say to their places in open rooms."""
        self._check_open()
        return self._rooms.consents()

    async def set_consents(self, consents: Sequence[ConsentAt]) -> None:
        """Keeps each in place of what was kept before."""
        self._check_open()
        self._rooms.set_consents(consents)

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
        self._rooms.leave(room_id, user, leave)

    async def close_room(self, room_id: bytes, leaf: LeafDraft | None) -> None:
        """Ends a room. Raises `NotFound`."""
        self._check_open()
        self._rooms.close_room(room_id, leaf)

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

    async def events(self, room_id: bytes, after: int, limit: int) -> Sequence[Event]:
        """Up to ``limit`` events with ``seq > after``, in order."""
        self._check_open()
        return self._rooms.between(room_id, after, None)[: max(limit, 0)]

    async def events_before(self, room_id: bytes, before: int, since: int, limit: int) -> Sequence[Event]:
        """The last ``limit`` events with ``since < seq < before``, in order."""
        self._check_open()
        found = self._rooms.between(room_id, since, before)
        return found[max(len(found) - max(limit, 0), 0) :]

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
        if self._closed:
            raise Draining("the store is closing")
        if not self._opened:
            raise LocalProtocolError("the store is not open")
