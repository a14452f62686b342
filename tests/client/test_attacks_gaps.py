"""Servers that swallow: rooms, messages and changes that they keep from somebody, and who is told of it."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from chatserv.client.events import Alarm, GapSeen, MessagesMissing, RoomChanged, RoomLeft, RoomOffered, SendFailed
from chatserv.client.inbound.agreements import AGREED
from chatserv.client.inbound.places import BACK_SECONDS
from chatserv.client.state.context import Interrupted
from chatserv.crypto.commits import CommitTBS
from chatserv.errors import NotMember
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import (
    AttackCase,
    BadCommitter,
    Renumber,
    Tap,
    alarms,
    count,
    engine_of,
    entry_of,
    is_message,
    room_of,
)


class GapCase(AttackCase):
    """Alice, Bob and Carol in a private room; something was said there."""

    def setUp(self) -> None:
        """The room, and a server that can do what it likes with what it sends to carol."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.alice.say("plans", "first")
        self.bob.say("plans", "second")
        self.world.settle(2)
        self.before = [("alice1", "first"), ("bob1", "second")]
        self.room_id = room_of(self.carol, "plans").room_id
        self.tap = Tap(self.carol)

    def texts(self, person: Person) -> list[str | None]:
        """What somebody was shown since the beginning."""
        return [text for _, text in person.texts("plans")[2:]]

    def reconnect(self) -> None:
        """Everybody's connection is lost, and there is another one."""
        self.world.server.cut()
        self.world.settle(8)

    def swallow(self, what: Callable[[messages.Event], bool], *taps: Tap) -> list[Renumber]:
        """What fits is sent to none of these people, and nobody sees a hole in the numbers."""
        edits = []
        for tap in taps or (self.tap,):
            edits.append(Renumber(self.room_id, what))
            tap.edit = edits[-1]
        return edits


class RoomTests(GapCase):
    """The server says that a room is gone which nobody has signed carol out of."""

    def without(self, message: messages.ServerMessage) -> list[messages.ServerMessage]:
        """An edit: the room is in no welcome, and nothing of it comes."""
        if isinstance(message, messages.Welcome):
            rooms = tuple(each for each in message.rooms if each.room != self.room_id)
            return [msgspec.structs.replace(message, rooms=rooms)]
        return [] if isinstance(message, messages.Event) and message.room == self.room_id else [message]

    def agreed_without_an_answer(self, answer: Callable[[], Deferred[None]]) -> None:
        """Carol's client could not tell that she agrees to the room; what it says now is answered so."""
        agreements = engine_of(self.carol).agreements
        engine_of(self.carol).context.vault.facts.put(AGREED + self.room_id.hex(), b"1")

        async def tell(*_: object, **__: object) -> None:
            await answer()

        self.patch(agreements, "_tell", tell)
        self.withhold()
        self.world.settle(int(BACK_SECONDS))

    def test_never_taken_note_of(self) -> None:
        """A server that takes no note of consent cannot take the room away for that without a word."""
        self.agreed_without_an_answer(Deferred)
        self.assertEqual(["room_withheld"], alarms(self.carol))

    def test_taken_note_of_and_not_brought_back(self) -> None:
        """Nor one that says that it has taken note."""
        engine_of(self.carol).context.vault.facts.put(AGREED + self.room_id.hex(), b"1")
        self.withhold()
        self.world.settle(int(BACK_SECONDS))
        self.assertEqual(["room_withheld"], alarms(self.carol))

    def withhold(self) -> None:
        """The room is left out of carol's welcome, while the others talk, and change it."""
        self.tap.edit = self.without
        self.reconnect()
        self.alice.say("plans", "one")
        self.alice.do(self.alice.room("plans").rotate())
        self.bob.say("plans", "two")
        self.world.settle(2)

    def test_left_out_of_welcome(self) -> None:
        """That is an alarm, told once. When the room is back, everything is read that was said meanwhile, and nothing asks
        for a commit.
        """
        epoch = room_of(self.alice, "plans").head.epoch
        self.withhold()
        self.assertEqual([Alarm("room_withheld", "plans")], self.carol.events(Alarm))
        self.assertEqual([], self.carol.events(RoomLeft))
        self.reconnect()
        self.assertEqual(1, count(self.carol, Alarm))
        self.assertEqual([], self.texts(self.carol))
        self.tap.edit = lambda message: [message]
        self.reconnect()
        self.assertEqual(["one", "two"], self.texts(self.carol))
        self.assertEqual(0, count(self.carol, GapSeen) + count(self.carol, MessagesMissing))
        self.carol.say("plans", "here again")
        self.assertEqual("here again", self.texts(self.alice)[-1])
        self.assertEqual(epoch + 1, room_of(self.alice, "plans").head.epoch)

    def test_left_out_across_a_restart(self) -> None:
        """So it is where the program was started anew meanwhile; a new run tells the alarm once more."""
        self.withhold()
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.assertEqual([], self.carol.events(Alarm))  # the room is back
        self.assertEqual([("alice1", "one"), ("bob1", "two")], self.carol.texts("plans"))

    def test_lost_when_it_comes_back(self) -> None:
        """What the server does not give when the room is back is told as missing, though nothing comes behind it."""
        self.withhold()

        def nothing(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            return [] if isinstance(message, messages.Event) and message.room == self.room_id else [message]

        self.tap.edit = nothing
        self.carol.told.clear()
        self.reconnect()
        self.assertEqual([GapSeen("plans", 9, 11)], self.carol.events(GapSeen))
        self.reconnect()
        self.assertEqual(1, count(self.carol, GapSeen))

    def test_lost_before_consent(self) -> None:
        """Of a room that nobody has agreed to, nothing is told, not even that something is missing there."""
        self.alice.do(self.alice.client.create_room("offer"))
        self.alice.do(self.alice.room("offer").invite("carol1"))
        self.world.settle(8)
        self.room_id = room_of(self.carol, "offer").room_id
        self.tap.edit = lambda message: [] if isinstance(message, messages.Event) else [message]
        self.alice.say("offer", "lost")
        self.reconnect()
        self.assertEqual([], self.carol.events(GapSeen))
        self.assertEqual([RoomOffered("offer", "alice1")], self.carol.events(RoomOffered)[-1:])

    def test_what_waits_is_sent_when_it_comes_back(self) -> None:
        """What is said meanwhile is not refused, as the server's word alone would have it: it waits."""
        self.withhold()
        self.carol.client.send("plans", "are you there?")
        self.world.settle(5)
        self.assertEqual([], self.carol.events(SendFailed))
        self.tap.edit = lambda message: [message]
        self.reconnect()
        self.assertEqual("are you there?", self.texts(self.alice)[-1])

    def test_closed(self) -> None:
        """A notice that the room is closed is the same; the next thing that comes shows what was kept back before it."""
        self.tap.send(messages.RoomClosed(self.room_id))
        self.assertEqual([Alarm("room_withheld", "plans")], self.carol.events(Alarm))
        self.tap.edit = self.without
        self.alice.say("plans", "lost")
        self.tap.edit = lambda message: [message]
        self.alice.say("plans", "there")
        self.assertEqual(["there"], self.texts(self.carol))
        self.assertEqual(1, count(self.carol, GapSeen))

    def test_called_no_member(self) -> None:
        """So is the word that somebody is no member, where no commit comes that puts them out."""
        self.tap.edit = lambda message: (
            [messages.Error(message.label, "not_member")] if isinstance(message, messages.Sent) else [message]
        )
        self.assertRaises(NotMember, self.carol.say, "plans", "hello")
        self.world.settle(12)
        self.assertEqual([Alarm("room_withheld", "plans")], self.carol.events(Alarm))

    def test_put_out_while_something_is_sent(self) -> None:
        """Where one comes, nobody is accused."""
        self.tap.edit = lambda message: [] if isinstance(message, messages.Event) else [message]
        self.alice.do(self.alice.room("plans").kick("carol1"))
        self.assertRaises(NotMember, self.carol.say, "plans", "hello")
        self.tap.edit = lambda message: [message]
        self.reconnect()
        self.world.settle(12)
        self.assertEqual([RoomLeft("plans", "alice1")], self.carol.events(RoomLeft))
        self.assertEqual([], self.carol.events(Alarm))

    def test_left_with_a_lost_answer(self) -> None:
        """Who has left, and never got the answer, is told no alarm: they have signed it themselves."""
        self.tap.edit = lambda message: [] if isinstance(message, messages.Ok) else [message]
        leaving = Deferred.fromCoroutine(self.carol.room("plans").leave())
        self.world.settle(1)
        self.assertNoResult(leaving)
        self.tap.edit = lambda message: [message]
        self.reconnect()
        self.failureResultOf(leaving, Interrupted)
        self.assertEqual([], self.carol.events(Alarm))
        self.assertEqual([RoomLeft("plans", "carol1")], self.carol.events(RoomLeft))
        self.assertNotIn("plans", self.carol.client.rooms)

    def test_leave_that_did_not_arrive(self) -> None:
        """A Leave that was lost on its way excuses nothing later."""
        self.patch(self.carol.client._lifecycle.connection._protocol, "send", lambda _: None)
        leaving = Deferred.fromCoroutine(self.carol.room("plans").leave())
        self.reconnect()
        self.failureResultOf(leaving, Interrupted)
        self.assertIn("plans", self.carol.client.rooms)
        self.withhold()
        self.assertEqual([Alarm("room_withheld", "plans")], self.carol.events(Alarm))

    def test_left_for_good(self) -> None:
        """Who does not want to wait for such a room can leave it, whatever the server says."""
        self.withhold()
        self.tap.edit = lambda message: (
            [messages.Error(message.label, "not_member")] if isinstance(message, messages.Ok) else self.without(message)
        )
        self.carol.do(self.carol.room("plans").leave())
        self.assertNotIn("plans", self.carol.client.rooms)


class WithheldTests(GapCase):
    """The server swallows messages and numbers the others so that nobody sees a hole."""

    def test_messages_and_the_commit_behind_them(self) -> None:
        """Where the commit that would tell it is swallowed as well, the next one tells it."""
        wanted = [True]
        self.swallow(lambda _: wanted[0])
        self.bob.say("plans", "lost")
        self.alice.do(self.alice.room("plans").rotate())
        wanted.clear()
        wanted.append(False)
        self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(3)
        self.assertEqual(0, count(self.carol, GapSeen))
        self.assertEqual([MessagesMissing("plans", "bob1", 1, "alice1")], self.carol.events(MessagesMissing))

    def test_made_up(self) -> None:
        """Whoever changes the room can say that more was said than ever was: that is their word, and they are named."""
        self.bob.say("plans", "third")

        def more(tbs: CommitTBS) -> CommitTBS:
            return replace(tbs, heads=tuple(replace(each, next_generation=900) for each in tbs.heads))

        BadCommitter(self, self.bob, edit=more)
        self.bob.do(self.bob.room("plans").rotate())
        self.world.settle(3)
        told = self.carol.events(MessagesMissing)
        self.assertEqual([("alice1", "bob1"), ("bob1", "")], [(each.sender, each.by) for each in told])

    def test_more_than_are_followed(self) -> None:
        """However many were swallowed, the next commit tells it."""
        self.swallow(is_message)
        chains = engine_of(self.alice).context.vault.chains
        generations = chains.generations
        leaf = entry_of(room_of(self.alice, "plans"), "bob1").leaf
        self.patch(chains, "generations", lambda room_id: generations(room_id) | {leaf: 2001})
        self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(3)
        self.assertEqual([MessagesMissing("plans", "bob1", 2000, "alice1")], self.carol.events(MessagesMissing))

    def test_put_out_while_away(self) -> None:
        """What was said before one was put out, while away, is not ours to read any more: nobody is accused of it."""
        self.carol.leave_the_machine()
        self.bob.say("plans", "before")
        self.alice.do(self.alice.room("plans").rotate())
        self.alice.do(self.alice.room("plans").kick("carol1"))
        self.alice.do(self.alice.room("plans").invite("carol1"))
        self.carol.come_back()
        self.assertEqual(0, count(self.carol, GapSeen) + count(self.carol, MessagesMissing))
        self.assertEqual([], self.carol.events(Alarm))


class SenderTests(GapCase):
    """The server acknowledges what bob says, and swallows it on its way to the others."""

    def setUp(self) -> None:
        """Everybody's server is a bad one."""
        super().setUp()
        self.taps = [self.tap, Tap(self.alice)]

    def told(self) -> list[MessagesMissing]:
        """What bob was told of."""
        return self.bob.events(MessagesMissing)

    def test_swallowed_for_everybody(self) -> None:
        """The next commit by somebody else tells the sender, though the sender never says anything more."""
        self.swallow(is_message, *self.taps)
        self.bob.say("plans", "lost")
        self.bob.say("plans", "lost too")
        self.world.settle(8)
        self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(1)
        self.assertEqual([MessagesMissing("plans", "bob1", 2, "alice1")], self.told())

    def test_swallowed_for_one(self) -> None:
        """Where somebody else has it, the one who has not tells the sender by a commit, and is told by the others'."""
        self.swallow(is_message, self.taps[1])
        self.bob.say("plans", "lost for alice")
        self.world.settle(8)
        self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(1)
        self.assertEqual([MessagesMissing("plans", "bob1", 1, "alice1")], self.told())
        self.assertEqual(0, count(self.alice, MessagesMissing))
        self.bob.say("plans", "lost again")
        self.carol.do(self.carol.room("plans").rotate())
        self.world.settle(1)
        self.assertEqual([MessagesMissing("plans", "bob1", 1, "carol1")], self.alice.events(MessagesMissing))

    def test_shortly_before_a_commit(self) -> None:
        """Also at once, where the maker of the commit has seen what was said behind it."""
        self.swallow(lambda event: is_message(event) and event.sender == "bob1", *self.taps)
        self.bob.say("plans", "lost")
        self.carol.say("plans", "heard")
        self.alice.do(self.alice.room("plans").rotate())
        self.world.run()
        self.assertEqual([MessagesMissing("plans", "bob1", 1, "alice1")], self.told())

    def test_under_way(self) -> None:
        """What may have been under way to the maker of the commit is no reason to accuse anybody."""
        self.swallow(is_message, self.taps[1])
        self.bob.say("plans", "under way")
        self.alice.do(self.alice.room("plans").rotate())
        self.world.run()
        self.assertEqual([], self.told())

    def test_across_a_restart(self) -> None:
        """What the server has acknowledged is remembered."""
        self.swallow(is_message, *self.taps)
        self.bob.say("plans", "lost")
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(1)
        self.assertEqual([MessagesMissing("plans", "bob1", 1, "alice1")], self.told())

    def test_never_came(self) -> None:
        """What was acknowledged and never comes, not even to its sender, is told by the next commit, whosever it is."""
        tap = Tap(self.bob)
        self.swallow(is_message, tap, *self.taps)
        self.bob.client.send("plans", "lost")
        self.world.settle(2)
        self.assertEqual(0, self.bob.client.unacknowledged)
        tap.edit = self.taps[0].edit = self.taps[1].edit = lambda message: [message]
        self.bob.say("plans", "there")
        self.bob.do(self.bob.room("plans").rotate())
        self.assertEqual([MessagesMissing("plans", "bob1", 1)], self.told())
        self.bob.do(self.bob.room("plans").rotate())
        self.assertEqual(1, len(self.told()))

    def test_from_outside(self) -> None:
        """Who comes from outside has seen nothing, and says nothing about anybody."""
        self.alice.do(self.alice.client.create_room("club", public=True))
        self.bob.do(self.bob.client.join("club"))
        self.bob.say("club", "hello")
        self.world.settle(20)
        self.carol.do(self.carol.client.join("club"))
        self.world.settle(2)
        self.assertEqual([], self.told())

    def test_last_thing_that_is_said(self) -> None:
        """Where nobody says anything any more, the rotation that falls due tells it: others make it before the sender."""
        self.swallow(is_message, *self.taps)
        self.bob.say("plans", "lost, and the last")
        self.world.server.cut()
        self.world.server.reactor.rightNow += 7 * 86_400
        self.world.settle(30)
        (told,) = self.told()
        self.assertEqual((1, True), (told.count, told.by in {"alice1", "carol1"}))

    def test_who_makes_it(self) -> None:
        """It is somebody's who has said nothing, where there is one; else it is their own who have said something."""
        for others in ((self.bob, self.carol), ()):
            self.alice.do(self.alice.room("plans").rotate())
            self.alice.say("plans", "anything")
            for person in () if others else (self.bob, self.carol):
                person.leave_the_machine()
            self.world.server.cut()
            self.world.server.reactor.rightNow += 7 * 86_400
            self.world.settle(1000)
            (last,) = self.alice.events(RoomChanged)[-1:]
            self.assertEqual((("rotated", ()),), last.lines)
            self.assertIn(last.by, {person.name for person in others or (self.alice,)})

    def test_nobody_else_has_heard_anything(self) -> None:
        """Where nobody else knows that there is anything to rotate for, the sender does, and the readers are told."""
        self.alice.do(self.alice.room("plans").rotate())
        self.swallow(is_message, *self.taps)
        self.bob.say("plans", "lost, and all there was")
        self.world.server.cut()
        self.world.server.reactor.rightNow += 7 * 86_400
        self.world.settle(1000)
        for person in (self.alice, self.carol):
            self.assertEqual([MessagesMissing("plans", "bob1", 1)], person.events(MessagesMissing), person.name)
