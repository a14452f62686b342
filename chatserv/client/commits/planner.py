"""Plans the ops of commits: what somebody wants, behind what the log and the waiting Leaves ask for.

See docs/protocol.rst 8 and docs/rooms.rst 5.5.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from chatserv.client.commits.preparation import OpsMaker, Plan
from chatserv.client.state.context import ClientContext
from chatserv.client.verification.certificates import Certificates, NotReady
from chatserv.crypto.commits import Add, Create, Op, Remove, SetMember, SetPolicy
from chatserv.crypto.room_state import MAX_USER_DEVICES, Kind, Member, Policy, Role, RosterEntry, State
from chatserv.crypto.roster import Roster
from chatserv.errors import KeyChanged, NotFound, RoomFull

Wish = Callable[["Draft"], None]
"""What somebody wants of a commit: puts ops into the draft, or raises a `ChatError` where that makes no sense."""

_NOBODY: Final = Member("nobody", Role.BANNED)


@dataclass
class Draft:
    """The ops so far, and who is in the room after them; the rules validate them afterwards."""

    state: State
    ops: list[Op] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begins with the room as it stands."""
        self.members = {member.user: member for member in self.state.members}
        self.roster = Roster(self.state.roster, self.state.next_leaf)

    def member(self, user: str) -> Member:
        """The record of a member. Raises `NotFound` for who is none."""
        found = self.members.get(user, _NOBODY)
        if not found.role:
            raise NotFound(f"{user}: not in the room")
        return found

    def set_member(self, user: str, role: Role | None, *, muted: bool = False) -> None:
        """A SetMember, and what it does."""
        self.ops.append(SetMember(user, role, muted))
        if not role:
            self._drop(user)
        if role is None:
            self.members.pop(user, None)
        else:
            self.members[user] = Member(user, role, muted)

    def leave(self, op: Op, user: str) -> None:
        """A Leave, and what it does."""
        self.ops.append(op)
        self._drop(user)
        self.members.pop(user, None)

    def remove(self, leaf: int) -> None:
        """A Remove."""
        self.ops.append(Remove(leaf))
        self.roster.take(leaf)

    def add(self, user: str, device_id: bytes, cert_hash: bytes) -> None:
        """An Add under the next leaf."""
        entry = RosterEntry(self.roster.next_leaf, user, device_id, cert_hash)
        self.ops.append(Add(entry))
        self.roster.add(entry)

    def set_policy(self, policy: Policy) -> None:
        """A SetPolicy."""
        self.ops.append(SetPolicy(policy))

    def _drop(self, user: str) -> None:
        self.gone.add(user)
        self.roster.drop(user)


class Planner:
    """Makes planners.

    Args:
        context: What the client's parts share.
        certificates: Fetches those of devices that are to be added.
    """

    def __init__(self, context: ClientContext, certificates: Certificates) -> None:
        self._context, self._certificates = context, certificates

    def change(self, wish: Wish | None = None, *, only_if_due: bool = False) -> OpsMaker:
        """For a room that we are in. Without a wish: a rotation, or, ``only_if_due``, what the log asks for or nothing."""

        async def plan(given: Plan) -> list[Op] | None:
            draft = Draft(_state(given))
            self._follow_log(draft, given)
            if wish is not None:
                wish(draft)
            await self._add_devices(draft, given, [m.user for m in draft.members.values() if m.role])
            return None if only_if_due and not draft.ops else draft.ops

        return plan

    def due(self, state: State) -> bool:
        """Whether the log asks for a commit before anything is sent: a device of the room is not valid any more."""
        log, known = self._context.log, self._certificates.known
        self._certificates.missing(entry.cert_hash for entry in state.roster)  # those that are kept are known then
        return any(
            entry.cert_hash in known
            and not log.facts.certificate_valid(known[entry.cert_hash], entry.cert_hash, log.size)
            for entry in state.roster
        )

    def enter(self) -> OpsMaker:
        """For an external commit: joins a public room, or brings this device into a room of its user."""

        async def plan(given: Plan) -> list[Op] | None:
            state, context = _state(given), self._context
            draft = Draft(state)
            if draft.roster.has_device(context.device_id):
                return None
            if len(state.roster) >= state.policy.max_devices:
                raise RoomFull(f"{len(state.roster)} devices")
            own = draft.members.get(context.user, _NOBODY)
            if own.role and state.policy.public and given.evidence.struck(own):  # who we were before a reset
                draft.set_member(context.user, None)
            if not draft.members.get(context.user, _NOBODY).role:
                draft.set_member(context.user, Role.MEMBER)
            draft.add(context.user, context.device_id, context.cert_hash)
            self._take_leaves(draft, given)
            self._remove_invalid(draft, given)
            await self._add_devices(draft, given, [m.user for m in draft.members.values() if m.role])
            return draft.ops

        return plan

    def create(self, nonce: bytes, policy: Policy, others: Iterable[str] = ()) -> OpsMaker:
        """For a room that is to be made, with these users in it."""
        users = list(others)

        async def plan(given: Plan) -> list[Op]:
            context = self._context
            role = Role.MEMBER if policy.kind.fixed else Role.OWNER
            draft = Draft(_nobody_yet(policy))
            draft.ops.append(Create(nonce, policy))
            draft.set_member(context.user, role)
            draft.add(context.user, context.device_id, context.cert_hash)
            for user in users:
                self.require_unchanged(user)
                draft.set_member(user, Role.MEMBER)
            await self._add_devices(draft, given, [context.user, *users])
            for user in users:
                self.require_devices(draft, user)
            return draft.ops

        return plan

    def require_devices(self, draft: Draft, user: str) -> None:
        """Raises `NotFound` for a user that the log does not know, or `BadKey` for one without a device that is ready."""
        log = self._context.log
        if log.facts.identity(user, log.size) is None:
            raise NotFound(f"user {user}")
        if not draft.roster.leaves(user):
            raise NotReady(f"{user}: no device is ready yet")

    def require_unchanged(self, user: str) -> None:
        """Raises `KeyChanged` for a user whose identity is not the one that we know: whose devices we take in nowhere."""
        if self._context.pins.changed_among([user]):
            raise KeyChanged(f"{user}: to be accepted first")

    # -- what the log and the Leaves ask for ---------------------------------------------------------------------------

    def _follow_log(self, draft: Draft, given: Plan) -> None:
        self._take_leaves(draft, given)
        if draft.state.policy.kind is Kind.ROOM:
            for member in draft.state.members:
                if member.role and member.user not in draft.gone and given.evidence.struck(member):
                    draft.set_member(member.user, None)
        self._remove_invalid(draft, given)

    def _take_leaves(self, draft: Draft, given: Plan) -> None:
        for leave in given.leaves:
            entry = draft.roster.by_leaf.get(leave.leaf)
            if entry is not None:
                draft.leave(leave, entry.user)

    def _remove_invalid(self, draft: Draft, given: Plan) -> None:
        for entry in list(draft.roster.by_leaf.values()):
            if entry.device_id != self._context.device_id and not given.evidence.valid(entry):
                draft.remove(entry.leaf)

    async def _add_devices(self, draft: Draft, given: Plan, users: Iterable[str]) -> None:
        """Adds the devices of members that the log has and the room has not, as far as there is room.

        Those of somebody whose identity has changed are left to whoever has accepted that.
        """
        facts, size = given.evidence.facts, given.evidence.kt_size
        there = list(users)
        changed = self._context.pins.changed_among(there)
        wanted = {user: facts.certificates(user, size) for user in there if user not in changed}
        await self._certificates.fetch(cert_hash for hashes in wanted.values() for cert_hash in hashes)
        for user, hashes in wanted.items():
            before = draft.state.member(user)
            if before is not None and before.role and given.evidence.struck(before):
                continue
            for cert_hash in hashes:
                device = given.evidence.certificates[cert_hash]
                full = (
                    len(draft.roster) >= draft.state.policy.max_devices
                    or len(draft.roster.leaves(user)) >= MAX_USER_DEVICES
                )
                if full or draft.roster.has_device(device.device_id) or device.device_id in given.unready:
                    continue
                if not facts.certificate_valid(device, cert_hash, size):
                    continue
                draft.add(user, device.device_id, cert_hash)


def _state(given: Plan) -> State:
    if given.state is None:
        raise NotFound("room")
    return given.state


def _nobody_yet(policy: Policy) -> State:
    """What the draft of a new room begins with; direct messages of nobody are no `State`, so theirs is that of a room."""
    return State(0, Policy(Kind.ROOM, max_devices=policy.max_devices), (), ())
