"""A room's state as bytes (docs/rooms.rst 4)."""

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import Reader, u32, v32
from chatserv.crypto.room_state import Kind, Member, Policy, Role, RosterEntry, State, room_id
from chatserv.crypto.suite import sha256
from chatserv.errors import Reject
from tests.support.mutations import mutations

POLICY = Policy(Kind.ROOM, public=True, history=True, slow_seconds=3, name="lobby", topic="all and nothing")
MEMBERS = (
    Member("alice", Role.OWNER, kt_added=2),
    Member("bob", Role.BANNED),
    Member("carol", Role.MODERATOR, kt_added=2**40),
    Member("d\u00f3ra", Role.MEMBER, muted=True, kt_added=7),
)
ROSTER = (
    RosterEntry(0, "alice", b"a" * 16, b"A" * 32),
    RosterEntry(3, "d\u00f3ra", b"d" * 16, b"D" * 32),
    RosterEntry(4, "alice", b"b" * 16, b"B" * 32),
)
STATE = State(9, POLICY, MEMBERS, ROSTER)
DM_STATE = State(
    2,
    Policy(Kind.DM),
    (Member("alice", Role.MEMBER, kt_added=1), Member("bob", Role.MEMBER, kt_added=1)),
    (RosterEntry(0, "bob", b"b" * 16, b"B" * 32),),
)


def raw(members: tuple[Member, ...] = MEMBERS, roster: tuple[RosterEntry, ...] = ROSTER, next_leaf: int = 9) -> bytes:
    """The bytes of a state, in whatever order."""
    lists = (b"".join(item.encode() for item in items) for items in (members, roster))
    return u32(next_leaf) + POLICY.encode() + b"".join(map(v32, lists))


class PolicyTests(SynchronousTestCase):
    """Policies."""

    def test_bytes(self) -> None:
        """The fields stand in the order of the specification."""
        self.assertEqual(
            POLICY.encode().hex(),
            "0001000101f400093a80000003e80003056c6f626279000f" + b"all and nothing".hex(),
        )
        reader = Reader(POLICY.encode(), "policy")
        self.assertEqual(Policy.read(reader), POLICY)
        reader.end()

    def test_flags(self) -> None:
        """Each of the three bytes behind the kind is 0 or 1."""
        data = bytearray(POLICY.encode())
        for at in range(1, 4):
            changed = bytes(data[:at]) + b"\x02" + bytes(data[at + 1 :])
            self.assertRaises(Reject, Policy.read, Reader(changed, "policy"))

    def test_bounds(self) -> None:
        """64 bytes of name, 1024 of topic and 1000 devices are allowed, and one more is not."""
        Policy(Kind.ROOM, public=True, name="n" * 64, topic="t" * 1024, max_devices=1000)
        for change in ({"name": "\u00e9" * 33}, {"topic": "t" * 1025}, {"max_devices": 1001}):
            self.assertRaises(Reject, replace, POLICY, **change)

    def test_private_rooms_have_no_name(self) -> None:
        """Name and topic are for public rooms alone; a public room has a name."""
        for change in ({"name": "n"}, {"topic": "t"}, {"public": True}, {"public": True, "topic": "t"}):
            self.assertRaises(Reject, Policy, Kind.ROOM, **change)
        Policy(Kind.ROOM, public=True, name="n")

    def test_fixed_kinds(self) -> None:
        """A direct message and a room of own devices are neither public nor for their members to add to."""
        for kind in (Kind.DM, Kind.DEVICES):
            for change in ({"public": True, "name": "n"}, {"members_add": True}):
                self.assertRaises(Reject, Policy, kind, **change)

    def test_kinds(self) -> None:
        """Each kind is read as it was written; one that there is not is refused."""
        for kind in Kind:
            data = Policy(kind).encode()
            self.assertEqual((data[0], Policy.read(Reader(data, "policy")).kind), (kind, kind))
        self.assertRaises(Reject, Policy.read, Reader(b"\x03" + Policy(Kind.DM).encode()[1:], "policy"))

    def test_text(self) -> None:
        """Names and topics are UTF-8 in NFC."""
        self.assertRaises(Reject, replace, POLICY, topic="e\u0301")
        for wrong in (b"\xff", b"\xed\xa0\x80"):
            data = POLICY.encode().replace(b"all and nothing"[: len(wrong)], wrong)
            self.assertRaises(Reject, Policy.read, Reader(data, "policy"))
            data = POLICY.encode().replace(b"lobby"[: len(wrong)], wrong)
            self.assertRaises(Reject, Policy.read, Reader(data, "policy"))


class StateTests(SynchronousTestCase):
    """States."""

    def test_round_trip(self) -> None:
        """A state is read as it was written, and its hash follows from the bytes."""
        for state in (STATE, DM_STATE):
            read = State.decode(state.encoded)
            self.assertEqual(read, state)
            self.assertEqual(read.state_hash, sha256(b"chatserv1 state" + state.encoded))
        self.assertEqual(raw(), STATE.encoded)

    def test_questions(self) -> None:
        """Members, devices and numbers are found."""
        self.assertEqual(STATE.member("bob"), MEMBERS[1])
        self.assertEqual((STATE.role("bob"), STATE.role("nobody")), (Role.BANNED, None))
        self.assertEqual((STATE.entry(3), STATE.entry(1)), (ROSTER[1], None))
        self.assertEqual((STATE.device(b"b" * 16), STATE.device(b"x" * 16)), (ROSTER[2], None))
        self.assertEqual(STATE.devices_of("alice"), (ROSTER[0], ROSTER[2]))

    def test_room_id(self) -> None:
        """A room's id follows from the creator's certificate and the nonce; 16 bytes."""
        self.assertEqual(room_id(b"c" * 32, b"n" * 32), sha256(b"chatserv1 room" + b"c" * 32 + b"n" * 32)[:16])

    def test_unsorted_or_doubled(self) -> None:
        """Members and roster are in order, and nobody is in them twice."""
        one, two, *_ = MEMBERS
        first, second, third = ROSTER
        for members in (
            (two, one, *MEMBERS[2:]),
            (one, one, *MEMBERS[1:]),
            (one, replace(one, muted=True), *MEMBERS[1:]),
        ):
            self.assertRaises(Reject, State.decode, raw(members))
        for roster in (
            (second, first, third),
            (first, first, second),
            (first, second, replace(third, leaf=3)),
            (first, second, replace(third, device_id=first.device_id)),
        ):
            self.assertRaises(Reject, State.decode, raw(roster=roster))

    def test_order_is_that_of_bytes(self) -> None:
        """Users are sorted by their bytes, beyond the Basic Multilingual Plane too."""
        names = sorted(("z", "\u00e9", "\uff61", "\U00010400"), key=str.encode)
        members = tuple(Member(name, Role.OWNER) for name in names)
        self.assertEqual(State.decode(raw(members, ())).members, members)
        self.assertRaises(Reject, State.decode, raw(members[::-1], ()))

    def test_impossible(self) -> None:
        """A device of no member or a banned one, a number not given out yet, and a room without owner are refused."""
        for roster in (
            (replace(ROSTER[0], user="bob"),),
            (replace(ROSTER[0], user="nobody"),),
            (replace(ROSTER[0], leaf=9),),
        ):
            self.assertRaises(Reject, State.decode, raw(roster=roster))
        self.assertRaises(Reject, State.decode, raw(MEMBERS[1:], ()))
        self.assertEqual(State.decode(raw(MEMBERS[1:2], ())).members, MEMBERS[1:2])

    def test_direct_message_of_two(self) -> None:
        """A direct message has two members of role 1, not muted."""
        alice, bob = DM_STATE.members
        for members in (
            (alice,),
            (),
            (alice, bob, Member("carol", Role.MEMBER)),
            (alice, replace(bob, role=Role.OWNER)),
            (alice, replace(bob, muted=True)),
        ):
            self.assertRaises(Reject, replace, DM_STATE, members=members, roster=())

    def test_devices_of_one(self) -> None:
        """A room of own devices has one member of role 1, not muted."""
        alice, bob = DM_STATE.members
        own = State(2, Policy(Kind.DEVICES), (alice,), ())
        for members in ((), (alice, bob), (replace(alice, role=Role.OWNER),), (replace(alice, muted=True),)):
            self.assertRaises(Reject, replace, own, members=members)

    def test_banned(self) -> None:
        """A banned record holds nothing else."""
        for change in ({"muted": True}, {"kt_added": 1}):
            self.assertRaises(Reject, Member, "bob", Role.BANNED, **change)

    def test_names_of_users(self) -> None:
        """User names have 1 to 32 characters, at most 64 bytes, and NFC."""
        Member("\u00e9" * 32, Role.MEMBER)
        for name in ("", "a" * 33, "\u5c71" * 22, "e\u0301"):
            self.assertRaises(Reject, Member, name, Role.MEMBER)
            self.assertRaises(Reject, RosterEntry, 0, name, bytes(16), bytes(32))

    def test_unknown_values(self) -> None:
        """Roles and flags that there are not are refused."""
        data = MEMBERS[2].encode()
        for at, value in ((6, 4), (6, 255), (7, 2)):
            changed = data[:at] + bytes([value]) + data[at + 1 :]
            self.assertRaises(Reject, Member.read, Reader(changed, "member"))

    def test_every_length(self) -> None:
        """A state cut short anywhere, or with a byte too many, is refused."""
        data = STATE.encoded
        for end in range(len(data)):
            self.assertRaises(Reject, State.decode, data[:end])
        self.assertRaises(Reject, State.decode, data + b"\x00")

    def test_mutations(self) -> None:
        """A changed state is refused, or is another state with just these bytes."""
        taken = 0
        for changed in mutations(STATE.encoded, "state"):
            try:
                state = State.decode(changed)
            except Reject:
                continue
            taken += 1
            self.assertEqual(State(*(getattr(state, name) for name in state.__struct_fields__)).encoded, changed)
        self.assertGreater(taken, 0)
