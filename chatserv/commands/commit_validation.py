"""Validating a commit: the public checks of docs/protocol.rst 8, step 5, and what the store is to make of one."""

from collections.abc import Mapping
from dataclasses import dataclass

from chatserv.commands.context import Context
from chatserv.commands.leases import CommitLease
from chatserv.commands.room_registry import RoomRecord, leave_stands, members_of
from chatserv.crypto.commits import Add, BadCommit, Commit
from chatserv.crypto.log_leaves import ZEROS, room_leaf
from chatserv.crypto.room_rules import Head, Outcome, apply_commit
from chatserv.crypto.room_state import Kind, Policy, State
from chatserv.crypto.suite import sha256
from chatserv.crypto.wraps import wrap_hash, wraps_tree
from chatserv.domain.hub import LiveSession
from chatserv.domain.names import LOBBY, room_name, skeleton
from chatserv.domain.roles import Role
from chatserv.errors import BadKey, BadWraps, Forbidden, NameInvalid, Quota, StaleCommit
from chatserv.models import CommitDraft, LeafDraft, WrapDraft


@dataclass(frozen=True)
class Validated:
    """A commit that may be stored. ``joins``: it takes the committer into the list of a public room."""

    outcome: Outcome
    draft: CommitDraft
    joins: bool


@dataclass(frozen=True)
class _Movement:
    """Who comes and goes by a commit; see `CommitDraft`."""

    asked: tuple[str, ...]
    agreed: tuple[str, ...]
    gone: tuple[str, ...]


async def validate(context: Context, session: LiveSession, lease: CommitLease, encoded: bytes) -> Validated:
    """Checks everything that is public about a commit.

    Raises:
        BadCommit: It breaks a rule, or is not by this session's device.
        StaleCommit: It does not follow the head, or knows too little of the log.
        BadWraps: Its wraps are not those that were uploaded.
        BadKey: A device that it adds has no prekeys here.
        NameInvalid, Forbidden, Quota: The server does not carry it.
    """
    commit = Commit.decode(encoded)
    record = context.registry.get(lease.room_id)
    hashes = [op.entry.cert_hash for op in commit.tbs.ops if isinstance(op, Add)]
    hashes += [] if record is None else [entry.cert_hash for entry in record.state.roster]
    certificates = await context.certificates.get(hashes)
    record = context.registry.get(lease.room_id)
    state, head = (None, Head.before(lease.room_id)) if record is None else (record.state, record.head)
    if commit.tbs.room_id == head.room_id and (commit.tbs.epoch, commit.tbs.prev) != (head.epoch + 1, head.commit_hash):
        raise StaleCommit(f"commit: of epoch {commit.tbs.epoch}, {head.epoch} is current")
    outcome = apply_commit(state, head, commit, certificates, context.log.facts, context.log.root_at)
    if (outcome.committer.device_id, outcome.committer.user) != (session.device_id, session.name):
        raise BadCommit("commit: by another device than this session's")
    if context.log.overlooks(commit.tbs.kt_size):
        raise StaleCommit("commit: a leaf of the log is older than it may be unknown")
    _check_policy(session, state, outcome.state.policy)
    movement = _movement(context, session, record, outcome.state)
    _check_quota(context, session, movement)
    await _check_prekeys(context, outcome)
    wraps = _wraps(lease.staged, outcome, commit.tbs.wraps_root)
    draft = _draft(context, session, record, commit, outcome, wraps, movement)
    return Validated(outcome, draft, outcome.external and state is not None and not state.role(session.name))


def _check_policy(session: LiveSession, state: State | None, policy: Policy) -> None:
    if not policy.name or (state is not None and state.policy.name == policy.name):
        return
    if room_name(policy.name) != policy.name:
        raise NameInvalid("room name: not in canonical form")
    if skeleton(policy.name) == skeleton(LOBBY) and (state is not None or session.role < Role.ADMIN):
        raise Forbidden("room name: the lobby is made by an administrator")


def _movement(context: Context, session: LiveSession, record: RoomRecord | None, new: State) -> _Movement:
    leaves = {} if record is None else record.leaves
    before = set() if record is None else set(record.members)
    after = set(members_of(new, {user: leave for user, leave in leaves.items() if leave_stands(new, user, leave)}))
    own, invited = session.name, None
    if record is not None:
        invited = context.registry.invitations.get(own, record.room_id)
    by_themselves = own in after and (own not in before or invited is not None)
    return _Movement(
        asked=tuple(sorted(after - before - {own})),
        agreed=(own,) if by_themselves else (),
        gone=tuple(sorted(before - after)),
    )


def _check_quota(context: Context, session: LiveSession, movement: _Movement) -> None:
    """Whoever takes others in stays within what one account may; nobody else is refused for that."""
    registry, limits = context.registry, context.config.limits
    if movement.agreed and registry.rooms_of(session.name) >= limits.rooms_per_account:
        raise Quota("commit: the user is in as many rooms as an account may be")
    for user in movement.asked:
        if registry.invitations.measured(user, session.name) >= limits.offers_per_inviter:
            raise Quota("commit: a user has not agreed to so many rooms of the same inviter")


async def _check_prekeys(context: Context, outcome: Outcome) -> None:
    """A device that nobody can wrap to would stop every later commit of those who may not remove it."""
    for entry in outcome.added:
        taken = await context.store.take_prekey(entry.device_id, one_time=False)
        if taken.signed is None:
            raise BadKey(f"commit: the device of leaf {entry.leaf} has no prekey here")


def _wraps(staged: Mapping[int, bytes], outcome: Outcome, wraps_root: bytes) -> tuple[WrapDraft, ...]:
    """The wraps with their audit paths: exactly one for each leaf of the new roster but the committer's."""
    due = [entry for entry in outcome.state.roster if entry.leaf != outcome.committer.leaf]
    if {entry.leaf for entry in due} != set(staged):
        raise BadWraps(f"commit: {len(staged)} wraps for {len(due)} devices, or for others")
    tree = wraps_tree({leaf: wrap_hash(wrap) for leaf, wrap in staged.items()})
    if tree.root != wraps_root:
        raise BadWraps("commit: the wraps are others than it names")
    return tuple(WrapDraft(entry.device_id, staged[entry.leaf], tuple(tree.path(at))) for at, entry in enumerate(due))


def _draft(
    context: Context,
    session: LiveSession,
    record: RoomRecord | None,
    commit: Commit,
    outcome: Outcome,
    wraps: tuple[WrapDraft, ...],
    movement: _Movement,
) -> CommitDraft:
    policy, now_ms = outcome.state.policy, context.now_ms()
    names = "\0".join(sorted(member.user for member in outcome.state.members))
    there = {entry.device_id for entry in outcome.state.roster}
    before = {} if record is None else {entry.device_id: entry.leaf for entry in record.state.roster}
    return CommitDraft(
        room_id=commit.tbs.room_id,
        epoch=commit.tbs.epoch,
        prev=commit.tbs.prev,
        commit_hash=commit.commit_hash,
        kt_size=commit.tbs.kt_size,
        state=outcome.state.encoded,
        name=policy.name,
        skeleton=skeleton(policy.name) if policy.name else "",
        pair=sha256(names.encode()) if policy.kind is Kind.DM else b"",
        account_id=session.account_id,
        device_id=session.device_id,
        sender=session.name,
        body=commit.encoded,
        at_ms=now_ms,
        added=tuple(
            (entry.device_id, entry.leaf) for entry in outcome.added if before.get(entry.device_id) != entry.leaf
        ),
        removed=tuple(entry.device_id for entry in outcome.removed if entry.device_id not in there),
        left=_done_leaves(record, outcome.state),
        wraps=wraps,
        leaves=_log_leaves(context, record, commit, policy, now_ms),
        asked=movement.asked,
        agreed=movement.agreed,
        gone=movement.gone,
    )


def _done_leaves(record: RoomRecord | None, new: State) -> tuple[str, ...]:
    """The users whose Leaves are carried out, or can be carried out no more."""
    waiting = {} if record is None else record.leaves
    return tuple(user for user, leave in waiting.items() if not leave_stands(new, user, leave))


def _log_leaves(
    context: Context, record: RoomRecord | None, commit: Commit, policy: Policy, now_ms: int
) -> tuple[LeafDraft, ...]:
    """Each commit of a public room, and the end of a name's use (docs/rooms.rst 8.1, type 8)."""
    server_id, room_id, leaves = context.log.server_id, commit.tbs.room_id, []
    if record is not None and record.name and record.name != policy.name:
        leaves.append(room_leaf(server_id, record.name, room_id, ZEROS, now_ms))
    if policy.name:
        leaves.append(room_leaf(server_id, policy.name, room_id, commit.commit_hash, now_ms))
    return tuple(LeafDraft(leaf.encode()) for leaf in leaves)
