"""What the server's log says about people, for themselves and for whoever talks to them (docs/crypto.rst 5)."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Rooms
from chatserv.client.verification.certificates import Certificates
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.identities import Identity, Said
from chatserv.crypto.log_leaves import LeafType
from chatserv.crypto.statements import verify_gone
from chatserv.crypto.suite import same, sha256
from chatserv.errors import ChatError, NotFound, Reject, WireError
from chatserv.wire import messages

MAX_PEOPLE: Final = 1000  # in one audit, those whom one was told of first to last by name
KINDS: Final = {
    LeafType.UIK: "identity",
    LeafType.ROTATE: "rotated",
    LeafType.RESET: "reset",
    LeafType.GONE: "gone",
    LeafType.DEVICE: "device",
    LeafType.REVOKE: "revoked",
}


@dataclass(frozen=True)
class AuditEntry:
    """One thing that the log says about a person.

    Attributes:
        kind: ``identity``: the first one; ``rotated``: a new one, which the one before has to sign; ``reset``: a new one, by
            an administrator's word; ``gone``: the account ended; ``device`` or ``revoked``: a device came or went.
        index: Its place in the log, from 0.
        at_ms: When, by the server's clock, milliseconds since 1970.
        fingerprint: SHA-256 of the identity key, or of the device's certificate, 32 bytes; empty of ``gone``.
        device_id: Of a device, 16 bytes; empty where its certificate is not to be had.
        signed: Whether the person themselves stands behind it: None where nothing is signed, or it is not known yet.
        known: Whether it is ours, or nothing that we would have to know of: of our own account alone it may be False, and
            then somebody else did it.
        current: Whether it is about this device.
    """

    kind: str
    index: int
    at_ms: int
    fingerprint: bytes
    device_id: bytes = b""
    signed: bool | None = None
    known: bool = True
    current: bool = False


@dataclass(frozen=True)
class PersonAudit:
    """Everything that the log says about a person, oldest first; ``trust`` as `People.trust`, empty for ourselves."""

    user: str
    trust: str
    entries: tuple[AuditEntry, ...]

    @property
    def ordinary(self) -> bool:
        """Whether there is one identity, as we know it, and no device that went, or that is not known."""
        usual = all(each.kind in {"identity", "device"} and each.known for each in self.entries)
        return usual and self.trust != "changed"


@dataclass(frozen=True)
class Audit:
    """What the log says, and what we think of it.

    Attributes:
        size: How many entries our copy has.
        root: The root over them, 32 bytes.
        signed_ms: When the server signed that, milliseconds since 1970.
        server_ids: Fingerprints of other keys of the server that the log announces.
        proven: Whether the server was found out, now or earlier.
        file: Where the evidence lies, if there is any that others can check.
        people: Ourselves, and each with whom we share a room, by name; at most `MAX_PEOPLE`.
        omitted: How many more there are.
    """

    size: int
    root: bytes
    signed_ms: int
    server_ids: tuple[bytes, ...]
    proven: bool
    file: str
    people: tuple[PersonAudit, ...]
    omitted: int = 0


class Auditing:
    """Reads the log for a person.

    Args:
        context: What the client's parts share.
        requests: Fetches statements.
        rooms: With whom we share one.
        certificates: Fetches those of devices.
        auditor: Our copy of the log.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        certificates: Certificates,
        auditor: LogAuditor,
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._certificates, self._auditor = certificates, auditor

    async def all(self) -> Audit:
        """Ourselves, and everybody with whom we share a room. Raises `Interrupted`."""
        context, log = self._context, self._context.log
        await self._refresh()
        others = sorted({user for room in self._rooms.ours() for user in room.listed()} - {context.user})
        users, head = [context.user, *others][:MAX_PEOPLE], log.head
        await self._certify(users)
        return Audit(
            size=log.size,
            root=log.root_at(log.size) or b"",
            signed_ms=0 if head is None else head.at_ms,
            server_ids=log.facts.server_ids(log.size),
            proven=self._auditor.proven,
            file=self._auditor.evidence_file,
            people=tuple([await self._person(user) for user in users]),
            omitted=len(others) + 1 - len(users),
        )

    async def person(self, user: str) -> PersonAudit:
        """One person. Raises `NotFound` for somebody of whom the log says nothing, or `Interrupted`."""
        await self._refresh()
        if not self._history(user):
            raise NotFound(f"user {user}")
        await self._certify([user])
        return await self._person(user)

    async def look_for(self, user: str) -> None:
        """Asks for what is new in the log where our copy has nobody of that name: they may have come in just now."""
        if not self._history(user):
            await self._refresh()

    async def _refresh(self) -> None:
        """Brings our copy up to date, if the server lets us; where it does not, the head's age tells that."""
        if self._requests.connected:
            with suppress(WireError):
                await self._auditor.refresh()

    def _history(self, user: str) -> tuple[Said, ...]:
        return self._context.log.facts.history(user, self._context.log.size)

    async def _person(self, user: str) -> PersonAudit:
        history = self._history(user)
        trust = "" if user == self._context.user else self._context.pins.trust(user)
        return PersonAudit(user, trust, tuple([await self._entry(user, each) for each in history]))

    async def _certify(self, users: Iterable[str]) -> None:
        """Fetches certificates as far as they are to be had: an audit says what it knows."""
        kinds = (LeafType.DEVICE, LeafType.REVOKE)
        hashes = [each.subject for user in users for each in self._history(user) if each.kind in kinds]
        self._certificates.missing(hashes)
        if self._requests.connected:
            with suppress(WireError):
                await self._certificates.fetch(hashes)

    async def _entry(self, user: str, said: Said) -> AuditEntry:
        (leaf,) = self._context.log.leaves_from(said.index, 1)
        device = self._certificates.known.get(said.subject)
        signed = said.signed
        if said.kind is LeafType.GONE:
            signed = await self._ended_by_them(user, said)
        return AuditEntry(
            kind=KINDS[said.kind],
            index=said.index,
            at_ms=leaf.at_ms,
            fingerprint=b"" if said.kind is LeafType.GONE else said.subject,
            device_id=b"" if device is None else device.device_id,
            signed=signed,
            known=user != self._context.user or self._known(said),
            current=said.subject == self._context.cert_hash,
        )

    def _known(self, said: Said) -> bool:
        """Whether something about ourselves was done by us, as far as this device knows."""
        match said.kind:
            case LeafType.DEVICE:
                return said.subject in self._auditor.own_certificates()
            case LeafType.REVOKE:
                return said.subject != self._context.cert_hash
            case LeafType.ROTATE if said.signed:
                return True
            case LeafType.GONE:
                return False
        return said.subject == self._context.keyring.identity_fingerprint()

    # -- what is signed behind the end of an account -------------------------------------------------------------------

    async def _ended_by_them(self, user: str, said: Said) -> bool | None:
        """Whether an account's end is signed by its newest identity; None where the server does not say."""
        identity = self._context.log.facts.signer(user, said.index)
        if identity is None:
            return False
        try:
            statement, key = await self._statement(said.index), await self._key(identity)
            verify_gone(statement, key, self._context.server_id, user)
        except (Reject, NotFound):
            return False
        except ChatError:  # not connected, or put off
            return None
        return True

    async def _key(self, identity: Identity) -> bytes:
        return identity.spki(await self._statement(identity.index))

    async def _statement(self, index: int) -> bytes:
        found = await self._requests.expect(messages.StatementFound, messages.GetStatement, index=index)
        (leaf,) = self._context.log.leaves_from(index, 1)
        if not same(sha256(found.statement), leaf.statement):
            raise Reject("statement: not the one that was logged")
        return bytes(found.statement)
