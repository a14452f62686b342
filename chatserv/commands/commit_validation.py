"""Validating a commit: the public checks of docs/protocol.rst 8, step 5, and what the store is to make of one."""

from collections import Counter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from chatserv.commands.agreeing import rooms_in
from chatserv.commands.context import Context
from chatserv.commands.lease_line import CommitLease
from chatserv.commands.room_registry import RoomRecord, leave_stands, members_of
from chatserv.crypto.commits import Add, BadCommit, Commit
from chatserv.crypto.log_leaves import ZEROS, removal_leaf, room_leaf
from chatserv.crypto.room_rules import Head, Outcome, apply_commit
from chatserv.crypto.room_state import Kind, Policy, State
from chatserv.crypto.suite import sha256
from chatserv.crypto.wraps import wraps_tree
from chatserv.domain.hub import LiveSession
from chatserv.domain.names import LOBBY, new_room_name, skeleton
from chatserv.domain.roles import Role
from chatserv.errors import BadKey, BadWraps, Forbidden, NameInvalid, NotAuthenticated, Quota, StaleCommit
from chatserv.models import CommitDraft, LeafDraft, WrapDraft

NOBODY: Final = bytes(16)  # in place of the id of an account that is gone
TURN_DEVICES: Final = (
    100  # of 300, either half of what is checked takes 2 ms: of more than these, each has its own turn
)


class Validated(Struct, frozen=True):
    """A commit that may be stored. ``joins``: it takes the committer into the list of a public room."""

    outcome: Outcome
    draft: CommitDraft
    joins: bool


class _Author(Struct, frozen=True):
    """Whose device has made a commit."""

    account_id: bytes
    device_id: bytes
    name: str


class _Movement(Struct, frozen=True):
    """Who comes and goes by a commit; see `CommitDraft`."""

    asked: tuple[str, ...]
    agreed: tuple[str, ...]
    gone: tuple[str, ...]


async def validate_offered(context: Context, encoded: bytes, seq: int, at_ms: int) -> Validated:
    """What a restored server makes of a commit that somebody offers for a place: the public checks alone count.

    It may be one that was made just now, so names are those that the server carries, and rooms as many as one may be in.

    Its wraps are gone; a device that has not opened its own has no keys of the epoch, until the next commit.

    Raises:
        BadCommit: It breaks a rule.
        StaleCommit: It does not follow the head, or names more of the log than was mended.
        NameInvalid, Forbidden, Quota: The server has never carried it.
    """
    commit = Commit.decode(encoded)
    record, outcome = await _apply(context, commit, commit.tbs.room_id)
    by = outcome.committer
    status = await context.store.account(by.user)
    author = _Author(NOBODY if status is None else status.account.account_id, by.device_id, by.user)
    role = Role.USER if status is None else status.account.role
    _check_policy(role, None if record is None else record.state, outcome.state.policy)
    movement = _movement(context, by.user, record, outcome.state)
    if record is None:
        await _check_rooms(context, by.user, outcome.state, movement)
    draft = _draft(context, author, record, commit, outcome, (), movement)
    logged = context.log.knows_commit(commit.commit_hash)
    leaves = () if logged else draft.leaves
    return Validated(
        outcome, replace(draft, at_seq=seq, at_ms=min(at_ms, context.now_ms()), leaves=leaves), joins=False
    )


async def _apply(context: Context, commit: Commit, room_id: bytes) -> tuple[RoomRecord | None, Outcome]:
    """What the rules of rooms make of a commit, and the room that it is for. Raises `BadCommit` or `StaleCommit`."""
    record = context.registry.get(room_id)
    hashes = [op.entry.cert_hash for op in commit.tbs.ops if isinstance(op, Add)]
    hashes += [] if record is None else [entry.cert_hash for entry in record.state.roster]
    certificates = await context.certificates.get(hashes)
    if commit.tbs.kt_size > context.log.size:  # another node may have told its author of that
        await context.backplane.current()
    record = context.registry.get(room_id)
    state, head = (None, Head.before(room_id)) if record is None else (record.state, record.head)
    if commit.tbs.room_id == head.room_id and (commit.tbs.epoch, commit.tbs.prev) != (head.epoch + 1, head.commit_hash):
        raise StaleCommit(f"commit: of epoch {commit.tbs.epoch}, {head.epoch} is current")
    return record, apply_commit(state, head, commit, certificates, context.log.facts, context.log.root_at)


async def validate(context: Context, session: LiveSession, lease: CommitLease, encoded: bytes) -> Validated:
    """Checks everything that is public about a commit.

    Raises:
        BadCommit: It breaks a rule, or is not by this session's device.
        NotAuthenticated: This session was ended meanwhile, perhaps on another node.
        StaleCommit: It does not follow the head, or knows too little of the log.
        BadWraps: Its wraps are not those that were uploaded.
        BadKey: A device that it adds has no prekeys here.
        NameInvalid, Forbidden, Quota: The server does not carry it.
    """
    commit = Commit.decode(encoded)
    await context.backplane.current()  # first: a device that was revoked elsewhere takes nobody in
    if session.expelled:
        raise NotAuthenticated("commit: of a session that has ended")
    record, outcome = await _apply(context, commit, lease.room_id)
    if len(lease.staged) > TURN_DEVICES:
        await context.effects.pause(0)
    state = None if record is None else record.state
    if (outcome.committer.device_id, outcome.committer.user) != (session.device_id, session.name):
        raise BadCommit("commit: by another device than this session's")
    if context.log.overlooks(commit.tbs.kt_size):
        raise StaleCommit("commit: a leaf of the log is older than it may be unknown")
    _check_policy(session.role, state, outcome.state.policy)
    movement = _movement(context, session.name, record, outcome.state)
    await _check_quota(context, session, outcome.state, movement)
    await _check_prekeys(context, outcome)
    wraps = _wraps(lease, outcome, commit.tbs.wraps_root)
    author = _Author(session.account_id, session.device_id, session.name)
    draft = _draft(context, author, record, commit, outcome, wraps, movement)
    joins = outcome.external and _is_listed_anew(session.name, state, outcome.state)
    return Validated(outcome, draft, joins)


def _is_listed_anew(user: str, before: State | None, after: State) -> bool:
    """Whether a commit takes a user into the list who was not in it, or was somebody else before a reset."""
    old, new = None if before is None else before.member(user), after.member(user)
    return new is not None and (old is None or old.kt_added != new.kt_added)


def _check_policy(role: Role, state: State | None, policy: Policy) -> None:
    if not policy.name or (state is not None and state.policy.name == policy.name):
        return
    if new_room_name(policy.name) != policy.name:
        raise NameInvalid("room name: not in canonical form")
    if skeleton(policy.name) == skeleton(LOBBY) and (state is not None or role < Role.ADMIN):
        raise Forbidden("room name: the lobby is made by an administrator")


def _movement(context: Context, own: str, record: RoomRecord | None, new: State) -> _Movement:
    leaves = {} if record is None else record.leaves
    before = set() if record is None else set(record.members)
    after = set(members_of(new, {user: leave for user, leave in leaves.items() if leave_stands(new, user, leave)}))
    invited = None
    if record is not None:
        invited = context.registry.invitations.get(own, record.room_id)
    by_themselves = own in after and (own not in before or invited is not None)
    return _Movement(
        asked=tuple(sorted(after - before - {own})),
        agreed=(own,) if by_themselves else (),
        gone=tuple(sorted(before - after)),
    )


async def _check_quota(context: Context, session: LiveSession, new: State, movement: _Movement) -> None:
    """Whoever takes others in stays within what one account may; nobody else is refused for that."""
    await _check_rooms(context, session.name, new, movement)
    mine = [each for each in await context.store.offers(movement.asked) if each.inviter == session.name]
    left = Counter(each.user for each in mine if (each.user, each.room_id) not in context.registry.agreeing)
    if max(left.values(), default=0) >= context.config.limits.offers_per_inviter:
        raise Quota("commit: a user has not agreed to so many rooms of the same inviter")


async def _check_rooms(context: Context, user: str, new: State, movement: _Movement) -> None:
    """The room of one's own devices is none of people, and does not count."""
    if not movement.agreed or new.policy.kind is Kind.DEVICES:
        return
    count = rooms_in(context, user, await context.store.memberships(user))
    if count >= context.config.limits.rooms_per_account:
        raise Quota("commit: the user is in as many rooms as an account may be")


async def _check_prekeys(context: Context, outcome: Outcome) -> None:
    """A device that nobody can wrap to would stop every later commit of those who may not remove it."""
    for entry in outcome.added:
        taken = await context.store.take_prekey(entry.device_id, one_time=False)
        if taken.signed is None:
            raise BadKey(f"commit: the device of leaf {entry.leaf} has no prekey here")


def _wraps(lease: CommitLease, outcome: Outcome, wraps_root: bytes) -> tuple[WrapDraft, ...]:
    """The wraps with their audit paths: exactly one for each leaf of the new roster but the committer's."""
    due = [entry for entry in outcome.state.roster if entry.leaf != outcome.committer.leaf]
    staged = lease.staged
    if {entry.leaf for entry in due} != set(staged):
        raise BadWraps(f"commit: {len(staged)} wraps for {len(due)} devices, or for others")
    tree = wraps_tree(lease.hashes)
    if tree.root != wraps_root:
        raise BadWraps("commit: the wraps are others than it names")
    return tuple(WrapDraft(entry.device_id, staged[entry.leaf], tuple(tree.path(at))) for at, entry in enumerate(due))


def _draft(
    context: Context,
    author: _Author,
    record: RoomRecord | None,
    commit: Commit,
    outcome: Outcome,
    wraps: tuple[WrapDraft, ...],
    movement: _Movement,
) -> CommitDraft:
    policy, now_ms = outcome.state.policy, context.now_ms()
    names = "\0".join(sorted(member.user for member in outcome.state.members))
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
        pair=_pair(policy.kind, names),
        account_id=author.account_id,
        device_id=author.device_id,
        sender=author.name,
        body=commit.encoded,
        at_ms=now_ms,
        added=tuple(
            (entry.device_id, entry.leaf) for entry in outcome.added if before.get(entry.device_id) != entry.leaf
        ),
        removed=outcome.gone,
        left=_done_leaves(record, outcome.state),
        wraps=wraps,
        leaves=_log_leaves(context, record, commit, policy, now_ms, removes=bool(outcome.gone)),
        asked=movement.asked,
        agreed=movement.agreed,
        gone=movement.gone,
    )


def _pair(kind: Kind, users: str) -> bytes:
    """By what there is one room: of two people, and of the devices of one."""
    if kind is Kind.DEVICES:
        return sha256(b"chatserv1 devices", users.encode())
    return sha256(users.encode()) if kind is Kind.DM else b""


def broken_pair(context: Context, validated: Validated, room_id: bytes) -> bool:
    """Whether the room that has the pair of a new one gives it up: the log has ended an identity of one of its users since.

    Raises:
        StaleCommit: So it is, but whoever makes the new one does not know of it yet.
    """
    facts, record = context.log.facts, context.registry.get(room_id)
    if record is None or not any(facts.struck(each.user, each.kt_added, facts.size) for each in record.state.members):
        return False
    if any(facts.struck(each.user, each.kt_added, facts.size) for each in validated.outcome.state.members):
        raise StaleCommit("commit: the identity of a user was reset since")
    return True


def _done_leaves(record: RoomRecord | None, new: State) -> tuple[str, ...]:
    """The users whose Leaves are carried out, or can be carried out no more."""
    waiting = {} if record is None else record.leaves
    return tuple(user for user, leave in waiting.items() if not leave_stands(new, user, leave))


def _log_leaves(
    context: Context, record: RoomRecord | None, commit: Commit, policy: Policy, now_ms: int, *, removes: bool
) -> tuple[LeafDraft, ...]:
    """Each commit of a public room, one of another by which a device goes, the end of a name's use (docs/rooms.rst 8.1)."""
    server_id, room_id, leaves = context.log.server_id, commit.tbs.room_id, []
    if record is not None and record.name and record.name != policy.name:
        leaves.append(room_leaf(server_id, record.name, room_id, ZEROS, now_ms))
    if policy.name:
        leaves.append(room_leaf(server_id, policy.name, room_id, commit.commit_hash, now_ms))
    elif removes:
        leaves.append(removal_leaf(server_id, room_id, commit.commit_hash, now_ms))
    return tuple(LeafDraft(leaf.encode()) for leaf in leaves)
