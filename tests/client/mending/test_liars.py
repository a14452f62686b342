"""Nobody puts into a restored server what was not there: each lie that a client can tell it while it mends."""

from typing import Any

import msgspec
from msgspec.structs import replace

from chatserv.crypto.commits import SetPolicy
from chatserv.crypto.envelope import Envelope
from chatserv.crypto.log_leaves import LEAF_BYTES, TreeHead, make_tree_head
from chatserv.crypto.merkle import leaf_hash
from chatserv.crypto.suite import RSA_BYTES
from chatserv.errors import ChatError
from chatserv.mending_models import OFFER_BYTES
from chatserv.models import EventKind
from chatserv.testing.memory_server import rsa_key
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import OldCopy, engine_of, forged_commit, room_of
from tests.client.mending.test_restored import MendingCase
from tests.client.test_server_rotation import rotate


class LiarCase(MendingCase):
    """Something was said after the backup; the liar is a member, and offers first."""

    def setUp(self) -> None:
        """Which room it is about."""
        super().setUp()
        self.room_id = room_of(self.alice, "plans").room_id

    def restore(self, *away: Person, liar: Person | None = None) -> None:
        """The server is restored; who is away offers nothing, and who lies nothing by themselves."""
        for person in away:
            person.leave_the_machine()
        if liar is not None:
            engine_of(liar).offering._offer = nothing  # type: ignore[method-assign,assignment]
        self.old.mend()
        self.world.settle(8)

    def kept(self, person: Person) -> list[messages.Offered]:
        """What somebody has kept of a room since the backup."""
        found = engine_of(person).context.vault.kept_events.after(self.room_id, self.floor, 100)
        return [messages.Offered(each.seq, each.id, each.kind, each.at_ms, each.body) for each in found]

    @property
    def floor(self) -> int:
        """The last place of the room in the backup."""
        return len(self.old._rooms[self.room_id].events)

    def offer(self, person: Person, *offered: messages.Offered) -> int:
        """Offers something in somebody's session; how many were new."""
        asked = engine_of(person).requests.ask(messages.OfferEvents, room=self.room_id, events=offered)
        return int(self.world.do(asked).count)

    def refused(self, person: Person, kind: type[Any], **fields: Any) -> str:
        """The code with which a request is refused."""
        try:
            self.world.do(engine_of(person).requests.ask(kind, **fields))
        except ChatError as error:
            return error.code
        return ""

    def stored(self) -> dict[int, bytes]:
        """What the server has of the room behind the backup."""
        found = self.world.server.store._rooms.between(self.room_id, self.floor, None)
        return {each.seq: each.body for each in found}


class EventTests(LiarCase):
    """Events."""

    def test_nothing_is_taken_but_while_mending(self) -> None:
        """Neither before a restore nor after it."""
        offered = self.kept(self.alice) or [messages.Offered(99, bytes(16), 0, 0, b"x")]
        asked: dict[str, Any] = {"room": self.room_id, "events": tuple(offered)}
        self.assertEqual("forbidden", self.refused(self.alice, messages.OfferEvents, **asked))
        self.mend()
        self.assertEqual("forbidden", self.refused(self.alice, messages.OfferEvents, **asked))
        head = self.world.server.context.log.signed_head
        self.assertEqual("forbidden", self.refused(self.alice, messages.OfferLog, head=head, first=0))

    def test_nothing_else_is_stored_meanwhile(self) -> None:
        """Whatever would change something waits."""
        self.restore()
        room = self.room_id
        before = self.world.server.store.log
        for kind, fields in (
            (messages.Send, {"room": room, "id": bytes(16), "epoch": 0, "envelope": bytes(400)}),
            (messages.BeginCommit, {"room": room}),
            (messages.MarkRead, {"room": room, "seq": 1}),
            (messages.PublishPrekeys, {"prekeys": ()}),
            (messages.MakeInvite, {"name": "eve"}),
            (messages.Sync, {"store": bytes(16)}),
        ):
            self.assertEqual("read_only", self.refused(self.alice, kind, **fields), kind.__name__)
        self.assertEqual(before, self.world.server.store.log)
        self.assertEqual({}, self.stored())

    def test_somebody_elses_message_by_one_user(self) -> None:
        """One person alone gives back nothing of others, however many devices they have."""
        tablet = self.world.approved_device(self.bob)
        self.old = OldCopy(self.world, accounts=True)
        self.alice.say("plans", "by alice")
        self.world.settle(3)
        self.assertEqual([("alice1", "by alice")], [said for said in tablet.texts("plans") if said[1] == "by alice"])
        self.restore(self.alice, self.carol)
        report = self.finish()
        self.assertEqual({}, self.stored())
        (lost,) = report["rooms"]
        self.assertEqual([[self.floor + 1, self.floor + 1]], lost["missing"])

    def test_somebody_elses_message_by_two_users(self) -> None:
        """Two people who were there give it back, though its sender is away."""
        self.alice.say("plans", "by alice")
        self.world.settle(3)
        (lost,) = self.kept(self.bob)
        self.restore(self.alice)
        self.assertEqual([], self.finish()["rooms"])
        self.assertEqual({lost.seq: lost.body}, self.stored())

    def test_another_message_at_the_place_of_somebody(self) -> None:
        """Two honest people are more than the one who offers something of their own there, though they offer first."""
        self.alice.say("plans", "by alice")
        self.bob.say("plans", "by bob")
        self.world.settle(3)
        first, second = self.kept(self.carol)
        self.restore(self.alice, self.carol, liar=self.bob)
        forged = messages.Offered(first.seq, second.id, 0, second.at, second.body)
        self.offer(self.bob, forged)
        self.world.settle(3)
        for person in (self.alice, self.carol):
            person.come_back()
        self.world.settle(8)
        self.finish()
        self.assertEqual({first.seq: first.body, second.seq: second.body}, self.stored())

    def test_what_is_no_message_of_that_place(self) -> None:
        """Of another room or epoch, of nobody, once more, at the backup's places or far away: nothing is taken."""
        self.bob.say("plans", "by bob")
        self.bob.say("lobby", "in the lobby")
        self.world.settle(3)
        (own,) = self.kept(self.bob)
        vault, lobby = engine_of(self.bob).context.vault, room_of(self.bob, "lobby")
        elsewhere = vault.kept_events.after(lobby.room_id, 0, 100)[-1]
        self.restore(self.alice, self.carol, liar=self.bob)
        header = Envelope.decode(own.body).header
        wrong = [
            own.body[:21] + bytes(3) + b"\x09" + own.body[25:],
            own.body[:25] + b"\x00\x00\x00\x09" + own.body[29:],
        ]
        for seq, body in enumerate([elsewhere.body, *wrong, b"", b"x" * 400], own.seq + 1):
            self.offer(self.bob, messages.Offered(seq, bytes([seq]) * 16, 0, 0, body))
        self.offer(self.bob, own)
        self.offer(self.bob, messages.Offered(own.seq + 20, b"g" * 16, 0, 0, own.body))
        self.assertEqual(0, self.offer(self.bob, messages.Offered(self.floor, bytes(16), 0, 0, own.body)))
        self.assertEqual(0, self.offer(self.bob, messages.Offered(own.seq + 10**6 + 1, bytes(16), 0, 0, own.body)))
        self.assertEqual(1, self.offer(self.bob, messages.Offered(own.seq + 5000, b"f" * 16, 0, 0, own.body)))
        self.world.settle(8)
        self.finish()
        self.assertEqual({own.seq: own.body}, self.stored())
        self.assertEqual(header.room_id, self.room_id)

    def test_forged_commits(self) -> None:
        """A commit that nobody has signed, or of another room, moves nothing."""
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.world.settle(3)
        (real,) = [each for each in self.kept(self.alice) if each.kind == EventKind.COMMIT]
        self.restore(self.alice, self.carol, liar=self.bob)
        spoilt = real.body[:-1] + bytes([real.body[-1] ^ 1])
        self.offer(self.bob, messages.Offered(real.seq, real.id, 1, 0, spoilt))
        self.offer(self.bob, messages.Offered(real.seq + 1, real.id, 1, 0, b"no commit"))
        before = self.world.server.context.registry.get(self.room_id)
        assert before is not None
        epoch = before.head.epoch
        self.finish()
        after = self.world.server.context.registry.get(self.room_id)
        assert after is not None
        self.assertEqual(epoch, after.head.epoch)

    def test_a_name_that_the_server_does_not_carry(self) -> None:
        """A change that somebody makes up while it mends gives a room no name that it could not have had before."""
        self.bob.do(self.bob.client.create_room("den"))
        self.world.settle(2)
        self.old = OldCopy(self.world, accounts=True)
        room = room_of(self.bob, "den")
        self.room_id = room.room_id
        assert room.state is not None
        names = {"Pl\u202eans": "", "lobby": "", "cellar": "cellar"}
        self.restore(liar=self.bob)
        for place, name in enumerate(names, self.floor + 1):
            policy = replace(room.state.policy, public=True, name=name)
            commit = forged_commit(self.bob, "den", replace(room.state, policy=policy), SetPolicy(policy))
            self.offer(self.bob, messages.Offered(place, commit.commit_hash, 1, 0, commit.encoded))
        (said,) = self.finish()["rooms"]
        self.assertEqual(["name_invalid", "forbidden"], [each.split(": ")[1] for each in said["problems"]])
        record = self.world.server.context.registry.get(self.room_id)
        assert record is not None
        self.assertEqual("cellar", record.state.policy.name)

    def test_too_many_rooms(self) -> None:
        """Nor is somebody in more rooms than an account may be."""
        self.bob.do(self.bob.client.create_room("den"))
        self.world.settle(2)
        self.room_id = room_of(self.bob, "den").room_id
        self.restore()
        settings = self.world.server.context.settings
        limits = msgspec.structs.replace(settings.config.limits, rooms_per_account=2)
        settings.replace(msgspec.structs.replace(settings.config, limits=limits))
        self.finish()
        self.assertIsNone(self.world.server.context.registry.get(self.room_id))

    def test_too_many_bytes(self) -> None:
        """An account offers so much and no more."""
        self.bob.say("plans", "by bob")
        self.world.settle(3)
        (own,) = self.kept(self.bob)
        self.restore(self.alice, self.carol, liar=self.bob)
        limits = self.world.server.context.config.limits
        room, most = bytes(16), limits.mending_bytes_per_account
        size, taken, code = 40_000, 0, ""
        for seq in range(1, most // size + 3):
            offered = messages.Offered(seq, bytes(32), 1, 0, seq.to_bytes(4) * (size // 4))
            code = self.refused(self.bob, messages.OfferEvents, room=room, events=(offered,))
            if code == "quota":
                break
            taken += size + OFFER_BYTES
        self.assertEqual("quota", code)
        self.assertLessEqual(taken, most)
        self.assertGreater(taken + size, most - size - len(own.body))

    def test_a_decision_that_fails(self) -> None:
        """A fault of ours while it decides is no reason to mend for ever: it tries again by itself."""
        self.restore()
        mending = self.world.server.context.mending
        works, calls = mending.work, list[None]()

        async def fails() -> dict[str, Any]:
            calls.append(None)
            if len(calls) == 1:
                raise ZeroDivisionError
            return await works()

        mending.work = fails
        with self.assertRaises(ZeroDivisionError):
            self.world.do(mending.finish())
        self.world.settle(int(self.world.server.context.config.limits.mending_quiet_seconds) + 70)
        self.assertFalse(mending.active)


class LogTests(LiarCase):
    """The log."""

    def ask_log(self, person: Person, **fields: Any) -> str:
        """Offers a part of the log; the code of the refusal, empty where there is none."""
        return self.refused(person, messages.OfferLog, **fields)

    def test_leaves_that_were_never_signed(self) -> None:
        """Neither other leaves, nor fewer, nor a head that the server has not signed."""
        self.world.person("dave")
        self.world.settle(3)
        log = engine_of(self.bob).context.log
        head, size = log.signed_head, log.size
        assert head is not None
        first = len(self.old._leaves)
        leaves = b"".join(engine_of(self.bob).context.vault.log.leaves_from(first, 100))
        self.restore(*(person for person in self.world.people if person is not self.bob), liar=self.bob)
        forged = leaves[:1] + bytes(8) + leaves[9:]
        self.assertEqual("bad_message", self.ask_log(self.bob, head=head, first=first, leaves=forged))
        self.assertEqual("bad_message", self.ask_log(self.bob, head=head, first=first, leaves=leaves[:-1]))
        swapped = leaves[LEAF_BYTES : 2 * LEAF_BYTES] + leaves[:LEAF_BYTES] + leaves[2 * LEAF_BYTES :]
        self.assertEqual("bad_message", self.ask_log(self.bob, head=head, first=first, leaves=swapped))
        tree = TreeHead.decode(head[:-RSA_BYTES])
        signature = bytes(RSA_BYTES)
        self.assertEqual("bad_key", self.ask_log(self.bob, head=tree.encode() + signature, first=first, leaves=leaves))
        self.assertEqual(first, self.world.server.context.log.size)
        wrong = tuple((index, b"another statement") for index in range(first, size))
        self.assertEqual("", self.ask_log(self.bob, head=head, first=first, statements=wrong))
        self.assertEqual("", self.ask_log(self.bob, head=head, first=first, leaves=leaves))
        self.assertEqual(size, self.world.server.context.log.size)
        self.assertIsNone(self.world.server.await_(self.world.server.store.account("dave")))

    def test_leaves_by_a_stolen_key(self) -> None:
        """Nor those that somebody has signed with a key that this server has given up."""
        rotate(self.world)
        self.old = OldCopy(self.world, accounts=True)
        self.restore(liar=self.bob)
        log = self.world.server.context.log
        leaf, size = log.leaves(1, 2), log.size
        forged = TreeHead(size + 1, log.root_with([leaf_hash(leaf)]), self.world.server.now_ms())
        head = make_tree_head(forged, rsa_key("server"))
        self.assertEqual("bad_key", self.ask_log(self.bob, head=head, first=size, leaves=leaf))
        self.assertEqual(size, self.world.server.context.log.size)


async def nothing(_welcome: messages.Welcome) -> None:
    """An offer of nothing."""
