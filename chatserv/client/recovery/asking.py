"""The new device's side of an approval: it answers the devices that could approve it, and waits for one that does."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client.account.keyring import NewDevice
from chatserv.client.connection.guest import GuestConnection
from chatserv.client.recovery.failures import EnrolmentRefused
from chatserv.client.state.context import Interrupted
from chatserv.clocks import now_ns
from chatserv.crypto.e2e.backup import Owner
from chatserv.crypto.e2e.enrolment import (
    MAX_PARTS,
    NONCE_BYTES,
    Commitment,
    Grant,
    Luggage,
    Number,
    Opening,
    Part,
    Refusal,
    check_opening,
    decode_told,
    enrol_hash,
    enrol_qr_text,
    enrol_words,
    unpack,
)
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret, generate_prekey
from chatserv.crypto.e2e.rng import HedgedRandom
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.statements import DeviceFacts, complete_certificate, verify_certificate
from chatserv.crypto.suite import sha256
from chatserv.errors import ChatError, Reject
from chatserv.wire import messages

MAX_DEVICES: Final = 10  # that answer: as many as an account may have
MAX_HELD: Final = 40  # what was told before we ask


@dataclass
class _Exchange:
    """What one old device and we have told each other. ``hashed``: what both show, once its number is open."""

    commitment: Commitment
    nonce: bytes
    prekey: PrekeySecret
    hashed: bytes = b""
    parts: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Granted:
    """A device has approved: our certificate, and what it has handed over."""

    certificate: bytes = field(repr=False)
    luggage: Luggage


class Asking:
    """Waits for approval.

    Args:
        connection: The guest's.
        device: What we would like to be.
        owner: Server and account.
    """

    def __init__(self, connection: GuestConnection, device: NewDevice, owner: Owner) -> None:
        self._connection, self._device, self._owner = connection, device, owner
        self._random = HedgedRandom(device.rng_seed, os.urandom, now_ns)
        self._exchanges: dict[bytes, _Exchange] = {}
        self._held: list[tuple[bytes, bytes]] = []
        self._facts: DeviceFacts | None = None
        self._identity_spki = b""
        self._on_words: Callable[[str], None] = lambda _: None
        self._waiting: Deferred[tuple[bytes, Granted]] | None = None
        self._log: LogFacts | None = None
        self.qr = ""

    async def ask(
        self,
        identity_spki: bytes,
        log: LogFacts,
        on_words: Callable[[str], None],
        same: Callable[[str], Awaitable[bool]],
    ) -> Granted:
        """Returns when a device has approved, and the person here has said that its words are the same.

        Without that, a server could play the old device, and the new one would find itself in a world that it made up.

        Args:
            identity_spki: The account's newest identity, which the log has.
            log: The whole log.
            on_words: Given the words of each device that could approve.
            same: Asks the person here about the words of the one that has.

        Raises:
            EnrolmentRefused: The person has said no, here or there.
            Interrupted: The connection went.
        """
        self._log = log
        self._identity_spki, self._on_words = identity_spki, on_words
        self._facts = self._device.facts(self._owner.server_id, self._owner.user, sha256(identity_spki))
        waiting: Deferred[tuple[bytes, Granted]] = Deferred()
        self._waiting = waiting
        held, self._held = self._held, []
        for sender, body in held:
            self.take(sender, body)
        sender, granted = await waiting
        if not await same(enrol_words(self._exchanges[sender].hashed)):
            await self._connection.ask(messages.Tell, to=sender, body=Refusal().encode())
            raise EnrolmentRefused
        return granted

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._end(Interrupted(str(error) if error else "the connection was lost"))

    def _end(self, result: tuple[bytes, Granted] | ChatError) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if isinstance(result, ChatError):
            waiting.errback(result)
        else:
            waiting.callback(result)

    def take(self, sender: bytes, body: bytes) -> None:
        """Takes in what a device says. What makes no sense is the server's invention, and left alone."""
        if self._facts is None:
            self._held = [*self._held, (sender, body)][-MAX_HELD:]
        elif self._waiting is not None:
            working = Deferred.fromCoroutine(self._take(sender, body, self._facts))
            working.addErrback(lambda failure: failure.trap(ChatError) and None)

    async def _take(self, sender: bytes, body: bytes, facts: DeviceFacts) -> None:
        told, exchange = decode_told(body), self._exchanges.get(sender)
        if isinstance(told, Commitment):
            await self._answer(sender, told)
        elif isinstance(told, Refusal):
            self._end(EnrolmentRefused())
        elif exchange is None:
            return
        elif isinstance(told, Opening):
            self._show(exchange, told, facts)
        elif isinstance(told, Part) and told.number == len(exchange.parts) < MAX_PARTS:
            exchange.parts.append(told.data)
        elif isinstance(told, Grant) and exchange.hashed and 0 < told.parts == len(exchange.parts):
            self._end((sender, await self._granted(exchange, told, facts)))

    async def _answer(self, sender: bytes, told: Commitment) -> None:
        """The other side is bound to its number: now it may know ours, which is for it alone."""
        if sender not in self._exchanges and len(self._exchanges) >= MAX_DEVICES:
            return
        exchange = _Exchange(told, self._random(NONCE_BYTES), generate_prekey(1, self._random))
        self._exchanges[sender] = exchange
        prekey = exchange.prekey.sign(self._device.signing, self._device.device_id).encode()
        await self._connection.ask(messages.Tell, to=sender, body=Number(exchange.nonce, prekey).encode())

    def _show(self, exchange: _Exchange, told: Opening, facts: DeviceFacts) -> None:
        if exchange.hashed:
            return
        tbs, cert_hash = facts.encode(), exchange.commitment.cert_hash
        check_opening(exchange.commitment, told.nonce, tbs)
        exchange.hashed = enrol_hash(tbs, cert_hash, exchange.nonce, told.nonce)
        self.qr = enrol_qr_text(exchange.hashed)
        self._on_words(enrol_words(exchange.hashed))

    async def _granted(self, exchange: _Exchange, told: Grant, facts: DeviceFacts) -> Granted:
        certificate = complete_certificate(facts, told.signature, self._device.signing)
        verify_certificate(certificate, self._identity_spki, self._owner.server_id)
        old = await self._old_device(exchange.commitment.cert_hash)
        packed = b"".join(exchange.parts)
        luggage = unpack(packed, exchange.hashed, facts, old, self._device.device_key, exchange.prekey)
        return Granted(certificate, luggage)

    async def _old_device(self, cert_hash: bytes) -> DeviceFacts:
        """The device that has approved: one of the account, as the log has it. Raises `Reject`."""
        reply = await self._connection.expect(messages.Certificates, messages.GetCertificates, hashes=(cert_hash,))
        if not reply.items or sha256(reply.items[0].certificate) != cert_hash:
            raise Reject("enrolment: another certificate than the one that was compared")
        found, log = reply.items[0], self._log
        old = verify_certificate(found.certificate, found.identity_spki, self._owner.server_id)
        if log is None or old.user != self._owner.user or not log.certificate_valid(old, cert_hash, log.size):
            raise Reject("enrolment: by a device that is none of the account's")
        return old
