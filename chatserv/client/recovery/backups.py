"""Keeps the backup at the server up to date, and notices when the server goes back to an older one (docs/crypto.rst)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from chatserv.client.connection.requests import Requests
from chatserv.client.events import Alarm
from chatserv.client.recovery.arrival import note_seen, seen
from chatserv.client.state.context import ClientContext, Interrupted
from chatserv.client.state.pins import PinState
from chatserv.client.state.rooms import Room, Rooms
from chatserv.crypto.e2e.backup import (
    KEY_BYTES,
    MAX_VERIFIED,
    TITLE_BYTES,
    BackupContent,
    Owner,
    SavedRoom,
    SlotKind,
    open_backup,
    open_slots,
    seal_backup,
    seal_slot,
)
from chatserv.crypto.e2e.enrolment import Luggage
from chatserv.crypto.e2e.recovery_code import CODE_BYTES, code_qr_text, read_code, show_code
from chatserv.crypto.suite import sha256
from chatserv.domain.passwords import PassphraseInvalid, PasswordInvalid, prepared_passphrase
from chatserv.errors import Busy, ChatError, NotFound, Reject, StaleBackup
from chatserv.i18n import N_, _
from chatserv.wire import messages
from chatserv.wire.fields import MAX_BACKUP_STEP

CHANGED_SECONDS: Final = 20.0  # how long changes are gathered before they go into the backup
AGAIN_SECONDS: Final = 300.0
EPOCHS_SECONDS: Final = 86_400.0  # how often a backup is made in which nothing but epochs has moved
ATTEMPTS: Final = 4  # against other devices that write at the same time
LEFT: Final = "backup left"  # the digest of what this device left last
FOREIGN: Final = "backup foreign"  # the newest one is of another key than ours
OUTDATED: Final = "recovery outdated"  # backups up to this counter hold an identity key that was given up
UNSEEN: Final = "recovery unseen"  # a code was being made, and nobody may have seen it
_TEXT: Final = N_(
    "Recovery code of {user} on {host}:\n\n  {code}\n\nWith it and your password you get back into your account if you lose "
    "all your devices. Keep it on paper or in a password manager, apart from them, and show it to nobody.\n"
)


@dataclass(frozen=True)
class NewRecovery:
    """A new recovery code, to be shown once. ``qr``: text for a QR code; ``text``: for a file or a sheet of paper."""

    code: str = field(repr=False)
    qr: str = field(repr=False)
    text: str = field(repr=False)

    def matches(self, typed: str) -> bool:
        """Whether somebody has written it down: what they type is the code. Raises `CodeMistyped` with what is wrong."""
        return read_code(typed) == read_code(self.code)


class Backups:
    """The account's backup, as far as this device is concerned.

    A device that holds BK, the backup's key, leaves a newer one whenever rooms, people or the identity have changed. Every
    device remembers the highest counter that it has seen.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: All rooms.
        moved: Told when there is a newer backup by us.
    """

    def __init__(self, context: ClientContext, requests: Requests, rooms: Rooms, moved: Callable[[], object]) -> None:
        self._context, self._requests, self._rooms, self._moved = context, requests, rooms, moved
        self._owner = Owner(context.server_id, context.user)
        self._told = 0  # the counter that the server tells
        self._there = 0  # the same, or what another device of ours has told since
        self._foreign = context.vault.facts.get(FOREIGN) is not None
        self._waiting = self._uploading = False

    # -- a session begins ----------------------------------------------------------------------------------------------

    async def begin(self, counter: int) -> None:
        """Compares what the server tells with what this device has seen."""
        known = seen(self._context.vault.facts)
        self._told = self._there = counter
        if counter < known:
            self._context.emit(Alarm("backup_rolled_back", f"{counter}, {known}"))
            self._context.vault.facts.delete(LEFT)  # whoever is to blame: one of today is left there
        else:
            note_seen(self._context.vault.facts, counter)
            if self._context.keyring.backup_key:
                await self._look_at_it()
        self.changed()

    async def _look_at_it(self) -> None:
        """Whether the newest backup is of our key: else another device has made a new one."""
        try:
            found = await self._fetch()
        except NotFound:
            return
        if not self._context.keyring.backup_key:  # it went meanwhile
            return
        ours = self._opened(found) is not None
        self._set_foreign(not ours)
        if ours:  # a code that was about to be made was not
            self._context.vault.facts.delete(UNSEEN)

    def _set_foreign(self, foreign: bool) -> None:
        self._foreign, facts = foreign, self._context.vault.facts
        if foreign:
            facts.put(FOREIGN, b"1")
        else:
            facts.delete(FOREIGN)

    async def _fetch(self) -> messages.Backup:
        found: messages.Backup = await self._requests.expect(messages.Backup, messages.GetBackup)
        self._told = self._there = found.counter
        note_seen(self._context.vault.facts, found.counter)
        return found

    def _opened(self, found: messages.Backup) -> BackupContent | None:
        key = self._context.keyring.backup_key  # it may have gone meanwhile, with the identity key before
        try:
            return open_backup(key, found.blob, self._owner, found.counter) if key else None
        except Reject:
            return None

    @property
    def state(self) -> str:
        """``set``: there is a backup whose code the person was shown; ``none``: there is not."""
        facts = self._context.vault.facts
        outdated = int.from_bytes(facts.get(OUTDATED) or b"", "big")
        return "set" if self._there > outdated and facts.get(UNSEEN) is None else "none"

    # -- what it holds -------------------------------------------------------------------------------------------------

    def content(self) -> BackupContent:
        """What a backup made now holds."""
        context = self._context
        pins = [pin for pin in context.vault.pins.all() if pin.state is PinState.VERIFIED][:MAX_VERIFIED]
        rooms = [_saved(room) for room in self._rooms.ours() if not room.hidden and not room.of_devices]
        return BackupContent(
            context.now_ms(),
            context.keyring.identity_key,
            tuple((pin.user, pin.fingerprint) for pin in pins),
            tuple(sorted(rooms, key=lambda room: room.room_id)),
        )

    def luggage(self, hand_over: bool) -> Luggage:
        """What a device that we approve begins with; ``hand_over``: with identity key and BK."""
        content = self.content()
        if hand_over:
            return Luggage(content, b"" if self._foreign else self._context.keyring.backup_key)
        return Luggage(replace(content, identity_key=b""))

    def _digest(self, content: BackupContent) -> bytes:
        """Of what is worth a new backup: not the time, and of the epochs only the day."""
        rooms = tuple(replace(room, epoch=0) for room in content.rooms)
        day = int(self._context.now_ms() / 1000 / EPOCHS_SECONDS)
        still = replace(content, at_ms=day, rooms=rooms)
        return sha256(self._context.keyring.backup_key, still.encode())

    # -- it is brought up to date --------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Something may have changed that belongs into it."""
        if self._waiting or not self._context.keyring.backup_key or self._foreign:
            return
        self._waiting = True
        self._context.later(CHANGED_SECONDS + self._context.chance(CHANGED_SECONDS), self._due)

    def _due(self) -> None:
        self._waiting = False
        if not self._context.keyring.backup_key:  # it went together with the identity key before
            return
        if self._uploading or self._foreign or not self._requests.connected:
            return
        if self._digest(self.content()) != self._context.vault.facts.get(LEFT):
            self._uploading = True
            self._context.spawn(self._bring_up_to_date(), "backup")

    async def _bring_up_to_date(self) -> None:
        again = False
        try:
            keyring = self._context.keyring
            await self._leave(keyring.backup_key, keyring.backup_slots)
        except Interrupted:
            pass  # the next session begins with a look
        except ChatError:
            again = True
        finally:
            self._uploading = False
        if again:
            self._context.later(AGAIN_SECONDS, self.changed)

    async def _leave(self, key: bytes, slots: tuple[bytes, ...], *, new: bool = False) -> None:
        """Leaves a backup behind whichever is there. Raises `Busy` where other devices are always faster.

        ``new``: by another key than before; else nothing is left once ours is given up, as with a new identity.
        """
        for _attempt in range(ATTEMPTS):
            if not new and key != self._context.keyring.backup_key:
                return
            content = self.content()
            counter = max(self._there, seen(self._context.vault.facts)) + 1
            blob = seal_backup(key, content, self._owner, counter)
            try:
                await self._requests.ask(messages.PutBackup, counter=counter, blob=blob, slots=slots)
            except StaleBackup:
                found = await self._fetch()
                if key == self._context.keyring.backup_key and self._opened(found) is None:
                    self._set_foreign(True)
                    return
                await self._context.pause(self._context.chance(2.0))
                continue
            self._told = self._there = counter
            note_seen(self._context.vault.facts, counter)
            if key == self._context.keyring.backup_key:
                self._context.vault.facts.put(LEFT, self._digest(content))
            self._moved()
            return
        raise Busy("backup: another device is always faster")

    def heard(self, counter: int) -> None:
        """Another device of ours knows of a backup with this counter; as it says, so that much further ones are none."""
        if counter >= self._told + MAX_BACKUP_STEP:
            return
        note_seen(self._context.vault.facts, counter)
        self._there = max(self._there, counter)

    def outdated(self) -> None:
        """The identity key is another one, which nobody must find by the backup's old key: a new code is needed."""
        self._note_outdated()
        self._context.spawn(self._look_what_is_outdated(), "backup")

    async def _look_what_is_outdated(self) -> None:
        """The device that was revoked may have left one that nobody here has heard of."""
        try:
            await self._fetch()
        except NotFound:
            return
        self._note_outdated()

    def _note_outdated(self) -> None:
        counter = max(self._there, seen(self._context.vault.facts))
        self._context.vault.facts.put(OUTDATED, counter.to_bytes(8, "big"))

    # -- a new code ----------------------------------------------------------------------------------------------------

    async def renew(self, passphrase: str | None, password: str = "") -> NewRecovery:
        """A new key, a new code, a new backup: what opened the one before opens nothing any more.

        Raises:
            NoIdentityKey: This device cannot make one.
            PassphraseInvalid: It is too short, or the password.
        """
        context = self._context
        context.keyring.load_identity()
        key, code = context.random(KEY_BYTES), context.random(CODE_BYTES)
        slots: tuple[bytes, ...] = (seal_slot(key, SlotKind.CODE, code, self._owner, context.random),)
        if passphrase:
            words = prepared_passphrase(passphrase, password).encode()
            slot = await context.in_thread(seal_slot, key, SlotKind.PASSPHRASE, words, self._owner, context.random)
            slots = (*slots, slot)
        context.vault.facts.put(UNSEEN, b"1")  # should we be stopped now, the code before is of no use any more
        await self._leave(key, slots, new=True)
        context.keep(msgspec.structs.replace(context.keyring, backup_key=key, backup_slots=slots))
        self._set_foreign(False)
        context.vault.facts.put(LEFT, self._digest(self.content()))
        context.vault.facts.delete(UNSEEN)
        shown, ring = show_code(code), context.keyring
        return NewRecovery(shown, code_qr_text(code), _(_TEXT).format(user=ring.user, host=ring.host, code=shown))

    async def require_no_passphrase(self, password: str) -> None:
        """Raises `PasswordInvalid` where a password is the recovery passphrase, whose strength the server must not know."""
        try:
            words = prepared_passphrase(password).encode()
        except PassphraseInvalid:
            return
        slots, context = self._context.keyring.backup_slots, self._context
        if await context.in_thread(open_slots, slots, SlotKind.PASSPHRASE, words, self._owner) is not None:
            raise PasswordInvalid("password: the recovery passphrase")


def _saved(room: Room) -> SavedRoom:
    row = room.row
    private = row is not None and room.state is not None and not room.state.policy.public
    title, topic = (row.title, row.topic) if row is not None and private else ("", "")
    title = title if len(title.encode()) <= TITLE_BYTES else ""
    return SavedRoom(room.room_id, not room.offered, room.head.epoch, title, topic)
