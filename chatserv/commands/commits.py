"""The way of a commit: the lease, the wraps, the commit itself (docs/protocol.rst 8)."""

from typing import Final

from msgspec.structs import replace

from chatserv.commands.access import Access, refusal
from chatserv.commands.agreeing import agree, make_way
from chatserv.commands.commit_validation import Validated, broken_pair, validate
from chatserv.commands.context import Context
from chatserv.commands.keys import note_used
from chatserv.commands.lease_line import CommitLease, Urgency
from chatserv.commands.leaving import close_if_deserted
from chatserv.commands.rate_limits import Share
from chatserv.commands.room_registry import RoomRecord
from chatserv.crypto.commits import BadCommit
from chatserv.crypto.room_rules import Head
from chatserv.crypto.room_state import MAX_DEVICES, Role
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadWraps, Quota, RateLimited, RoomFull, StaleCommit, WireError
from chatserv.failpoints import failpoint
from chatserv.models import Appended, PairTaken
from chatserv.wire import messages

HOUR_SECONDS: Final = 3600.0
DAY_SECONDS: Final = 86_400.0
MAX_STAGED: Final = 2 * MAX_DEVICES  # wraps kept for one session, 3 MB


async def begin(context: Context, session: LiveSession, command: messages.BeginCommit) -> messages.Lease:
    """Answers when it is the session's turn, with the head of the room and the Leaves that wait."""
    _check_beginning(context, session, command)
    urgency = _urgency(context, session, command)
    lease = await context.leases.begin(
        command.room, session, is_new=command.new, urgency=urgency, seconds=_lease_seconds(context, command.room)
    )
    try:
        # The room may have changed while we waited.
        refused = refusal(context, session, Access.LISTED_OR_NEW, command, muted_may=True)
        if refused is not None:
            raise refused
        _check_beginning(context, session, command)
    except WireError:
        context.leases.release(lease)
        raise
    record, seconds = context.registry.get(command.room), _lease_seconds(context, command.room)
    context.leases.start(lease, seconds)
    failpoint("commit.leased")
    head = Head.before(command.room) if record is None else record.head
    leaves = () if record is None else tuple(record.leaves.values())
    return messages.Lease(command.label, head.epoch, head.commit_hash, head.kt_size, seconds, leaves)


def _lease_seconds(context: Context, room_id: bytes) -> float:
    record, limits = context.registry.get(room_id), context.config.limits
    devices = MAX_DEVICES if record is None else len(record.state.roster)
    return limits.lease_seconds + limits.lease_device_seconds * devices


def _urgency(context: Context, session: LiveSession, command: messages.BeginCommit) -> Urgency:
    """How urgent a commit is that is said to be: only who may remove somebody has anything urgent to do."""
    record = context.registry.get(command.room)
    role = None if record is None else record.role(session.name)
    if record is None or not role or not command.urgent:
        return Urgency.ORDINARY
    if role >= Role.MODERATOR:
        return Urgency.MODERATION
    facts, size = context.log.facts, context.log.size
    valid = {entry.user: facts.certificates(entry.user, size) for entry in record.state.roster}
    due = any(entry.cert_hash not in valid[entry.user] for entry in record.state.roster)
    return Urgency.DUE if due else Urgency.ORDINARY


def _check_beginning(context: Context, session: LiveSession, command: messages.BeginCommit) -> None:
    context.flow.check(Share.REFUSED_COMMITS, session.account_id)
    record = context.registry.get(command.room)
    if record is None:
        context.flow.check(Share.ROOMS, session.account_id)
        return
    if command.new:
        raise StaleCommit("lease: there is such a room already")
    wait = context.rates.commits.wait(
        (session.device_id, command.room), _hourly(context, session, record), HOUR_SECONDS
    )
    if record.role(session.name) is None:
        joins = context.config.limits.joins_per_day
        wait = max(wait, context.rates.joins.wait((session.account_id, command.room), joins, DAY_SECONDS))
    if wait > 0:
        raise RateLimited("commits of this room", after_seconds=wait)
    outside = record.state.device(session.device_id) is None
    if outside and len(record.state.roster) >= record.state.policy.max_devices:
        raise RoomFull(f"{len(record.state.roster)} devices")


def _hourly(context: Context, session: LiveSession, record: RoomRecord | None) -> int:
    limits = context.config.limits
    role = None if record is None else record.role(session.name)
    moderates = role is not None and role >= Role.MODERATOR
    return limits.commits_per_hour_moderator if moderates else limits.commits_per_hour


async def end(context: Context, session: LiveSession, command: messages.EndCommit) -> messages.Ok:
    """Gives the lease back, or the place in the line for it; harmless where there is none."""
    context.leases.give_back(command.room, session)
    return messages.Ok(command.label)


async def put_wraps(context: Context, session: LiveSession, command: messages.PutWraps) -> messages.Ok:
    """Keeps wraps until the commit comes. Raises `Quota` above as many as the room can have devices."""
    lease = context.leases.require(command.room, session)
    record = context.registry.get(command.room)
    epoch = 0 if record is None else record.head.epoch + 1
    if command.epoch != epoch:
        raise StaleCommit(f"wraps: of epoch {command.epoch}, {epoch} is next")
    most = MAX_DEVICES
    if record is not None:
        most = max(record.state.policy.max_devices, len(record.state.roster))
    staged = dict(command.wraps)
    more = len(staged.keys() - lease.staged.keys())
    if len(lease.staged) + more > most or context.leases.staged(session) + more > MAX_STAGED:
        raise Quota(f"wraps: more than {most}, or too many for several rooms")
    lease.stage(staged)
    failpoint("commit.wraps_kept")
    return messages.Ok(command.label)


async def put_commit(
    context: Context, session: LiveSession, command: messages.PutCommit
) -> messages.Committed | messages.Existing:
    """Validates the commit and stores it; whatever comes of it, the lease is over then."""
    lease = context.leases.require(command.room, session)
    context.leases.submit(lease)
    try:
        validated = await _validate(context, session, lease, command)
        failpoint("commit.validated")
        lease.used = True
        _count_made(context, session, validated)
        note_used(context, lease, (wrap.device_id for wrap in validated.draft.wraps))
        return await _store(context, command, validated)
    finally:
        context.leases.release(lease)
        await close_if_deserted(context, context.registry.get(command.room))


async def _validate(
    context: Context, session: LiveSession, lease: CommitLease, command: messages.PutCommit
) -> Validated:
    """Validates the commit and counts it, also where it is bad."""
    key = (session.device_id, command.room)
    try:
        validated = await validate(context, session, lease, command.commit)
    except WireError as error:
        if isinstance(error, (BadCommit, BadWraps)):
            context.rates.commits.take(key)
        context.flow.take(Share.REFUSED_COMMITS, session.account_id)
        raise
    context.rates.commits.take(key)
    if validated.joins:
        context.rates.joins.take((session.account_id, command.room))
    return validated


def _count_made(context: Context, session: LiveSession, validated: Validated) -> None:
    """Counts what a commit makes that stays. Raises `RateLimited` where the account has made as much as it may in a day."""
    draft, flow = validated.draft, context.flow
    record = context.registry.get(draft.room_id)
    named = bool(draft.name) and (record is None or record.name != draft.name)
    made = {Share.ROOMS: int(record is None), Share.NAMES: int(named), Share.LEAVES: len(draft.leaves)}
    for share, count in made.items():
        flow.check(share, session.account_id, count)
    for share, count in made.items():
        flow.take(share, session.account_id, count)


async def _store(
    context: Context, command: messages.PutCommit, validated: Validated
) -> messages.Committed | messages.Existing:
    draft = validated.draft
    context.registry.have_at_hand(draft.commit_hash, validated.outcome.state)
    context.log.tell_up_to(draft.kt_size)  # else each in the room would ask for the leaves that it was made with
    try:
        result = await context.store.commit(draft)
        if isinstance(result, PairTaken):
            await context.backplane.load(result.room_id)
        if isinstance(result, PairTaken) and broken_pair(context, validated, result.room_id):
            result = await context.store.commit(replace(draft, replaces=result.room_id))
    finally:
        context.registry.let_go(draft.commit_hash)
    failpoint("commit.stored")
    if isinstance(result, PairTaken):
        await agree(context, draft.sender, [result.room_id])
        return messages.Existing(command.label, result.room_id)
    if not isinstance(result, Appended):
        raise StaleCommit(f"commit: epoch {result.epoch} is current")
    await context.backplane.reached(draft.room_id, result.event.seq)
    await make_way(context, draft.asked)
    if draft.leaves:
        await context.log.covered()
    return messages.Committed(command.label, result.event.seq)
