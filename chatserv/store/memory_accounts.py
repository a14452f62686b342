"""Accounts, devices, invites, bans and prekeys of the store in memory."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from chatserv.crypto.prekeys import is_last_resort
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.errors import BadMessage, Forbidden, InviteInvalid, NameTaken, NotFound, Quota
from chatserv.local_errors import LocalProtocolError
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


@dataclass
class _Device:
    """A device with its prekeys; ``highest`` is the greatest number of a one-time prekey that was ever listed."""

    certified: Certified
    name: str
    revoked: bool = False
    one_time: dict[int, bytes] = field(default_factory=dict)
    last_resort: bytes | None = None
    highest: int = -1


class AccountTable:
    """The rules about accounts and their devices. Whatever raises has changed nothing.

    Args:
        limits: ``open_invites``, ``accounts``, ``devices`` and ``bans`` count here.
        log: Takes the leaves of what was done.
    """

    def __init__(self, limits: StoreLimits, log: Callable[[Sequence[LeafDraft]], None]) -> None:
        self._limits = limits
        self._log = log
        self._accounts: dict[str, AccountStatus] = {}
        self._skeletons: set[str] = set()
        self._devices: dict[bytes, _Device] = {}
        self._invites: dict[bytes, Invite] = {}
        self._used: set[bytes] = set()
        self._bans: dict[tuple[str, BanKind], Ban] = {}

    def add_invite(self, invite: Invite, now_ms: int) -> None:
        """Stores an invite. Raises `Quota`, or `LocalProtocolError` for a token that exists."""
        unused = {token: old for token, old in self._invites.items() if token not in self._used}
        still_open = [token for token, old in unused.items() if old.expires_ms > now_ms]
        if len(still_open) >= self._limits.open_invites:
            raise Quota("open invites")
        if invite.token_hash in self._used or invite.token_hash in still_open:
            raise LocalProtocolError("the token of this invite exists")
        for token in unused.keys() - set(still_open):
            del self._invites[token]
        self._invites[invite.token_hash] = invite

    def register(self, new: Registration, now_ms: int) -> Account:
        """Makes an account. Raises `InviteInvalid`, `NameTaken`, `Quota` or `BadMessage` (a device that exists)."""
        cert_hash = sha256(new.certificate)
        same = self._certified(cert_hash)
        if same is not None and same.name == new.name:
            return self._accounts[new.name].account
        role = Role.USER if new.token_hash is None else self._invited_role(new.token_hash, new.name, now_ms)
        if new.name in self._accounts or new.skeleton in self._skeletons:
            raise NameTaken("name or skeleton")
        if len(self._accounts) >= self._limits.accounts:
            raise Quota("accounts")
        if new.device_id in self._devices or same is not None:
            raise BadMessage("device exists")
        if sum(not each.revoked for each in self._devices.values() if each.name == new.name) >= self._limits.devices:
            raise Quota("devices")
        account = Account(secrets.token_bytes(16), new.name, role)
        self._accounts[new.name] = AccountStatus(account, False, False, now_ms)
        self._skeletons.add(new.skeleton)
        self._devices[new.device_id] = _Device(Certified(cert_hash, new.certificate, new.identity_spki), new.name)
        if new.token_hash is not None:
            self._used.add(new.token_hash)
        self._log(new.leaves)
        return account

    def _invited_role(self, token_hash: bytes, name: str, now_ms: int) -> Role:
        invite = self._invites.get(token_hash)
        if invite is None or token_hash in self._used:
            raise InviteInvalid("unknown or used")
        if invite.expires_ms <= now_ms:
            raise InviteInvalid("expired")
        if invite.name not in {"", name}:
            raise InviteInvalid("for another name")
        return invite.role

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
        """Changes what is not None. Raises `NotFound`, or `Forbidden` for the last administrator."""
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
        self._accounts[name] = new
        return new

    def _require_another_administrator(self, name: str) -> None:
        others = [each for other, each in self._accounts.items() if other != name]
        if not any(_administers(each) and self._has_device(each.account.name) for each in others):
            raise Forbidden("the last administrator")

    def _has_device(self, name: str) -> bool:
        return any(each.name == name and not each.revoked for each in self._devices.values())

    def set_ban(self, ban: Ban, on: bool) -> None:
        """Adds or lifts a ban. Raises `Quota`."""
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

    def revoke(self, cert_hash: bytes, leaf: LeafDraft) -> bool:
        """Ends a device; False where it is unknown or revoked already. Raises `Forbidden` as `set_account`."""
        device = self._certified(cert_hash)
        if device is None or device.revoked:
            return False
        device.revoked = True
        if _administers(self._accounts[device.name]) and not self._has_device(device.name):
            try:
                self._require_another_administrator(device.name)
            except Forbidden:
                device.revoked = False
                raise
        device.one_time.clear()
        device.last_resort = None
        self._log([leaf])
        return True

    def publish_prekeys(self, device_id: bytes, prekeys: Sequence[PrekeyItem], most: int) -> int:
        """Lists prekeys. Raises `NotFound` for a device that is unknown or revoked."""
        device = self._devices.get(device_id)
        if device is None or device.revoked:
            raise NotFound("device")
        for item in sorted(prekeys, key=lambda item: item.number):
            if is_last_resort(item.number):
                device.last_resort = item.signed
            elif item.number > device.highest and len(device.one_time) < most:
                device.one_time[item.number] = item.signed
                device.highest = item.number
        return len(device.one_time)

    def take_prekey(self, device_id: bytes, one_time: bool) -> TakenPrekey:
        """Gives out a prekey: of the one-time ones the lowest."""
        device = self._devices.get(device_id)
        if device is None:
            return TakenPrekey(None, 0)
        signed = device.last_resort
        if one_time and device.one_time:
            signed = device.one_time.pop(min(device.one_time))
        return TakenPrekey(signed, len(device.one_time))

    def prekeys_left(self, device_id: bytes) -> int:
        """How many one-time prekeys the device has."""
        device = self._devices.get(device_id)
        return 0 if device is None else len(device.one_time)

    def _certified(self, cert_hash: bytes) -> _Device | None:
        return next((each for each in self._devices.values() if each.certified.cert_hash == cert_hash), None)


def _administers(status: AccountStatus) -> bool:
    return status.account.role is Role.ADMIN and not status.suspended
