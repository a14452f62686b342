"""From one state of a room to the next: the public checks and the rules (docs/rooms.rst 5.1 to 5.4).

One pure function of what everybody shares. What one client alone knows (its pins, its clock, a longer log) has no place
here: it decides what that client sends, never what it accepts.
"""

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Final

from msgspec import Struct

from chatserv.crypto import room_state
from chatserv.crypto.commits import Add, BadCommit, Commit, CommitTBS, Create, Op, SetMember, verify_commit
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.room_draft import Actor, Draft, Evidence
from chatserv.crypto.room_state import Policy, Role, RosterEntry, State
from chatserv.crypto.statements import DeviceFacts
from chatserv.crypto.suite import SUITE, VERSION
from chatserv.errors import Reject

_NO_HASH: Final = bytes(32)


class LogBehind(BadCommit):
    """A commit that was checked against more of the log than is known here: fetch that, then validate."""


class OtherLog(BadCommit):
    """A commit that was checked against another log than ours, and accepted: the server shows two."""


class Head(Struct, frozen=True):
    """Where the chain of a room's commits stands: what the next commit has to fit."""

    room_id: bytes
    epoch: int
    commit_hash: bytes
    kt_size: int
    version: int = VERSION
    suite: int = SUITE

    @classmethod
    def before(cls, room_id: bytes) -> "Head":
        """The head of a room that is not made yet."""
        return cls(room_id, -1, _NO_HASH, 0)

    @classmethod
    def of(cls, commit: Commit) -> "Head":
        """The head that a commit is, once it is accepted."""
        tbs = commit.tbs
        return cls(tbs.room_id, tbs.epoch, commit.commit_hash, tbs.kt_size, tbs.version, tbs.suite)


class Step(Struct, frozen=True):
    """What the ops of a commit make of a room.

    Args:
        state: The new state.
        committer: The committing device in the new roster; the one leaf that gets no wrap.
        external: Whether that device was not in the old roster (and it is not epoch 0).
        added: The entries of the new roster that the old one did not have.
        removed: The entries of the old roster that the new one does not have.
    """

    state: State
    committer: RosterEntry
    external: bool
    added: tuple[RosterEntry, ...]
    removed: tuple[RosterEntry, ...]


class Outcome(Step, frozen=True):
    """An accepted commit: what it makes of the room, and where the chain stands then."""

    head: Head

    @property
    def commit_hash(self) -> bytes:
        """The accepted commit's hash, 32 bytes."""
        return self.head.commit_hash

    @property
    def gone(self) -> tuple[bytes, ...]:
        """The devices that are in the room no more; not those that have only another leaf."""
        there = {entry.device_id for entry in self.state.roster}
        return tuple(entry.device_id for entry in self.removed if entry.device_id not in there)


class _Committer(Struct, frozen=True):
    """The committing device as its commit finds it, the policy then, and how many ops speak of entering the list.

    ``anew``: they strike first who the user was before an identity reset.
    """

    entry: RosterEntry
    actor: Actor
    policy: Policy
    enters_as: Role | None = None
    first_ops: int = 0
    anew: bool = False


def apply_commit(
    state: State | None,
    head: Head,
    commit: Commit,
    certificates: Mapping[bytes, DeviceFacts],
    facts: LogFacts,
    root_at: Callable[[int], bytes | None],
) -> Outcome:
    """Checks a commit in public and applies it.

    Args:
        state: The room as it is; None where the commit is to make it.
        head: The chain as it is; `Head.before` where the commit is to make the room.
        commit: The parsed commit.
        certificates: As `Evidence.certificates`: those of the old roster and of all Adds.
        facts: The log as far as it is known.
        root_at: The log's root at a size, 32 bytes; None for a size that is not known.

    Raises:
        LogBehind: The commit names a size of the log that is not known here.
        BadCommit: The commit does not fit the head, is not signed by the device that it names, or breaks a rule: then
            ``signed_by`` says who has signed it.
    """
    tbs, signed_by = commit.tbs, ""
    try:
        _check_place(state, head, tbs)
        evidence = Evidence(certificates, facts, tbs.kt_size)
        committer = _committer(state, tbs.room_id, tbs.committer_leaf, tbs.ops)
        verify_commit(commit, evidence.certificate(committer.entry).ed25519)
        signed_by = committer.entry.user
        _check_heads(state, committer, tbs)
        _check_log(head, tbs, facts, root_at)
        step = _step(state, tbs.room_id, committer, tbs.ops, evidence)
        if step.state.state_hash != tbs.state_hash:
            raise BadCommit("commit: makes another state than it says")
    except BadCommit as error:
        error.signed_by = signed_by
        raise
    except Reject as error:
        bad = BadCommit(error.detail)
        bad.signed_by = signed_by
        raise bad from None
    return Outcome(step.state, step.committer, step.external, step.added, step.removed, Head.of(commit))


def take_step(
    state: State | None, room_id: bytes, committer_leaf: int, ops: tuple[Op, ...], evidence: Evidence
) -> Step:
    """What `apply_commit` will make of ``ops``: for who prepares a commit and needs the new state before they sign.

    Args:
        state: The room as it is; None in epoch 0.
        room_id: The room's id, 16 bytes.
        committer_leaf: The committer's leaf; ``next_leaf`` from outside the roster, 0 in epoch 0.
        ops: The changes.
        evidence: Certificates, and the log with the size that the commit will name.

    Raises:
        BadCommit: The ops break a rule.
    """
    try:
        return _step(state, room_id, _committer(state, room_id, committer_leaf, ops), ops, evidence)
    except BadCommit:
        raise
    except Reject as error:
        raise BadCommit(error.detail) from None


# -- steps 1 to 4 and 6 of docs/rooms.rst 5.1: what the commit says of itself ------------------------------------------


def _check_place(state: State | None, head: Head, tbs: CommitTBS) -> None:
    if tbs.version < head.version or tbs.suite < head.suite:
        raise BadCommit("commit: version or suite goes down")
    if tbs.room_id != head.room_id:
        raise BadCommit("commit: for another room")
    if tbs.epoch != head.epoch + 1 or tbs.prev != head.commit_hash or (state is None) != (tbs.epoch == 0):
        raise BadCommit(f"commit: epoch {tbs.epoch} does not follow epoch {head.epoch} here")


def _check_heads(state: State | None, committer: _Committer, tbs: CommitTBS) -> None:
    """What the committer has seen is of senders there are; from outside one sees nothing."""
    senders = () if state is None or committer.actor.external else (entry.leaf for entry in state.roster)
    if not {each.leaf for each in tbs.heads} <= set(senders):
        raise BadCommit("commit: heads of no senders")


def _check_log(head: Head, tbs: CommitTBS, facts: LogFacts, root_at: Callable[[int], bytes | None]) -> None:
    if tbs.kt_size < head.kt_size:
        raise BadCommit("commit: an older log than the commit before")
    root = root_at(tbs.kt_size) if tbs.kt_size <= facts.size else None
    if root is None:
        raise LogBehind(f"commit: log size {tbs.kt_size}, {facts.size} known")
    if root != tbs.kt_root:
        raise OtherLog("commit: another log")


def _committer(state: State | None, room_id: bytes, leaf: int, ops: tuple[Op, ...]) -> _Committer:
    if state is None:
        return _creator(room_id, leaf, ops)
    entry = state.entry(leaf)
    if entry is None:
        return _outsider(state, leaf, ops)
    return _Committer(entry, Actor(entry.user, state.role(entry.user) or Role.BANNED, external=False), state.policy)


def _creator(room_id: bytes, leaf: int, ops: tuple[Op, ...]) -> _Committer:
    """Epoch 0: Create, SetMember of the creator, Add of the committing device as leaf 0, then the others."""
    match ops:
        case (Create(nonce, policy), SetMember(user, role, False), Add(entry), *_):
            pass
        case _:
            raise BadCommit("commit: epoch 0 does not begin with Create, SetMember, Add")
    due = Role.MEMBER if policy.kind.fixed else Role.OWNER
    if leaf != 0 or role is not due or entry.user != user:
        raise BadCommit("commit: epoch 0 does not begin with its creator")
    if room_id != room_state.room_id(entry.cert_hash, nonce):
        raise BadCommit("commit: the room's id is not its creator's")
    return _Committer(entry, Actor(user, Role.OWNER, external=False), policy, enters_as=role, first_ops=2)


def _outsider(state: State, leaf: int, ops: tuple[Op, ...]) -> _Committer:
    """An external commit: [SetMembers of the own user,] Add of the own device, then what follows the log."""
    entering = tuple(takewhile(lambda op: isinstance(op, SetMember), ops))
    add = next(iter(ops[len(entering) :]), None)
    if leaf != state.next_leaf or not isinstance(add, Add) or add.entry.leaf != leaf:
        raise BadCommit("commit: not by a device of the room, and not external")
    user, role = add.entry.user, state.role(add.entry.user)
    if state.device(add.entry.device_id) is not None:
        raise BadCommit("commit: external, by a device of the room")
    if not entering and role:
        return _Committer(add.entry, Actor(user, role, external=True), state.policy)
    due = (SetMember(user, None), SetMember(user, Role.MEMBER)) if role else (SetMember(user, Role.MEMBER),)
    if entering == due and role is not Role.BANNED and state.policy.public:
        actor = Actor(user, Role.MEMBER, external=True)
        return _Committer(
            add.entry, actor, state.policy, enters_as=Role.MEMBER, first_ops=len(due), anew=role is not None
        )
    raise BadCommit("commit: external, by no member of a room that is not open to them")


# -- step 5: the ops ---------------------------------------------------------------------------------------------------


def _step(state: State | None, room_id: bytes, committer: _Committer, ops: tuple[Op, ...], evidence: Evidence) -> Step:
    draft = Draft(room_id, committer.actor, evidence, state, committer.policy)
    if committer.anew:
        draft.strike_self()
    if committer.enters_as is not None:
        draft.enter(committer.enters_as)
    for op in ops[committer.first_ops :]:
        draft.apply(op)
    new = draft.finish()
    old_roster = () if state is None else state.roster
    before, after = set(old_roster), set(new.roster)
    return Step(
        state=new,
        committer=_after(new, committer.entry, evidence),
        external=committer.actor.external,
        added=tuple(entry for entry in new.roster if entry not in before),
        removed=tuple(entry for entry in old_roster if entry not in after),
    )


def _after(new: State, committer: RosterEntry, evidence: Evidence) -> RosterEntry:
    """The committing device in the new roster, all of which is valid; with the same keys, if under a new certificate."""
    for entry in new.roster:
        if not evidence.valid(entry):
            raise BadCommit(f"commit: leaves a device in the room that is not valid, leaf {entry.leaf}")
    now = new.device(committer.device_id)
    if now is None or now.user != committer.user:
        raise BadCommit("commit: its committer is not in the new roster")
    if evidence.certificate(now).ed25519 != evidence.certificate(committer).ed25519:
        raise BadCommit("commit: its committer has other keys in the new roster")
    return now
