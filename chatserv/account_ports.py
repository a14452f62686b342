"""What the server needs of a store for accounts, their devices and keys, and the log: a part of `chatserv.ports.Store`."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from chatserv.account_models import Enrolment, OwnDevice, PasswordLogin, SealedBackup
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


class AccountStore(Protocol):
    """Every method answers after its commit; see `chatserv.ports.Store` for what they have in common."""

    # -- accounts, devices, invites

    def add_invite(self, invite: Invite, now_ms: int) -> Awaitable[None]:
        """Stores an invite and forgets expired ones. Raises `Quota` above ``Limits.open_invites``.

        One that resets takes the place of earlier ones for the same account; `NotFound` where there is no such account.
        """
        ...

    def open_invite(self, token_hash: bytes) -> Awaitable[Invite | None]:
        """The invite with this token, where it was not used; also one that has expired."""
        ...

    def register(self, registration: Registration, now_ms: int) -> Awaitable[Account]:
        """Uses up the invite, makes account and device, and appends the leaves to the log, all or nothing.

        With ``reset`` it makes no account: the devices of the one with that name are at their end, as by `revoke`; verifier
        and identity are the new ones, and its backup goes.

        The same registration again (same name, same certificate) answers with the same account and appends nothing: a client
        whose connection died before the answer may repeat it. Raises `InviteInvalid` (unknown, used, expired, for another
        name, for a reset or not for one), `NameTaken` (name or skeleton exists, or did), `Quota` (``Limits.accounts``),
        `BadMessage` (a device that exists), `BadKey` (a reset to an identity that the account had before).
        """
        ...

    def login(self, name: str) -> Awaitable[PasswordLogin | None]:
        """What a login by password goes by; None where there is no such account with a password."""
        ...

    def set_verifier(self, account_id: bytes, verifier: bytes, signer: bytes) -> Awaitable[None]:
        """Puts another verifier in the place of an account's.

        Raises `NotFound` (none with a password), `BadKey` (``signer`` is not the fingerprint of its newest identity).
        """
        ...

    def note_network(self, account_id: bytes, network: bytes, now_ms: int) -> Awaitable[None]:
        """The account has logged in from the network with this keyed hash (16 bytes); of unknown ones nothing is kept.

        Beyond ``Limits.login_networks`` the one that was used longest ago is forgotten.
        """
        ...

    def enrol(self, enrolment: Enrolment, now_ms: int) -> Awaitable[None]:
        """Makes a device of an account and appends its leaf to the log; the same certificate again does nothing.

        Raises `NotFound` (no such account with a password), `BadKey` (not signed by the newest identity, or revoked),
        `BadMessage` (the device's id is another one's) or `Quota` (``Limits.devices_per_account``, but for revoked ones).
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
        """Changes what is given.

        Raises `NotFound`, or `Forbidden` for the last administrator who is not suspended, and for a banned one to be.
        """
        ...

    def end_account(self, name: str, leaf: LeafDraft | None, now_ms: int, signer: bytes | None) -> Awaitable[None]:
        """Ends an account for good and appends the leaf, if there is one (see `Enrolment`).

        Its devices end as by `revoke`; its verifier, backup and marks go.

        Its name stays taken; for every other method there is no such account any more. ``signer``: the fingerprint of the
        identity key that has signed it; None: it is the server's word. Raises `NotFound`, `BadKey` (the signer is not the
        newest identity), `Forbidden` (the last administrator who can log in).
        """
        ...

    def set_ban(self, ban: Ban, *, on: bool) -> Awaitable[None]:
        """Adds a ban, or lifts it; harmless where it is so already, and the first ban stays as it was made.

        Raises `Quota` above ``Limits.bans``, `Forbidden` of an administrator.
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

    def keep_head(self, signed: bytes, last: bytes) -> Awaitable[bytes]:
        """Keeps a signed head of the log, unless one is kept that is longer or, as long, later; gives what is kept then.

        For servers that share a store: each tells clients of a head that is kept here, and of no other. Raises `NotFound`
        where ``last`` is not the last leaf that the head covers: this is not the log that it was signed over.
        """
        ...

    def certificates(self, hashes: Sequence[bytes]) -> Awaitable[Sequence[Certified]]:
        """Those of the certificates that are known, revoked ones included, in any order."""
        ...

    def revoke(self, cert_hash: bytes, leaf: LeafDraft | None, now_ms: int, signer: bytes) -> Awaitable[bool]:
        """Ends the device with this certificate and appends the leaf, if any. False where it is unknown or revoked already.

        Its places end where they are, its prekeys and wraps go. Raises `BadKey` where ``signer`` is not the fingerprint of
        its user's newest identity key, `Forbidden` for the only device of the last administrator who can log in.
        """
        ...

    def rotate(self, name: str, before: bytes, spki: bytes, leaf: LeafDraft | None) -> Awaitable[None]:
        """Makes ``spki`` (DER) the account's identity key in the place of the one with the fingerprint ``before``.

        Compare-and-swap; appends the leaf, if any. Raises `NotFound`, `BadKey` (``before`` is not the newest, or the account
        had the new one before).
        """
        ...

    # -- the own account

    def devices(self, name: str) -> Awaitable[Sequence[OwnDevice]]:
        """The valid devices of an account, oldest first; none of an unknown one."""
        ...

    def saw(self, device_id: bytes, now_ms: int) -> Awaitable[None]:
        """The device is here now; harmless for one that is unknown."""
        ...

    def put_backup(self, name: str, backup: SealedBackup) -> Awaitable[None]:
        """Puts a backup in the place of the account's, whose counter has to be smaller.

        The same again is done already. Raises `NotFound`, `StaleBackup`.
        """
        ...

    def backup(self, name: str) -> Awaitable[SealedBackup | None]:
        """The account's backup."""
        ...

    def backup_counter(self, name: str) -> Awaitable[int]:
        """Its counter; 0 where there is none."""
        ...

    # -- prekeys

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
