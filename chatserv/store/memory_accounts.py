"""Accounts, devices, invites, bans and prekeys of the store in memory."""

import secrets
from collections.abc import Callable, Sequence

import msgspec

from chatserv.account_models import OwnDevice, SealedBackup
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.errors import BadKey, BadMessage, Forbidden, NameTaken, NotFound, Quota, StaleBackup
from chatserv.models import (
    Account,
    AccountStatus,
    Ban,
    BanKind,
    Certified,
    Device,
    Invite,
    LeafDraft,
    PrekeyItem,
    Registration,
    TakenPrekey,
)
from chatserv.store.limits import StoreLimits
from chatserv.store.memory_devices import MemoryDevice
from chatserv.store.memory_invites import InviteTable
from chatserv.store.memory_logins import LoginTable


class AccountTable(LoginTable):
    """The rules about accounts and their devices. Whatever raises has changed nothing.

    Args:
        limits: ``open_invites``, ``accounts``, ``devices`` and ``bans`` count here.
        log: Takes the leaves of what was done.
        end_device: Told, before the leaves, of a device that is at its end.

    Attributes:
        invites: The table of invites.
    """

    def __init__(
        self,
        limits: StoreLimits,
        log: Callable[[Sequence[LeafDraft]], None],
        end_device: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._limits = limits
        self._log = log
        self._end_device = end_device
        self.invites = InviteTable(limits)
        self._accounts: dict[str, AccountStatus] = {}
        self._skeletons: set[str] = set()
        self._devices: dict[bytes, MemoryDevice] = {}
        self._identities: dict[str, list[bytes]] = {}
        self._backups: dict[str, SealedBackup] = {}
        self._gone: set[str] = set()
        self._bans: dict[tuple[str, BanKind], Ban] = {}
        self._verifiers: dict[str, bytes] = {}
        self._networks: dict[str, dict[bytes, int]] = {}

    def add_invite(self, invite: Invite, now_ms: int) -> None:
        """Stores an invite. Raises `Quota`, `NotFound`, or `LocalProtocolError` for a token that exists."""
        if invite.reset and invite.name not in self._accounts:
            raise NotFound("account")
        self.invites.add(invite, now_ms)

    def is_registered(self, new: Registration) -> bool:
        """Whether the registration was carried out already."""
        same = self._certified(sha256(new.certificate))
        return same is not None and same.name == new.name and new.name in self._accounts

    def register(self, new: Registration, now_ms: int) -> Account:
        """Makes an account, or resets one. Raises `InviteInvalid`, `NameTaken`, `Quota`, `BadMessage` or `BadKey`."""
        cert_hash = sha256(new.certificate)
        same = self._certified(cert_hash)
        if self.is_registered(new):
            return self._accounts[new.name].account
        role = self.invites.role(new, now_ms)
        if not new.reset:
            self._check_name(new)
        if new.device_id in self._devices or same is not None:
            raise BadMessage("device exists")
        if self._limits.devices < 1:
            raise Quota("devices")
        if new.reset and new.name not in self._accounts:
            raise NotFound("account")
        self._add_identity(new.name, new.identity_spki)
        if new.reset:
            self._end_devices(new.name)
            self._forget(new.name)
        else:
            account = Account(secrets.token_bytes(16), new.name, role)
            self._accounts[new.name] = AccountStatus(account, False, False, now_ms)
            self._skeletons.add(new.skeleton)
        self._verifiers[new.name] = new.verifier
        certified = Certified(cert_hash, new.certificate, new.identity_spki)
        self._devices[new.device_id] = MemoryDevice(certified, new.name, created_ms=now_ms)
        self.invites.use_up(new.token_hash)
        self._log(new.leaves)
        return self._accounts[new.name].account

    def _forget(self, name: str) -> None:
        for table in (self._backups, self._verifiers, self._networks):
            table.pop(name, None)

    def _check_name(self, new: Registration) -> None:
        if new.name in self._accounts or new.skeleton in self._skeletons:
            raise NameTaken("name or skeleton")
        if len(self._accounts) + len(self._gone) >= self._limits.accounts:
            raise Quota("accounts")

    def end_account(self, name: str, leaf: LeafDraft | None, signer: bytes | None) -> bytes:
        """Ends an account; returns its id. Raises `NotFound`, `BadKey` or `Forbidden`."""
        status = self._accounts.get(name)
        if status is None:
            raise NotFound("account")
        if signer is not None:
            self._require_newest(name, signer)
        if _administers(status):
            self._require_another_administrator(name)
        self._end_devices(name)
        self._forget(name)
        self.invites.forget_resets(name)
        self._gone.add(name)
        del self._accounts[name]
        self._log([] if leaf is None else [leaf])
        return status.account.account_id

    def account(self, name: str) -> AccountStatus | None:
        """The account of that name."""
        return self._accounts.get(name)

    def holds(self, account_id: bytes) -> bool:
        """Whether there is an account with this id."""
        return any(each.account.account_id == account_id for each in self._accounts.values())

    def accounts(self, after: str, limit: int) -> list[AccountStatus]:
        """Accounts with ``name > after``, in order of name."""
        return [self._accounts[name] for name in sorted(self._accounts) if name > after][: max(limit, 0)]

    def set_account(self, name: str, role: Role | None, suspended: bool | None, muted: bool | None) -> AccountStatus:
        """Changes what is not None. Raises `NotFound`, or `Forbidden` for the last administrator, or a banned one."""
        old = self._accounts.get(name)
        if old is None:
            raise NotFound("account")
        new = AccountStatus(
            old.account if role is None else msgspec.structs.replace(old.account, role=role),
            old.suspended if suspended is None else suspended,
            old.muted if muted is None else muted,
            old.created_ms,
        )
        if _administers(old) and not _administers(new):
            self._require_another_administrator(name)
        if role is Role.ADMIN and (name, BanKind.ACCOUNT) in self._bans:
            raise Forbidden("server role: of a banned account")
        self._accounts[name] = new
        return new

    def _require_another_administrator(self, name: str) -> None:
        others = [each for other, each in self._accounts.items() if other != name]
        if not any(_administers(each) and self._has_device(each.account.name) for each in others):
            raise Forbidden("the last administrator")

    def _has_device(self, name: str) -> bool:
        return any(each.name == name and not each.revoked for each in self._devices.values())

    def set_ban(self, ban: Ban, on: bool) -> None:
        """Adds or lifts a ban. Raises `Quota`, or `Forbidden` of an administrator."""
        status = self._accounts.get(ban.subject)
        if on and ban.kind is BanKind.ACCOUNT and status is not None and status.account.role is Role.ADMIN:
            raise Forbidden("ban: of an administrator")
        key = (ban.subject, ban.kind)
        if not on:
            self._bans.pop(key, None)
        elif key not in self._bans:
            if len(self._bans) >= self._limits.bans:
                raise Quota("bans")
            self._bans[key] = ban

    def bans(self) -> list[Ban]:
        """All bans, in order of subject."""
        return [self._bans[key] for key in sorted(self._bans)]

    # -- devices and their keys

    def device(self, name: str, device_id: bytes) -> Device | None:
        """The device of that account that is not revoked, or None."""
        found = self._devices.get(device_id)
        if found is None or found.revoked or found.name != name:
            return None
        return Device(device_id, found.certified.certificate, self._accounts[name].account)

    def certificates(self, hashes: Sequence[bytes]) -> list[Certified]:
        """Those of the certificates that are known."""
        wanted = set(hashes)
        return [each.certified for each in self._devices.values() if each.certified.cert_hash in wanted]

    def revoke(self, cert_hash: bytes, leaf: LeafDraft | None, signer: bytes) -> bool:
        """Ends a device; False where it is unknown or revoked already. Raises `BadKey`, or `Forbidden` as `set_account`."""
        device = self._certified(cert_hash)
        if device is None or device.revoked:
            return False
        self._require_newest(device.name, signer)
        others = [each for each in self._devices.values() if each.name == device.name and each is not device]
        if _administers(self._accounts[device.name]) and all(each.revoked for each in others):
            self._require_another_administrator(device.name)
        self._end(device)
        self._log([] if leaf is None else [leaf])
        return True

    def _end_devices(self, name: str) -> None:
        for device in self._devices.values():
            if device.name == name and not device.revoked:
                self._end(device)

    def _end(self, device: MemoryDevice) -> None:
        device.end()
        self._end_device(next(number for number, each in self._devices.items() if each is device))

    def rotate(self, name: str, before: bytes, spki: bytes, leaf: LeafDraft | None) -> None:
        """Makes a key the account's newest. Raises `NotFound` or `BadKey`."""
        if name not in self._accounts:
            raise NotFound("account")
        self._require_newest(name, before)
        self._add_identity(name, spki)
        self._log([] if leaf is None else [leaf])

    def _add_identity(self, name: str, spki: bytes) -> None:
        known = self._identities.setdefault(name, [])
        if spki in known:
            raise BadKey("an identity of before")
        known.append(spki)

    def device_of(self, cert_hash: bytes) -> bytes:
        """The id of the device with that certificate, which there has to be."""
        return next(number for number, each in self._devices.items() if each.certified.cert_hash == cert_hash)

    def device_ids(self, name: str) -> set[bytes]:
        """The ids of all devices that an account has or had."""
        return {number for number, each in self._devices.items() if each.name == name}

    def devices(self, name: str) -> list[OwnDevice]:
        """The valid devices of an account, oldest first."""
        return [
            OwnDevice(number, each.certified.cert_hash, each.created_ms, each.seen_ms)
            for number, each in self._devices.items()
            if each.name == name and not each.revoked
        ]

    def saw(self, device_id: bytes, now_ms: int) -> None:
        """The device is here now."""
        device = self._devices.get(device_id)
        if device is not None:
            device.seen_ms = max(device.seen_ms, now_ms)

    def put_backup(self, name: str, new: SealedBackup) -> None:
        """Puts a backup in the place of the one before. Raises `NotFound` or `StaleBackup`."""
        if name not in self._accounts:
            raise NotFound("account")
        there = self._backups.get(name)
        if there is not None and there.content == new.content:
            return
        if there is not None and there.counter >= new.counter:
            raise StaleBackup(f"backup {new.counter}")
        self._backups[name] = new

    def backup(self, name: str) -> SealedBackup | None:
        """The account's backup."""
        return self._backups.get(name)

    def publish_prekeys(self, device_id: bytes, prekeys: Sequence[PrekeyItem], most: int) -> int:
        """Lists prekeys. Raises `NotFound` for a device that is unknown or revoked."""
        device = self._devices.get(device_id)
        if device is None or device.revoked:
            raise NotFound("device")
        return device.publish(prekeys, most)

    def take_prekey(self, device_id: bytes, one_time: bool) -> TakenPrekey:
        """Gives out a prekey: of the one-time ones the lowest."""
        device = self._devices.get(device_id)
        return TakenPrekey(None, 0) if device is None else device.take(one_time)

    def forget_prekeys(self) -> None:
        """The one-time ones of all devices go."""
        for device in self._devices.values():
            device.one_time.clear()

    def prekeys_left(self, device_id: bytes) -> int:
        """How many one-time prekeys the device has."""
        device = self._devices.get(device_id)
        return 0 if device is None else len(device.one_time)

    def _certified(self, cert_hash: bytes) -> MemoryDevice | None:
        return next((each for each in self._devices.values() if each.certified.cert_hash == cert_hash), None)


def _administers(status: AccountStatus) -> bool:
    return status.account.role is Role.ADMIN and not status.suspended
