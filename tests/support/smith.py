"""Makes commits as clients do, without a client: real states, rules and signatures, and wraps of the right size.

The server cannot open a wrap, so any bytes are as good as another. What is made may also be wrong, for tests of refusals.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from chatserv.commands.commit_validation import validate
from chatserv.commands.lease_line import CommitLease
from chatserv.commands.room_registry import RoomRecord
from chatserv.crypto.commits import (
    Add,
    BadCommit,
    Commit,
    CommitTBS,
    Create,
    Leave,
    Op,
    SetMember,
    make_commit,
    make_leave,
)
from chatserv.crypto.envelope import GUARD_BYTES, PADDED_BYTES_MIN, TAG_BYTES, Envelope, Header
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.prekeys import LAST_RESORT_BIT, SIGNED_PREKEY_BYTES
from chatserv.crypto.room_draft import Evidence
from chatserv.crypto.room_rules import Head, take_step
from chatserv.crypto.room_state import Kind, Policy, Role, RosterEntry, State, room_id
from chatserv.crypto.statements import certificate_facts
from chatserv.crypto.suite import padme, sha256
from chatserv.crypto.wraps import WRAP_BYTES, wrap_hash, wraps_tree
from chatserv.domain import roles
from chatserv.domain.hub import LiveSession
from chatserv.errors import Busy, NotFound
from chatserv.models import Appended, LeafDraft, PrekeyItem, Registration
from chatserv.wire import messages

if TYPE_CHECKING:
    from tests.support.server import TestAccount, WireServer

LARGEST = 11_776  # bytes of text in the largest envelope
PUBLIC = Policy(Kind.ROOM, public=True, name="lobby")
PRIVATE = Policy(Kind.ROOM)
DIRECT = Policy(Kind.DM)


@dataclass(frozen=True)
class Made:
    """A commit, and the wraps that go with it, by leaf."""

    room_id: bytes
    epoch: int
    commit: Commit
    wraps: dict[int, bytes]


def code(reply: Any) -> str:
    """The code of an error, or the name of another reply."""
    return reply.code if isinstance(reply, messages.Error) else type(reply).__name__


def dummy_wrap(leaf: int, epoch: int) -> bytes:
    """Bytes in place of a wrap."""
    return (b"wrap %d %d " % (leaf, epoch)).ljust(WRAP_BYTES, b"w")


def padded(text: str) -> int:
    """How many bytes of ciphertext, without its tag, an envelope with this text has."""
    return padme(max(PADDED_BYTES_MIN, len(text.encode())))


def envelope(room: bytes, epoch: int, leaf: int, generation: int, text: str = "") -> bytes:
    """A message that nobody can open; its "ciphertext" is the text."""
    header = Header(room, epoch, leaf, generation, bytes(GUARD_BYTES))
    return Envelope(header, text.encode().ljust(padded(text) + TAG_BYTES, b"\0")).encode()


class Smith:
    """Makes commits for the accounts of one server, from what the server's book says now."""

    def __init__(self, server: "WireServer") -> None:
        self._server = server
        self.equips = True  # devices that are added without prekeys get one first

    def state(self, room: bytes) -> State | None:
        """The room's state now."""
        record = self._record(room)
        return None if record is None else record.state

    def entry(self, account: "TestAccount", leaf: int) -> RosterEntry:
        """The account's device under a number."""
        return RosterEntry(leaf, account.user, account.device_id, account.cert_hash)

    def leaf(self, account: "TestAccount", room: bytes) -> int:
        """The device's number in the room, or the next one."""
        state = self.state(room)
        if state is None:
            return 0
        entry = state.device(account.device_id)
        return state.next_leaf if entry is None else entry.leaf

    # -- ops ----------------------------------------------------------------------------------------------------------

    def create(
        self, creator: "TestAccount", *others: "TestAccount", policy: Policy = PRIVATE, nonce: bytes = bytes(32)
    ) -> tuple[bytes, tuple[Op, ...]]:
        """The id of a new room and the ops that make it."""
        role = Role.MEMBER if policy.kind.fixed else Role.OWNER
        users = dict.fromkeys(other.user for other in others if other.user != creator.user)
        ops: list[Op] = [Create(nonce, policy), SetMember(creator.user, role), Add(self.entry(creator, 0))]
        ops += [SetMember(user, Role.MEMBER) for user in users]
        ops += [Add(self.entry(other, leaf)) for leaf, other in enumerate(others, 1)]
        return room_id(creator.cert_hash, nonce), tuple(ops)

    def join(self, account: "TestAccount", room: bytes) -> tuple[Op, ...]:
        """The ops with which a user joins a public room."""
        return SetMember(account.user, Role.MEMBER), Add(self.entry(account, self.leaf(account, room)))

    def add(self, account: "TestAccount", room: bytes) -> tuple[Op, ...]:
        """The ops with which a moderator takes a user in."""
        return self.join(account, room)

    def leave(self, account: "TestAccount", room: bytes) -> Leave:
        """The account's farewell."""
        return make_leave(room, self.leaf(account, room), account.signing_key)

    # -- commits ------------------------------------------------------------------------------------------------------

    def _record(self, room: bytes) -> RoomRecord | None:
        """The room as the server has it, which may not have needed it until now."""
        with suppress(Busy):  # there is place for no more
            self._server.wait(self._server.context.backplane.load(room))
        return self._server.context.registry.get(room)

    def make(self, account: "TestAccount", room: bytes, *ops: Op, **changes: Any) -> Made:
        """A commit of these ops by the account, allowed or not; ``changes`` are fields of the commit."""
        context = self._server.context
        for op in ops if self.equips else ():
            if isinstance(op, Add):
                self._equip(op.entry.device_id)
        record = self._record(room)
        state, head = (None, Head.before(room)) if record is None else (record.state, record.head)
        kt_size = changes.get("kt_size", context.log.size)
        leaf = changes.get("committer_leaf", self.leaf(account, room))
        evidence = Evidence(self._server.certificates, context.log.facts, kt_size)
        wraps: dict[int, bytes] = {}
        try:
            step = take_step(state, room, leaf, ops, evidence)
            state_hash = step.state.state_hash
            due = [entry.leaf for entry in step.state.roster if entry.leaf != step.committer.leaf]
            wraps = {number: dummy_wrap(number, head.epoch + 1) for number in due}
        except BadCommit:
            state_hash = bytes(32)
        tbs = CommitTBS(
            room_id=room,
            epoch=head.epoch + 1,
            prev=head.commit_hash,
            state_hash=state_hash,
            committer_leaf=leaf,
            ops=ops,
            heads=(),
            kt_size=kt_size,
            kt_root=context.log.root_at(kt_size) or bytes(32),
            wraps_root=self.wraps_root(wraps),
            confirmation=bytes(32),
        )
        tbs = replace(tbs, **changes)
        return Made(room, tbs.epoch, make_commit(tbs, account.signing_key), wraps)

    def _equip(self, device_id: bytes) -> None:
        """Gives a device a last-resort prekey that nobody opens anything with, unless it has one."""
        memory = self._server.memory
        if self._server.wait(memory.take_prekey(device_id, one_time=False)).signed is None:
            prekey = PrekeyItem(LAST_RESORT_BIT | 1, bytes(SIGNED_PREKEY_BYTES))
            with suppress(NotFound):
                self._server.wait(memory.publish_prekeys(device_id, [prekey], 50))

    def wraps_root(self, wraps: Mapping[int, bytes]) -> bytes:
        """What a commit says of its wraps."""
        return wraps_tree({number: wrap_hash(wrap) for number, wrap in wraps.items()}).root

    def put(self, account: "TestAccount", made: Made) -> int:
        """Has the server validate and store a commit, past lease and session. Returns its seq."""
        owner: Any = None  # nothing is queued for it
        number = self._server.account_id(account)
        session = LiveSession(number, account.user, roles.Role.ADMIN, account.device_id, owner, {})
        lease = CommitLease(made.room_id, session, is_new=made.epoch == 0)
        lease.stage(made.wraps)
        self._record(made.room_id)
        validated = self._server.wait(validate(self._server.context, session, lease, made.commit.encoded))
        result = self._server.wait(self._server.memory.commit(validated.draft))
        if not isinstance(result, Appended):
            raise AssertionError(result)
        return result.event.seq

    def register(self, account: "TestAccount") -> None:
        """Makes an account, past the handshake."""
        context, facts = self._server.context, certificate_facts(account.certificate)
        statements = ((LeafType.UIK, account.identity_spki), (LeafType.DEVICE, account.certificate))
        leaves = tuple(
            LeafDraft(
                user_leaf(kind, context.log.server_id, account.user, sha256(signed), signed, context.now_ms()).encode(),
                signed,
            )
            for kind, signed in statements
        )
        registration = Registration(
            token_hash=None,
            name=account.user,
            skeleton=account.user,
            identity_spki=account.identity_spki,
            device_id=facts.device_id,
            certificate=account.certificate,
            verifier=account.verifier,
            leaves=leaves,
        )
        self._server.wait(self._server.memory.register(registration, context.now_ms()))
