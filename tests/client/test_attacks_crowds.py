"""Many at once, and ends at bad moments: joins, races, prekeys that run out, crossings, crashes.

See docs/protocol.rst 8 and docs/rooms.rst 11.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import KeysBroken, MessageReceived, MessagesMissing, SendFailed
from chatserv.client.state.context import ClientContext
from chatserv.domain.roles import Role
from chatserv.errors import ChatError, Muted
from chatserv.models import EventKind
from chatserv.testing.world import Person, World
from chatserv.wire import messages
from tests.client.attackers import AttackCase, Tap, alarms, engine_of, room_of


class Crash(Exception):
    """The program ends here."""


def shown(person: Person, room: str, text: str) -> int:
    """How often a person was shown a text."""
    return [each for _, each in person.texts(room)].count(text)


def kept(person: Person, room: str, text: str) -> int:
    """How often a person's history has a text."""
    return [each.text for each in person.room(room).history(200)].count(text)


class CrowdTests(SynchronousTestCase):
    """More people than one is used to."""

    def test_thirty_enter_the_lobby(self) -> None:
        """Thirty newcomers at once: each is in the lobby in the end, reads what is said then, and is heard."""
        world = World(self.mktemp())
        self.addCleanup(world.close)
        alice = world.person("alice1", Role.ADMIN)
        crowd = [world.person(f"guest{number}", wait=False) for number in range(30)]
        world.settle(180)
        for person in crowd:
            self.assertTrue(person.online, person.name)
            self.assertEqual(["lobby"], person.client.rooms, person.name)
        self.assertEqual(31, len(alice.room("lobby").members()))
        alice.say("lobby", "welcome all")
        crowd[17].say("lobby", "thank you")
        for person in (alice, *crowd):
            self.assertEqual([("alice1", "welcome all"), ("guest17", "thank you")], person.texts("lobby"), person.name)
            self.assertEqual([], alarms(person), person.name)
            self.assertEqual([], person.events(KeysBroken), person.name)
        events = world.server.store._rooms._rooms[room_of(alice, "lobby").room_id].events
        self.assertEqual(31, sum(event.kind == EventKind.COMMIT for event in events))  # nobody had to commit twice


class PrekeyTests(SynchronousTestCase):
    """One-time prekeys run out."""

    def setUp(self) -> None:
        """A private room of two, on a server that lets people commit as often as they like."""
        self.world = World(self.mktemp(), commits_per_hour=1000, commits_per_hour_moderator=1000, prekeys_per_hour=1000)
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice1", Role.ADMIN), self.world.person("bob1")
        self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(self.alice.room("plans").invite("bob1"))
        self.world.settle()
        self.bob.room("plans").accept()
        self.device_id = engine_of(self.bob).context.device_id

    def left(self) -> int:
        """How many one-time prekeys of bob the server has."""
        return self.world.server.await_(self.world.server.store.prekeys_left(self.device_id))

    def test_nobody_refills(self) -> None:
        """More commits than there are prekeys, while their owner is away: none fails, and the owner reads the last one."""
        self.bob.leave_the_machine()
        for _ in range(55):
            self.alice.do(self.alice.room("plans").rotate())
        self.assertEqual(0, self.left())
        self.alice.say("plans", "still there?")
        self.bob.come_back()
        self.assertEqual([("alice1", "still there?")], self.bob.texts("plans"))
        self.assertEqual(50, self.left())
        self.bob.say("plans", "yes")
        self.assertEqual(1, shown(self.alice, "plans", "yes"))

    def test_refill(self) -> None:
        """Who is there refills before they run out."""
        lowest = 50
        for _ in range(60):
            self.alice.do(self.alice.room("plans").rotate())
            lowest = min(lowest, self.left())
        self.assertGreater(lowest, 10)
        self.assertGreaterEqual(self.left(), 20)


class RaceTests(AttackCase):
    """Several commit, or send and commit, at the same time."""

    def setUp(self) -> None:
        """A private room of three."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.people = (self.alice, self.bob, self.carol)

    def all_talk(self) -> None:
        """Everybody reads everybody."""
        for number, person in enumerate(self.people):
            person.say("plans", f"all {number}")
        for person in self.people:
            self.assertEqual([f"all {number}" for number in range(3)], [text for _, text in person.texts("plans")][-3:])
        self.nobody_alarmed()

    def test_three_commit(self) -> None:
        """Three members commit at once: all three land, and nobody is told of a race."""
        before = room_of(self.alice, "plans").head.epoch
        work = [Deferred.fromCoroutine(person.room("plans").rotate()) for person in self.people]
        self.alice.do(gatherResults(work, consumeErrors=True))
        self.world.settle(2)
        self.assertEqual(before + 3, room_of(self.alice, "plans").head.epoch)
        self.all_talk()

    def test_everybody_talks_while_it_rotates(self) -> None:
        """What is said during commits is stored once, read by all, and nobody is told that something is missing."""
        said: list[Deferred[Any]] = []
        for turn in range(3):
            said += [person.client.send("plans", f"{person.name} {turn}") for person in self.people]
            said.append(Deferred.fromCoroutine(self.people[turn].room("plans").rotate()))
        self.alice.do(gatherResults(said, consumeErrors=True))
        self.world.settle(10)
        for person in self.people:
            for other in self.people:
                for turn in range(3):
                    self.assertEqual(1, shown(person, "plans", f"{other.name} {turn}"))
            self.assertEqual([], person.events(MessagesMissing), person.name)
            self.assertEqual([], [event for event in person.events(MessageReceived) if event.unreadable])

    def test_refused_message_and_commit(self) -> None:
        """A message that the server refused for a while is not called missing by its sender's commit."""
        self.alice.do(self.alice.room("plans").set_slow(30))
        self.bob.say("plans", "one")
        waiting = self.bob.client.send("plans", "two")
        self.world.settle(2)
        self.assertFalse(waiting.called)
        self.bob.do(self.bob.room("plans").rotate())
        self.world.settle(2)
        self.assertEqual([], self.alice.events(MessagesMissing) + self.carol.events(MessagesMissing))
        self.world.settle(60)
        self.assertEqual(1, shown(self.alice, "plans", "two"))
        self.assertEqual([], self.alice.events(MessagesMissing) + self.carol.events(MessagesMissing))

    def test_refused_message_is_not_missing(self) -> None:
        """A message that the server refused for good is not called missing by its sender's next one."""
        self.bob.say("plans", "one")
        self.alice.do(self.alice.client.admin.mute("bob1", on=True))
        self.assertRaises(Muted, self.bob.say, "plans", "refused")
        self.alice.do(self.alice.client.admin.mute("bob1", on=False))
        self.bob.say("plans", "two")
        self.assertEqual(1, shown(self.alice, "plans", "two"))
        self.assertEqual([], self.alice.events(MessagesMissing) + self.carol.events(MessagesMissing))

    def refused(self, text: str) -> None:
        """The server refuses a message of bob's for good."""
        self.alice.do(self.alice.client.admin.mute("bob1", on=True))
        self.assertRaises(Muted, self.bob.say, "plans", text)
        self.alice.do(self.alice.client.admin.mute("bob1", on=False))

    def restarted(self) -> None:
        """Bob starts his program again, with nothing but its files."""
        self.bob.leave_the_machine()
        self.bob.come_back()

    def test_refused_message_and_restart(self) -> None:
        """Nor where the program was started again between the two."""
        self.bob.say("plans", "one")
        self.refused("refused")
        self.restarted()
        self.bob.say("plans", "two")
        self.assertEqual(1, shown(self.alice, "plans", "two"))
        self.assertEqual([], self.alice.events(MessagesMissing) + self.carol.events(MessagesMissing))

    def test_refused_message_restart_and_commit(self) -> None:
        """Nor by the numbers in a commit of the sender's after a restart."""
        self.bob.say("plans", "one")
        self.refused("refused")
        self.refused("refused too")
        self.restarted()
        self.bob.do(self.bob.room("plans").rotate())
        self.world.settle(2)
        self.assertEqual([], self.alice.events(MessagesMissing) + self.carol.events(MessagesMissing))

    def test_muted_for_long(self) -> None:
        """Who is muted is told so as often as they try, and their tries do not use up the commits of the hour."""
        self.bob.say("plans", "one")
        self.alice.do(self.alice.room("plans").mute("bob1"))
        self.world.settle(2)
        epoch = room_of(self.bob, "plans").head.epoch
        for number in range(10):
            self.assertRaises(Muted, self.bob.say, "plans", f"refused {number}")
        self.alice.do(self.alice.room("plans").mute("bob1", on=False))
        self.world.settle(2)
        self.bob.say("plans", "two")
        self.assertEqual(1, shown(self.carol, "plans", "two"))
        self.assertEqual(epoch + 1, room_of(self.alice, "plans").head.epoch)
        self.alice.do(self.alice.client.admin.mute("bob1", on=True))
        for number in range(10):
            self.assertRaises(Muted, self.bob.say, "plans", f"refused {number}")
        self.alice.do(self.alice.client.admin.mute("bob1", on=False))
        self.bob.say("plans", "three")
        self.assertEqual(epoch + 2, room_of(self.alice, "plans").head.epoch)
        self.assertEqual([], self.alice.events(MessagesMissing) + self.carol.events(MessagesMissing))

    def test_message_given_up_after_it_was_sealed(self) -> None:
        """Nor is one that a program gave up, sealed and on its way, by what a later run says."""
        self.bob.say("plans", "one")
        self.patch(self.bob.client._lifecycle.connection._protocol, "send", lambda _: None)
        self.bob.client.send("plans", "given up")
        self.world.server.reactor.advance(0)
        (row,) = engine_of(self.bob).context.vault.outbox.all()
        self.assertIsNotNone(row.envelope)
        self.assertEqual(1, self.bob.client.forget_unsent())
        self.world.server.cut()
        self.restarted()
        self.bob.say("plans", "two")
        self.assertEqual(1, shown(self.alice, "plans", "two"))
        self.assertEqual(0, shown(self.alice, "plans", "given up"))
        self.assertEqual([], self.alice.events(MessagesMissing) + self.carol.events(MessagesMissing))

    def slowed(self, what: str) -> Callable[[], None]:
        """The store answers one kind of call only when the function that is returned is called."""
        store = self.world.server.store
        real, gate = getattr(store, what), Deferred[None]()

        async def slow(draft: Any) -> Any:
            opened: Deferred[None] = Deferred()
            gate.addCallback(lambda _: opened.callback(None))
            await opened
            return await real(draft)

        self.patch(store, what, slow)

        def release() -> None:
            self.patch(store, what, real)
            gate.callback(None)
            self.world.settle(5)

        return release

    def test_send_crosses_removal(self) -> None:
        """A message that reaches the server before a removal, and its store after it, is sealed anew without the removed."""
        release = self.slowed("append")
        said = self.carol.client.send("plans", "without bob")
        self.world.run()
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.assertFalse(said.called)
        release()
        self.assertTrue(said.called)
        self.assertEqual(1, shown(self.alice, "plans", "without bob"))
        self.assertEqual(0, shown(self.bob, "plans", "without bob"))
        self.assertEqual([], [event for event in self.alice.events(MessageReceived) if event.unreadable])
        self.assertEqual([], self.alice.events(MessagesMissing))

    def test_removal_crosses_send(self) -> None:
        """A message that is stored while a removal waits for the store is read by all who were there then."""
        release = self.slowed("commit")
        kicked = Deferred.fromCoroutine(self.alice.room("plans").kick("bob1"))
        self.world.run()
        self.carol.say("plans", "still with bob")
        release()
        self.assertTrue(kicked.called)
        for person in self.people:
            self.assertEqual(1, shown(person, "plans", "still with bob"), person.name)

    def test_removed_sender_crosses_removal(self) -> None:
        """What the removed one says at that moment is either read by all, or not acknowledged."""
        release = self.slowed("append")
        said: list[object] = []
        self.bob.client.send("plans", "am I out?").addCallbacks(said.append, lambda _: None)
        self.world.run()
        self.alice.do(self.alice.room("plans").kick("bob1"))
        release()
        self.assertEqual([], said)
        self.assertEqual(1, len(self.bob.events(SendFailed)))
        self.assertEqual(0, shown(self.alice, "plans", "am I out?"))

    def test_device_comes_back(self) -> None:
        """A device that is taken out while its user stays a member, and is away, comes back by itself."""
        self.bob.leave_the_machine()
        leaf = room_of(self.alice, "plans").state.devices_of("bob1")[0].leaf  # type: ignore[union-attr]

        async def remove() -> None:
            making, planner = engine_of(self.alice).room_changes, engine_of(self.alice).planner
            engine_of(self.alice).planner._add_devices = nothing_added  # type: ignore[method-assign, assignment]
            await making.commit(room_of(self.alice, "plans"), planner.change(lambda draft: draft.remove(leaf)))
            del engine_of(self.alice).planner._add_devices

        async def nothing_added(*_: Any) -> None:
            return None

        self.alice.do(remove())
        self.assertFalse(room_of(self.alice, "plans").state.devices_of("bob1"))  # type: ignore[union-attr]
        self.bob.come_back()
        self.world.settle(30)
        self.assertEqual(["lobby", "plans"], self.bob.client.rooms)
        self.all_talk()


class TurnTests(AttackCase):
    """Who holds leases for nothing, and who does not (tests/commands/test_starvation.py has the server's side)."""

    def held(self, person: Person) -> "Deferred[Any]":
        """Asks for the lobby's lease, says that it is urgent, and does nothing with it."""
        lobby = room_of(person, "lobby").room_id
        asked: Deferred[Any] = engine_of(person).requests.ask(messages.BeginCommit, room=lobby, urgent=True)
        self.world.run()
        return asked

    def give_back(self, person: Person) -> None:
        """Hands it back."""
        person.do(engine_of(person).requests.ask(messages.EndCommit, room=room_of(person, "lobby").room_id))

    def test_ban_passes_the_topic(self) -> None:
        """A ban waits neither for our own topic, which waits for the lease, nor for others who do."""
        holds, waits = self.held(self.bob), self.held(self.carol)
        self.assertTrue(holds.called)
        topic = Deferred.fromCoroutine(self.alice.room("lobby").set_topic("spring"))
        second = Deferred.fromCoroutine(self.alice.room("lobby").rotate())
        self.world.run()
        ban = Deferred.fromCoroutine(self.alice.room("lobby").ban("bob1"))
        self.world.run()
        self.assertEqual((False, False, False), (topic.called, second.called, ban.called))
        self.give_back(self.bob)
        self.world.settle(1)
        self.assertEqual((True, False, False), (ban.called, topic.called, second.called))
        self.assertTrue(waits.called)
        self.give_back(self.carol)
        self.world.settle(1)
        self.assertEqual((True, True), (topic.called, second.called))
        self.assertEqual("spring", self.alice.room("lobby").topic)
        self.assertNotIn("bob1", [member.user for member in self.alice.room("lobby").members()])

    def test_ban_passes_what_lost_a_race(self) -> None:
        """A commit that has to be made again lets a ban pass that came meanwhile."""
        events: list[str] = []
        real, planner = engine_of(self.alice).room_changes, engine_of(self.alice).planner
        committer = real._committer
        lost = [True]

        async def lose(*given: Any) -> bool:
            if lost:
                lost.clear()
                await committer._give_back(room)
                return False
            return await submit(*given)

        submit = committer._submit
        committer._submit = lose  # type: ignore[method-assign, assignment]
        room = room_of(self.alice, "lobby")
        topic = Deferred.fromCoroutine(real.commit(room, planner.change()))
        topic.addCallback(lambda _: events.append("topic"))
        ban = Deferred.fromCoroutine(self.alice.room("lobby").ban("bob1")).addCallback(lambda _: events.append("ban"))
        self.world.settle(5)
        self.assertTrue(ban.called)
        self.assertEqual(["ban", "topic"], events)

    def test_leaves(self) -> None:
        """Whoever finds that others have carried out the Leaves asks for no lease, so that nobody is made to wait."""
        people = [self.world.person(f"guest{number}") for number in range(5)]
        order = [person.name for person in (*people, self.alice, self.bob, self.carol)]
        self.patch(ClientContext, "chance", lambda context, _: float(order.index(context.user)))
        for person in people:
            person.do(person.room("lobby").leave())
            self.world.settle(20)
        self.assertEqual(0, len(self.world.server.context.leases._unused))
        for person in (self.alice, self.bob, self.carol):
            person.do(person.room("lobby").rotate())

    def test_what_is_forbidden(self) -> None:
        """What the rules forbid, or makes no sense, is refused without a lease, however often it is tried."""
        for _ in range(5):
            self.assertRaises(ChatError, self.bob.do, self.bob.room("lobby").kick("alice1"))
            self.assertRaises(ChatError, self.alice.do, self.alice.room("lobby").kick("nobody1"))
        self.bob.do(self.bob.room("lobby").rotate())
        self.alice.do(self.alice.room("lobby").rotate())


class CrashTests(AttackCase):
    """A program ends in the middle of things."""

    def setUp(self) -> None:
        """A private room of three."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.alice.say("plans", "first")
        self.bob.say("plans", "second")
        self.world.settle(2)

    def crash_after(self, person: Person, transactions: int) -> None:
        """The person's program ends at the end of one of the next transactions, which is undone."""
        left = [transactions]

        def before_commit() -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Crash

        engine_of(person).context.vault.database._before_commit = before_commit

    def go_on(self) -> None:
        """Time passes, whatever ends in it."""
        for _ in range(4):
            try:
                self.world.settle(1)
            except Crash:  # a reactor would log it and go on
                continue

    def kill(self, person: Person) -> None:
        """The program is gone without a word; another one starts."""
        self.world.server.cut()
        self.world.run()
        engine_of(person).context.vault.database._before_commit = None
        person.leave_the_machine()
        person.come_back()
        self.world.settle(40)
        self.flushLoggedErrors(Crash)

    def taken(self, text: str, answered: list[object]) -> bool:
        """Whether bob's program takes a message in; one that it does not is refused at once."""
        try:
            self.bob.client.send("plans", text).addBoth(answered.append)
        except Crash:
            return False
        return True

    def test_sender(self) -> None:
        """Whichever transaction a sender's program ends in, what was taken in is read once by all, and nothing twice."""
        for transactions in range(6):
            text = f"text {transactions}"
            self.crash_after(self.bob, transactions)
            taken = int(self.taken(text, []))
            self.go_on()
            self.kill(self.bob)
            for person in (self.alice, self.carol):
                self.assertEqual(taken, shown(person, "plans", text), (person.name, transactions))
            self.assertEqual(taken, kept(self.bob, "plans", text), transactions)
        self.nobody_alarmed()

    def test_sender_that_goes_on(self) -> None:
        """A disk that fails once, in a program that goes on, does not lose a message without a word."""
        for transactions in range(4):
            text, answered = f"text {transactions}", list[object]()
            self.crash_after(self.bob, transactions)
            taken = int(self.taken(text, answered))
            self.go_on()
            engine_of(self.bob).context.vault.database._before_commit = None
            self.world.server.cut()
            self.world.settle(40)
            self.flushLoggedErrors(Crash)
            self.assertEqual(taken, len(answered), transactions)
            self.assertEqual(taken, shown(self.alice, "plans", text), transactions)

    def test_receiver(self) -> None:
        """Whichever transaction a reader's program ends in, each message is kept once, and the chain goes on."""
        for transactions in range(4):
            text = f"text {transactions}"
            self.crash_after(self.carol, transactions)
            self.bob.say("plans", text)
            self.world.settle(2)
            before = shown(self.carol, "plans", text)
            self.kill(self.carol)
            self.assertEqual(1, kept(self.carol, "plans", text), transactions)
            self.assertGreaterEqual(before + shown(self.carol, "plans", text), 1, transactions)
            self.assertEqual([], self.carol.events(MessagesMissing), transactions)
        self.nobody_alarmed()

    def test_crash_that_does_not_end_the_program(self) -> None:
        """A disk that fails once does not lose a message that came meanwhile: memory and disk say the same."""
        self.crash_after(self.carol, 0)
        self.bob.say("plans", "while the disk fails")
        self.world.settle(1)
        engine_of(self.carol).context.vault.database._before_commit = None
        self.bob.say("plans", "afterwards")
        self.world.settle(2)
        self.flushLoggedErrors(Crash)
        self.world.server.cut()
        self.world.settle(10)
        texts = [text for _, text in self.carol.texts("plans")]
        self.assertEqual(["while the disk fails", "afterwards"], texts[-2:])

    def test_committer(self) -> None:
        """Whichever transaction a committer's program ends in, the room goes on, and everybody reads everybody."""
        for transactions in range(5):
            self.crash_after(self.bob, transactions)
            Deferred.fromCoroutine(self.bob.room("plans").rotate()).addErrback(lambda _: None)
            self.world.settle(2)
            self.kill(self.bob)
            for person in (self.alice, self.bob, self.carol):
                text = f"{person.name} {transactions}"
                person.say("plans", text)
                for other in (self.alice, self.bob, self.carol):
                    self.assertEqual(1, shown(other, "plans", text), (other.name, text))
        self.nobody_alarmed()

    def lost_answer(self, kind: type[messages.ServerMessage]) -> None:
        """Bob's connection ends when this answer is on its way."""

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, kind):
                self.world.server.reactor.callLater(0, self.world.server.cut)
                return []
            if isinstance(message, messages.Event):
                return []  # the event would come after the answer
            return [message]

        self.tap = Tap(self.bob, edit)

    def test_commit_stored_and_not_answered(self) -> None:
        """A commit whose answer is lost is found in the room, and its keys are there without a wrap."""
        before = room_of(self.alice, "plans").head.epoch
        self.lost_answer(messages.Committed)
        Deferred.fromCoroutine(self.bob.room("plans").rotate()).addErrback(lambda _: None)
        self.world.run()
        self.tap.edit = lambda message: (message,)
        self.world.settle(10)
        self.assertEqual(before + 1, room_of(self.alice, "plans").head.epoch)
        self.bob.say("plans", "mine")
        self.assertEqual(1, shown(self.alice, "plans", "mine"))
        self.assertEqual([], self.bob.events(KeysBroken))

    def test_commit_stored_and_program_ended(self) -> None:
        """Also where the program ended before the answer."""
        before = room_of(self.alice, "plans").head.epoch
        self.lost_answer(messages.Committed)
        Deferred.fromCoroutine(self.bob.room("plans").rotate()).addErrback(lambda _: None)
        self.world.run()
        self.kill(self.bob)
        self.assertEqual(before + 1, room_of(self.alice, "plans").head.epoch)
        self.bob.say("plans", "mine")
        self.assertEqual(1, shown(self.alice, "plans", "mine"))
        self.assertEqual([], self.bob.events(KeysBroken))

    def test_room_made_and_not_answered(self) -> None:
        """A room that was made, and whose answer was lost, is there afterwards and can be used."""
        self.lost_answer(messages.Committed)
        Deferred.fromCoroutine(self.bob.client.create_room("mine")).addErrback(lambda _: None)
        self.world.run()
        self.tap.edit = lambda message: (message,)
        self.world.settle(10)
        rooms = [name for name in self.bob.client.rooms if name not in {"lobby", "plans"}]
        self.assertEqual(1, len(rooms))
        self.bob.say(rooms[0], "hello")
        self.assertEqual([], self.bob.events(KeysBroken))

    def test_sent_and_not_answered(self) -> None:
        """A message whose answer is lost goes out again and is there once."""
        self.lost_answer(messages.Sent)
        said = self.bob.client.send("plans", "once")
        self.world.run()
        self.tap.edit = lambda message: (message,)
        self.bob.do(said)
        self.world.settle(5)
        for person in (self.alice, self.bob, self.carol):
            self.assertEqual(1, shown(person, "plans", "once"), person.name)

    def test_said_and_stopped(self) -> None:
        """What was taken in goes out when the profile is used again, also where the program ended in the same moment."""
        self.bob.client.send("plans", "last words")
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.world.settle(5)
        self.assertEqual(1, shown(self.alice, "plans", "last words"))

    def test_after_the_end(self) -> None:
        """A client that has ended answers what is asked of it with an error of its own."""
        self.bob.leave_the_machine()
        self.assertRaises(ChatError, self.bob.client.send, "plans", "anybody?")
