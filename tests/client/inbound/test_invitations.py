"""Rooms that somebody puts us into: what is told of them before we agree, and what they can do to ours."""

import os
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import RoomHandle
from chatserv.client.errors import NameInvalid, NotMember
from chatserv.client.events import (
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Reacted,
    RoomChanged,
    RoomOffered,
    RoomTitled,
)
from chatserv.client.own.consents import MAX_ACCEPTED
from chatserv.crypto.bodies import RoomTitle
from chatserv.crypto.room_state import room_id
from chatserv.testing.unlimited import RATES
from chatserv.testing.world import Person, World


class OfferCase(SynchronousTestCase):
    """Alice invites bob."""

    def setUp(self) -> None:
        """Both are in the lobby."""
        self.world = World(self.mktemp(), **RATES)
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")

    def made(self, name: str, by: Person | None = None) -> RoomHandle:
        """A private room."""
        person = by or self.alice
        handle = person.do(person.client.create_room(name))
        self.world.settle()
        return handle

    def late_name(self) -> Callable[[], None]:
        """Holds the sealed name back that alice sends next; what is returned lets it go."""
        outgoing, held = self.alice.client.engine.outbox, []  # type: tuple[Any, list[Any]]
        put = outgoing.put_body

        def hold(room: Any, body: Any) -> Any:
            return held.append((room, body)) if isinstance(body, RoomTitle) else put(room, body)

        outgoing.put_body = hold

        def let_go() -> None:
            outgoing.put_body = put
            for room, body in held:
                put(room, body)
            self.world.settle()

        return let_go


class ToldTests(OfferCase):
    """What the program is told."""

    def test_accepted_before_the_name(self) -> None:
        """Who agrees before the name is there is told the name when it comes."""
        plans, let_go = self.made("plans"), self.late_name()
        self.alice.do(plans.invite("bob"))
        self.world.run()
        (nameless,) = (name for name in self.bob.client.rooms if name.startswith("~"))
        self.bob.room(nameless).accept()
        let_go()
        self.assertEqual([event.room for event in self.bob.events(RoomTitled)], ["plans"])
        self.assertEqual(self.bob.events(RoomOffered), [])

    def test_restarted_before_the_name(self) -> None:
        """An offer that was held back when the program ended is told when it begins again."""
        plans, let_go = self.made("plans"), self.late_name()
        self.alice.do(plans.invite("bob"))
        self.world.run()
        self.bob.leave_the_machine()
        let_go()
        self.bob.come_back()
        self.assertEqual(self.bob.events(RoomOffered), [RoomOffered("plans", "alice")])

    def test_told_at_each_start(self) -> None:
        """What waits for consent is told at each start, with whoever invites; direct messages too."""
        self.alice.do(self.made("plans").invite("bob"))
        self.alice.do(self.alice.do(self.alice.client.direct("bob")).send("psst"))
        self.world.settle()
        self.bob.leave_the_machine()
        self.bob.come_back()
        offered = sorted(self.bob.events(RoomOffered), key=lambda event: event.room)
        self.assertEqual(offered, [RoomOffered("@alice", "alice"), RoomOffered("plans", "alice")])
        self.bob.room("plans").accept()
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual([event.room for event in self.bob.events(RoomOffered)], ["@alice"])

    def test_invited_by(self) -> None:
        """Whoever changes the room afterwards is not taken for who has invites us."""
        plans, carol = self.made("plans"), self.world.person("carol")
        self.alice.do(plans.invite("carol"))
        self.world.settle()
        carol.room("plans").accept()
        self.alice.do(plans.set_role("carol", "moderator"))
        self.alice.do(plans.invite("bob"))
        self.world.settle()
        self.world.person("dave")
        carol.do(carol.room("plans").ban("dave"))
        self.world.settle()
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual(self.bob.events(RoomOffered), [RoomOffered("plans", "alice")])

    def test_nothing_before_consent(self) -> None:
        """Nothing that is said, changed or put to something in the room is told before; afterwards the newest counts."""
        plans = self.made("plans")
        self.alice.do(plans.invite("bob"))
        self.world.settle()
        self.alice.say("plans", "first")
        said = plans.history(1)[0].message_id
        self.alice.do(plans.edit(said, "second"))
        self.alice.do(plans.react(said, "!"))
        self.alice.do(plans.set_topic("what nobody asked for"))
        self.world.person("carol")
        self.alice.do(plans.invite("carol"))
        self.world.settle()
        secret = (MessageReceived, MessageEdited, MessageDeleted, Reacted, RoomChanged)
        self.assertEqual([event for event in self.bob.told if isinstance(event, secret) and event.room != "lobby"], [])
        self.assertEqual([event.topic for event in self.bob.events(RoomTitled)], [""])
        (kept,) = self.bob.room("plans").accept()
        self.assertEqual((kept.text, self.bob.room("plans").topic), ("second", "what nobody asked for"))

    def test_more_than_accept_gives(self) -> None:
        """What was said beyond the bound of ``accept`` is told by events, in order."""
        self.alice.do(self.made("plans").invite("bob"))
        self.world.settle()
        for number in range(MAX_ACCEPTED + 5):
            self.alice.client.send("plans", str(number))
        self.world.settle(60)
        kept = self.bob.room("plans").accept()
        self.world.settle(1)
        rest = [text for _, text in self.bob.texts("plans")]
        self.assertEqual([message.text for message in kept] + rest, [str(number) for number in range(MAX_ACCEPTED + 5)])


class NameTests(OfferCase):
    """Whose room a name leads to."""

    def lower(self, person: Person, than: bytes) -> None:
        """The next room of this person gets an id below another one, which costs a few thousand hashes."""
        context = person.client.engine.context
        while room_id(context.cert_hash, nonce := os.urandom(32)) >= than:
            pass
        real, nonces = context.random, [nonce]
        context.random = lambda size: nonces.pop() if size == 32 and nonces else real(size)

    def test_taken_by_nobody(self) -> None:
        """Who invites us into a room of a name that one of ours has does not get what we send there, agreed or not."""
        self.alice.do(self.made("plans").invite("bob"))
        self.world.settle()
        self.bob.room("plans").accept()
        mallory = self.world.person("mallory")
        self.lower(mallory, self.bob.client.engine.rooms.find("plans").room_id)
        trap = self.made("plans", mallory)
        mallory.do(trap.invite("bob"))
        self.world.settle()
        for _ in range(2):
            self.bob.say("plans", "for alice")
            self.world.settle()
            (other,) = (name for name in self.bob.client.rooms if name.startswith("plans~"))
            self.bob.room(other).accept()
        self.assertEqual(self.alice.texts("plans"), [("bob", "for alice")] * 2)
        self.assertEqual(mallory.texts("plans"), [])

    def test_renamed_takes_nothing(self) -> None:
        """A room of ours that is given a name that another one has comes behind that one."""
        mallory = self.world.person("mallory")
        for person, name in ((mallory, "old"), (self.alice, "plans")):
            person.do(self.made(name, person).invite("bob"))
            self.world.settle()
            self.bob.room(name).accept()
        mallory.do(mallory.room("old").rename("plans"))
        self.world.settle()
        self.bob.say("plans", "for alice")
        self.world.settle()
        self.assertEqual(self.alice.texts("plans"), [("bob", "for alice")])
        self.assertEqual(mallory.texts("plans"), [])

    def test_no_name_twice(self) -> None:
        """Two rooms never have the same name here, whatever others call them and however alike their ids begin."""
        rooms = self.bob.client.engine.rooms
        for number in range(3):
            made = self.made("plans", self.bob)
            room = made._room
            rooms._rooms.pop(room.room_id)
            room.room_id = b"\xab" * 12 + bytes((number,)) * 4
            rooms._rooms[room.room_id] = room
            rooms._named.clear()  # the names go by the rows of rooms, which have never another id
        names = self.bob.client.rooms
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual(sorted(len(name) for name in names), [len("lobby"), 5, 5 + 1 + 6, 5 + 1 + 8])
        with self.assertRaises(NameInvalid):
            self.bob.do(self.bob.client.create_room("plans~abcdef"))

    def test_not_sent_before_consent(self) -> None:
        """Into a room that we have not agreed to nothing is sent, and nothing waits to be."""
        self.alice.do(self.made("plans").invite("bob"))
        self.world.settle()
        with self.assertRaises(NotMember):
            self.bob.client.send("plans", "too early")
        self.assertEqual(self.bob.client.unacknowledged, 0)
