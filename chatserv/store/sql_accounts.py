"""What the store answers about accounts, their devices and keys, and the log."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from chatserv.account_models import Enrolment, OwnDevice, PasswordLogin, SealedBackup
from chatserv.control_models import (
    GONE,
    REVOKED,
    AccountChanged,
    AccountEnded,
    BanChanged,
    DeviceEnded,
    PasswordChanged,
)
from chatserv.domain.roles import Role
from chatserv.models import (
    Account,
    AccountStatus,
    Ban,
    Certified,
    Device,
    Invite,
    LeafDraft,
    PrekeyItem,
    Registration,
    TakenPrekey,
)
from chatserv.store import statements
from chatserv.store.limits import StoreLimits
from chatserv.store.locks import Lock, Orders, Rooms, leaves_need

T = TypeVar("T")


class AccountCalls(ABC):
    """Each runs one function of `chatserv.store.statements`, in the thread that writes or in the one that reads."""

    _limits: StoreLimits

    @abstractmethod
    async def _write(
        self, work: Callable[[Connection], T], *locks: Lock, rooms: Rooms = (), orders: Orders[T] | None = None
    ) -> T: ...

    @abstractmethod
    async def _read(self, query: Callable[[Connection], T]) -> T: ...

    async def add_invite(self, invite: Invite, now_ms: int) -> None:
        """Stores an invite. Raises `Quota`, `NotFound`, or `LocalProtocolError` for a token that exists."""
        await self._write(lambda conn: statements.add_invite(conn, invite, now_ms, self._limits), Lock.ACCOUNTS)

    async def open_invite(self, token_hash: bytes) -> Invite | None:
        """The invite that was not used."""
        return await self._read(lambda conn: statements.find_invite(conn, token_hash))

    async def register(self, registration: Registration, now_ms: int) -> Account:
        """Makes an account, or resets one. Raises `InviteInvalid`, `NameTaken`, `Quota`, `BadMessage` or `BadKey`."""
        locks = Lock.ACCOUNTS, *leaves_need(*registration.leaves)
        if not registration.reset:
            return await self._write(lambda conn: statements.register(conn, registration, now_ms, self._limits), *locks)

        def reset(conn: Connection) -> tuple[bool, Account]:
            again = statements.is_registered(conn, registration)
            return again, statements.register(conn, registration, now_ms, self._limits)

        _, account = await self._write(
            reset,
            *locks,
            rooms=lambda conn: statements.rooms_of(conn, registration.name),
            orders=lambda _, done: [] if done[0] else [AccountEnded(registration.name, REVOKED)],
        )
        return account

    async def login(self, name: str) -> PasswordLogin | None:
        """What a login by password goes by."""
        return await self._read(lambda conn: statements.login(conn, name))

    async def set_verifier(self, account_id: bytes, verifier: bytes, signer: bytes) -> None:
        """Puts another verifier in the place of an account's. Raises `NotFound` or `BadKey`."""
        await self._write(
            lambda conn: statements.set_verifier(conn, account_id, verifier, signer),
            Lock.ACCOUNTS,
            orders=lambda conn, _: [PasswordChanged(account_id, statements.name_of(conn, account_id))],
        )

    async def note_network(self, account_id: bytes, network: bytes, now_ms: int) -> None:
        """The account has logged in from there."""
        await self._write(
            lambda conn: statements.note_network(conn, account_id, network, now_ms, self._limits), Lock.ACCOUNTS
        )

    async def enrol(self, enrolment: Enrolment, now_ms: int) -> None:
        """Makes a device. Raises `NotFound`, `BadKey`, `BadMessage` or `Quota`."""
        await self._write(
            lambda conn: statements.enrol(conn, enrolment, now_ms, self._limits),
            Lock.ACCOUNTS,
            *leaves_need(enrolment.leaf),
        )

    async def device(self, name: str, device_id: bytes) -> Device | None:
        """The device of that account, or None."""
        return await self._read(lambda conn: statements.find_device(conn, name, device_id))

    async def account(self, name: str) -> AccountStatus | None:
        """The account of that name."""
        return await self._read(lambda conn: statements.find_account(conn, name))

    async def accounts(self, after: str, limit: int) -> Sequence[AccountStatus]:
        """Accounts with ``name > after``, in order of name."""
        return await self._read(lambda conn: statements.accounts(conn, after, limit))

    async def set_account(
        self, name: str, *, role: Role | None = None, suspended: bool | None = None, muted: bool | None = None
    ) -> AccountStatus:
        """Changes what is given. Raises `NotFound`, or `Forbidden` for the last administrator who is not suspended."""
        return await self._write(
            lambda conn: statements.set_account(conn, name, role, suspended, muted),
            Lock.ACCOUNTS,
            orders=lambda _, status: [AccountChanged.of(status)],
        )

    async def end_account(self, name: str, leaf: LeafDraft | None, now_ms: int, signer: bytes | None) -> None:
        """Ends an account. Raises `NotFound`, `BadKey` or `Forbidden`."""
        await self._write(
            lambda conn: statements.end_account(conn, name, leaf, now_ms, signer),
            Lock.ACCOUNTS,
            *leaves_need(leaf),
            rooms=lambda conn: statements.rooms_of(conn, name),
            orders=lambda _conn, _done: [AccountEnded(name, GONE)],
        )

    async def set_ban(self, ban: Ban, *, on: bool) -> None:
        """Adds a ban, or lifts it. Raises `Quota` or `Forbidden`."""
        await self._write(
            lambda conn: statements.set_ban(conn, ban, on, self._limits),
            Lock.ACCOUNTS,
            orders=lambda _conn, _done: [BanChanged(ban, on)],
        )

    async def bans(self) -> Sequence[Ban]:
        """All bans, in order of subject."""
        return await self._read(statements.bans)

    async def log(self) -> Sequence[bytes]:
        """All leaves of the log, in order."""
        return await self._read(statements.log)

    async def statement(self, index: int) -> bytes | None:
        """The signed bytes behind a leaf."""
        return await self._read(lambda conn: statements.statement(conn, index))

    async def keep_head(self, signed: bytes, last: bytes) -> bytes:
        """Keeps a signed head; gives the one that is kept then. Raises `NotFound`."""
        return await self._write(lambda conn: statements.keep_head(conn, signed, last))

    async def certificates(self, hashes: Sequence[bytes]) -> Sequence[Certified]:
        """Those of the certificates that are known."""
        return await self._read(lambda conn: statements.certificates(conn, hashes))

    async def revoke(self, cert_hash: bytes, leaf: LeafDraft | None, now_ms: int, signer: bytes) -> bool:
        """Ends a device; False where it is unknown or revoked already. Raises `BadKey` or `Forbidden`."""
        return await self._write(
            lambda conn: statements.revoke(conn, cert_hash, leaf, now_ms, signer),
            Lock.ACCOUNTS,
            *leaves_need(leaf),
            rooms=lambda conn: statements.rooms_of_device(conn, cert_hash),
            orders=lambda conn, done: [DeviceEnded(statements.device_of(conn, cert_hash))] if done else [],
        )

    async def rotate(self, name: str, before: bytes, spki: bytes, leaf: LeafDraft | None) -> None:
        """Makes a key the account's newest. Raises `NotFound` or `BadKey`."""
        await self._write(
            lambda conn: statements.rotate(conn, name, before, spki, leaf), Lock.ACCOUNTS, *leaves_need(leaf)
        )

    async def devices(self, name: str) -> Sequence[OwnDevice]:
        """The valid devices of an account, oldest first."""
        return await self._read(lambda conn: statements.devices(conn, name))

    async def saw(self, device_id: bytes, now_ms: int) -> None:
        """The device is here now."""
        await self._write(lambda conn: statements.saw(conn, device_id, now_ms), Lock.ACCOUNTS)

    async def put_backup(self, name: str, backup: SealedBackup) -> None:
        """Puts a backup in the place of the one before. Raises `NotFound` or `StaleBackup`."""
        await self._write(lambda conn: statements.put_backup(conn, name, backup), Lock.ACCOUNTS)

    async def backup(self, name: str) -> SealedBackup | None:
        """The account's backup."""
        return await self._read(lambda conn: statements.find_backup(conn, name))

    async def backup_counter(self, name: str) -> int:
        """Its counter; 0 where there is none."""
        return await self._read(lambda conn: statements.backup_counter(conn, name))

    async def publish_prekeys(self, device_id: bytes, prekeys: Sequence[PrekeyItem], most: int) -> int:
        """Lists prekeys. Raises `NotFound` for a device that is unknown or revoked."""
        return await self._write(lambda conn: statements.publish_prekeys(conn, device_id, prekeys, most), Lock.ACCOUNTS)

    async def take_prekey(self, device_id: bytes, *, one_time: bool) -> TakenPrekey:
        """Gives out a prekey."""
        return await self._write(lambda conn: statements.take_prekey(conn, device_id, one_time), Lock.ACCOUNTS)

    async def prekeys_left(self, device_id: bytes) -> int:
        """How many one-time prekeys the device has."""
        return await self._read(lambda conn: statements.prekeys_left(conn, device_id))
