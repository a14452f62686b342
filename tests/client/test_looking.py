"""What can be looked at: messages by place, moment and id; rules; offers, of which nothing is shown; what is wrong now."""

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import (
    Alarm,
    ArchiveFull,
    ClientEvent,
    IdentityChanged,
    MessageDeleted,
    MessageEdited,
    Reacted,
    ReadMoved,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomTitled,
    SendAcknowledged,
    SendHeld,
    SendQueued,
    Slash,
    SlashError,
    Status,
    TypingSeen,
)
from chatserv.client.storage.pins import Pin, PinState
from chatserv.client.troubles import MAX_KEPT
from chatserv.errors import NotFound, NotMember
from chatserv.testing.world import World


class LookingCase(SynchronousTestCase):
    """Alice and bob, and what alice has said in the lobby: ten texts, a second apart."""

    def setUp(self) -> None:
        """Says them."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = (self.world.person(name, admin=name == "alice") for name in ("alice", "bob"))
        self.lobby = self.bob.room("lobby")


class HistoryTests(LookingCase):
    """`RoomView.history` and `find`."""

    def setUp(self) -> None:
        """Ten texts."""
        super().setUp()
        self.seqs = []
        for number in range(10):
            self.seqs.append(self.alice.say("lobby", f"text {number}"))
            self.world.settle(1)

    def numbers(self, **place: Any) -> list[int]:
        """Which of the texts."""
        return [self.seqs.index(message.seq) for message in self.lobby.history(**place)]

    def test_places(self) -> None:
        """The last ones, those before, behind or around a place, those from a moment on; always oldest first."""
        at_ms = [message.at_ms for message in self.lobby.history()]
        for place, expected in (
            ({}, list(range(10))),
            ({"limit": 2}, [8, 9]),
            ({"limit": 2, "before": self.seqs[5]}, [3, 4]),
            ({"limit": 2, "after": self.seqs[5]}, [6, 7]),
            ({"limit": 3, "around": self.seqs[5]}, [4, 5, 6]),
            ({"limit": 4, "around": self.seqs[9]}, [8, 9]),
            ({"limit": 1, "around": self.seqs[0]}, [0]),
            ({"limit": 3, "since_ms": at_ms[4]}, [4, 5, 6]),
            ({"since_ms": at_ms[4] + 1}, [5, 6, 7, 8, 9]),
            ({"since_ms": 0}, list(range(10))),
            ({"since_ms": at_ms[9] + 1}, []),
        ):
            self.assertEqual(self.numbers(**place), expected, place)
        self.assertRaises(ValueError, self.lobby.history, before=1, after=1)

    def test_find(self) -> None:
        """A message by its id, as it is by now."""
        said = self.lobby.history(1)[0]
        self.assertEqual(self.lobby.find(said.message_id), said)
        self.alice.do(self.alice.room("lobby").edit(said.message_id, "other"))
        self.world.settle()
        self.assertEqual(self.lobby.find(said.message_id).text, "other")
        self.assertRaises(NotFound, self.lobby.find, bytes(16))

    def test_search_goes_on(self) -> None:
        """A search goes on behind the last one that was found."""
        first = self.bob.client.search("text", limit=4)
        self.assertEqual([message.text for message in first], [f"text {number}" for number in (9, 8, 7, 6)])
        second = self.bob.client.search("text", limit=20, before=first[-1])
        self.assertEqual([message.text for message in second], [f"text {number}" for number in (5, 4, 3, 2, 1, 0)])
        self.assertEqual(self.bob.client.search("text", before=second[-1]), [])


class EventTests(LookingCase):
    """What events say of the room, and of changes."""

    def test_room_id(self) -> None:
        """Each event of a room names it for good, whatever it is called by now; the room is found by that."""
        plans = self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(plans.invite("bob"))
        self.world.settle()
        self.assertEqual(self.bob.events(RoomOffered)[0].room_id, plans.room_id)
        self.bob.room("plans").accept()
        said = plans.send("hello")
        self.alice.do(said)
        self.alice.do(plans.react(said.message_id, "+1"))
        self.alice.do(plans.edit(said.message_id, "hullo"))
        self.alice.do(plans.delete(said.message_id))
        self.alice.do(plans.typing())
        self.alice.do(plans.mark_read())
        self.alice.do(plans.rename("ideas"))
        self.alice.do(plans.rotate())
        self.world.settle()
        self.alice.do(plans.kick("bob"))
        self.world.settle()
        kinds: Any = (Reacted, MessageEdited, MessageDeleted, TypingSeen, ReadMoved, RoomTitled, RoomChanged, RoomLeft)
        for kind in kinds:
            self.assertEqual(self.bob.events(kind)[-1].room_id, plans.room_id, kind)
        sent: Any = (SendQueued, SendAcknowledged)
        for own in sent:
            self.assertIn(plans.room_id, [event.room_id for event in self.alice.events(own)])
        self.assertEqual(self.alice.events(RoomJoined)[-1].room_id, plans.room_id)
        self.assertEqual(self.alice.client.room_by_id(plans.room_id).name, "ideas")
        self.assertRaises(NotMember, self.bob.client.room_by_id, plans.room_id)

    def test_changes(self) -> None:
        """An edit, a sign and a deletion have a place and a moment of their own."""
        said = self.alice.room("lobby").send("hello")
        self.alice.do(said)
        places = []
        for change in ("edit", "react", "delete"):
            self.world.settle(2)
            words = () if change == "delete" else ("+1",)
            places.append(self.alice.do(getattr(self.alice.room("lobby"), change)(said.message_id, *words)))
        self.world.settle()
        kinds: Any = (MessageEdited, Reacted, MessageDeleted)
        found = [self.bob.events(kind)[-1] for kind in kinds]
        self.assertEqual([event.seq for event in found], places)
        moments = [event.at_ms for event in found]
        self.assertEqual(moments, sorted(set(moments)))
        self.assertGreater(moments[0], self.lobby.find(said.message_id).at_ms)


class OfferedTests(LookingCase):
    """Nothing of a room is shown, and nobody there hears of us, before we agree to it."""

    def setUp(self) -> None:
        """Alice takes bob into a room where things are said, and writes to him."""
        super().setUp()
        plans = self.alice.do(self.alice.client.create_room("plans", topic="of this week"))
        self.alice.do(plans.invite("bob"))
        self.alice.do(self.alice.do(self.alice.client.direct("bob")).send("psst"))
        said = plans.send("a secret plan")
        self.alice.do(said)
        self.world.settle()
        self.message_id = said.message_id

    def asked(self, room: str) -> dict[str, Callable[[], Any]]:
        """All that shows something of a room, or shows us there."""
        handle, message_id = self.bob.room(room), self.message_id
        return {
            "topic": lambda: handle.topic,
            "members": handle.members,
            "banned": lambda: handle.members(banned=True),
            "history": handle.history,
            "following": lambda: handle.following(0),
            "message": lambda: handle.message("-1", own=False),
            "find": lambda: handle.find(message_id),
            "reactions": lambda: handle.reactions(message_id),
            "delivered_to": lambda: handle.delivered_to(message_id),
            "search": lambda: self.bob.client.search("secret", room),
            "send": lambda: handle.send("hello"),
            "edit": lambda: handle.edit(message_id, "hello"),
            "delete": lambda: handle.delete(message_id),
            "react": lambda: handle.react(message_id, "+1"),
            "typing": lambda: self.bob.do(handle.typing()),
            "mark_read": lambda: self.bob.do(handle.mark_read()),
            "kick": lambda: self.bob.do(handle.kick("alice")),
            "rotate": lambda: self.bob.do(handle.rotate()),
        }

    def test_refused(self) -> None:
        """Each of them, of a room and of direct messages; the search of all rooms finds nothing there."""
        for room in ("plans", "@alice"):
            for name, ask in self.asked(room).items():
                with self.assertRaises(NotMember, msg=f"{name} of {room}"):
                    ask()
            self.bob.room(room).mark_seen()
            self.assertEqual((self.bob.room(room).unread, self.bob.room(room).read), (0, 0))
        self.assertEqual(self.bob.client.search("secret"), [])
        self.world.settle()
        self.assertEqual(self.alice.events(TypingSeen) + self.alice.events(ReadMoved), [])

    def test_by_whom(self) -> None:
        """Who has put us there can be looked up until we agree, after a restart too; then all of it is there."""
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual([self.bob.room(name).offered_by for name in ("plans", "@alice")], ["alice", "alice"])
        plans = self.bob.room("plans")
        self.assertEqual([message.text for message in plans.accept()], ["a secret plan"])
        self.assertEqual((plans.offered_by, plans.topic, plans.unread), ("", "of this week", 1))
        self.assertEqual(plans.find(self.message_id).sender, "alice")

    def test_commands(self) -> None:
        """What people type gets an answer that says what to do, and lists of rooms say that they are invited."""
        for line in ("/log", "/who", "/topic", "hello"):
            with self.assertRaises(SlashError, msg=line):
                slash = self.slash("plans")
                self.bob.do(slash.run(line))
        listed = "\n".join(self.bob.do(self.slash("lobby").run("/list")))
        self.assertIn("#plans", listed)
        self.assertNotIn("of this week", listed)

    def slash(self, room: str) -> Any:
        """What bob types."""
        return Slash(self.bob.client, room)


class RulesTests(LookingCase):
    """What can be set can be read."""

    def test_read(self) -> None:
        """By its owner, and by the others."""
        plans = self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(plans.invite("bob"))
        self.world.settle()
        self.bob.room("plans").accept()
        self.assertEqual((plans.slow_seconds, plans.members_add), (0, False))
        self.alice.do(plans.set_slow(30))
        self.alice.do(plans.set_open(members_add=True))
        self.world.settle()
        for person in (self.alice, self.bob):
            self.assertEqual((person.room("plans").slow_seconds, person.room("plans").members_add), (30, True))


class TroubleTests(LookingCase):
    """`Client.status`, `failure` and `troubles`."""

    def test_status(self) -> None:
        """How it stands, and why."""
        self.assertEqual((self.bob.client.status, self.bob.client.failure), (Status.ONLINE, None))
        self.world.server.up = False
        self.world.server.cut()
        self.world.settle(2)
        self.assertIs(self.bob.client.status, Status.OFFLINE)
        self.world.server.up = True
        self.world.settle(70)
        self.assertEqual((self.bob.client.status, self.bob.client.failure), (Status.ONLINE, None))
        self.bob.leave_the_machine()
        self.assertEqual((self.bob.client.status, self.bob.client.troubles()), (Status.STOPPED, []))

    def change(self) -> None:
        """Bob finds that alice has another identity than he knew."""
        pins, now = self.bob.client.engine.context.vault.pins, self.world.server.now_ms()
        before = pins.get("alice")
        assert before is not None
        pins.put(Pin("alice", b"o" * 32, PinState.CHANGED, now, before.fingerprint, was_verified=True))
        self.bob.client.engine.context.pins.changes += 1

    def test_identities(self) -> None:
        """A changed identity and the rooms that wait for it, until it is accepted; whoever comes later is told too."""
        self.assertEqual((self.bob.client.troubles(), self.lobby.held), ([], ()))
        self.change()
        expected = [IdentityChanged("alice", was_verified=True), SendHeld("lobby", ("alice",))]
        self.assertEqual(self.bob.client.troubles(), expected)
        self.assertEqual(self.lobby.held, ("alice",))
        told: list[ClientEvent] = []
        self.bob.client.listen(told.append, name="late")
        self.assertEqual([event for event in told if event in expected], expected)
        self.bob.client.people.accept_identity("alice")
        self.assertEqual((self.bob.client.troubles(), self.lobby.held), ([], ()))

    def test_alarms(self) -> None:
        """An alarm of a room lasts until the room is well again, others as long as the client runs."""
        room = self.bob.client.engine.rooms.find("lobby")
        tell = self.bob.client.engine.context.emit
        room.stopped = True
        stands = Alarm("bad_commit", "lobby: wrong", room_id=room.room_id)
        forked = Alarm("log_forked", "two roots")
        for event in (stands, forked, stands):
            tell(event)
        self.assertCountEqual(self.bob.client.troubles(), [stands, forked])
        room.stopped = False
        self.assertEqual(self.bob.client.troubles(), [forked])

    def test_bound(self) -> None:
        """Of very many alarms the newest are remembered."""
        for number in range(MAX_KEPT + 1):
            self.bob.client.engine.context.emit(Alarm("head_claimed", str(number)))
        found = [event.detail for event in self.bob.client.troubles() if isinstance(event, Alarm)]
        self.assertEqual(found, [str(number) for number in range(1, MAX_KEPT + 1)])


class KeepingTests(LookingCase):
    """`Client.set_archive_limit`."""

    def test_told(self) -> None:
        """The bound can be set, and the program is told when a room has reached it, with what it is called."""
        for wrong in (0, 99, 10_000_001, -5):
            self.assertRaises(ValueError, self.bob.client.set_archive_limit, wrong)
        self.bob.client.set_archive_limit(100)
        for number in range(102):
            self.alice.client.send("lobby", f"text {number}")
        self.world.settle(20)
        self.assertEqual(self.bob.events(ArchiveFull), [ArchiveFull("lobby", 100)])
        self.assertEqual(len(self.lobby.history(500)), 100)
        self.assertEqual(self.alice.events(ArchiveFull), [])
