"""A device that is about to become one: somebody has logged in by password, and proves with a code, or on another device,
that the account's identity is theirs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from twisted.internet.interfaces import IStreamClientEndpoint

from chatserv.client.account.keyring import Keyring, NewDevice, NoIdentityKey, load_rsa_key
from chatserv.client.account.profile import Profile
from chatserv.client.connection.guest import GuestConnection
from chatserv.client.recovery.arrival import keep_arrival
from chatserv.client.recovery.asking import Asking
from chatserv.client.recovery.failures import (
    BackupDamaged,
    BackupOutdated,
    IdentityMismatch,
    NoBackup,
    WrongCode,
)
from chatserv.client.recovery.guest_log import newest_identity, read_log
from chatserv.crypto.e2e.backup import BackupContent, Owner, SlotKind, open_backup, open_slots, slot_kinds
from chatserv.crypto.e2e.recovery_code import read_code
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.statements import Revocation, certificate_facts, make_certificate, make_revocation
from chatserv.crypto.suite import rsa_key_id, sha256
from chatserv.domain.passwords import prepared_passphrase
from chatserv.errors import BadKey, NotFound, Quota, Reject
from chatserv.private_files import PrivateFileError
from chatserv.wire import messages
from chatserv.wire.link import Address
from chatserv.wire.messages import KEYS_PAGE

REPLACED: Final = 2  # the reason of a revocation, for people


@dataclass(frozen=True)
class BackupView:
    """A backup at the server. ``at_ms``: since when it is there, by the server's word. ``ways``: what opens it."""

    at_ms: int
    counter: int
    ways: frozenset[str]


@dataclass(frozen=True)
class Recovered:
    """What was opened. ``at_ms``: when it was made, which the server could not change; milliseconds since 1970."""

    at_ms: int
    rooms: int


class Threads(Protocol):
    """Runs slow functions."""

    def __call__(self, work: Callable[..., Any], *args: Any) -> Any:
        """A Deferred of the result."""
        ...


class Guest:
    """Somebody who has shown the password of an account, on a device that is not one of its devices yet.

    Made by `chatserv.client.log_in`; to be closed. After `recover`, `recover_with_passphrase` or `ask` has returned, or
    where it is `complete` from the beginning, the profile has a registered keyring, and a `Client` is made of it.

    Attributes:
        user: The account.
        backup: What the server has of it, or None.
        complete: Whether the device is one of the account's now.
    """

    def __init__(
        self,
        profile: Profile,
        keys: ServerKeys,
        addresses: tuple[Address, ...],
        user: str,
        device: NewDevice,
        connect: Callable[["Guest"], GuestConnection],
        in_thread: Threads,
        release: Callable[[], None],
    ) -> None:
        self.user, self.backup, self.complete = user, None, False  # type: tuple[str, BackupView | None, bool]
        self._profile, self._keys, self._addresses, self._device = profile, keys, addresses, device
        self._in_thread, self._release = in_thread, release
        self._connection = connection = connect(self)
        self._owner = Owner(keys.server_id, user)
        self._identity_spki = b""
        self._head = b""
        self._asking = Asking(connection, device, self._owner)

    # -- the beginning -------------------------------------------------------------------------------------------------

    @property
    def proven(self) -> bool:
        """Whether what answers, or has answered, has shown that it is our server."""
        return self._connection.proven

    async def begin(self, endpoint: IStreamClientEndpoint, begun: Keyring | None) -> None:
        """Connects, and looks at what the server has; finishes what was begun in an earlier run. For `log_in` alone."""
        welcome = await self._connection.open(endpoint)
        self._identity_spki, self._head = welcome.identity_spki, welcome.log_head
        if begun is not None:
            try:
                await self._enrol(begun.moved(self._addresses))
            except (Quota, BadKey):
                pass  # too many devices, or another identity by now: to be proved anew
            else:
                return
        try:
            found = await self._connection.expect(messages.Backup, messages.GetBackup)
        except NotFound:
            return
        ways = frozenset(kind.name.lower() for kind in slot_kinds(found.slots))
        self.backup = BackupView(found.at, found.counter, ways)

    def told(self, notice: messages.ServerMessage) -> None:
        """The server, or another device through it, says something unasked."""
        if isinstance(notice, messages.Told) and not notice.guest:
            self._asking.take(notice.sender, notice.body)

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._asking.lost(error)

    async def close(self) -> None:
        """Ends the session, and lets go of the profile."""
        release, self._release = self._release, lambda: None
        try:
            await self._connection.close()
        finally:
            release()

    # -- by the backup -------------------------------------------------------------------------------------------------

    async def recover(self, code: str) -> Recovered:
        """Makes this a device of the account by its recovery code.

        Raises:
            CodeMistyped: It is none; its detail says where it is wrong.
            NoBackup: The server has none.
            WrongCode: It is not the code of this backup.
            BackupDamaged: The code is right and the backup is not.
            BackupOutdated: The identity in it is not that of the account any more, as the log shows.
            Quota: The account has as many devices as it may have.
            Interrupted: The connection went; to be tried again.
        """
        return await self._recover(SlotKind.CODE, read_code(code))

    async def recover_with_passphrase(self, text: str) -> Recovered:
        """The same by a passphrase. Raises `PassphraseInvalid`, or as `recover`."""
        return await self._recover(SlotKind.PASSPHRASE, prepared_passphrase(text).encode())

    async def _recover(self, kind: SlotKind, secret: bytes) -> Recovered:
        try:
            # A device may have left a newer one.
            found = await self._connection.expect(messages.Backup, messages.GetBackup)
        except NotFound:
            raise NoBackup from None
        backup_key = await self._in_thread(open_slots, found.slots, kind, secret, self._owner)
        if backup_key is None:
            raise WrongCode
        try:
            content = open_backup(backup_key, found.blob, self._owner, found.counter)
        except Reject as error:
            raise BackupDamaged(error.detail) from None
        fingerprint = _fingerprint(content.identity_key)
        if fingerprint != newest_identity(await self._log(), self.user):
            raise BackupOutdated
        identity = load_rsa_key(content.identity_key)
        facts = self._device.facts(self._owner.server_id, self.user, fingerprint)
        certificate = make_certificate(facts, identity, self._device.signing)
        await self._finish(certificate, content, found.counter, (backup_key, found.slots))
        return Recovered(content.at_ms, len(content.rooms))

    async def _log(self) -> LogFacts:
        """What the whole log says, as the server has signed it."""
        return await read_log(self._connection, self._owner, self._keys, self._head)

    # -- by a device at hand -------------------------------------------------------------------------------------------

    @property
    def qr(self) -> str:
        """The text for a QR code that says the same as the newest words; empty before there are any."""
        return self._asking.qr

    async def ask(self, on_words: Callable[[str], None], same: Callable[[str], Awaitable[bool]]) -> None:
        """Waits until the person approves this device on another one of theirs, where the same six words are shown.

        Args:
            on_words: Given the words of each device that could approve; again where such a device comes, or comes back.
            same: Asks the person here, once a device has approved, whether that device shows exactly these words. Only they
                can tell that it was a device of theirs, and not the server.

        Raises:
            EnrolmentRefused: They have refused it, there or here.
            IdentityMismatch: The server gives another identity than its log.
            Quota: The account has as many devices as it may have.
            Interrupted: The connection went; to be tried again.
        """
        fingerprint = sha256(self._identity_spki)
        log = await self._log()
        if fingerprint != newest_identity(log, self.user):
            raise IdentityMismatch
        granted = await self._asking.ask(self._identity_spki, log, on_words, same)
        content = granted.luggage.content
        if content.identity_key and _fingerprint(content.identity_key) != fingerprint:
            raise BackupOutdated
        backup: tuple[bytes, tuple[bytes, ...]] = (b"", ())
        counter = 0
        if granted.luggage.backup_key:
            counter, slots = await self._slots()
            backup = (granted.luggage.backup_key, slots)
        await self._finish(granted.certificate, content, counter, backup)

    async def _slots(self) -> tuple[int, tuple[bytes, ...]]:
        try:
            found = await self._connection.expect(messages.Backup, messages.GetBackup)
        except NotFound:
            return 0, ()
        return found.counter, found.slots

    # -- the end -------------------------------------------------------------------------------------------------------

    async def _finish(
        self, certificate: bytes, content: BackupContent, counter: int, backup: tuple[bytes, tuple[bytes, ...]]
    ) -> None:
        """Everything is kept first: wherever we are stopped, the next login goes on from there."""
        keys = self._keys
        keyring = self._device.keyring(
            (keys.server_id, *self._addresses[0]),
            self.user,
            certificate,
            identity_key=content.identity_key,
            backup=backup,
        ).moved(self._addresses)
        if keys.key_id != keys.server_id:
            keyring = msgspec.structs.replace(keyring, required_key=keys.key_id)
        keep_arrival(self._profile, content, counter)
        self._profile.save_keyring(keyring)
        await self._enrol(keyring)

    async def replace_oldest(self) -> None:
        """Where `recover` has raised `Quota`: revokes the device that is there longest, and takes its place.

        Raises:
            NoIdentityKey: Nothing was recovered that could sign that.
            ChatError: As `recover`.
        """
        keyring = self._profile.keyring()
        if keyring is None or not keyring.enrolling:
            raise NoIdentityKey
        identity, facts = keyring.load_identity(), await self._log()
        hashes = tuple(facts.certificates(self.user, facts.size))
        reply = await self._connection.expect(
            messages.Certificates, messages.GetCertificates, hashes=hashes[:KEYS_PAGE]
        )
        devices = {sha256(item.certificate): certificate_facts(item.certificate) for item in reply.items}
        valid = [each for each in devices if facts.certificate_valid(devices[each], each, facts.size)]
        oldest = min(valid, key=lambda each: devices[each].created_ms)
        said = Revocation(devices[oldest].device_id, oldest, self._device.created_ms, REPLACED)
        await self._connection.ask(messages.Revoke, statement=make_revocation(said, identity))
        await self._enrol(keyring)

    async def _enrol(self, keyring: Keyring) -> None:
        await self._connection.ask(messages.Enrol, certificate=keyring.certificate)
        self._profile.save_keyring(keyring.as_registered())
        self.complete = True


def _fingerprint(identity_key: bytes) -> bytes:
    """That of a private identity key, PKCS #8. Raises `BackupDamaged`."""
    try:
        return rsa_key_id(load_rsa_key(identity_key))
    except (ValueError, PrivateFileError):
        raise BackupDamaged("no identity key") from None
