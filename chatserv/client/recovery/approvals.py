"""The old device's side of an approval: new devices that wait, the words that both sides show, and what is handed over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chatserv.client.account.keyring import NoIdentityKey
from chatserv.client.connection.requests import Requests
from chatserv.client.events import DeviceAsks, DeviceGone
from chatserv.client.state.context import ClientContext
from chatserv.client.verification.own_certificates import APPROVED, WITH_IDENTITY, WITHOUT_IDENTITY
from chatserv.crypto.e2e.enrolment import (
    NONCE_BYTES,
    Commitment,
    Grant,
    Luggage,
    Number,
    Opening,
    Refusal,
    commitment,
    decode_told,
    enrol_hash,
    enrol_qr_text,
    enrol_words,
    pack,
    parts,
)
from chatserv.crypto.statements import DeviceFacts, certify
from chatserv.crypto.suite import sha256
from chatserv.errors import NotFound
from chatserv.wire import messages

MAX_GUESTS: Final = 10  # as many devices as an account may have; more are not looked at
MAX_SHOWN: Final = 100  # devices that are remembered with their keys


@dataclass(frozen=True)
class DeviceRequest:
    """A new device that waits for approval. ``words``: six, to be compared with those on it; ``qr``: the same for a code.

    ``at_ms``: since when, by the server's clock.
    """

    device_id: bytes
    words: str
    qr: str
    at_ms: int


@dataclass
class _Guest:
    """What is known of one: ``hashed`` is what both sides show, once it has told its number, and ``prekey`` its prekey."""

    facts: DeviceFacts
    at_ms: int
    nonce: bytes
    hashed: bytes = b""
    prekey: bytes = b""


class Approvals:
    """New devices of ours that wait.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        luggage: Gives what a new device begins with; its argument says whether with the identity key and BK.
    """

    def __init__(self, context: ClientContext, requests: Requests, luggage: Callable[[bool], Luggage]) -> None:
        self._context, self._requests, self._luggage = context, requests, luggage
        self._guests: dict[bytes, _Guest] = {}
        self._shown: dict[bytes, tuple[bytes, bytes]] = {}  # keys of those whose words a person has seen, in this run

    # -- what the server tells -----------------------------------------------------------------------------------------

    async def waits(self, notice: messages.GuestWaits) -> None:
        """A guest has come: it gets what binds us to our number, if we can approve anybody."""
        identity = self._identity()
        if identity is None or (len(self._guests) >= MAX_GUESTS and notice.device_id not in self._guests):
            return
        context = self._context
        facts = DeviceFacts(
            context.server_id, context.user, notice.device_id, notice.rsa_spki, notice.ed25519, notice.created, identity
        )
        keys = (notice.rsa_spki, notice.ed25519)
        if self._shown.get(notice.device_id, keys) != keys:  # others under an id that may just be approved
            self._drop(notice.device_id)
            return
        guest = _Guest(facts, notice.at, context.random(NONCE_BYTES))
        self._guests[notice.device_id] = guest
        bound = commitment(guest.nonce, context.cert_hash, facts.encode())
        await self._tell(notice.device_id, Commitment(context.cert_hash, bound).encode())

    def gone(self, notice: messages.GuestGone) -> None:
        """A guest has gone, or has become a device."""
        self._drop(notice.device_id)

    async def told(self, notice: messages.Told) -> None:
        """A guest has told its number: now it may know ours. The second time counts for nothing. Raises `Reject`."""
        guest = self._guests.get(notice.sender)
        if guest is None or not notice.guest:
            return
        told, context = decode_told(notice.body), self._context
        if isinstance(told, Refusal):  # the words were others there
            self._drop(notice.sender)
        if not isinstance(told, Number) or guest.hashed:
            return
        guest.prekey = told.prekey
        self._shown[notice.sender] = (guest.facts.rsa_spki, guest.facts.ed25519)
        if len(self._shown) > MAX_SHOWN:
            del self._shown[next(iter(self._shown))]
        guest.hashed = enrol_hash(guest.facts.encode(), context.cert_hash, told.nonce, guest.nonce)
        await self._tell(notice.sender, Opening(guest.nonce).encode())
        context.emit(DeviceAsks(notice.sender, enrol_words(guest.hashed)))

    def disconnected(self) -> None:
        """The next session tells anew who waits."""
        for device_id in list(self._guests):
            self._drop(device_id)

    def _drop(self, device_id: bytes) -> None:
        guest = self._guests.pop(device_id, None)
        if guest is not None and guest.hashed:
            self._context.emit(DeviceGone(device_id))

    def _identity(self) -> bytes | None:
        """The fingerprint of the identity key that we hold, if it is the newest one."""
        context = self._context
        if not context.keyring.identity_key:
            return None
        newest = context.log.facts.identity(context.user, context.log.size)
        fingerprint = sha256(context.keyring.identity_spki())
        return fingerprint if newest is not None and newest.fingerprint == fingerprint else None

    async def _tell(self, device_id: bytes, body: bytes) -> None:
        await self._requests.ask(messages.Tell, to=device_id, body=body)

    # -- what the person says ------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> tuple[DeviceRequest, ...]:
        """Those that have words to compare, in the order in which they came."""
        return tuple(
            DeviceRequest(device_id, enrol_words(guest.hashed), enrol_qr_text(guest.hashed), guest.at_ms)
            for device_id, guest in self._guests.items()
            if guest.hashed
        )

    async def approve(self, device_id: bytes, *, hand_over: bool) -> None:
        """The person has compared the words. Raises `NotFound`, `NoIdentityKey`, or what the server refuses with."""
        guest = self._find(device_id)
        context = self._context
        if self._identity() is None:
            raise NoIdentityKey
        packed = pack(
            self._luggage(hand_over), guest.hashed, guest.facts, guest.prekey, (context.device_id, context.signing),
            context.random,
        )  # fmt: skip
        pieces = parts(packed)
        signature = await context.in_thread(certify, guest.facts, context.keyring.load_identity())
        context.vault.facts.put(APPROVED + device_id.hex(), WITH_IDENTITY if hand_over else WITHOUT_IDENTITY)
        for piece in pieces:
            await self._tell(device_id, piece.encode())
        await self._tell(device_id, Grant(signature, len(pieces)).encode())

    async def refuse(self, device_id: bytes) -> None:
        """The person does not know that device. Raises `NotFound`."""
        self._find(device_id)
        self._drop(device_id)
        await self._tell(device_id, Refusal().encode())

    def _find(self, device_id: bytes) -> _Guest:
        if not self._context.keyring.identity_key:
            raise NoIdentityKey
        guest = self._guests.get(device_id)
        if guest is None or not guest.hashed:
            raise NotFound("no such device waits")
        return guest
