"""Keeps our copy of the server's log up to date, and looks at what comes new (docs/rooms.rst 8.2 and 8.3)."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import DeferredLock

from chatserv.client.connection.requests import Requests
from chatserv.client.events import Alarm, IdentityChanged
from chatserv.client.state.context import ClientContext
from chatserv.client.state.pins import PinState
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.state.transparency_log import LogForked, LogWithheld
from chatserv.client.trust_events import short_id
from chatserv.client.verification.certificates import Certificates
from chatserv.client.verification.evidence import EvidenceFiles
from chatserv.client.verification.gossip import Gossip
from chatserv.client.verification.logged_rooms import LoggedRooms
from chatserv.client.verification.own_certificates import Ending, OwnCertificates
from chatserv.client.verification.revocations import FALSE_STATEMENT, Revocations
from chatserv.crypto.identities import Rotation
from chatserv.crypto.log_leaves import LEAF_BYTES, TREE_HEAD_BYTES, TreeHead, user_tag
from chatserv.crypto.statements import certificate_facts
from chatserv.crypto.suite import RSA_BYTES
from chatserv.wire import messages

FORKED: Final = "log forked"
FORKED_HEAD: Final = "log forked, our head"
OTHER_HEAD: Final = "log forked, the other head"
MAX_ALARMS: Final = 10_000  # different ones in a run
FALSE_ROTATION: Final = "false rotation"
PROOFS: Final = ((FORKED, "log_forked"), (FALSE_STATEMENT, "false_statement"), (FALSE_ROTATION, "false_rotation"))


class LogAuditor:
    """The auditor's side of the log.

    Args:
        context: What the client's parts share.
        requests: Fetches.
        rooms: Whose public heads are compared with the log.
        certificates: Of devices that are revoked.

    Attributes:
        moved: Told that rooms may be sent to again that could not be, or none any more.
        grown: Told that there are more leaves.
    """

    moved: Callable[[], None]
    grown: Callable[[], None]

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        certificates: Certificates,
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._fetching, self._files = DeferredLock(), EvidenceFiles(context, requests)
        self._alarmed: set[str] = set()
        self.gossip = Gossip(context, rooms, self.refresh, self._alarm, self._forked)
        self.logged_rooms = LoggedRooms(
            context, requests, rooms, lambda room: self._alarm_of("room_forked", room), self.stalled
        )
        self._revocations = Revocations(
            context, requests, certificates, self._false_statement, self._decided,
            lambda detail: self._alarm("log_withheld", detail), self._settled,
        )  # fmt: skip
        self.decide, self.check_ended = self._revocations.decide, self._revocations.check
        self.unchecked = self._revocations.unchecked
        self._own = OwnCertificates(
            context, certificates, lambda cert_hash: self._alarm("unknown_device", cert_hash.hex()[:16])
        )
        self.own_certificates = self._own.known
        self.ending = Ending()
        self._valid = False  # whether our own device was valid when we last looked
        self._proven = any(context.vault.facts.get(each) is not None for each, _ in PROOFS)

    # -- fetching ------------------------------------------------------------------------------------------------------

    async def reach(self, size: int) -> None:
        """Makes the log known up to ``size``.

        Raises:
            LogForked: The server shows another log than before; the alarm is raised.
            BadKey: The server's log is not that long, or it withholds leaves.
        """
        if self._context.log.size >= size:
            return
        await self._fetching.acquire()
        try:
            while self._context.log.size < size:
                await self._fetch_page(size)
        finally:
            self._fetching.release()

    async def _fetch_page(self, size: int) -> None:
        after = self._context.log.next_index
        page = await self._requests.expect(messages.LogPage, messages.GetLog, after=after)
        if len(page.head) != TREE_HEAD_BYTES or TreeHead.decode(page.head[:-RSA_BYTES]).size < size:
            self._alarm("log_withheld", f"size {size}")
            raise LogWithheld("log: shorter than a commit or head says")
        if not page.leaves:
            raise LogWithheld("log: leaves are withheld")
        self._extend(page.leaves, page.head)

    async def follow(self, head: bytes) -> None:
        """Makes the log known up to a signed head that the server has told."""
        if not head:
            return
        told, known = TreeHead.decode(head[:-RSA_BYTES]), self._context.log.head
        await self.reach(told.size)
        self._extend(b"", head)
        self._look_back(told, known)

    def _look_back(self, told: TreeHead, known: TreeHead | None) -> None:
        """A log only grows: what was signed before is not taken back. And it names the key that the server has."""
        if known is not None and told.size < known.size:
            self._alarm("old_log", f"size {told.size}, {known.size} was signed before")
        if not self._context.log.names_our_key:
            self._alarm("unlogged_server_key", self._context.log.keys.key_id.hex()[:16])

    async def refresh(self) -> None:
        """Asks for the newest head, and makes the log known up to it."""
        page = await self._requests.expect(messages.LogPage, messages.GetLog, after=self._context.log.size)
        await self.follow(page.head)

    def told(self, notice: messages.LogHead) -> bool:
        """Takes a notice in; False where leaves before it, or all of them, have to be fetched first."""
        log, end = self._context.log, notice.after + len(notice.leaves) // LEAF_BYTES
        if self._fetching.locked or not notice.after <= log.next_index < end:
            return False
        self._extend(notice.leaves, notice.head, notice.after)
        return True

    def _extend(self, leaves: bytes, head: bytes, after: int | None = None) -> None:
        before = self._context.log.size
        try:
            self._context.log.extend(leaves, head, after)
        except LogForked as error:
            self._forked(error)
            raise
        if self._context.log.size > before:
            self._context.keeping.kept()  # soon, in a thread
            self._grown()

    # -- what is new ---------------------------------------------------------------------------------------------------

    def _grown(self) -> None:
        self._look_at_ourselves()
        self._look_at_others()
        self.grown()
        self.logged_rooms.grown()
        self.gossip.grown()
        self._revocations.look()

    def _look_at_ourselves(self) -> None:
        context = self._context
        facts, size = context.log.facts, context.log.size
        if facts.undecided(size, [context.user]):
            return  # until it is known whether we have signed that, it counts as a break
        named = context.keyring.identity_fingerprint()
        if facts.identity(context.user, size) is not None and not facts.carried(context.user, named, size):
            self._alarm("identity_reset", context.user)
        valid = facts.certificate_valid(certificate_facts(context.keyring.certificate), context.cert_hash, size)
        if self._valid and not valid and not self.ending.ours:
            self._alarm("device_revoked", short_id(context.device_id))
        self._valid = valid
        self._own.look()

    def _look_at_others(self) -> None:
        context = self._context
        for pin in context.vault.pins.all():
            now = context.pins.look(pin.user, context.now_ms())
            if now is None or now == pin or pin.user == context.user:  # of ourselves there are other events
                continue
            if now.state is PinState.CHANGED and pin.state is not PinState.CHANGED:
                context.emit(IdentityChanged(pin.user, pin.state is PinState.VERIFIED))
            elif now.state is not PinState.CHANGED and now.fingerprint != pin.fingerprint:
                context.emit(IdentityChanged(pin.user, now.state is PinState.VERIFIED, signed=True))

    def fork(self, detail: str) -> None:
        """The server has shown two logs that cannot both be true: nothing is sent any more."""
        self._prove(FORKED, "log_forked", detail)
        self._files.gather_soon(self._gathered)

    def _forked(self, error: LogForked) -> None:
        """It has signed both: everybody is shown that, and the two heads are kept."""
        if error.ours is not None and error.theirs is not None and self._keep_heads(error.ours, error.theirs):
            self._files.keep(error.ours, error.theirs)
        self.fork(error.detail)

    def _keep_heads(self, ours: bytes, theirs: bytes) -> bool:
        """Keeps and shows the first two heads that do not fit; says whether they are the first."""
        facts = self._context.vault.facts
        if facts.get(OTHER_HEAD) is not None:
            return False
        facts.put(FORKED_HEAD, ours)
        facts.put(OTHER_HEAD, theirs)
        self.gossip.spread(ours, theirs)
        return True

    def _gathered(self, ours: bytes, theirs: bytes) -> None:
        """What only we had seen can be shown to others now."""
        self._keep_heads(ours, theirs)
        detail = (self._context.vault.facts.get(FORKED) or b"").decode()
        self._context.emit(Alarm("log_forked", detail, evidence=self.evidence, file=self.evidence_file))

    def _name(self, tag: bytes) -> str:
        """Whom a leaf is about, where we have seen them."""
        users = (self._context.user, *(pin.user for pin in self._context.vault.pins.all()))
        return next((each for each in users if user_tag(self._context.server_id, each) == tag), "?")

    def _false_statement(self, tag: bytes, detail: str) -> None:
        """The server has logged a revocation that nobody signed; one is enough, and the first is remembered."""
        if self._context.vault.facts.get(FALSE_STATEMENT) is None:
            self._prove(FALSE_STATEMENT, "false_statement", f"{self._name(tag)}, {detail}")

    def _settled(self) -> None:
        self.moved()

    def _decided(self, rotation: Rotation, wrong: str | None) -> None:
        """It is known whether an identity's owner has signed the next one."""
        self._context.log.decide(rotation, signed=wrong is None)
        if wrong is not None:
            detail = f"{self._name(rotation.tag)}, leaf {rotation.new.index}: {wrong}"
            self._prove(FALSE_ROTATION, "false_rotation", detail)
        self._look_at_ourselves()
        self._look_at_others()
        self.moved()

    def _prove(self, name: str, what: str, detail: str) -> None:
        """Remembers under ``name`` what stops all sending, for good."""
        facts = self._context.vault.facts
        self._proven = True
        if facts.get(name) is None:
            facts.put(name, detail.encode())
        if facts.get(FORKED_HEAD) is None:
            facts.put(FORKED_HEAD, self._context.log.signed_head or b"")  # evidence: what the server has signed for us
        self._alarm(what, detail)
        self.moved()

    def remind(self) -> None:
        """What an earlier run has found is not forgotten; and a newest head of more than a day ago is an alarm."""
        if self._context.log.size:
            self._look_at_ourselves()
        for name, what in PROOFS:
            detail = self._context.vault.facts.get(name)
            if detail is not None:
                self._alarm(what, detail.decode())
        if self._context.vault.facts.get(FORKED) is not None:
            self._files.gather_soon(self._gathered)
        self._revocations.look()
        self.gossip.look()
        if self._context.log.too_old(self._context.now_ms()):
            self._alarm("old_log", "")

    def _alarm_of(self, what: str, room: Room) -> None:
        self._alarm(what, self._rooms.name(room), room_id=room.room_id)

    def _alarm(self, what: str, detail: str, user: str = "", device_id: bytes = b"", room_id: bytes = b"") -> None:
        """Tells each thing once; of each device of a person, each kind of thing."""
        key = f"{what} {user or detail} {device_id.hex()}"
        if key not in self._alarmed and len(self._alarmed) < MAX_ALARMS:
            self._alarmed.add(key)
            evidence = self.evidence if what == "log_forked" else ()
            file = self.evidence_file if evidence else ""
            self._context.emit(Alarm(what, detail, user, evidence, file, room_id))

    @property
    def evidence(self) -> tuple[bytes, ...]:
        """Two signed heads that cannot be of one log, 432 bytes each, where there are such."""
        heads = [self._context.vault.facts.get(each) for each in (FORKED_HEAD, OTHER_HEAD)]
        return tuple(head for head in heads if head) if all(heads) else ()

    @property
    def evidence_file(self) -> str:
        """Where the same lies for others to check; empty where it does not."""
        return str(self._files.path or "")

    def stalled(self, room: Room) -> None:
        """The server does not carry out a change that we have made."""
        self._alarm_of("commit_stalled", room)

    def look_for_revocation(self, cert_hash: bytes, device_id: bytes) -> None:
        """The server says that it has revoked a device of ours: the log has to say so too, or others go on with it."""
        if cert_hash in self._context.log.facts.certificates(self._context.user, self._context.log.size):
            self._alarm("revocation_withheld", short_id(device_id))

    @property
    def proven(self) -> bool:
        """Whether the server has been found out, now or earlier, by more than somebody's word."""
        return self._proven

    def holds(self, room: Room) -> bool:
        """Whether nothing but evidence may be sent to a room: the server has been found out, or somebody in the room claims
        that it shows another log, which is no proof, as people may lie.
        """
        return self._proven or self.gossip.holds(room)
