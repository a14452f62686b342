"""What the store in memory answers about accounts, their devices and keys."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from chatserv.account_models import Enrolment, OwnDevice, PasswordLogin, SealedBackup
from chatserv.control_models import (
    GONE,
    REVOKED,
    AccountChanged,
    AccountEnded,
    BanChanged,
    DeviceEnded,
    Order,
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
from chatserv.node_models import Arriving, Standing
from chatserv.store.memory_accounts import AccountTable
from chatserv.store.memory_rooms import RoomTable


class AccountCalls(ABC):
    """Each asks the table of accounts, at once."""

    _accounts: AccountTable
    _rooms: RoomTable

    @abstractmethod
    def _check_open(self) -> None: ...

    @abstractmethod
    def _order(self, order: Order) -> None: ...

    @abstractmethod
    async def standing(self, device_id: bytes) -> Standing:
        """Where a device is that logs in."""

    async def arriving(self, name: str, device_id: bytes) -> Arriving | None:
        """What a device that logs in goes by."""
        device, status = await self.device(name, device_id), self._accounts.account(name)
        if device is None or status is None:
            return None
        reads, backup = self._rooms.read_marks(status.account.account_id), await self.backup_counter(name)
        return Arriving(status, reads, self._accounts.prekeys_left(device_id), backup, await self.standing(device_id))

    async def add_invite(self, invite: Invite, now_ms: int) -> None:
        """Stores an invite. Raises `Quota`, `NotFound`, or `LocalProtocolError` for a token that exists."""
        self._check_open()
        self._accounts.add_invite(invite, now_ms)

    async def open_invite(self, token_hash: bytes) -> Invite | None:
        """The invite that was not used."""
        self._check_open()
        return self._accounts.invites.unused.get(token_hash)

    async def register(self, registration: Registration, now_ms: int) -> Account:
        """Makes an account, or resets one. Raises `InviteInvalid`, `NameTaken`, `Quota`, `BadMessage` or `BadKey`."""
        self._check_open()
        again = self._accounts.is_registered(registration)
        account = self._accounts.register(registration, now_ms)
        if registration.reset and not again:
            self._order(AccountEnded(registration.name, REVOKED))
        return account

    async def login(self, name: str) -> PasswordLogin | None:
        """What a login by password goes by."""
        self._check_open()
        return self._accounts.login(name)

    async def set_verifier(self, account_id: bytes, verifier: bytes, signer: bytes) -> None:
        """Puts another verifier in the place of an account's. Raises `NotFound` or `BadKey`."""
        self._check_open()
        self._order(PasswordChanged(account_id, self._accounts.set_verifier(account_id, verifier, signer)))

    async def note_network(self, account_id: bytes, network: bytes, now_ms: int) -> None:
        """The account has logged in from there."""
        self._check_open()
        self._accounts.note_network(account_id, network, now_ms)

    async def enrol(self, enrolment: Enrolment, now_ms: int) -> None:
        """Makes a device. Raises `NotFound`, `BadKey`, `BadMessage` or `Quota`."""
        self._check_open()
        self._accounts.enrol(enrolment, now_ms)

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
        status = self._accounts.set_account(name, role, suspended, muted)
        self._order(AccountChanged.of(status))
        return status

    async def end_account(self, name: str, leaf: LeafDraft | None, now_ms: int, signer: bytes | None) -> None:  # noqa: ARG002
        """Ends an account. Raises `NotFound`, `BadKey` or `Forbidden`."""
        self._check_open()
        self._rooms.end_account(self._accounts.end_account(name, leaf, signer), name)
        self._order(AccountEnded(name, GONE))

    async def set_ban(self, ban: Ban, *, on: bool) -> None:
        """Adds a ban, or lifts it. Raises `Quota` or `Forbidden`."""
        self._check_open()
        self._accounts.set_ban(ban, on)
        self._order(BanChanged(ban, on))

    async def bans(self) -> Sequence[Ban]:
        """All bans, in order of subject."""
        self._check_open()
        return self._accounts.bans()

    async def certificates(self, hashes: Sequence[bytes]) -> Sequence[Certified]:
        """Those of the certificates that are known."""
        self._check_open()
        return self._accounts.certificates(hashes)

    async def revoke(self, cert_hash: bytes, leaf: LeafDraft | None, now_ms: int, signer: bytes) -> bool:  # noqa: ARG002
        """Ends a device; False where it is unknown or revoked already. Raises `BadKey` or `Forbidden`."""
        self._check_open()
        done = self._accounts.revoke(cert_hash, leaf, signer)
        if done:
            self._order(DeviceEnded(self._accounts.device_of(cert_hash)))
        return done

    async def rotate(self, name: str, before: bytes, spki: bytes, leaf: LeafDraft | None) -> None:
        """Makes a key the account's newest. Raises `NotFound` or `BadKey`."""
        self._check_open()
        self._accounts.rotate(name, before, spki, leaf)

    async def devices(self, name: str) -> Sequence[OwnDevice]:
        """The valid devices of an account, oldest first."""
        self._check_open()
        return self._accounts.devices(name)

    async def saw(self, device_id: bytes, now_ms: int) -> None:
        """The device is here now."""
        self._check_open()
        self._accounts.saw(device_id, now_ms)

    async def put_backup(self, name: str, backup: SealedBackup) -> None:
        """Puts a backup in the place of the one before. Raises `NotFound` or `StaleBackup`."""
        self._check_open()
        self._accounts.put_backup(name, backup)

    async def backup(self, name: str) -> SealedBackup | None:
        """The account's backup."""
        self._check_open()
        return self._accounts.backup(name)

    async def backup_counter(self, name: str) -> int:
        """Its counter; 0 where there is none."""
        self._check_open()
        found = self._accounts.backup(name)
        return 0 if found is None else found.counter

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
