"""Rooms under random commits: whatever the rules allow keeps what the rules promise."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.commits import Add, BadCommit, Commit, Op, Remove, SetMember, SetPolicy
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.room_rules import Head, apply_commit
from chatserv.crypto.room_state import Kind, Policy, Role, RosterEntry, State
from tests.support.rooms import DEVICES, DIRECT, OPEN, PRIVATE, PUBLIC, SERVER_ID, Device, Room, World

USERS = ("alice", "bob", "carol", "dora", "emil")
NAMES = ("first", "second", "third")
POLICIES = (PRIVATE, OPEN, PUBLIC, Policy(Kind.ROOM, public=True, name="lobby", max_devices=4))

users = st.sampled_from(USERS)
picks = st.integers(0, 40)
roles = st.sampled_from([None, *Role])
wishes = st.tuples(
    st.sampled_from(["set", "set", "set", "add", "add", "remove", "leave", "policy"]),
    users,
    roles,
    st.booleans(),
    picks,
)

Wish = tuple[str, str, Role | None, bool, int]


class Rooms(RuleBasedStateMachine):
    """One room; its log, its accounts and everybody's devices move on at random."""

    taken = 0
    refused = 0

    @initialize(policy=st.sampled_from([*POLICIES, DIRECT, DEVICES]))
    def make(self, policy: Policy) -> None:
        """Accounts with a device each, and a room of two, or of one user's two devices."""
        self.world = World()
        self.devices = [self.world.account(user) for user in USERS]
        self.given: dict[int, RosterEntry] = {}
        self.next_leaf = 0
        if policy is DEVICES:
            self.devices.append(self.world.device("alice", "second"))
        other = self.devices[-1 if policy is DEVICES else 1]
        self.room: Room = self.world.room(self.devices[0], other, policy=policy)

    # -- the log -------------------------------------------------------------------------------------------------------

    def lives(self, user: str) -> bool:
        """Whether the account is there."""
        return self.world.facts.identity(user, self.world.size) is not None

    @rule(what=st.sampled_from(["enrol"] * 6 + ["revoke", "rotate", "reset", "gone"]), user=users, pick=picks)
    def log(self, what: str, user: str, pick: int) -> None:
        """Something happens to an account that is there: mostly it has one more device."""
        if self.world.facts.identity(user, self.world.size) is None:
            return
        own = [device for device in self.devices if device.user == user]
        match what:
            case "enrol":
                self.devices.append(self.world.device(user, NAMES[pick % len(NAMES)]))
            case "revoke":
                self.world.revoke(own[pick % len(own)])
            case "rotate":
                self.devices += self.world.rotate(own[pick % len(own)])
            case "reset":
                self.devices.append(self.world.reset(user))
            case _ if pick > 30:
                self.world.gone(user)

    # -- the room ------------------------------------------------------------------------------------------------------

    def invalid(self) -> list[RosterEntry]:
        """The devices that the next commit has to remove."""
        evidence = self.room.evidence()
        return [entry for entry in self.room.state.roster if not evidence.valid(entry)]

    def entering(self, device: Device) -> list[Op]:
        """What a device from outside begins with."""
        if self.room.state.device(device.device_id) is not None:
            return []
        add, member = Add(self.room.entry(device)), self.room.state.member(device.user)
        if member is None or not member.role:
            return [SetMember(device.user, Role.MEMBER), add]
        if self.room.evidence().struck(member) and self.room.state.policy.public:
            return [SetMember(device.user, None), SetMember(device.user, Role.MEMBER), add]
        return [add]

    def op(self, wish: Wish, ahead: int) -> Op:
        """The op that a wish means now."""
        what, user, role, flag, pick = wish
        roster = self.room.state.roster
        match what:
            case "set":
                return SetMember(user, role, flag and bool(role))
            case "add":
                return Add(self.room.entry(self.devices[pick % len(self.devices)], ahead))
            case "remove":
                return Remove(roster[pick % len(roster)].leaf)
            case "leave":
                entry = roster[pick % len(roster)]
                device = next(each for each in self.devices if each.device_id == entry.device_id)
                return self.room.leave(device)
            case _:
                return SetPolicy(POLICIES[pick % len(POLICIES)])

    @rule(pick=picks, wanted=st.lists(wishes, max_size=3), tidy=st.booleans())
    def anybody(self, pick: int, wanted: list[Wish], tidy: bool) -> None:
        """Some device commits, in the room or not."""
        self.commit(self.devices[pick % len(self.devices)], wanted, tidy)

    @rule(pick=picks, wanted=st.lists(wishes, max_size=1))
    def somebody_valid(self, pick: int, wanted: list[Wish]) -> None:
        """A device that is valid commits, and tidies up."""
        evidence = self.room.evidence()
        valid = [device for device in self.devices if evidence.valid(device.entry(0))]
        if valid:
            self.commit(valid[pick % len(valid)], wanted, tidy=True)

    @rule(pick=picks, wanted=st.lists(wishes, min_size=1, max_size=2))
    def owner(self, pick: int, wanted: list[Wish]) -> None:
        """A device of an owner, or of one of the two of a direct message, commits, and tidies up."""
        state = self.room.state
        most = max(member.role for member in state.members)
        leaves = [entry for entry in state.roster if state.role(entry.user) is most] or state.roster
        entry = leaves[pick % len(leaves)]
        self.commit(next(each for each in self.devices if each.device_id == entry.device_id), wanted, tidy=True)

    def commit(self, device: Device, wanted: list[Wish], tidy: bool) -> None:
        """The device commits these ops, and with ``tidy`` the Removes that the log asks for."""
        ops = self.entering(device)
        if tidy:
            ops += [Remove(entry.leaf) for entry in self.invalid()]
        ahead = sum(isinstance(op, Add) for op in ops)
        for wish in wanted:
            op = self.op(wish, ahead)
            ops.append(op)
            ahead += isinstance(op, Add)
        commit = self.room.sealed(device, *ops)
        before, head = self.room.state, self.room.head
        try:
            outcome = self.room.accept(commit)
        except BadCommit:
            Rooms.refused += 1
            assert (self.room.state, self.room.head) == (before, head)
            return
        Rooms.taken += 1
        assert outcome.committer in outcome.state.roster
        assert outcome.external == (before.entry(commit.tbs.committer_leaf) is None)
        assert set(before.roster) - set(outcome.removed) | set(outcome.added) == set(outcome.state.roster)
        assert not self.invalid()
        self.replay(commit)

    def replay(self, commit: Commit) -> None:
        """What was taken once is refused from then on."""
        try:
            self.room.validate(commit)
        except BadCommit:
            return
        raise AssertionError("a commit was taken twice")

    # -- what holds always ---------------------------------------------------------------------------------------------

    @invariant()
    def in_order(self) -> None:
        """Members and roster are sorted, nobody banned or unknown has a device, the room is owned and not too full."""
        state = self.room.state
        names = [member.user.encode() for member in state.members]
        leaves = [entry.leaf for entry in state.roster]
        there = {member.user for member in state.members if member.role >= Role.MEMBER}
        assert names == sorted(set(names))
        assert leaves == sorted(set(leaves))
        assert {entry.user for entry in state.roster} <= there
        assert len({entry.device_id for entry in state.roster}) == len(leaves)
        assert all(len(state.devices_of(user)) <= 10 for user in there)
        assert leaves
        if state.policy.kind is Kind.DM:
            assert [(member.user, member.role) for member in state.members] == [("alice", 1), ("bob", 1)]
        elif state.policy.kind is Kind.DEVICES:
            assert [(member.user, member.role) for member in state.members] == [("alice", 1)]
            assert {entry.user for entry in state.roster} == {"alice"}
        else:
            assert any(member.role is Role.OWNER for member in state.members)

    @invariant()
    def numbers_are_given_once(self) -> None:
        """A number belongs to one device under one certificate for good."""
        state = self.room.state
        assert state.next_leaf >= self.next_leaf
        for entry in state.roster:
            assert entry.leaf < state.next_leaf
            assert entry.leaf < self.next_leaf or entry.leaf not in self.given
            assert self.given.setdefault(entry.leaf, entry) == entry
        self.next_leaf = state.next_leaf

    @invariant()
    def bytes_and_back(self) -> None:
        """A state is what its bytes say, and the last commit names its hash."""
        state = self.room.state
        read = State.decode(state.encoded)
        assert read == state
        assert read.state_hash == state.state_hash == self.room.chain[-1].tbs.state_hash

    def teardown(self) -> None:
        """A newcomer who replays the chain, with the log of the end, comes to the same state."""
        if not hasattr(self, "room"):
            return
        state, head = None, Head.before(self.room.room_id)
        facts = LogFacts(SERVER_ID, self.world.leaves)
        for rotation in facts.undecided(facts.size):
            facts.decide(rotation, signed=True)
        for commit in self.room.chain:
            outcome = apply_commit(state, head, commit, self.world.certificates, facts, self.world.root_at)
            state, head = outcome.state, outcome.head
        assert (state, head) == (self.room.state, self.room.head)


class MachineTests(SynchronousTestCase):
    """The machine runs, and does something."""

    def test_random_commits(self) -> None:
        """Random commits by random devices keep every invariant; many are allowed, and many are not."""
        Rooms.taken = Rooms.refused = 0
        run_state_machine_as_test(Rooms, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))
        self.assertGreater(Rooms.taken, 10)
        self.assertGreater(Rooms.refused, 10)
