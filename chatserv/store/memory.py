"""The store in memory: the rules of the port in their shortest form, for tests and for models of other stores."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from twisted.logger import Logger

from chatserv.domain.roles import Role
from chatserv.errors import (
    BadMessage,
    Draining,
    InviteInvalid,
    LocalProtocolError,
    NameTaken,
    NotFound,
    Quota,
)
from chatserv.ports import (
    Account,
    Appended,
    AppendResult,
    CommitListener,
    Device,
    Duplicate,
    Event,
    EventDraft,
    Invite,
    Membership,
    Registration,
    Room,
    Stale,
)
from chatserv.store.limits import StoreLimits


@dataclass
class _Log:
    name: str
    public: bool
    epoch: int
    events: list[Event] = field(default_factory=list)


class MemoryStore:
    """`chatserv.ports.Store` in dictionaries. Every call is a commit of its own and answers at once, so none waits.

    Args:
        limits: ``open_invites`` and ``accounts`` count here.
        incarnation: 16 bytes; random if None.
    """

    _log = Logger()

    def __init__(self, limits: StoreLimits, incarnation: bytes | None = None) -> None:
        self._limits = limits
        self._incarnation = incarnation or secrets.token_bytes(16)
        self._opened = False
        self._closed = False
        self._listeners: list[CommitListener] = []
        self._accounts: dict[str, Account] = {}
        self._skeletons: set[str] = set()
        self._devices: dict[bytes, Device] = {}
        self._invites: dict[bytes, Invite] = {}
        self._used: set[bytes] = set()
        self._logs: dict[bytes, _Log] = {}
        self._places: dict[tuple[bytes, bytes, bytes], Event] = {}
        self._members: dict[bytes, list[Membership]] = {}
        self.add_room("lobby", public=True)

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

    def add_room(self, name: str, *, public: bool, epoch: int = 0) -> bytes:
        """Makes an empty room and returns its random id (16 bytes)."""
        room_id = secrets.token_bytes(16)
        self._logs[room_id] = _Log(name, public, epoch)
        return room_id

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` with every new event; one that raises is logged and disturbs nobody."""
        self._listeners.append(listener)

    async def add_invite(self, invite: Invite, now_ms: int) -> None:
        """Stores an invite. Raises `Quota`, or `LocalProtocolError` for a token that exists."""
        self._check_open()
        unused = {token: old for token, old in self._invites.items() if token not in self._used}
        still_open = [token for token, old in unused.items() if old.expires_ms > now_ms]
        if len(still_open) >= self._limits.open_invites:
            raise Quota("open invites")
        if invite.token_hash in self._used or invite.token_hash in still_open:
            raise LocalProtocolError("the token of this invite exists")
        for token in unused.keys() - set(still_open):
            del self._invites[token]
        self._invites[invite.token_hash] = invite

    async def register(self, registration: Registration, now_ms: int) -> Account:
        """Makes an account. Raises `InviteInvalid`, `NameTaken`, `Quota` or `BadMessage` (a device that exists)."""
        self._check_open()
        new = registration
        certificates = {device.certificate: device.account for device in self._devices.values()}
        same = certificates.get(new.certificate)
        if same is not None and same.name == new.name:
            return same
        role = Role.USER if new.token_hash is None else self._invited_role(new.token_hash, new.name, now_ms)
        if new.name in self._accounts or new.skeleton in self._skeletons:
            raise NameTaken("name or skeleton")
        if len(self._accounts) >= self._limits.accounts:
            raise Quota("accounts")
        if new.device_id in self._devices or same is not None:
            raise BadMessage("device exists")
        account = Account(secrets.token_bytes(16), new.name, role)
        self._accounts[new.name] = account
        self._skeletons.add(new.skeleton)
        self._devices[new.device_id] = Device(new.device_id, new.certificate, account)
        self._members[account.account_id] = [
            Membership(room_id, account.account_id, len(log.events))
            for room_id, log in self._logs.items()
            if log.public
        ]
        if new.token_hash is not None:
            self._used.add(new.token_hash)
        return account

    async def device(self, name: str, device_id: bytes) -> Device | None:
        """The device of that account, or None."""
        self._check_open()
        found = self._devices.get(device_id)
        return found if found is not None and found.account.name == name else None

    async def rooms(self) -> Sequence[Room]:
        """All rooms, oldest first."""
        self._check_open()
        return [Room(room_id, log.name, log.epoch, len(log.events)) for room_id, log in self._logs.items()]

    async def memberships(self, account_id: bytes) -> Sequence[Membership]:
        """The rooms of an account."""
        self._check_open()
        return list(self._members.get(account_id, ()))

    async def append(self, draft: EventDraft) -> AppendResult:
        """Puts an event at the end of its room. Raises `NotFound` for an unknown room."""
        self._check_open()
        key = (draft.room_id, draft.device_id, draft.id)
        first = self._places.get(key)
        if first is not None:
            return Duplicate(first.seq, first.at_ms)
        log = self._logs.get(draft.room_id)
        if log is None:
            raise NotFound("room")
        if draft.epoch != log.epoch:
            return Stale(log.epoch)
        event = Event(draft.room_id, len(log.events) + 1, draft.at_ms, draft.sender, draft.kind, draft.body)
        log.events.append(event)
        self._places[key] = event
        for listener in self._listeners:
            with self._log.failuresHandled("A listener for commits failed."):
                listener([event])
        return Appended(event)

    async def events(self, room_id: bytes, after: int, limit: int) -> Sequence[Event]:
        """Up to ``limit`` events with ``seq > after``, in order."""
        self._check_open()
        return self._between(room_id, after, None)[: max(limit, 0)]

    async def events_before(self, room_id: bytes, before: int, since: int, limit: int) -> Sequence[Event]:
        """The last ``limit`` events with ``since < seq < before``, in order."""
        self._check_open()
        found = self._between(room_id, since, before)
        return found[max(len(found) - max(limit, 0), 0) :]

    def _between(self, room_id: bytes, after: int, before: int | None) -> list[Event]:
        log = self._logs.get(room_id)
        if log is None:
            return []
        end = len(log.events) if before is None else max(before - 1, 0)
        return log.events[max(after, 0) : end]

    def _invited_role(self, token_hash: bytes, name: str, now_ms: int) -> Role:
        invite = self._invites.get(token_hash)
        if invite is None or token_hash in self._used:
            raise InviteInvalid("unknown or used")
        if invite.expires_ms <= now_ms:
            raise InviteInvalid("expired")
        if invite.name not in {"", name}:
            raise InviteInvalid("for another name")
        return invite.role

    def _check_open(self) -> None:
        if self._closed:
            raise Draining("the store is closing")
        if not self._opened:
            raise LocalProtocolError("the store is not open")
