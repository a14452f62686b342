"""Whom we talk to: identities, safety numbers, devices (docs/crypto.rst 6)."""

from dataclasses import dataclass

from chatserv.client.part import Part
from chatserv.client.state.pins import Pin, PinState
from chatserv.client.verification.audit import PersonAudit
from chatserv.client.verification.certificates import NotReady
from chatserv.crypto.own_bodies import KnownIdentities
from chatserv.crypto.safety import parse_qr_text, qr_matches, qr_payload, qr_text, safety_number
from chatserv.crypto.suite import sha256
from chatserv.domain.names import user_name
from chatserv.errors import ChatError, Forbidden, NotFound, Reject
from chatserv.i18n import N_
from chatserv.wire import messages

NUMBER_DIGITS = 60


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


class People(Part):
    """Everybody on the server, as far as we know them."""

    def trust(self, user: str) -> str:
        """``unverified``, ``verified`` or ``changed``; for somebody never seen ``unknown``."""
        return self._engine.context.pins.trust(user)

    def ignore(self, user: str) -> None:
        """Tells and shows nothing more of what somebody says, on our devices; invitations of theirs are refused.

        Raises:
            NotFound: There is no such account.
            Forbidden: It is ourselves.
            Quota: There are too many already.
        """
        name = user_name(user)
        if name == self._engine.context.user:
            raise Forbidden("ourselves")
        self._engine.context.require_account(name)
        self._engine.own.consents.ignore(name)

    def unignore(self, user: str) -> None:
        """Hears somebody again; what they said meanwhile is in the history. Raises `NotFound` for who was not ignored."""
        self._engine.own.consents.hear_again(user_name(user))

    def ignored(self) -> list[str]:
        """Whom we ignore, in order."""
        return self._engine.context.vault.ignored.users()

    async def verification(self, user: str) -> Verification:
        """Safety number and QR text for us and ``user``. Raises `NotFound`, or `BadKey` where their key is not to be had."""
        name = user_name(user)
        context = self._engine.context
        await self._engine.auditing.look_for(name)
        ours = await self._identity_of(context.user, self._engine.own.identity.newest)
        theirs = await self._identity_of(name, self._fingerprint(name))
        number = safety_number((ours, context.user), (theirs, name), context.server_id)
        fingerprints = sha256(ours), sha256(theirs)
        context.pins.shown[name] = sha256(theirs)
        return Verification(name, number, qr_text(qr_payload(*fingerprints)), self.trust(name))

    async def _identity_of(self, user: str, fingerprint: bytes) -> bytes:
        """The identity key of this fingerprint: of a certificate that it signed, or as the log has it."""
        log = self._engine.context.log
        hashes = log.facts.certificates(user, log.size)
        await self._engine.certificates.fetch(hashes)
        for cert_hash in hashes:
            if self._engine.certificates.known[cert_hash].identity_fingerprint == fingerprint:
                return self._engine.certificates.stored(cert_hash).identity_spki
        for identity in reversed(log.facts.identities(user, log.size)):
            if identity.fingerprint == fingerprint:
                found = await self._engine.requests.expect(
                    messages.StatementFound, messages.GetStatement, index=identity.index
                )
                return identity.spki(found.statement)
        raise NotReady(f"{user}: no certificate of this identity is valid")

    def _fingerprint(self, user: str) -> bytes:
        """The identity that is asked about: of somebody who changed, the new one."""
        context = self._engine.context
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
            same = qr_matches(payload, self._engine.own.identity.newest, fingerprint)
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
        name, context = user_name(user), self._engine.context
        pin = context.pins.look(name, context.now_ms())
        if pin is None:
            raise NotFound(f"user {name}")
        fingerprint = fingerprint or context.pins.shown.get(name)
        if pin.state is PinState.CHANGED:
            self._accept(name, fingerprint)
        kept = context.pins.verify(name, fingerprint)
        self._engine.own.talk.say(KnownIdentities(((name, kept.fingerprint, True),)))
        self._go_on(name)

    def accept_identity(self, user: str) -> None:
        """A person takes the new identity of somebody without comparing. Raises `NotFound` where nothing has changed."""
        name, context = user_name(user), self._engine.context
        pin = context.vault.pins.get(name)
        if pin is None or pin.state is not PinState.CHANGED:
            raise NotFound(f"{name}: no change to accept")
        kept = self._accept(name)
        self._engine.own.talk.say(KnownIdentities(((name, kept.fingerprint, False),)))
        self._go_on(name)

    def _accept(self, user: str, fingerprint: bytes | None = None) -> Pin:
        context = self._engine.context
        kept = context.pins.accept(user, fingerprint)
        context.vault.archive.accept(user, kept.fingerprint)
        return kept

    def _go_on(self, user: str) -> None:
        for room in self._engine.rooms.ours():
            if user in room.listed():  # with a device or without
                self._engine.outbox.flush_soon(room)

    async def audit(self, user: str) -> PersonAudit:
        """What the server's log says about somebody, or ourselves. Raises `NotFound` where it says nothing."""
        return await self._engine.auditing.person(user_name(user))

    async def devices(self, user: str = "") -> list[DeviceView]:
        """The valid devices of a user, by default ours. Raises `NotFound`."""
        context = self._engine.context
        name, log = user_name(user) if user else context.user, context.log
        await self._engine.auditing.look_for(name)
        if log.facts.identity(name, log.size) is None:
            raise NotFound(f"user {name}")
        hashes = log.facts.certificates(name, log.size)
        await self._engine.certificates.fetch(hashes)
        known = (self._engine.certificates.known[each] for each in hashes)
        return [
            DeviceView(name, device.device_id, device.created_ms, device.device_id == context.device_id)
            for device in known
        ]

    async def revoke(self, device_id: bytes) -> None:
        """The same as `chatserv.client.device_list.DeviceList.revoke`."""
        await self._engine.own.revoking.revoke(device_id)
