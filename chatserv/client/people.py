"""Whom we talk to: identities, safety numbers, devices (docs/crypto.rst 6)."""

from dataclasses import dataclass

from chatserv.client.connection.requests import Requests
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.state.context import ClientContext
from chatserv.client.state.pins import PinState
from chatserv.client.state.rooms import Rooms, Standing
from chatserv.client.verification.certificates import Certificates, NotReady
from chatserv.crypto.safety import parse_qr_text, qr_matches, qr_payload, qr_text, safety_number
from chatserv.crypto.statements import Revocation, make_revocation
from chatserv.crypto.suite import sha256
from chatserv.domain.names import user_name
from chatserv.errors import ChatError, Forbidden, NotFound, Reject
from chatserv.i18n import N_
from chatserv.wire import messages

NUMBER_DIGITS = 60
LOST = 1  # the reason of a revocation, for people


class NotANumber(ChatError):
    """What was given to be compared is no safety number, and no text of a QR code."""

    code = "not_a_number"
    text = N_("That is not a safety number: it has 60 digits, or starts with CHATSERV-VERIFY. Compare it again.")


@dataclass(frozen=True)
class Verification:
    """What two people compare. ``number``: 60 digits, the same on both sides. ``qr``: text for the other one's scanner."""

    user: str
    number: str
    qr: str
    trust: str


@dataclass(frozen=True)
class DeviceView:
    """A device that is valid now. ``created_ms``: milliseconds since 1970. ``current``: this one."""

    user: str
    device_id: bytes
    created_ms: int
    current: bool


class People:
    """Everybody on the server, as far as we know them.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: All rooms.
        certificates: Fetches those that are not at hand.
        outbox: Goes on in the rooms of who is trusted again.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        certificates: Certificates,
        outbox: Outbox,
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._certificates, self._outbox = certificates, outbox

    def trust(self, user: str) -> str:
        """``unverified``, ``verified`` or ``changed``; for somebody never seen ``unknown``."""
        return self._context.pins.trust(user)

    def ignore(self, user: str) -> None:
        """Tells and shows nothing more of what somebody says, on this device; invitations of theirs are refused.

        Raises:
            NotFound: There is no such account.
            Forbidden: It is ourselves.
            Quota: There are too many already.
        """
        name = user_name(user)
        if name == self._context.user:
            raise Forbidden("ourselves")
        self._context.require_account(name)
        self._context.vault.ignored.put(name)
        for room in self._rooms.ours():
            if room.offered and name in (self._rooms.peer(room), room.row and room.row.inviter):
                self._rooms.stand(room, Standing.REFUSED)

    def unignore(self, user: str) -> None:
        """Hears somebody again; what they said meanwhile is in the history. Raises `NotFound` for who was not ignored."""
        if not self._context.vault.ignored.drop(user_name(user)):
            raise NotFound(f"{user}: not ignored")

    def ignored(self) -> list[str]:
        """Whom we ignore, in order."""
        return self._context.vault.ignored.users()

    async def verification(self, user: str) -> Verification:
        """Safety number and QR text for us and ``user``. Raises `NotFound`, or `BadKey` where their key is not to be had."""
        name = user_name(user)
        context = self._context
        ours, theirs = context.keyring.identity_spki(), await self._identity(name)
        number = safety_number((ours, context.user), (theirs, name), context.server_id)
        fingerprints = context.keyring.identity_fingerprint(), sha256(theirs)
        context.pins.shown[name] = sha256(theirs)
        return Verification(name, number, qr_text(qr_payload(*fingerprints)), self.trust(name))

    async def _identity(self, user: str) -> bytes:
        """The identity key that is pinned, or about to be, by way of a certificate that it signed."""
        fingerprint, log = self._fingerprint(user), self._context.log
        hashes = log.facts.certificates(user, log.size)
        await self._certificates.fetch(hashes)
        for cert_hash in hashes:
            if self._certificates.known[cert_hash].identity_fingerprint == fingerprint:
                return self._certificates.stored(cert_hash).identity_spki
        raise NotReady(f"{user}: no certificate of this identity is valid")

    def _fingerprint(self, user: str) -> bytes:
        """The identity that is asked about: of somebody who changed, the new one."""
        context = self._context
        pin = context.pins.look(user, context.now_ms())
        if pin is None:
            raise NotFound(f"user {user}")
        return pin.offered if pin.state is PinState.CHANGED and pin.offered is not None else pin.fingerprint

    async def compare(self, user: str, given: str) -> bool:
        """Whether what the other side shows is ours too: the number, or the text of a QR code; if so they are verified.

        Raises:
            NotANumber: It is neither.
        """
        name, given = user_name(user), "".join(given.split())  # a screen may have broken it
        fingerprint = self._fingerprint(name)
        if given.upper().startswith("CHATSERV-VERIFY:"):
            try:
                payload = parse_qr_text(given)
            except Reject:
                raise NotANumber from None
            own = self._context.keyring.identity_fingerprint()
            same = qr_matches(payload, own, fingerprint)
        else:
            digits = given.replace("-", "")
            if not (digits.isascii() and digits.isdecimal() and len(digits) == NUMBER_DIGITS):
                raise NotANumber
            same = digits == (await self.verification(name)).number
        if same:
            self.mark_verified(name, fingerprint)
        return same

    def mark_verified(self, user: str, fingerprint: bytes | None = None) -> None:
        """A person has compared the numbers. An identity that had changed is accepted with it.

        Args:
            user: Whose.
            fingerprint: The identity that was compared, so that no other takes its place meanwhile; by default the one
                that `verification` showed last.

        Raises:
            NotFound: Nobody of that name has been seen.
            KeyChanged: It is another identity now.
        """
        name, context = user_name(user), self._context
        pin = context.pins.look(name, context.now_ms())
        if pin is None:
            raise NotFound(f"user {name}")
        fingerprint = fingerprint or context.pins.shown.get(name)
        if pin.state is PinState.CHANGED:
            self._accept(name, fingerprint)
        context.pins.verify(name, fingerprint)
        self._go_on(name)

    def accept_identity(self, user: str) -> None:
        """A person takes the new identity of somebody without comparing. Raises `NotFound` where nothing has changed."""
        name, context = user_name(user), self._context
        pin = context.vault.pins.get(name)
        if pin is None or pin.state is not PinState.CHANGED:
            raise NotFound(f"{name}: no change to accept")
        self._accept(name)
        self._go_on(name)

    def _accept(self, user: str, fingerprint: bytes | None = None) -> None:
        context = self._context
        context.vault.archive.accept(user, context.pins.accept(user, fingerprint).fingerprint)

    def _go_on(self, user: str) -> None:
        for room in self._rooms.sharing(user):
            self._outbox.flush_soon(room)

    async def devices(self, user: str = "") -> list[DeviceView]:
        """The valid devices of a user, by default ours. Raises `NotFound`."""
        context = self._context
        name, log = user_name(user) if user else context.user, context.log
        if log.facts.identity(name, log.size) is None:
            raise NotFound(f"user {name}")
        hashes = log.facts.certificates(name, log.size)
        await self._certificates.fetch(hashes)
        known = (self._certificates.known[each] for each in hashes)
        return [
            DeviceView(name, device.device_id, device.created_ms, device.device_id == context.device_id)
            for device in known
        ]

    async def revoke(self, device_id: bytes) -> None:
        """Ends a device of ours for good. Raises `NotFound`, or what the server refuses with."""
        context, log = self._context, self._context.log
        hashes = log.facts.certificates(context.user, log.size)
        await self._certificates.fetch(hashes)
        for cert_hash in hashes:
            if self._certificates.known[cert_hash].device_id == device_id:
                said = Revocation(device_id, cert_hash, context.now_ms(), LOST)
                statement = make_revocation(said, context.keyring.load_identity())
                await self._requests.ask(messages.Revoke, statement=statement)
                return
        raise NotFound("device")
