"""Commits from outside the roster: docs/rooms.rst 5.4 and 11."""

from msgspec.structs import replace

from chatserv.crypto.commits import Add, Op, Remove, SenderHead, SetMember, SetPolicy
from chatserv.crypto.room_state import Role
from tests.support.rooms import DIRECT, OPEN, PUBLIC, SERVER_ID, Device, Room, RoomCase


class ExternalCommitTests(RoomCase):
    """Who comes in by themself, and who does not."""

    def setUp(self) -> None:
        """A public room and a private one, of alice and bob."""
        super().setUp()
        self.alice, self.bob, self.carol = self.accounts("alice bob carol")
        self.lobby = self.world.room(self.alice, self.bob, policy=PUBLIC)
        self.private = self.world.room(self.alice, self.bob, policy=OPEN, nonce=b"p" * 32)

    def test_join(self) -> None:
        """Anybody joins a public room, as a plain member."""
        outcome = self.lobby.commit(self.carol, *self.lobby.join(self.carol))
        self.assertTrue(outcome.external)
        self.assertEqual(outcome.committer, self.carol.entry(2))
        member = outcome.state.member("carol")
        assert member is not None
        self.assertEqual((member.role, member.muted, member.kt_added), (Role.MEMBER, False, self.world.size))

    def test_banned_user(self) -> None:
        """A banned user does not join."""
        self.lobby.commit(self.alice, SetMember("carol", Role.BANNED))
        self.refuse(self.lobby, self.carol, self.lobby.join(self.carol), "external")
        self.refuse(self.lobby, self.carol, [Add(self.lobby.entry(self.carol))], "external")

    def anew(self, room: Room, device: Device) -> list[Op]:
        """The ops with which somebody who was reset strikes who they were, and enters."""
        return [SetMember(device.user, None), *room.join(device)]

    def test_after_a_reset(self) -> None:
        """Whoever was reset enters a public room by one commit, alone if need be: the devices of before are out, and the
        role of before is gone.
        """
        self.lobby.commit(self.alice, SetMember("bob", Role.MODERATOR))
        fresh = self.world.reset("bob")
        outcome = self.lobby.commit(fresh, *self.anew(self.lobby, fresh))
        self.assertTrue(outcome.external)
        self.assertEqual(outcome.removed, (self.bob.entry(1),))
        member = outcome.state.member("bob")
        assert member is not None
        self.assertEqual((member.role, member.kt_added), (Role.MEMBER, self.world.size))
        self.lobby.commit(fresh)
        owner = self.world.reset("alice")
        self.lobby.commit(owner, *self.anew(self.lobby, owner))
        self.assertEqual(self.lobby.state.role("bob"), Role.OWNER)
        self.assertEqual(self.lobby.state.role("alice"), Role.MEMBER)

    def test_not_after_a_reset(self) -> None:
        """Nobody else does that: without a reset, in a private room, banned, for another, with another op, or twice."""
        second = self.world.device("bob", "second")
        self.refuse(self.lobby, second, self.anew(self.lobby, second), "not reset")
        self.refuse(self.lobby, self.carol, self.anew(self.lobby, self.carol), "external")
        fresh = self.world.reset("bob")
        self.refuse(self.private, fresh, self.anew(self.private, fresh), "external")
        strike, enter, add = self.anew(self.lobby, fresh)
        for ops in (
            [enter, add],
            [strike, add],
            [enter, strike, add],
            [strike, enter, enter, add],
            [SetMember("alice", None), enter, add],
            [strike, SetMember("bob", Role.MODERATOR), add],
            [SetMember("bob", Role.BANNED), enter, add],
            [strike, SetMember("carol", Role.MEMBER), add],
        ):
            self.refuse(self.lobby, fresh, ops, "external")
        self.refuse(self.lobby, self.bob, [strike, enter, Add(self.lobby.entry(fresh))], "SetMember")
        self.lobby.commit(fresh, strike, enter, add)
        third = self.world.device("bob", "third")
        self.refuse(self.lobby, third, self.anew(self.lobby, third), "not reset")
        self.lobby.commit(self.alice, SetMember("bob", Role.BANNED))
        banned = self.world.reset("bob")
        self.refuse(self.lobby, banned, self.anew(self.lobby, banned), "external")

    def test_join_rule_0(self) -> None:
        """Nobody joins a room that is not public, though its members may add."""
        self.refuse(self.private, self.carol, self.private.join(self.carol), "not open")

    def test_revoked_device(self) -> None:
        """A revoked device does not join, nor come back."""
        self.world.revoke(self.carol)
        self.refuse(self.lobby, self.carol, self.lobby.join(self.carol), "not valid")
        second = self.world.device("bob", "second")
        self.world.revoke(second)
        self.refuse(self.private, second, [Add(self.private.entry(second))], "not valid")

    def test_certificate_not_in_the_log(self) -> None:
        """A certificate that is in the log beyond the commit's size, or not at all, does not count."""
        size = self.world.size
        dora = self.world.account("dora")
        self.refuse(self.lobby, dora, self.lobby.join(dora), "not valid", kt_size=size)
        unlogged = self.world.unlogged("carol", "unlogged")
        self.refuse(self.lobby, unlogged, self.lobby.join(unlogged), "not valid")
        self.lobby.commit(dora, *self.lobby.join(dora))

    def test_role_above_member(self) -> None:
        """Nobody joins as more than a member, or sets more later in the same commit."""
        member, add = self.lobby.join(self.carol)
        for role in (Role.MODERATOR, Role.OWNER, Role.BANNED, None):
            self.refuse(self.lobby, self.carol, [SetMember("carol", role), add], "external")
        self.refuse(self.lobby, self.carol, [SetMember("carol", Role.MEMBER, muted=True), add], "external")
        self.refuse(self.lobby, self.carol, [member, add, SetMember("carol", Role.OWNER)], "not in an external commit")

    def test_another_user(self) -> None:
        """Who joins brings nobody along, before or behind."""
        dora = self.world.account("dora")
        member, add = self.lobby.join(self.carol)
        others: list[Op] = [SetMember("dora", Role.MEMBER), Add(self.lobby.entry(dora, 1))]
        self.refuse(self.lobby, self.carol, [member, add, *others], "not in an external commit")
        self.refuse(self.lobby, self.carol, [member, add, others[1]], "no member")
        self.refuse(self.lobby, self.carol, [others[0], add], "external")

    def test_policy(self) -> None:
        """An owner's new device sets no policy while it comes in."""
        second = self.world.device("alice", "second")
        self.refuse(self.lobby, second, [Add(self.lobby.entry(second)), SetPolicy(OPEN)], "not in an external commit")

    def test_wrong_leaf(self) -> None:
        """The committer has the next number, and so has its Add."""
        member, _ = self.lobby.join(self.carol)
        for leaf in (3, 2**32 - 1):
            self.refuse(self.lobby, self.carol, [member, Add(self.carol.entry(leaf))], "external", committer_leaf=leaf)
        self.refuse(self.lobby, self.carol, [member, Add(self.carol.entry(3))], "external")
        self.refuse(self.lobby, self.carol, [member, Add(self.carol.entry(2))], "external", committer_leaf=3)

    def test_reused_leaf(self) -> None:
        """A number that was given out before is not given out again."""
        self.lobby.commit(self.alice, SetMember("bob", None))
        member, _ = self.lobby.join(self.carol)
        self.refuse(self.lobby, self.carol, [member, Add(self.carol.entry(1))], "external", committer_leaf=1)
        self.refuse(self.lobby, self.carol, [member, Add(self.carol.entry(0))], "does not verify", committer_leaf=0)

    def test_without_own_add(self) -> None:
        """The op behind one's own entering, or the first one, is one's own Add."""
        second = self.world.device("bob", "second")
        self.refuse(self.private, second, [Remove(1)], "external")
        self.refuse(self.lobby, self.carol, [SetMember("carol", Role.MEMBER)], "external")
        self.refuse(self.private, second, [Remove(1), Add(self.private.entry(second))], "external")

    def test_stale_head(self) -> None:
        """A commit on a head that was left behind is refused."""
        old = self.lobby.fork()
        self.lobby.commit(self.alice)
        self.refused(self.lobby, old.sealed(self.carol, *old.join(self.carol)), "does not follow")

    def test_old_roster(self) -> None:
        """The newest type 8 leaf shows a newcomer that an old roster is not the head; members refuse what is made on it."""
        self.lobby.log_head()
        old = self.lobby.fork()
        self.lobby.commit(self.alice, SetMember("bob", Role.BANNED))
        self.lobby.log_head()
        newest = self.world.facts.room_head("lobby", self.world.size)
        assert newest is not None
        self.assertNotEqual(newest.commit_hash, old.head.commit_hash)
        self.assertEqual((newest.room_id, newest.commit_hash), (self.lobby.room_id, self.lobby.head.commit_hash))
        self.refused(self.lobby, old.sealed(self.carol, *old.join(self.carol)), "does not follow")

    def test_wrapping_to_a_revoked_device(self) -> None:
        """Who comes in leaves no revoked device in: it removes it in the same commit."""
        self.world.revoke(self.bob)
        ops = self.lobby.join(self.carol)
        self.refuse(self.lobby, self.carol, ops, "leaves a device in the room")
        self.lobby.commit(self.carol, *ops, Remove(1))

    def test_two_at_once(self) -> None:
        """Of two who join at once one wins; the other tries again on the new state, and wins."""
        dora = self.world.account("dora")
        first = self.lobby.sealed(self.carol, *self.lobby.join(self.carol))
        second = self.lobby.sealed(dora, *self.lobby.join(dora))
        self.lobby.accept(first)
        self.refused(self.lobby, second, "does not follow")
        self.lobby.commit(dora, *self.lobby.join(dora))
        self.assertEqual([entry.user for entry in self.lobby.state.roster], ["alice", "bob", "carol", "dora"])

    def test_rejoin_after_a_ban_is_lifted(self) -> None:
        """Lifted by 255 a user joins again; lifted by 1 their device comes in by itself."""
        self.lobby.commit(self.alice, SetMember("bob", Role.BANNED))
        self.lobby.commit(self.alice, SetMember("bob", None))
        self.lobby.commit(self.bob, *self.lobby.join(self.bob))
        self.lobby.commit(self.alice, SetMember("bob", Role.BANNED))
        self.lobby.commit(self.alice, SetMember("bob", Role.MEMBER))
        self.refuse(self.lobby, self.bob, self.lobby.join(self.bob), "external")
        self.lobby.commit(self.bob, Add(self.lobby.entry(self.bob)))

    def test_own_new_device(self) -> None:
        """A member's new device comes into a private room by itself, with others of the same user."""
        second, third = (self.world.device("bob", name) for name in ("second", "third"))
        outcome = self.private.commit(second, Add(self.private.entry(second)), Add(self.private.entry(third, 1)))
        self.assertTrue(outcome.external)
        self.assertEqual(outcome.added, (second.entry(2), third.entry(3)))

    def test_new_device_of_a_non_member(self) -> None:
        """The device of somebody who is no member comes into no room by itself."""
        for room in (self.private, self.lobby):
            self.refuse(room, self.carol, [Add(room.entry(self.carol))], "external")

    def test_direct_message(self) -> None:
        """A new device of one of the two comes into their direct message; nobody else does."""
        direct = self.world.room(self.alice, self.bob, policy=DIRECT, nonce=b"d" * 32)
        second = self.world.device("bob", "second")
        direct.commit(second, Add(direct.entry(second)))
        self.refuse(direct, self.carol, direct.join(self.carol), "external")
        self.refuse(direct, self.carol, [Add(direct.entry(self.carol))], "external")

    def test_device_of_the_room(self) -> None:
        """A device that is in the roster does not come in a second time."""
        leaf = self.private.state.next_leaf
        self.refuse(self.private, self.bob, [Add(self.bob.entry(leaf))], "by a device of the room", committer_leaf=leaf)

    def test_follows_the_log(self) -> None:
        """From outside one removes what is not valid, adds what is, and carries Leaves; nothing by one's own judgement."""
        dora = self.world.account("dora")
        self.private.commit(self.alice, SetMember("dora", Role.MEMBER), Add(self.private.entry(dora)))
        second = self.world.device("alice", "second")
        new = self.world.device("dora", "second")
        own = Add(self.private.entry(second))
        self.refuse(self.private, second, [own, Remove(1)], "is valid")
        self.refuse(self.private, second, [own, Remove(0)], "is valid")
        self.world.revoke(dora)
        self.private.commit(second, own, Remove(2), Add(self.private.entry(new, 1)), self.private.leave(self.bob))
        self.assertEqual([entry.leaf for entry in self.private.state.roster], [0, 3, 4])

    def test_full_room(self) -> None:
        """Nobody joins a full room."""
        self.lobby.commit(self.alice, SetPolicy(replace(PUBLIC, max_devices=2)))
        self.refuse(self.lobby, self.carol, self.lobby.join(self.carol), "full")

    def test_heads(self) -> None:
        """From outside one has seen nothing of the closing epoch."""
        ops = self.lobby.join(self.carol)
        self.refuse(self.lobby, self.carol, ops, "heads", heads=(SenderHead(0, 1),))

    def test_signed_by_another(self) -> None:
        """The key is that of the certificate which the own Add names."""
        tbs = self.lobby.tbs(self.carol, self.lobby.join(self.carol))
        commit = self.lobby.sealed(self.bob, *tbs.ops, committer_leaf=2, state_hash=tbs.state_hash)
        self.refused(self.lobby, commit, "does not verify")

    def test_public_no_more(self) -> None:
        """Once a room is no longer public nobody joins it."""
        self.lobby.commit(self.alice, SetPolicy(OPEN))
        self.refuse(self.lobby, self.carol, self.lobby.join(self.carol), "external")

    def test_second_room_of_the_name(self) -> None:
        """A second room under a public name shows in the log: its leaves carry another id."""
        self.lobby.log_head()
        second: Room = self.world.room(self.alice, policy=PUBLIC, nonce=b"2" * 32)
        second.log_head()
        heads = self.world.facts.room_heads("lobby", self.world.size)
        self.assertEqual([head.room_id for head in heads], [self.lobby.room_id, second.room_id])
        self.assertEqual(self.world.facts.server_id, SERVER_ID)
