"""The identity key across our devices: renewed when a device that held it is revoked (docs/rooms.rst 3.3).

The new key is stored before the server hears of it, under ``Keyring.next_identity``, and takes the place of the old one
when the log names it: so no crash and no lost answer leaves the account without its key. What another device gives us is
kept elsewhere.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from chatserv.client.account.keyring import load_rsa_key, rsa_key_der
from chatserv.client.connection.requests import Requests
from chatserv.client.events import RotationDone, RotationOpen
from chatserv.client.own.proofs import Proofs
from chatserv.client.own.talk import Talk
from chatserv.client.state.context import ClientContext, retry_delay
from chatserv.client.state.rooms import Room
from chatserv.client.verification.certificates import Certificates
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.e2e.handover import open_identity, seal_identity
from chatserv.crypto.e2e.wrap import Recipient
from chatserv.crypto.log_leaves import LeafType
from chatserv.crypto.own_bodies import SealedIdentity
from chatserv.crypto.prekeys import SignedPreKey
from chatserv.crypto.statements import make_rotation
from chatserv.crypto.suite import generate_rsa, rsa_key_id
from chatserv.crypto.wraps import WrapScope
from chatserv.errors import ChatError, Reject
from chatserv.private_files import PrivateFileError
from chatserv.wire import messages

SEEN: Final = "own identity"  # the fingerprint of the newest identity that the person was told of
RECEIVED: Final = "received identity "  # and the device that has given it, in hexadecimal; one each
TO_HAND_OVER: Final = "identity to hand over"  # we have made a new one, and not told our other devices yet
ROTATE_SECONDS: Final = 10.0  # two devices that hold the key seldom renew it both
AGAIN_SECONDS: Final = 60.0


class OwnIdentity:
    """Knows whether the identity key has to be renewed, and does so on a device that holds it.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        certificates: Of our devices.
        auditor: The log.
        talk: Our other devices.
        proofs: Which of them hold the key.

    Attributes:
        renewed: Told of a new identity key: the backup is to be sealed under a key that the revoked device does not have.
    """

    renewed: Callable[[], object]

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        certificates: Certificates,
        auditor: LogAuditor,
        talk: Talk,
        proofs: Proofs,
    ) -> None:
        self._context, self._requests = context, requests
        self._certificates, self._auditor, self._talk, self._proofs = certificates, auditor, talk, proofs
        self._told: tuple[str, ...] = ()
        self._busy = self._refused = False

    @property
    def newest(self) -> bytes:
        """The fingerprint that the log names, if rotations that are signed lead there from the one of our certificate."""
        log, user, ours = self._context.log, self._context.user, self._context.keyring.identity_fingerprint()
        identity = log.facts.identity(user, log.size)
        return identity.fingerprint if identity and log.facts.carried(user, ours, log.size) else ours

    # -- what is open --------------------------------------------------------------------------------------------------

    def open(self) -> tuple[str, ...]:
        """The names of the revoked devices that held the identity key which is still in force; none: nothing is open.

        A device counts as if it had held it unless it was approved on this one without it: its own word is no reason. One
        that is revoked itself takes no part in this.
        """
        context = self._context
        if context.log.facts.revoked_at(context.user, context.cert_hash) is not None:
            return ()
        found = []
        for cert_hash in self._ended():
            if self._certificates.missing([cert_hash]):
                continue
            device_id = self._certificates.known[cert_hash].device_id
            if self._proofs.may_hold(device_id):
                found.append(context.vault.own_devices.label(device_id))
        return tuple(found)

    def _ended(self) -> Iterator[bytes]:
        """The certificates of our devices that were revoked under the newest identity."""
        log, user = self._context.log, self._context.user
        identity = log.facts.identity(user, log.size)
        for said in log.facts.history(user, log.size):
            if said.kind is LeafType.REVOKE and identity is not None and said.index > identity.index:
                yield said.subject

    def look(self) -> None:
        """The log has grown, or we have caught up: tells what became of the identity, and renews it where that is due."""
        log = self._context.log
        if log.facts.undecided(log.size, [self._context.user]):
            return  # it is being asked about, and then we are called again
        self._adopt()
        self._tell()
        if not self._busy and self._requests.connected and (self._due() or self._unfinished()):
            self._busy = True
            self._context.later(self._context.chance(ROTATE_SECONDS), self._begin)

    def _due(self) -> bool:
        return bool(self._context.keyring.identity_key and self.open())

    def _unfinished(self) -> bool:
        """Whether a new key of ours is in force, and not handed over yet."""
        return self._context.vault.facts.get(TO_HAND_OVER) is not None and not self._context.keyring.next_identity

    def _begin(self) -> None:
        self._busy = self._due() or self._unfinished()
        if self._busy:
            self._context.spawn(self._renew(), "identity")

    async def _renew(self) -> None:
        again: float | None = None
        try:
            if self._due():
                await self._rotate()
            else:
                await self._hand_over()
        except ChatError as error:
            again, self._refused = retry_delay(error.after_seconds) if error.retryable else AGAIN_SECONDS, True
        finally:
            self._busy = False
        if again is not None:
            self._context.later(again, self.look)

    def _tell(self) -> None:
        facts, newest = self._context.vault.facts, self.newest
        seen = facts.get(SEEN)
        if seen != newest:
            facts.put(SEEN, newest)
            if seen is not None:
                self.renewed()
                self._context.emit(RotationDone())
        alone = self._context.keyring.identity_key and not self._refused  # it is done in a moment
        waiting = () if alone else self.open()
        if waiting != self._told:
            self._told = waiting
            if waiting:
                self._context.emit(RotationOpen(waiting))

    # -- a new one -----------------------------------------------------------------------------------------------------

    async def rotate(self) -> None:
        """Puts a new identity key in the place of ours, and gives it to those of our devices that held the old one.

        Raises:
            NoIdentityKey: This device does not hold it.
            ChatError: The server refuses it.
        """
        self._busy = True
        try:
            await self._rotate()
        finally:
            self._busy = False

    async def _rotate(self) -> None:
        context = self._context
        if not context.keyring.next_identity:
            fresh = rsa_key_der(await context.in_thread(generate_rsa))
            context.keep(msgspec.structs.replace(context.keyring, next_identity=fresh))
        keyring = context.keyring
        context.vault.facts.put(TO_HAND_OVER, b"1")
        old, new = keyring.load_identity(), load_rsa_key(keyring.next_identity)
        statement = await context.in_thread(make_rotation, old, new, context.now_ms())
        await self._requests.ask(messages.Rotate, statement=statement)
        await self._auditor.refresh()
        await self._auditor.decide(context.log.facts.undecided(context.log.size, [context.user]))
        self._adopt()
        self._tell()
        await self._hand_over()

    def _adopt(self) -> None:
        """Goes by the new key once the log names it: the one that we have made, or one that another device has given us."""
        context = self._context
        keyring, facts = context.keyring, context.vault.facts
        given = {key: facts.get(key) or b"" for key in facts.beginning(RECEIVED)}
        for fresh in (keyring.next_identity, *given.values()):
            if fresh and _fingerprint(fresh) == self.newest:
                context.keep(
                    msgspec.structs.replace(
                        keyring, identity_key=fresh, next_identity=b"", backup_key=b"", backup_slots=()
                    )
                )
                for key in given:
                    facts.delete(key)
                self._talk.tell_self()
                return

    # -- to our other devices ------------------------------------------------------------------------------------------

    async def _hand_over(self) -> None:
        """Seals the key for each device that held the one before; those that are away find it when they come."""
        await self._seal_for_others(self._talk.others())
        self._context.vault.facts.delete(TO_HAND_OVER)

    async def _seal_for_others(self, room: Room | None) -> None:
        context = self._context
        if room is None or room.state is None:
            return
        holders = self._proofs.holders()
        valid = set(context.log.facts.certificates(context.user, context.log.size))
        there = [each for each in room.state.roster if each.device_id in holders and each.cert_hash in valid]
        entries = [each for each in there if each.device_id != context.device_id]
        if not entries:
            return
        await room.committing.take(urgent=False)
        try:
            keys = await self._fetch_keys(room, tuple(entry.device_id for entry in entries))
        finally:
            room.committing.release()
        recipients = [
            (self._certificates.recipient(entry.cert_hash), SignedPreKey.decode(signed))
            for entry, signed in zip(entries, keys, strict=True)
            if signed
        ]
        scope = WrapScope(room.room_id, room.head.epoch, room.head.commit_hash, context.device_id)
        for recipient in recipients:  # a message each: two fit into one, ten do not
            self._talk.say(seal_identity(context.keyring.identity_key, scope, [recipient], context.random))

    async def _fetch_keys(self, room: Room, devices: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """A prekey for each device, under the room's lease."""
        await self._requests.expect(messages.Lease, messages.BeginCommit, room=room.room_id)
        try:
            reply = await self._requests.expect(messages.Keys, messages.FetchKeys, room=room.room_id, devices=devices)
        finally:
            await self._requests.ask(messages.EndCommit, room=room.room_id)
        if len(reply.prekeys) != len(devices):
            raise Reject("prekeys: not as many as were asked for")
        keys: tuple[bytes, ...] = reply.prekeys
        return keys

    def take(self, room: Room, device_id: bytes, body: SealedIdentity) -> None:
        """Another device of ours gives the new key; inside a transaction.

        It counts once the log names it, and is never what we rotate to: else a device without the identity key could have us
        take a key of its own, before it is revoked.
        """
        context = self._context
        recipient = Recipient.of(context.keyring.certificate)
        try:
            opened = open_identity(
                body, room.room_id, device_id, recipient, context.opening, context.vault.prekeys.all()
            )
            if opened is None:
                return
            _fingerprint(opened[0])
        except (Reject, ValueError, PrivateFileError):
            return
        context.vault.facts.put(RECEIVED + device_id.hex(), opened[0])
        if opened[1] is not None:
            context.vault.prekeys.delete(opened[1])
        context.later(0, self.look)


def _fingerprint(identity: bytes) -> bytes:
    return rsa_key_id(load_rsa_key(identity))
