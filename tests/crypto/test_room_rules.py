"""The rules of rooms one by one: docs/rooms.rst 5.1 to 5.3, by commits from inside the roster."""

from msgspec.structs import replace

from chatserv.crypto.commits import Add, BadCommit, Commit, Create, Op, Remove, SenderHead, SetMember, SetPolicy
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.room_draft import Evidence
from chatserv.crypto.room_rules import Head, LogBehind, apply_commit, take_step
from chatserv.crypto.room_state import Kind, Member, Policy, Role, room_id
from chatserv.crypto.suite import sha256
from tests.support.rooms import DEVICES, DIRECT, OPEN, PRIVATE, PUBLIC, SERVER_ID, Device, Room, RoomCase


class PlaceTests(RoomCase):
    """A commit fits one place of one chain."""

    def setUp(self) -> None:
        """A room of two."""
        super().setUp()
        self.alice, self.bob = self.accounts("alice bob")
        self.room = self.world.room(self.alice, self.bob)

    def test_rotation(self) -> None:
        """A commit without ops makes a new epoch of the same state."""
        before = self.room.state
        outcome = self.room.commit(self.bob)
        self.assertEqual(outcome.state, before)
        self.assertEqual((outcome.added, outcome.removed, outcome.external), ((), (), False))
        self.assertEqual(outcome.committer, before.entry(1))
        self.assertEqual(outcome.head.epoch, 1)
        self.assertEqual(outcome.commit_hash, self.room.chain[-1].commit_hash)

    def test_outcome(self) -> None:
        """An outcome names who came and who went."""
        carol = self.world.account("carol")
        old = self.room.state.entry(1)
        outcome = self.room.commit(
            self.alice, SetMember("bob", None), SetMember("carol", Role.MEMBER), Add(self.room.entry(carol))
        )
        self.assertEqual(outcome.removed, (old,))
        self.assertEqual(outcome.added, (carol.entry(2),))

    def test_replay(self) -> None:
        """A commit is taken once."""
        commit = self.room.sealed(self.alice)
        self.room.accept(commit)
        self.refused(self.room, commit, "does not follow")

    def test_forced_epoch(self) -> None:
        """A commit that leaves epochs out is refused."""
        self.refuse(self.room, self.alice, [], "does not follow", epoch=2)

    def test_genesis_replay(self) -> None:
        """The commit that made a room does not make it again, nor another room."""
        genesis = self.room.chain[0]
        self.room.commit(self.alice)
        self.refused(self.room, genesis, "does not follow")
        again = Room(self.world, self.room.room_id)
        again.accept(genesis)
        self.refused(Room(self.world, bytes(16)), genesis, "another room")

    def test_genesis_under_another_id(self) -> None:
        """A room's id follows from its creator's certificate and the nonce."""
        ops = self.room.chain[0].tbs.ops
        other = Room(self.world, bytes(16))
        self.refuse(other, self.alice, ops, "not its creator's")

    def test_genesis_in_a_room(self) -> None:
        """A room that there is takes no commit of epoch 0, even where the head would fit."""
        genesis = self.room.chain[0]
        self.room.head = Head.before(self.room.room_id)
        self.refused(self.room, genesis, "does not follow")

    def test_later_commit_without_a_room(self) -> None:
        """A room that is not made yet takes no other commit than that of epoch 0."""
        commit = self.room.sealed(self.alice)
        self.room.state_or_none = None
        self.refused(self.room, commit, "does not follow")

    def test_edited_commit(self) -> None:
        """Each field is under the signature: a commit edited on the way is refused."""
        commit = self.room.sealed(self.alice, SetMember("bob", Role.MODERATOR))
        edits = {
            "ops": (SetMember("bob", Role.OWNER),),
            "state_hash": bytes(32),
            "committer_leaf": 1,
            "heads": (SenderHead(0, 1),),
            "kt_size": 1,
            "kt_root": bytes(32),
            "wraps_root": b"w" * 32,
            "confirmation": b"c" * 32,
        }
        for name, value in edits.items():
            tbs = replace(commit.tbs, **{name: value})
            self.refused(self.room, Commit(tbs, commit.signature), "does not verify")

    def test_cross_room_replay(self) -> None:
        """A commit for one room is none for another, with or without its id put in."""
        other = self.world.room(self.alice, self.bob, nonce=b"n" * 32)
        commit = self.room.sealed(self.alice)
        self.refused(other, commit, "another room")
        spliced = replace(commit.tbs, room_id=other.room_id, prev=other.head.commit_hash)
        self.refused(other, Commit(spliced, commit.signature), "does not verify")

    def test_fork(self) -> None:
        """Who took one of two commits refuses the other, and all that follows it."""
        ours, theirs = self.room, self.room.fork()
        ours.commit(self.alice)
        theirs.commit(self.bob)
        self.refused(ours, theirs.chain[-1], "does not follow")
        theirs.commit(self.bob)
        self.refused(ours, theirs.chain[-1], "does not follow")

    def test_suite_downgrade(self) -> None:
        """Version and suite never go down."""
        commit = self.room.sealed(self.alice)
        for head in (replace(self.room.head, suite=2), replace(self.room.head, version=2)):
            self.room.head = head
            self.refused(self.room, commit, "goes down")
        downgraded = self.room.sealed(self.alice, suite=0)
        self.assertRaises(BadCommit, Commit.decode, downgraded.encoded)

    def test_state_hash(self) -> None:
        """A commit that names another state than it makes is refused."""
        self.refuse(self.room, self.alice, [], "another state", state_hash=b"s" * 32)

    def test_heads(self) -> None:
        """A committer has seen senders of the closing epoch and no others."""
        self.refuse(self.room, self.alice, [], "heads", heads=(SenderHead(2, 5),))
        self.room.commit(self.alice, heads=(SenderHead(0, 5), SenderHead(1, 1)))

    def test_heads_of_epoch_0(self) -> None:
        """In epoch 0 nothing was seen."""
        made = Room(self.world, self.room.room_id)
        self.refuse(made, self.alice, self.room.chain[0].tbs.ops, "heads", heads=(SenderHead(0, 5),))


class LogTests(RoomCase):
    """A commit is validated at the size of the log that it names."""

    def setUp(self) -> None:
        """A room of two."""
        super().setUp()
        self.alice, self.bob = self.accounts("alice bob")
        self.room = self.world.room(self.alice, self.bob)

    def test_size_going_back(self) -> None:
        """The size never goes below that of the commit before."""
        self.refuse(self.room, self.alice, [], "older log", kt_size=self.world.size - 1)
        self.room.commit(self.alice, kt_size=self.world.size)

    def test_other_root(self) -> None:
        """A commit that saw another log is refused."""
        self.refuse(self.room, self.alice, [], "another log", kt_root=b"r" * 32)

    def test_behind(self) -> None:
        """A commit that saw more of the log waits until it is known here; it is not refused for good."""
        known = LogFacts(SERVER_ID, self.world.leaves)
        self.world.account("carol")
        commit = self.room.sealed(self.alice)
        self.assertRaises(LogBehind, self.room.validate, commit, known)
        self.assertRaises(LogBehind, self.room.validate, commit, root_at=lambda _: None)
        self.room.validate(commit)

    def test_longer_log(self) -> None:
        """Who knows a longer log validates alike: a revocation beyond the commit's size changes nothing."""
        size = self.world.size
        self.world.revoke(self.bob)
        self.world.gone("alice")
        commit = self.room.sealed(self.alice, kt_size=size)
        short = LogFacts(SERVER_ID, self.world.leaves[:size])
        self.assertEqual(self.room.validate(commit), self.room.validate(commit, short))

    def test_revoked_device_in_the_new_roster(self) -> None:
        """A commit that leaves a revoked device in is refused; any member removes it."""
        self.world.revoke(self.alice)
        self.refuse(self.room, self.bob, [], "leaves a device in the room")
        self.room.commit(self.bob, Remove(0))
        self.assertEqual(self.room.state.role("alice"), Role.OWNER)

    def test_missing_certificate(self) -> None:
        """A device whose certificate is not at hand is refused, never taken for invalid."""
        commit = self.room.sealed(self.alice, Remove(1))
        del self.world.certificates[self.bob.cert_hash]
        self.refused(self.room, self.room.sealed(self.alice), "no such certificate")
        self.room.validate(commit)  # an owner's word needs none
        del self.world.certificates[self.alice.cert_hash]
        self.refused(self.room, commit, "no such certificate")

    def test_prepared(self) -> None:
        """A committer learns the new state before there is anything to sign, and what is not allowed."""
        carol = self.world.account("carol")
        ops: tuple[Op, ...] = (SetMember("carol", Role.MEMBER), Add(self.room.entry(carol)))
        evidence = Evidence(self.world.certificates, self.world.facts, self.world.size)
        step = take_step(self.room.state, self.room.room_id, 0, ops, evidence)
        self.assertEqual(step.state, self.room.commit(self.alice, *ops).state)
        for leaf, wrong in ((1, SetMember("carol", None)), (0, Remove(9))):
            self.assertRaises(BadCommit, take_step, self.room.state, self.room.room_id, leaf, (wrong,), evidence)
        leave = replace(self.room.leave(self.bob), signature=bytes(64))
        self.assertRaises(BadCommit, take_step, self.room.state, self.room.room_id, 0, (leave,), evidence)


class GhostTests(RoomCase):
    """Nobody enters unseen."""

    def setUp(self) -> None:
        """A room of an owner and a member; mallory has an account."""
        super().setUp()
        self.alice, self.bob, self.mallory = self.accounts("alice bob mallory")
        self.room = self.world.room(self.alice, self.bob)

    def test_commit_by_non_member(self) -> None:
        """A device that is not in the roster commits nothing, under its own number or another's."""
        self.refuse(self.room, self.mallory, [], "not by a device of the room")
        self.refuse(self.room, self.mallory, [], "does not verify", committer_leaf=0)

    def test_plain_member_adds(self) -> None:
        """A plain member adds neither a user nor the device of one who is no member."""
        entry = self.room.entry(self.mallory)
        ops: list[Op] = [SetMember("mallory", Role.MEMBER), Add(entry)]
        self.refuse(self.room, self.bob, ops, "MEMBER may not")
        self.refuse(self.room, self.bob, [Add(entry)], "no member")

    def test_device_under_another_name(self) -> None:
        """A device does not enter under the name or number of another."""
        entry = self.room.entry(self.mallory)
        self.refuse(self.room, self.bob, [Add(replace(entry, user="bob"))], "another device")
        self.refuse(self.room, self.bob, [Add(replace(entry, user="bob", device_id=b"d" * 16))], "another device")

    def test_certificate_substitution(self) -> None:
        """A certificate under an identity key that the log does not have for the user is not valid, logged or not."""
        forged = self.world.certify(Device("bob", "forged", sha256(b"key of the server")))
        self.refuse(self.room, self.bob, [Add(self.room.entry(forged))], "not valid")

    def test_certificate_of_another_server(self) -> None:
        """A certificate for another server is not valid."""
        device = self.world.device("bob", "second")
        self.world.certificates[device.cert_hash] = replace(device.facts, server_id=bytes(32))
        self.refuse(self.room, self.bob, [Add(self.room.entry(device))], "not valid")

    def test_removed_member(self) -> None:
        """Who was struck commits no more, on the new state or on the old one."""
        stale = self.room.fork()
        leaf = self.room.leaf(self.bob)
        self.room.commit(self.alice, SetMember("bob", None))
        self.refuse(self.room, self.bob, [], "not by a device of the room", committer_leaf=leaf)
        self.refused(self.room, stale.sealed(self.bob), "does not follow")
        self.refused(self.room, stale.sealed(self.bob, epoch=2), "does not follow")


class DeviceTests(RoomCase):
    """Add and Remove."""

    def setUp(self) -> None:
        """A room of an owner and a member."""
        super().setUp()
        self.alice, self.bob = self.accounts("alice bob")
        self.room = self.world.room(self.alice, self.bob)

    def test_own_device(self) -> None:
        """A member adds their own device and takes it out again; its number is not given out again."""
        second = self.world.device("bob", "second")
        self.room.commit(self.bob, Add(self.room.entry(second)))
        self.room.commit(self.bob, Remove(2))
        self.refuse(self.room, self.bob, [Add(second.entry(2))], "the next one is 3")
        self.room.commit(self.bob, Add(second.entry(3)))
        self.assertEqual([entry.leaf for entry in self.room.state.devices_of("bob")], [1, 3])

    def test_numbers(self) -> None:
        """A new device has the next number."""
        second = self.world.device("bob", "second")
        for leaf in (0, 1, 3):
            self.refuse(self.room, self.bob, [Add(second.entry(leaf))], "the next one is 2")

    def test_last_number(self) -> None:
        """The last number is not given out: there would be no next one."""
        second = self.world.device("bob", "second")
        self.room.state_or_none = replace(self.room.state, next_leaf=2**32 - 1)
        self.refuse(self.room, self.bob, [Add(self.room.entry(second))], "leaf 4294967295")

    def test_device_twice(self) -> None:
        """A device appears once, under whatever certificate."""
        (renewed,) = self.world.rotate(self.bob)
        self.refuse(self.room, self.alice, [Add(self.room.entry(renewed))], "the device is there")

    def test_max_devices(self) -> None:
        """An Add beyond max_devices is refused, also in the commit that lowers it; lowering alone removes nobody."""
        self.room.commit(self.alice, SetPolicy(Policy(Kind.ROOM, max_devices=3)))
        second, third = (self.world.device("bob", name) for name in ("second", "third"))
        full: list[Op] = [Add(self.room.entry(second)), Add(self.room.entry(third, 1))]
        self.refuse(self.room, self.bob, full, "full")
        self.room.commit(self.bob, full[0])
        self.refuse(self.room, self.bob, [Add(self.room.entry(third)), Remove(2)], "full")
        self.room.commit(self.bob, Remove(2), Add(self.room.entry(third)))
        self.room.commit(self.alice, SetPolicy(Policy(Kind.ROOM, max_devices=1)))
        self.assertEqual(len(self.room.state.roster), 3)

    def test_ten_devices(self) -> None:
        """A user has at most ten devices in a room."""
        others = [self.world.device("bob", f"number {number}") for number in range(10)]
        self.room.commit(self.bob, *(Add(self.room.entry(device, at)) for at, device in enumerate(others[:9])))
        self.refuse(self.room, self.bob, [Add(self.room.entry(others[9]))], "too many devices")

    def test_unknown_leaf(self) -> None:
        """What is not there is not removed."""
        self.refuse(self.room, self.alice, [Remove(9)], "no leaf 9")

    def test_in_and_out(self) -> None:
        """A device that is not valid does not even enter to go out again in the same commit."""
        unlogged = self.world.unlogged("alice", "unlogged")
        self.refuse(self.room, self.bob, [Add(self.room.entry(unlogged)), Remove(2)], "not valid")

    def test_committer_absent_from_the_new_roster(self) -> None:
        """A committer does not remove the device that commits, nor leave in their own commit."""
        self.refuse(self.room, self.bob, [Remove(1)], "not in the new roster")
        self.refuse(self.room, self.bob, [self.room.leave(self.bob)], "not in the new roster")
        second = self.world.device("bob", "second")
        self.room.commit(self.bob, Add(self.room.entry(second)))
        self.room.commit(second, Remove(1))

    def test_rotation_of_an_identity(self) -> None:
        """After a rotation a device stays as it is; it may go over to a new certificate, under a new number."""
        (renewed,) = self.world.rotate(self.bob)
        self.room.fork().commit(self.bob)
        outcome = self.room.commit(self.bob, Remove(1), Add(self.room.entry(renewed)))
        self.assertEqual(outcome.committer, renewed.entry(2))
        self.assertFalse(outcome.external)

    def test_committer_with_other_keys(self) -> None:
        """The committing device stays with the keys that signed, not under a certificate with others."""
        identity = sha256(b"next ", self.bob.identity)
        self.world.rotate(self.world.device("bob", "second"))
        other = replace(Device("bob", "first", identity).facts, ed25519=self.alice.facts.ed25519)
        entry = replace(self.room.entry(self.bob), cert_hash=sha256(b"other keys"))
        self.world.certificates[entry.cert_hash] = other
        self.world.facts.append(replace(self.world.leaves[-1], subject=entry.cert_hash))
        self.refuse(self.room, self.bob, [Remove(1), Add(entry)], "other keys")

    def test_device_id_taken_by_another_user(self) -> None:
        """A committer is not in the new roster because another user's device has the same id."""
        mine = self.world.device("bob", "second")
        entry = replace(self.room.entry(self.alice), device_id=self.bob.device_id, cert_hash=sha256(b"twin"))
        self.world.certificates[entry.cert_hash] = replace(self.alice.facts, device_id=self.bob.device_id)
        self.world.facts.append(replace(self.world.leaves[1], subject=entry.cert_hash))
        self.room.commit(self.bob, Add(self.room.entry(mine)))
        self.refuse(self.room, self.bob, [Remove(1), Add(replace(entry, leaf=3))], "not in the new roster")


class UserTests(RoomCase):
    """SetMember and Leave."""

    def setUp(self) -> None:
        """A room of an owner, a moderator and two members."""
        super().setUp()
        self.alice, self.bob, self.carol, self.dora = self.accounts("alice bob carol dora")
        self.room = self.world.room(self.alice, self.bob, self.carol, self.dora)
        self.room.commit(self.alice, SetMember("bob", Role.MODERATOR))

    def test_moderator_against_owner(self) -> None:
        """A moderator neither strikes, bans, mutes nor demotes an owner."""
        for op in (
            SetMember("alice", None),
            SetMember("alice", Role.BANNED),
            SetMember("alice", Role.OWNER, muted=True),
            SetMember("alice", Role.MEMBER),
        ):
            self.refuse(self.room, self.bob, [op], "MODERATOR may not")

    def test_policy_by_moderator(self) -> None:
        """A moderator does not set the policy."""
        self.refuse(self.room, self.bob, [SetPolicy(OPEN)], "for owners")
        self.room.commit(self.alice, SetPolicy(OPEN))
        self.assertEqual(self.room.state.policy, OPEN)

    def test_kind_never_changes(self) -> None:
        """A room does not become a direct message."""
        self.refuse(self.room, self.alice, [SetPolicy(DIRECT)], "kind never changes")

    def test_ban_takes_the_devices(self) -> None:
        """A ban, as a strike, removes all devices of the user and clears the record."""
        second = self.world.device("carol", "second")
        self.room.commit(self.carol, Add(self.room.entry(second)))
        self.room.commit(self.bob, SetMember("carol", Role.MEMBER, muted=True))
        outcome = self.room.commit(self.bob, SetMember("carol", Role.BANNED))
        self.assertEqual([entry.user for entry in outcome.removed], ["carol", "carol"])
        self.assertEqual(self.room.state.member("carol"), Member("carol", Role.BANNED))

    def test_banned_must_be_lifted(self) -> None:
        """A banned user enters with no other role than 1, and not by a member's hand; lifted, as anybody does."""
        self.room.commit(self.alice, SetPolicy(OPEN))
        self.room.commit(self.bob, SetMember("carol", Role.BANNED))
        self.refuse(self.room, self.dora, [SetMember("carol", Role.MEMBER)], "MEMBER may not")
        self.refuse(self.room, self.alice, [SetMember("carol", Role.MODERATOR)], "OWNER may not")
        self.refuse(self.room, self.alice, [Add(self.room.entry(self.carol))], "no member")
        self.room.commit(self.bob, SetMember("carol", None))
        self.room.commit(self.dora, SetMember("carol", Role.MEMBER), Add(self.room.entry(self.carol)))

    def test_order_of_ops(self) -> None:
        """Ops apply in order: an owner lifts and promotes in one commit, but not the other way round."""
        self.room.commit(self.bob, SetMember("carol", Role.BANNED))
        lift, promote = SetMember("carol", None), SetMember("carol", Role.MODERATOR)
        self.refuse(self.room, self.alice, [promote, lift], "OWNER may not")
        self.room.commit(self.alice, lift, promote)

    def test_authority_is_that_of_the_old_state(self) -> None:
        """An owner who steps down acts as owner to the end of the commit, but does not step up again."""
        step_down = SetMember("alice", Role.MEMBER)
        self.refuse(self.room, self.alice, [step_down, SetMember("alice", Role.OWNER)], "OWNER may not")
        self.room.commit(self.alice, step_down, SetMember("carol", Role.OWNER))
        self.assertEqual(self.room.state.role("carol"), Role.OWNER)
        self.refuse(self.room, self.alice, [SetMember("dora", Role.MODERATOR)], "MEMBER may not")

    def test_kt_added(self) -> None:
        """What is kept is the log's size when the user came; changes of role or mute do not move it, lifting does."""
        added = self.room.state.member("carol")
        assert added is not None
        self.world.account("somebody")
        self.room.commit(self.alice, SetMember("carol", Role.MODERATOR, muted=True))
        self.assertEqual(
            self.room.state.member("carol"), Member("carol", Role.MODERATOR, muted=True, kt_added=added.kt_added)
        )
        self.room.commit(self.alice, SetMember("carol", Role.BANNED))
        self.room.commit(self.alice, SetMember("carol", Role.MEMBER))
        self.assertEqual(self.room.state.member("carol"), Member("carol", Role.MEMBER, kt_added=self.world.size))

    def test_leave(self) -> None:
        """Any member carries a Leave; one device signs for its whole user."""
        second = self.world.device("dora", "second")
        self.room.commit(self.dora, Add(self.room.entry(second)))
        outcome = self.room.commit(self.carol, self.room.leave(second))
        self.assertEqual([entry.user for entry in outcome.removed], ["dora", "dora"])
        self.assertIsNone(self.room.state.member("dora"))

    def test_forged_leave(self) -> None:
        """A Leave by another device, for another number or for another room is refused."""
        other = self.world.room(self.alice, self.bob, self.carol, self.dora, nonce=b"o" * 32)
        leave = self.room.leave(self.dora)
        self.refuse(self.room, self.carol, [replace(leave, leaf=0)], "does not verify")
        self.refuse(self.room, self.carol, [replace(self.room.leave(self.carol), leaf=3)], "does not verify")
        self.refuse(other, self.carol, [leave], "does not verify")

    def test_leave_replayed_after_rejoin(self) -> None:
        """A Leave counts for the number that it names, which nobody has a second time."""
        leave = self.room.leave(self.dora)
        self.room.commit(self.carol, leave)
        self.refuse(self.room, self.carol, [leave], "no leaf 3")
        self.room.commit(self.alice, SetMember("dora", Role.MEMBER), Add(self.room.entry(self.dora)))
        self.refuse(self.room, self.carol, [leave], "no leaf 3")

    def test_muted_user_leaves_and_rejoins(self) -> None:
        """Leaving does not shed a mute: the record stays, as banned, until it is lifted."""
        self.room.commit(self.alice, SetPolicy(PUBLIC))
        self.room.commit(self.bob, SetMember("dora", Role.MEMBER, muted=True))
        self.room.commit(self.carol, self.room.leave(self.dora))
        self.assertEqual(self.room.state.member("dora"), Member("dora", Role.BANNED))
        self.refuse(self.room, self.dora, self.room.join(self.dora), "external")
        self.room.commit(self.bob, SetMember("dora", None))
        self.room.commit(self.dora, *self.room.join(self.dora))

    def test_identity_reset(self) -> None:
        """After a reset nobody brings a device of the user in, not even the user, until they are added anew."""
        fresh = self.world.reset("dora")
        void = Remove(3)
        self.refuse(self.room, self.alice, [void, Add(self.room.entry(fresh))], "was reset")
        self.refuse(self.room, fresh, [Add(self.room.entry(fresh)), void], "was reset")
        for role in (Role.BANNED, Role.MODERATOR, Role.OWNER):
            self.refuse(self.room, self.carol, [SetMember("dora", role)], "MEMBER may not")
        self.room.commit(self.carol, SetMember("dora", None))
        self.refuse(self.room, fresh, [Add(self.room.entry(fresh))], "external")
        self.room.commit(self.bob, SetMember("dora", Role.MEMBER), Add(self.room.entry(fresh)))

    def test_struck_and_added_in_one_commit(self) -> None:
        """Who may add does both at once."""
        fresh = self.world.reset("dora")
        anew: list[Op] = [SetMember("dora", None), SetMember("dora", Role.MEMBER), Add(self.room.entry(fresh))]
        self.refuse(self.room, self.carol, anew, "MEMBER may not")
        self.room.commit(self.bob, *anew)

    def test_reset_before_the_user_came(self) -> None:
        """A reset that lies before the user's adding is no reason to strike."""
        emil = self.world.account("emil")
        emil = self.world.reset("emil")
        self.room.commit(self.bob, SetMember("emil", Role.MEMBER), Add(self.room.entry(emil)))
        self.world.account("somebody")
        self.refuse(self.room, self.carol, [SetMember("emil", None)], "MEMBER may not")

    def test_reset_beyond_the_size(self) -> None:
        """A reset that lies beyond the commit's size is no reason either."""
        size = self.world.size
        self.world.reset("dora")
        self.refuse(self.room, self.carol, [SetMember("dora", None)], "MEMBER may not", kt_size=size)
        self.room.commit(self.carol, SetMember("dora", None))


class HeirTests(RoomCase):
    """A room that has members has an owner."""

    def setUp(self) -> None:
        """An owner and three members, whose numbers are not in the order of their names."""
        super().setUp()
        self.alice, self.bob, self.carol, self.dora = self.accounts("alice bob carol dora")
        self.room = self.world.room(self.alice, self.dora, self.carol, self.bob)

    def owners(self) -> list[str]:
        """The owners now."""
        return [member.user for member in self.room.state.members if member.role is Role.OWNER]

    def moderators(self, *users: str) -> None:
        """Makes moderators."""
        self.room.commit(self.alice, *(SetMember(user, Role.MODERATOR) for user in users))

    def test_last_owner_leaves(self) -> None:
        """The moderator with the lowest number is heir, before members with lower ones."""
        self.moderators("bob", "carol")
        self.room.commit(self.bob, self.room.leave(self.alice))
        self.assertEqual(self.owners(), ["carol"])

    def test_no_moderator(self) -> None:
        """Without moderators, the member with the lowest number; everybody computes the same."""
        other = self.room.fork()
        outcome = self.room.commit(self.bob, self.room.leave(self.alice))
        self.assertEqual(self.owners(), ["dora"])
        self.world.account("somebody")
        self.assertEqual(other.validate(self.room.chain[-1]), outcome)

    def test_moderator_without_device(self) -> None:
        """A moderator without a device has no number: a member with one comes before."""
        self.moderators("bob")
        self.room.commit(self.alice, Remove(3))
        self.room.commit(self.carol, self.room.leave(self.alice))
        self.assertEqual(self.owners(), ["dora"])

    def test_heir_keeps_the_rest(self) -> None:
        """An heir's mute and time of coming stay."""
        self.room.commit(self.alice, SetMember("dora", Role.MEMBER, muted=True))
        before = self.room.state.member("dora")
        assert before is not None
        self.room.commit(self.bob, self.room.leave(self.alice))
        self.assertEqual(self.room.state.member("dora"), replace(before, role=Role.OWNER))

    def test_last_owner_steps_down(self) -> None:
        """An owner who steps down alone is moderator for a moment, and heir: nothing came of it."""
        self.room.commit(self.alice, SetMember("alice", Role.MODERATOR))
        self.assertEqual(self.owners(), ["alice"])

    def test_steps_down_twice(self) -> None:
        """An owner may step down to moderator and to member in one commit; the ops are validated one after the other."""
        self.moderators("carol")
        twice = SetMember("alice", Role.MODERATOR), SetMember("alice", Role.MEMBER)
        self.refuse(self.room, self.alice, twice[::-1], "OWNER may not")
        self.refuse(self.room, self.alice, [twice[0], twice[0]], "OWNER may not")
        self.room.commit(self.alice, *twice)
        self.assertEqual((self.owners(), self.room.state.role("alice")), (["carol"], Role.MEMBER))

    def test_steps_down_twice_alone(self) -> None:
        """Where that leaves members alone, the one with the lowest number is heir: here it is who stepped down."""
        self.room.commit(self.alice, SetMember("alice", Role.MODERATOR), SetMember("alice", Role.MEMBER))
        self.assertEqual(self.owners(), ["alice"])

    def test_last_owner_is_revoked(self) -> None:
        """An owner all of whose devices were revoked is owner still, and comes back with a new one."""
        self.world.revoke(self.alice)
        self.room.commit(self.bob, Remove(0))
        self.assertEqual(self.owners(), ["alice"])
        second = self.world.device("alice", "second")
        self.room.commit(second, Add(self.room.entry(second)))
        self.assertEqual(self.owners(), ["alice"])

    def test_last_owner_is_gone(self) -> None:
        """The next committer strikes an owner whose account is gone, and there is an heir."""
        self.world.gone("alice")
        self.refuse(self.room, self.bob, [], "leaves a device in the room")
        self.room.commit(self.bob, SetMember("alice", None))
        self.assertEqual(self.owners(), ["dora"])

    def test_last_owner_is_reset(self) -> None:
        """So it is after a reset: the administrator who has the account has no room with it."""
        self.world.reset("alice")
        self.room.commit(self.carol, SetMember("alice", None))
        self.assertEqual(self.owners(), ["dora"])

    def test_second_owner(self) -> None:
        """While there is an owner there is no heir."""
        self.room.commit(self.alice, SetMember("bob", Role.OWNER))
        self.room.commit(self.carol, self.room.leave(self.alice))
        self.assertEqual(self.owners(), ["bob"])


class GenesisTests(RoomCase):
    """Epoch 0."""

    def setUp(self) -> None:
        """Three accounts."""
        super().setUp()
        self.alice, self.bob, self.carol = self.accounts("alice bob carol")
        self.nonce = b"n" * 32
        self.made = Room(self.world, room_id(self.alice.cert_hash, self.nonce))

    def begin(self, policy: Policy = PRIVATE) -> list[Op]:
        """The ops that every epoch 0 begins with."""
        role = Role.MEMBER if policy.kind.fixed else Role.OWNER
        return [Create(self.nonce, policy), SetMember("alice", role), Add(self.alice.entry(0))]

    def test_alone(self) -> None:
        """A room of one."""
        outcome = self.made.commit(self.alice, *self.begin())
        self.assertEqual(outcome.state.members, (Member("alice", Role.OWNER, kt_added=self.world.size),))
        self.assertEqual(outcome.added, outcome.state.roster)
        self.assertFalse(outcome.external)

    def test_with_others(self) -> None:
        """The creator sets any role, bans in advance, and adds devices."""
        self.made.commit(
            self.alice,
            *self.begin(),
            SetMember("bob", Role.MODERATOR, muted=True),
            Add(self.bob.entry(1)),
            SetMember("carol", Role.BANNED),
        )
        self.assertEqual([member.role for member in self.made.state.members], [3, 2, 0])

    def test_beginnings(self) -> None:
        """Epoch 0 begins with Create, the creator as owner, and the committing device as leaf 0."""
        create, owner, add = self.begin()
        for ops in (
            [],
            [create],
            [create, add, owner],
            [owner, create, add],
            [create, owner, Add(self.bob.entry(0))],
            [create, SetMember("alice", Role.MODERATOR), add],
            [create, SetMember("alice", Role.OWNER, muted=True), add],
            [create, SetMember("bob", Role.OWNER), add],
        ):
            self.refuse(self.made, self.alice, ops, "epoch 0 does not begin")
        self.refuse(self.made, self.alice, [create, owner, Add(self.alice.entry(1))], "the next one is 0")
        self.refuse(self.made, self.alice, self.begin(), "begin with its creator", committer_leaf=1)
        self.refuse(self.made, self.bob, self.begin(), "does not verify")

    def test_other_ops(self) -> None:
        """Nothing but SetMember and Add follows."""
        for op in (
            Create(self.nonce, PRIVATE),
            Remove(0),
            SetPolicy(OPEN),
            SetMember("bob", None),
            self.made.leave(self.alice),
        ):
            self.refuse(self.made, self.alice, [*self.begin(), op], "")

    def test_first_commit_follows_nothing(self) -> None:
        """Epoch 0 names no commit before it."""
        self.refuse(self.made, self.alice, self.begin(), "does not follow", prev=b"p" * 32)

    def test_direct_message(self) -> None:
        """A direct message has exactly two members of role 1, and no mute."""
        bob = SetMember("bob", Role.MEMBER)
        self.refuse(self.made, self.alice, self.begin(DIRECT), "between two")
        self.refuse(self.made, self.alice, [*self.begin(DIRECT), bob, SetMember("carol", Role.MEMBER)], "between two")
        for wrong in (
            SetMember("bob", Role.OWNER),
            SetMember("bob", Role.MEMBER, muted=True),
            SetMember("bob", Role.BANNED),
            SetMember("bob", None),
            SetMember("alice", None),
        ):
            self.refuse(self.made, self.alice, [*self.begin(DIRECT), wrong], "SetMember")
        as_owner: list[Op] = [
            Create(self.nonce, DIRECT), SetMember("alice", Role.OWNER), Add(self.alice.entry(0)), bob
        ]  # fmt: skip
        self.refuse(self.made, self.alice, as_owner, "epoch 0 does not begin")
        self.made.commit(self.alice, *self.begin(DIRECT), bob, Add(self.bob.entry(1)))
        self.assertEqual([member.role for member in self.made.state.members], [1, 1])

    def test_direct_message_stays_between_its_two(self) -> None:
        """Nobody leaves a direct message to be listed anew, as if a reset had not been."""
        self.made.commit(self.alice, *self.begin(DIRECT), SetMember("bob", Role.MEMBER), Add(self.bob.entry(1)))
        leave = self.made.leave(self.bob)
        fresh = self.world.reset("bob")
        anew: list[Op] = [leave, SetMember("bob", Role.MEMBER), Add(fresh.entry(2))]
        self.refuse(self.made, self.alice, anew, "the same for good")
        self.refuse(self.made, self.alice, [Remove(1), Add(fresh.entry(2))], "was reset")
        self.made.commit(self.alice, Remove(1))

    def test_devices_room(self) -> None:
        """The room of one's own devices has its one user alone, with role 1 and without a mute, from the first commit on."""
        second = self.world.device("alice", "second")
        for wrong in (
            SetMember("bob", Role.MEMBER),
            SetMember("bob", Role.BANNED),
            SetMember("alice", Role.OWNER),
            SetMember("alice", Role.MEMBER, muted=True),
            SetMember("alice", None),
        ):
            self.refuse(self.made, self.alice, [*self.begin(DEVICES), wrong], "SetMember")
        self.refuse(self.made, self.alice, [*self.begin(DEVICES), Add(self.bob.entry(1))], "of no member")
        as_owner: list[Op] = [Create(self.nonce, DEVICES), SetMember("alice", Role.OWNER), Add(self.alice.entry(0))]
        self.refuse(self.made, self.alice, as_owner, "epoch 0 does not begin")
        self.made.commit(self.alice, *self.begin(DEVICES), Add(second.entry(1)))
        self.assertEqual([(member.user, member.role) for member in self.made.state.members], [("alice", 1)])

    def test_devices_room_stays_of_one(self) -> None:
        """Own devices come and go, ten at most; nobody else enters, nobody leaves, and after a reset no device comes in."""
        self.made.commit(self.alice, *self.begin(DEVICES))
        others = [self.world.device("alice", f"device {number}") for number in range(10)]
        self.made.commit(others[0], Add(self.made.entry(others[0])))
        self.made.commit(self.alice, *(Add(self.made.entry(each, at)) for at, each in enumerate(others[1:9])))
        self.refuse(self.made, self.alice, [Add(self.made.entry(others[9]))], "too many devices of one user")
        self.made.commit(others[0], Remove(0))
        self.refuse(self.made, self.bob, [Add(self.made.entry(self.bob))], "external")
        self.refuse(self.made, self.bob, self.made.join(self.bob), "external")
        for op in (
            SetMember("bob", Role.MEMBER), SetMember("alice", Role.OWNER), SetMember("alice", None),
            SetPolicy(DEVICES), SetPolicy(PRIVATE), self.made.leave(others[0]),
        ):  # fmt: skip
            self.refuse(self.made, others[0], [op], "the same for good")
        fresh = self.world.reset("alice")
        everybody = [Remove(entry.leaf) for entry in self.made.state.roster]
        self.refuse(self.made, fresh, [Add(self.made.entry(fresh)), *everybody], "was reset")

    def test_invalid_devices(self) -> None:
        """All devices of epoch 0 are valid in the log, the creator's own too."""
        unlogged = self.world.unlogged("bob", "unlogged")
        ops = [*self.begin(), SetMember("bob", Role.MEMBER), Add(unlogged.entry(1))]
        self.refuse(self.made, self.alice, ops, "not valid")
        self.world.revoke(self.alice)
        self.refuse(self.made, self.alice, self.begin(), "not valid")

    def test_chain_replays(self) -> None:
        """A newcomer who has all commits comes to the same state."""
        self.made.commit(self.alice, *self.begin(OPEN))
        self.made.commit(self.alice, SetMember("bob", Role.MEMBER), Add(self.made.entry(self.bob)))
        self.made.commit(self.bob, SetMember("carol", Role.MEMBER), Add(self.made.entry(self.carol)))
        state, head = None, Head.before(self.made.room_id)
        for commit in self.made.chain:
            outcome = apply_commit(state, head, commit, self.world.certificates, self.world.facts, self.world.root_at)
            state, head = outcome.state, outcome.head
        self.assertEqual((state, head), (self.made.state, self.made.head))
