"""A room's state while the ops of a commit apply: who may do what to members, devices and policy.

See docs/rooms.rst 5.2.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from chatserv.crypto.commits import Add, BadCommit, Create, Leave, Op, Remove, SetMember, SetPolicy, verify_leave
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.room_state import (
    LEAF_LIMIT,
    MAX_USER_DEVICES,
    Kind,
    Member,
    Policy,
    Role,
    RosterEntry,
    State,
)
from chatserv.crypto.roster import Roster
from chatserv.crypto.statements import DeviceFacts


class Evidence(Struct, frozen=True):
    """What a commit is validated by, the same for everybody.

    Args:
        certificates: What the certificates of the old roster and of all Adds say, by their hashes. Each is verified
            (`chatserv.crypto.statements.verify_certificate`) under the identity key whose fingerprint it names.
        facts: The log, known up to ``kt_size`` at least.
        kt_size: The size of the log at which the commit is validated.
    """

    certificates: Mapping[bytes, DeviceFacts]
    facts: LogFacts
    kt_size: int

    def certificate(self, entry: RosterEntry) -> DeviceFacts:
        """What the entry's certificate says. Raises `BadCommit` where it is not at hand or for another device."""
        device = self.certificates.get(entry.cert_hash)
        if device is None:
            raise BadCommit(f"leaf {entry.leaf}: no such certificate")
        if (device.user, device.device_id) != (entry.user, entry.device_id):
            raise BadCommit(f"leaf {entry.leaf}: the certificate of another device")
        return device

    def valid(self, entry: RosterEntry) -> bool:
        """Whether the entry's certificate is valid at ``kt_size`` (docs/rooms.rst 3.2). Raises `BadCommit` as
        `certificate`.
        """
        return self.facts.certificate_valid(self.certificate(entry), entry.cert_hash, self.kt_size)

    def struck(self, member: Member) -> bool:
        """Whether the log has an identity reset of the member, or their end, since they were added."""
        return self.facts.struck(member.user, member.kt_added, self.kt_size)


class Actor(Struct, frozen=True):
    """Who commits: the user, their role in the old state (epoch 0: owner), and whether from outside the old roster."""

    user: str
    authority: Role
    external: bool


class Draft:
    """The state that the ops so far have made.

    Args:
        room_id: For the signatures of Leaves.
        actor: Who commits.
        evidence: What is validated by.
        old: The state before the commit; None in epoch 0.
        policy: That of ``old``; in epoch 0 the one that the Create brings.
    """

    def __init__(self, room_id: bytes, actor: Actor, evidence: Evidence, old: State | None, policy: Policy) -> None:
        self._room_id = room_id
        self._actor = actor
        self._evidence = evidence
        self._first = old is None
        self._policy = policy
        self._members = {} if old is None else {member.user: member for member in old.members}
        self._roster = Roster((), 0) if old is None else Roster(old.roster, old.next_leaf)

    def apply(self, op: Op) -> None:
        """Applies one op. Raises `BadCommit` where it is not allowed to this actor in this state."""
        if self._first and not isinstance(op, SetMember | Add):
            raise BadCommit(f"{type(op).__name__}: not in epoch 0")
        if self._actor.external and not isinstance(op, Add | Remove | Leave):
            raise BadCommit(f"{type(op).__name__}: not in an external commit")
        if self._policy.kind.fixed and not self._first and not isinstance(op, Add | Remove):
            raise BadCommit(f"{type(op).__name__}: not where the members are the same for good")
        match op:
            case SetMember():
                if not self._may_set(op):
                    raise BadCommit(f"SetMember: {self._actor.authority.name} may not do that")
                self._set(op)
            case Add(entry):
                self._add(entry)
            case Remove(leaf):
                self._remove(leaf)
            case SetPolicy(policy):
                self._set_policy(policy)
            case Leave():
                self._leave(op)
            case Create():
                raise BadCommit("Create: not the first op of epoch 0")

    # -- users ---------------------------------------------------------------------------------------------------------

    def enter(self, role: Role) -> None:
        """Lists the actor themself: the creator of a room, or who joins a public one."""
        self._set(SetMember(self._actor.user, role))

    def strike_self(self) -> None:
        """Takes out who the actor was before their identity was reset. Raises `BadCommit` where it was not."""
        if not self._evidence.struck(self._members[self._actor.user]):
            raise BadCommit("commit: external, and the identity was not reset")
        self._set(SetMember(self._actor.user, None))

    def _may_set(self, op: SetMember) -> bool:
        record = self._members.get(op.user)
        authority = self._actor.authority
        if self._policy.kind.fixed:
            return self._policy.kind is Kind.DM and record is None and op.role is Role.MEMBER and not op.muted
        if op.user == self._actor.user:
            steps_down = record is not None and op.role and op.role < record.role and op.muted == record.muted
            return authority is Role.OWNER and bool(steps_down)
        if record is None:
            return self._may_list(op)
        if record.role is Role.BANNED:  # lifting comes before everything else
            return op.role in (None, Role.MEMBER) and authority >= Role.MODERATOR
        if op.role is None and self._evidence.struck(record):
            return True
        if authority < Role.MODERATOR or record.role >= authority:
            return False
        if op.role in (None, Role.BANNED):
            return True
        if op.role == record.role:
            return op.muted != record.muted
        return authority is Role.OWNER

    def _may_list(self, op: SetMember) -> bool:
        """Whether a user who is not in the list may be set so."""
        authority = self._actor.authority
        if op.role is Role.BANNED:
            return authority >= Role.MODERATOR
        if op.role is Role.MEMBER:
            return authority >= Role.MODERATOR or (self._policy.members_add and not op.muted)
        return op.role is not None and authority is Role.OWNER

    def _set(self, op: SetMember) -> None:
        record = self._members.pop(op.user, None)
        if not op.role:
            self._roster.drop(op.user)
        if op.role is Role.BANNED:
            self._members[op.user] = Member(op.user, Role.BANNED)
        elif op.role is not None:
            kt_added = record.kt_added if record is not None and record.role else self._evidence.kt_size
            self._members[op.user] = Member(op.user, op.role, op.muted, kt_added)

    def _leave(self, op: Leave) -> None:
        entry = self._roster.by_leaf.get(op.leaf)
        if entry is None:
            raise BadCommit(f"Leave: no leaf {op.leaf}")
        verify_leave(op, self._room_id, self._evidence.certificate(entry).ed25519)
        muted = self._members[entry.user].muted
        self._set(SetMember(entry.user, Role.BANNED if muted else None))

    # -- devices -------------------------------------------------------------------------------------------------------

    def _add(self, entry: RosterEntry) -> None:
        member = self._members.get(entry.user)
        if member is None or not member.role:
            raise BadCommit("Add: a device of no member")
        if entry.leaf != self._roster.next_leaf or entry.leaf >= LEAF_LIMIT:
            raise BadCommit(f"Add: leaf {entry.leaf}, the next one is {self._roster.next_leaf}")
        if self._roster.has_device(entry.device_id):
            raise BadCommit("Add: the device is there")
        if len(self._roster) >= self._policy.max_devices:
            raise BadCommit("Add: the room is full")
        if len(self._roster.leaves(entry.user)) >= MAX_USER_DEVICES:
            raise BadCommit("Add: too many devices of one user")
        if self._evidence.struck(member):
            raise BadCommit("Add: the user's identity was reset, or the account is gone")
        if not self._evidence.valid(entry):
            raise BadCommit("Add: the certificate is not valid")
        self._roster.add(entry)

    def _remove(self, leaf: int) -> None:
        entry = self._roster.by_leaf.get(leaf)
        if entry is None:
            raise BadCommit(f"Remove: no leaf {leaf}")
        free = entry.user == self._actor.user or self._actor.authority >= Role.MODERATOR
        if (self._actor.external or not free) and self._evidence.valid(entry):
            raise BadCommit("Remove: the certificate is valid")
        self._roster.take(leaf)

    # -- the room ------------------------------------------------------------------------------------------------------

    def _set_policy(self, policy: Policy) -> None:
        if self._actor.authority is not Role.OWNER:
            raise BadCommit("SetPolicy: for owners")
        if policy.kind is not self._policy.kind:
            raise BadCommit("SetPolicy: the kind never changes")
        self._policy = policy

    def _heir(self) -> Member | None:
        """Who becomes the owner of a room that has members and no owner."""
        there = [member for member in self._members.values() if member.role]
        if self._policy.kind.fixed or not there or any(member.role is Role.OWNER for member in there):
            return None
        by_leaf = [self._members[entry.user] for entry in self._roster.in_order()]
        moderators = (member for member in by_leaf if member.role is Role.MODERATOR)
        first = min(there, key=lambda member: member.user)
        return next(moderators, by_leaf[0] if by_leaf else first)

    def finish(self) -> State:
        """The new state. Raises `Reject` where it is none that a room can have."""
        heir = self._heir()
        if heir is not None:
            self._members[heir.user] = replace(heir, role=Role.OWNER)
        members = tuple(member for _, member in sorted(self._members.items()))
        return State(self._roster.next_leaf, self._policy, members, tuple(self._roster.in_order()))
