"""What people say of the log inside messages, false and true, and what the server has signed: whole clients."""

from chatserv.client.events import Alarm, MessageReceived
from chatserv.client.state.rooms import Room
from chatserv.client.verification.gossip import (
    ANSWER_SECONDS,
    ASK_SECONDS,
    ASKED_AT_MOST,
    MAX_WITNESSES,
    SPREAD_SECONDS,
    Witness,
)
from chatserv.client.verification.log_auditor import MAX_ALARMS
from chatserv.crypto.bodies import Body, LogEvidence, Text, encode_body
from chatserv.crypto.content import LogHead
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import (
    AttackCase,
    Tap,
    alarms,
    engine_of,
    idle_leaf,
    log_leaf,
    room_of,
    say_anything,
    signed_head,
)

FALSE_ROOT = b"\xbd" * 32


class GossipCase(AttackCase):
    """Alice, Bob and Carol in the lobby and in a room; Alice and Carol alone in another."""

    def setUp(self) -> None:
        """The rooms."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.private_room(self.carol, name="quiet")

    def size(self, person: Person) -> int:
        """How much of the log somebody has."""
        return engine_of(person).context.log.size

    def claim(self, size: int | None = None, room: str = "lobby", root: bytes = FALSE_ROOT) -> None:
        """Bob says something, and in it, that the log has this root."""
        head = LogHead(self.size(self.bob) if size is None else size, root)
        ctype, body = encode_body(Text("hello"))
        say_anything(self.bob, room, ctype, body, head)

    def does_not_answer(self) -> None:
        """Bob's client is one that shows nothing."""
        self.patch(engine_of(self.bob).auditor.gossip, "_answer", lambda _: None)

    def sends(self, person: Person, room: str) -> bool:
        """Whether what somebody says is stored within some seconds."""
        acknowledged: list[object] = []
        person.client.send(room, "so").addCallbacks(acknowledged.append, lambda _: None)
        self.world.settle(5)
        return bool(acknowledged)

    def shown(self, person: Person) -> list[LogEvidence]:
        """The evidence that somebody has put into rooms from now on, as they hand it out."""
        found: list[LogEvidence] = []
        engine = engine_of(person)
        put = engine.outbox.put_body

        def watch(room: Room, body: Body, asked: bytes | None = None) -> bytes:
            if isinstance(body, LogEvidence):
                found.append(body)
            return put(room, body, asked)

        self.patch(engine.outbox, "put_body", watch)
        return found


class FalseClaimTests(GossipCase):
    """A member sends a head that nobody has signed; it is not the server's."""

    def test_one_message_silences_nobody_else(self) -> None:
        """It holds back rooms with that person alone, who is named; the server is not accused."""
        self.does_not_answer()
        self.claim()
        self.world.settle(3)
        for person in (self.alice, self.carol):
            (alarm,) = person.events(Alarm)
            self.assertEqual(("head_claimed", "bob1"), (alarm.what, alarm.user))
            self.assertTrue(self.sends(person, "quiet"))
            self.assertFalse(self.sends(person, "lobby"))
            self.assertFalse(self.sends(person, "plans"))
            self.assertFalse(person.client.distrusted)

    def test_out_of_the_room(self) -> None:
        """What was held goes out when the person is out of the room."""
        self.does_not_answer()
        self.claim(room="plans")
        self.world.settle(3)
        self.assertFalse(self.sends(self.carol, "plans"))
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.world.settle(3)
        self.assertIn(("carol1", "so"), self.alice.texts("plans"))

    def test_shown_to_be_false(self) -> None:
        """Whoever is asked shows what the server has signed; where that fits, the word was a lie, and nothing waits."""
        self.claim()
        self.world.settle(5)
        for person in (self.alice, self.carol):
            self.assertEqual(
                [("head_claimed", "bob1"), ("false_claim", "bob1")], [(a.what, a.user) for a in person.events(Alarm)]
            )
            for room in ("quiet", "lobby", "plans"):
                self.assertTrue(self.sends(person, room))

    def test_again_and_again(self) -> None:
        """A liar's word counts no more."""
        for number in range(5):
            self.claim(root=bytes([number]) * 32)
            self.world.settle(5)
        self.assertEqual(["head_claimed", "false_claim"], alarms(self.carol))
        self.assertTrue(self.sends(self.carol, "lobby"))

    def test_more_than_there_is(self) -> None:
        """A claim of more of the log than the server has is that person's too, not that the server withholds anything."""
        self.does_not_answer()
        self.claim(2**60)
        self.world.settle(3)
        self.assertEqual(["head_claimed"], alarms(self.carol))
        self.assertTrue(self.sends(self.carol, "quiet"))
        self.assertFalse(self.sends(self.carol, "lobby"))

    def test_a_little_ahead(self) -> None:
        """One that comes true is right, and nobody is warned: the log has only just grown."""

        def edit(message: messages.ServerMessage) -> tuple[messages.ServerMessage, ...]:
            return () if isinstance(message, messages.LogHead) else (message,)

        Tap(self.carol, edit)
        log_leaf(self.world, idle_leaf("news"))
        self.world.settle(2)
        self.assertLess(self.size(self.carol), self.size(self.bob))
        root = engine_of(self.bob).context.log.root_at(self.size(self.bob))
        assert root is not None
        self.claim(root=root)
        self.world.settle(3)
        self.nobody_alarmed(self.alice, self.carol)
        self.assertEqual(self.size(self.bob), self.size(self.carol))

    def test_asked_once(self) -> None:
        """However often somebody claims, they are asked once in ten minutes."""
        asked = self.shown(self.carol)
        self.does_not_answer()
        for number in range(4):
            self.claim(root=bytes([number]) * 32)
            self.world.settle(2)
        self.assertEqual(["bob1"], [each.asked for each in asked])
        gossip = engine_of(self.carol).auditor.gossip
        (witness,) = gossip._claims
        gossip._claim(witness, LogHead(3, FALSE_ROOT))
        self.world.settle(2)
        self.assertEqual(1, len(asked))
        self.world.settle(int(ASK_SECONDS))
        gossip._claim(witness, LogHead(3, FALSE_ROOT))
        self.world.settle(2)
        self.assertEqual(2, len(asked))

    def test_asked_by_one(self) -> None:
        """Who is heard by all is asked by whoever is first: one message has not as many answers as there are members."""
        self.world.person("dave1")
        asked = []
        for seconds, person in enumerate((self.alice, self.carol, self.world.people[-1])):
            self.patch(engine_of(person).context, "chance", lambda _, seconds=seconds: float(seconds))
            asked.append(self.shown(person))
        self.does_not_answer()
        self.claim()
        self.world.settle(6)
        for person in self.world.people:
            self.assertEqual([] if person is self.bob else ["head_claimed"], alarms(person), person.name)
        self.assertEqual(1, sum(len(each) for each in asked))

    def test_other_device(self) -> None:
        """A liar's other device is another witness, and what holds rooms back is told."""
        gossip, room = engine_of(self.carol).auditor.gossip, room_of(self.carol, "plans")
        self.claim()
        self.world.settle(5)
        gossip.check(Witness("bob1", b"another of bob's", room), LogHead(3, FALSE_ROOT))
        self.assertEqual(["head_claimed", "false_claim", "head_claimed"], alarms(self.carol))
        self.assertFalse(self.sends(self.carol, "plans"))

    def test_so_many_are_asked(self) -> None:
        """Of many who claim, so many are asked in ten minutes."""
        asked = self.shown(self.carol)
        gossip = engine_of(self.carol).auditor.gossip
        self.patch(gossip._rooms, "sharing", lambda _: [room_of(self.carol, "lobby")])
        for number in range(ASKED_AT_MOST + 1):
            gossip._claim(Witness(f"user{number}", b"", room_of(self.carol, "lobby")), LogHead(3, FALSE_ROOT))
        self.world.settle(2)
        self.assertEqual(ASKED_AT_MOST, len(asked))

    def test_alarms_are_bounded(self) -> None:
        """So many different alarms are told in a run."""
        follower = engine_of(self.carol).auditor
        for number in range(MAX_ALARMS + 1):
            follower._alarm("false_claim", "", f"user{number}")
        self.assertEqual(MAX_ALARMS, len(alarms(self.carol)))

    def test_bounds(self) -> None:
        """So many people's words are remembered, and no more: claims, what is ahead of us, liars."""
        gossip = engine_of(self.carol).auditor.gossip
        asked = self.shown(self.carol)
        for number in range(MAX_WITNESSES + 1):
            witness = Witness(f"user{number}", b"", room_of(self.carol, "lobby"))
            gossip._claim(witness, LogHead(3, FALSE_ROOT))
            gossip._compare_later(witness, LogHead(2**50, FALSE_ROOT))
        self.assertEqual((MAX_WITNESSES, MAX_WITNESSES), (len(gossip._claims), len(gossip._ahead)))
        self.assertEqual(MAX_WITNESSES, alarms(self.carol).count("head_claimed"))
        self.assertEqual([], asked)  # none of them shares a room with us


class EvidenceTests(GossipCase):
    """Heads that the server has signed."""

    def test_two_logs(self) -> None:
        """Bob is shown another log: he is asked about his word, what he shows is a proof, and everybody stops."""
        own = list(self.world.server.store._leaves)
        fork = (*own, idle_leaf("for bob").encode())
        theirs = signed_head(fork, self.world.server.now_ms())

        def edit(message: messages.ServerMessage) -> tuple[messages.ServerMessage, ...]:
            return () if isinstance(message, messages.LogHead | messages.LogPage) else (message,)

        Tap(self.bob, edit).send(messages.LogHead(len(own), fork[-1], theirs))
        log_leaf(self.world, idle_leaf("for the others"))
        self.world.settle(2)
        self.bob.do(engine_of(self.bob).keys.hold(room_of(self.bob, "plans")))
        root = engine_of(self.bob).context.log.root_at(len(fork))
        assert root is not None
        say_anything(self.bob, "plans", *encode_body(Text("hello")), LogHead(len(fork), root))
        self.world.settle(int(SPREAD_SECONDS) + 5)
        for person in (self.alice, self.bob, self.carol):
            self.assertIn("log_forked", alarms(person), person.name)
            self.assertTrue(person.client.distrusted)
            (alarm,) = [each for each in person.events(Alarm) if each.what == "log_forked"]
            self.assertEqual(2, len(alarm.evidence))
            self.assertIn(theirs, alarm.evidence)
            self.assertFalse(self.sends(person, "lobby"))

    def test_remembered(self) -> None:
        """Both heads are kept over a restart."""
        self.shown_two(self.carol)
        kept = self.carol.events(Alarm)[0].evidence
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.assertEqual([kept], [each.evidence for each in self.carol.events(Alarm)])
        self.assertEqual(2, len(kept))

    def shown_two(self, person: Person) -> bytes:
        """The server shows somebody two logs, without a detour."""
        leaves = list(self.world.server.store._leaves)
        theirs = signed_head([*leaves[:-1], idle_leaf("other").encode()], self.world.server.now_ms())
        Tap(person).send(messages.LogHead(len(leaves), b"", theirs))
        self.world.settle(2)
        return theirs

    def test_spread(self) -> None:
        """Whoever has a proof shows it to all, though everything else waits; once or little more in each room."""
        shown = [self.shown(person) for person in (self.alice, self.bob, self.carol)]
        theirs = self.shown_two(self.carol)
        self.world.settle(2 * int(SPREAD_SECONDS) + 5)
        for person in (self.alice, self.bob):
            self.assertEqual(["log_forked"], alarms(person), person.name)
            self.assertFalse(self.sends(person, "lobby"))
        proofs = [body for each in shown for body in each]
        self.assertTrue(all(theirs in body.heads for body in proofs))
        self.assertLessEqual(3, len(proofs))
        self.assertLessEqual(len(proofs), 6)
        self.assertFalse([event for event in self.alice.events(MessageReceived) if event.text is None])

    def test_forged(self) -> None:
        """Heads that the server never signed are that person's lie, and stop nothing."""
        head = engine_of(self.bob).context.log.signed_head
        assert head is not None
        say_anything(self.bob, "lobby", *encode_body(LogEvidence((head, head[:-1] + bytes([head[-1] ^ 1])))))
        self.world.settle(3)
        (alarm,) = self.carol.events(Alarm)
        self.assertEqual(("false_evidence", "bob1"), (alarm.what, alarm.user))
        self.assertTrue(self.sends(self.carol, "lobby"))

    def test_longer_than_the_server_shows(self) -> None:
        """A signed head of more of the log than the server gives is its own word against it."""
        leaves = [*self.world.server.store._leaves, idle_leaf("kept back").encode()]
        body = LogEvidence((signed_head(leaves, self.world.server.now_ms()),))
        say_anything(self.bob, "lobby", *encode_body(body))
        self.world.settle(3)
        self.assertEqual(["log_withheld"], alarms(self.carol))

    def test_answered_once_a_minute(self) -> None:
        """Whoever is asked again and again answers once a minute, in each room."""
        shown = self.shown(self.carol)
        head = engine_of(self.bob).context.log.signed_head
        assert head is not None
        for _ in range(3):
            say_anything(self.bob, "lobby", *encode_body(LogEvidence((head,), "carol1")))
        self.world.settle(3)
        self.assertEqual(1, len(shown))
        self.world.settle(int(ANSWER_SECONDS))
        for room in ("lobby", "plans"):
            say_anything(self.bob, room, *encode_body(LogEvidence((head,), "carol1")))
        self.world.settle(3)
        self.assertEqual(3, len(shown))
        self.assertEqual(["", "", ""], [each.asked for each in shown])
        self.nobody_alarmed()

    def test_asked_where_bob_has_not_agreed(self) -> None:
        """Whoever has put somebody into a room cannot have their client say anything there, or wait to say it for ever."""
        self.bob.do(self.bob.client.create_room("trap"))
        self.bob.do(self.bob.room("trap").invite("carol1"))
        self.world.settle(3)
        head = engine_of(self.bob).context.log.signed_head
        assert head is not None
        for _ in range(3):
            say_anything(self.bob, "trap", *encode_body(LogEvidence((head,), "carol1")))
            self.world.settle(int(ANSWER_SECONDS))
        self.assertEqual(0, self.carol.client.unacknowledged)

    def test_asked_where_nothing_is_sent(self) -> None:
        """Where an answer cannot leave, another one does not wait behind it."""
        self.patch(engine_of(self.carol).outbox.fitness, "may_send", lambda _: False)
        head = engine_of(self.bob).context.log.signed_head
        assert head is not None
        for _ in range(3):
            say_anything(self.bob, "plans", *encode_body(LogEvidence((head,), "carol1")))
            self.world.settle(int(ANSWER_SECONDS))
        self.assertEqual(1, self.carol.client.unacknowledged)

    def test_proof_that_is_none_hides_no_proof(self) -> None:
        """Two heads that fit, or that nobody signed, do not keep those who have a proof from showing it."""
        head = engine_of(self.bob).context.log.signed_head
        assert head is not None
        for room in ("lobby", "plans"):
            say_anything(self.bob, room, *encode_body(LogEvidence((head, head))))
        self.world.settle(3)
        self.nobody_alarmed()
        self.shown_two(self.carol)
        self.world.settle(2 * int(SPREAD_SECONDS) + 5)
        self.assertEqual(["log_forked"], alarms(self.bob))

    def test_another_device_shows_what_fits(self) -> None:
        """The server shows one of bob's devices another log: what the other one was shown makes nobody a liar."""
        self.does_not_answer()
        self.claim(room="plans")
        self.world.settle(3)
        gossip, head = engine_of(self.carol).auditor.gossip, engine_of(self.bob).context.log.signed_head
        assert head is not None
        other = Witness("bob1", b"another of bob's", room_of(self.carol, "plans"))
        gossip.take(other, LogEvidence((head,)))
        self.assertEqual(["head_claimed"], alarms(self.carol))
        self.assertFalse(self.sends(self.carol, "plans"))

    def test_nothing_to_read(self) -> None:
        """It is no message to people: neither shown nor kept."""
        head = engine_of(self.bob).context.log.signed_head
        assert head is not None
        before = len(self.carol.room("lobby").history(100))
        say_anything(self.bob, "lobby", *encode_body(LogEvidence((head,))))
        self.world.settle(3)
        self.assertEqual(before, len(self.carol.room("lobby").history(100)))
