"""What programs of one profile may cost each other, and what becomes of requests that are asked again."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import ClientEvent, MessageReceived, Status, StatusChanged
from chatserv.client.account.failures import ProfileError, ProfileInUse
from chatserv.client.errors import Interrupted, NotMember, Quota
from chatserv.client.joining import asking
from chatserv.client.joining.asking import ANSWER_SECONDS
from chatserv.client.joining.frames import (
    HARD_UNSENT,
    ID_BYTES,
    MAX_JOINED,
    MAX_MESSAGE,
    MAX_UNDER_WAY,
    MAX_UNSENT,
    Ask,
    Down,
    Frames,
    Hello,
    Kept,
    Place,
    Reply,
    Welcome,
    encode,
)
from chatserv.client.joining.performer import Performer
from chatserv.client.joining.remote_client import RemoteClient
from chatserv.client.joining.session import Session
from chatserv.client.joining.shared_life import AGAIN_SECONDS, FIRST_SECONDS
from chatserv.client.joining.unix_door import _Factory
from chatserv.client.joining.values import Values
from chatserv.client.joining.verbs import face
from chatserv.client.state.listeners import MAX_LISTENERS
from chatserv.errors import BadFrame
from chatserv.testing.memory_door import MemoryDoor
from chatserv.testing.world import World

VALUES = Values(lambda value: value, lambda _, plain: plain)


class SharedCase(SynchronousTestCase):
    """Bob's first program holds his profile."""

    def setUp(self) -> None:
        """It runs, and alice is there to talk to."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")
        self.bob.leave_the_machine()
        self.door = MemoryDoor(self.world.reactor)
        self.first = self.make([])
        self.first.start()
        self.world.settle()

    def make(self, told: list[ClientEvent], **options: Any) -> RemoteClient:
        """One of bob's programs."""
        sleep = self.world.server.pass_time
        client = RemoteClient(
            self.bob.profile, self.world.reactor, told.append, meeting=self.door, sleep=sleep,
            **{**self.world.surroundings, **options},
        )  # fmt: skip
        self.addCleanup(client.stop)
        return client

    def joined(self, told: list[ClientEvent] | None = None) -> RemoteClient:
        """One that has joined the first."""
        client = self.make([] if told is None else told, name="second")
        client.start()
        self.world.settle()
        return client


class Line:
    """The way back of a session that is looked at."""

    def __init__(self) -> None:
        self.frames, self.said, self.closed = Frames(MAX_MESSAGE), [], False  # type: ignore[var-annotated]

    def write(self, data: bytes) -> None:
        """Bytes for the program."""
        self.said += [msgspec.msgpack.decode(each, type=Down) for each in self.frames.take(data)]

    def close(self) -> None:
        """It is over."""
        self.closed = True


class SessionTests(SharedCase):
    """`Session`, by frames."""

    def setUp(self) -> None:
        """A session of a program that has said hello."""
        super().setUp()
        self.line = Line()
        self.session = Session(self.first._host, self.line)
        self.addCleanup(self.session.lost)
        self.session.take(encode(Hello(face(), Place("default", follow=False))))
        self.room_id = self.first.room("lobby").room_id

    def ask(self, verb: str, *, again: bool = False, id_: bytes = b"1" * ID_BYTES, **args: Any) -> Any:
        """Asks for something; gives what is said to it."""
        before = len(self.line.said)
        self.session.take(encode(Ask(id_, verb, self.room_id, msgspec.Raw(msgspec.msgpack.encode(args)), again)))
        self.world.settle(3)
        return self.line.said[before:]

    def test_sent_once(self) -> None:
        """A message that is asked for again is the same one: on its way, stored, and after the program has changed."""
        self.world.server.up = False
        self.world.server.cut()
        (first,) = self.ask("room.send", text="once")
        self.assertEqual(VALUES.result(first.result, bytes), b"1" * ID_BYTES)
        (second,) = self.ask("room.send", again=True, text="once")
        self.assertEqual(second.result.good, True)
        self.world.server.up = True
        self.world.settle(70)
        kept = [each for each in self.line.said if isinstance(each, Kept)]
        self.assertEqual(len({bytes(each.result.body) for each in kept}), 1)
        again, reply = self.ask("room.send", again=True, text="once")
        self.assertEqual((type(reply), type(again)), (Reply, Kept))
        self.assertEqual(VALUES.result(again.result, int), VALUES.result(kept[0].result, int))
        self.assertEqual(self.alice.texts("lobby"), [("bob", "once")])

    def test_never_done(self) -> None:
        """What was asked of a program that had not begun it is done; what it had begun is not done twice."""
        args: dict[str, Any] = {"name": "plans", "public": False, "topic": ""}
        (made,) = self.ask("client.create_room", again=True, **args)
        self.assertTrue(made.result.good)
        (again,) = self.ask("client.create_room", again=True, **args)
        with self.assertRaises(Interrupted):
            VALUES.result(again.result, None)
        self.assertEqual(self.first.rooms, ["lobby", "plans"])

    def test_discarded(self) -> None:
        """A message that was given up meanwhile is not sent, and its promise fails."""
        self.world.server.up = False
        self.world.server.cut()
        self.ask("room.send", text="once")
        self.ask("client.forget_unsent", id_=b"2" * ID_BYTES)
        self.world.server.up = True
        self.world.settle(70)
        failed, _ = self.ask("room.send", again=True, text="once")
        with self.assertRaises(Interrupted):
            VALUES.result(failed.result, int)
        self.assertEqual(self.alice.texts("lobby"), [])

    def test_too_many(self) -> None:
        """A request too many at once is no honest program's."""
        self.patch(Performer, "perform", lambda *_: Deferred())
        for number in range(MAX_UNDER_WAY):
            self.ask("client.public_rooms", id_=number.to_bytes(ID_BYTES, "big"))
        with self.assertRaises(BadFrame):
            self.ask("client.public_rooms", id_=b"x" * ID_BYTES)

    def test_false_frames(self) -> None:
        """Nothing is done before the first frame, nor for what is none."""
        session = Session(self.first._host, Line())
        ask = encode(Ask(b"1" * ID_BYTES, "client.rooms", b"", msgspec.Raw(b"\x80")))
        self.assertRaises(BadFrame, session.take, ask)
        for body in (b"\xc1", b"\x90", b"\x92\x01\x02", b"\x91" * 1000, msgspec.msgpack.encode([99])):
            bad = len(body).to_bytes(4, "big") + body
            self.assertRaises(BadFrame, Session(self.first._host, Line()).take, bad)

    def test_false_requests(self) -> None:
        """A verb that there is not, arguments of another type, a room that is not ours: an error, and it goes on."""
        cases: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("client.engine", {}, "UnknownType"),
            ("room.nonsense", {}, "UnknownType"),
            ("client.room", {"name": 7}, "BadFrame"),
            ("client.room", {}, "BadFrame"),
        )
        for verb, args, kind in cases:
            (reply,) = self.ask(verb, **args)
            with self.assertRaises(Exception) as caught:
                VALUES.result(reply.result, None)
            self.assertEqual(type(caught.exception).__name__, kind)
        self.room_id = bytes(ID_BYTES)
        (reply,) = self.ask("room.name")
        with self.assertRaises(NotMember):
            VALUES.result(reply.result, None)

    def test_other_version(self) -> None:
        """A program that knows other verbs is refused in words."""
        line = Line()
        Session(self.first._host, line).take(encode(Hello(b"other", Place("default", follow=False))))
        (welcome,) = line.said
        assert isinstance(welcome, Welcome)
        assert welcome.refused is not None
        with self.assertRaises(ProfileError) as caught:
            VALUES.result(welcome.refused, None)
        self.assertIn("another version", str(caught.exception))
        self.assertTrue(line.closed)

    def test_listeners(self) -> None:
        """A listener too many is refused."""
        client = self.joined()
        self.session.lost()
        for _ in range(MAX_LISTENERS):
            with self.assertRaises(Quota):
                while True:
                    client.listen(lambda _: None, name="same")


class AskingTests(SharedCase):
    """What a program that has joined asks."""

    def test_many(self) -> None:
        """However much it asks at once, so many are under way, all get their answer, and too many are refused."""
        client = self.joined()
        most: list[int] = []
        original = Session._done

        def done(session: Session, *given: Any) -> None:
            most.append(session._under_way)
            original(session, *given)

        self.patch(Session, "_done", done)
        everything = [Deferred.fromCoroutine(client.people.verification("alice")) for _ in range(3 * MAX_UNDER_WAY)]
        self.assertEqual(len(self.world.do(gatherResults(everything))), 3 * MAX_UNDER_WAY)
        self.assertLessEqual(max(most), MAX_UNDER_WAY)
        self.patch(asking, "MAX_WAITING", 5)
        self.door.wires[0].held = True
        everything = [Deferred.fromCoroutine(client.people.verification("alice")) for _ in range(MAX_UNDER_WAY + 6)]
        self.failureResultOf(everything[-1], Quota)
        self.assertNoResult(everything[-2])
        self.door.wires[0].held = False
        self.world.do(gatherResults(everything[:-1]))

    def test_no_answer(self) -> None:
        """Who holds the profile and does not answer is waited for, and no longer; then the program is told."""
        told: list[ClientEvent] = []
        client = self.joined(told)
        lobby = client.room("lobby")
        self.door.close()
        self.door.cut()
        before = self.world.reactor.seconds()
        with self.assertRaises(Interrupted):
            client.rooms  # noqa: B018
        self.assertLess(self.world.reactor.seconds() - before, ANSWER_SECONDS + 2)
        with self.assertRaises(Interrupted):
            lobby.send("lost")
        self.world.settle(round(AGAIN_SECONDS) + 5)
        failed = [event for event in told if isinstance(event, StatusChanged)][-1]
        self.assertEqual((failed.status, type(failed.error)), (Status.FAILED, ProfileInUse))
        self.assertEqual(self.alice.texts("lobby"), [])

    def test_never_joined(self) -> None:
        """A program that takes nobody in keeps others out, who say so after a moment, and no sooner."""
        self.door.close()
        told: list[ClientEvent] = []
        client = self.make(told)
        client.start()
        self.assertEqual(client.rooms, [])
        self.world.settle(round(FIRST_SECONDS) - 1)
        self.assertEqual([event.status for event in told if isinstance(event, StatusChanged)], [Status.CONNECTING])
        self.world.settle(3)
        failed = told[-1]
        assert isinstance(failed, StatusChanged)
        self.assertEqual((failed.status, type(failed.error)), (Status.FAILED, ProfileInUse))
        self.assertRaises(ProfileInUse, self.make([]).open)

    def test_nobody_skips(self) -> None:
        """What a program was told is not told again by who takes over, and what it was not told is told then."""
        told: list[ClientEvent] = []
        client = self.joined(told)
        self.alice.say("lobby", "one")
        self.world.settle()
        self.door.wires[0].held = True
        self.alice.say("lobby", "two")
        self.world.settle(1)
        self.first.stop()
        self.world.settle()
        self.alice.say("lobby", "three")
        self.world.settle()
        self.assertEqual([event.text for event in told if isinstance(event, MessageReceived)], ["one", "two", "three"])
        self.assertFalse(client._away)

    def test_nothing_after_the_end(self) -> None:
        """What came while a program waited for an answer, and was not told when it stopped, is not told any more."""
        told: list[ClientEvent] = []
        client = self.joined(told)
        sent = self.first.send("lobby", "one")
        self.assertEqual(client.unacknowledged, 0)  # with its answer, the event comes too
        count = len(told)
        client.stop()
        self.world.do(sent)
        self.world.settle()
        self.assertEqual(told[count:], [StatusChanged(Status.STOPPED)])

    def test_slow(self) -> None:
        """A program that does not read is told no messages until it does, and misses none."""
        told: list[ClientEvent] = []
        client = self.joined(told)
        wire = self.door.wires[0]
        assert wire.session is not None
        wire.session.pause(True)
        for number in range(5):
            self.alice.say("lobby", str(number))
        self.world.settle()
        self.assertEqual([event for event in told if isinstance(event, MessageReceived)], [])
        wire.session.pause(False)
        self.world.settle()
        heard = [event.text for event in told if isinstance(event, MessageReceived)]
        self.assertEqual(heard, [str(number) for number in range(5)])
        self.assertEqual(client.room("lobby").position, self.first.room("lobby").position)


class OpenTests(SharedCase):
    """Programs that read what is kept, and want no connection."""

    def setUp(self) -> None:
        """Nobody has started."""
        super().setUp()
        self.alice.say("lobby", "before")
        self.world.settle()
        self.world.do(self.first.stop())
        self.told: list[ClientEvent] = []
        self.reader = self.make(self.told)
        self.reader.open()

    def test_holds(self) -> None:
        """One that has the profile open lets another connect, and is told nothing of it until it starts itself."""
        told: list[ClientEvent] = []
        script = self.joined(told)
        self.assertGreater(self.world.do(script.send("lobby", "from the script")), 0)
        self.alice.say("lobby", "heard")
        self.world.settle()
        self.assertEqual((self.told, self.reader.room("lobby").history()[-1].text), ([], "heard"))
        self.reader.start()
        self.world.settle()
        self.assertEqual([type(event) for event in self.told][:1], [StatusChanged])
        texts = [event.text for event in self.told if isinstance(event, MessageReceived)]
        self.assertEqual(texts, ["from the script", "heard"])
        self.alice.say("lobby", "more")
        self.world.settle()
        self.assertEqual(self.told[-1].text, "more")  # type: ignore[union-attr]

    def test_joins(self) -> None:
        """One that finds the profile held reads all the same, and is told nothing until it starts."""
        self.world.do(self.reader.stop())
        self.told.clear()
        script = self.joined()
        reader = self.make(self.told)
        reader.open()
        self.assertEqual([message.text for message in reader.room("lobby").history()], ["before"])
        self.alice.say("lobby", "heard")
        self.world.settle()
        self.assertEqual((self.told, reader.room("lobby").history()[-1].text), ([], "heard"))
        script.stop()
        self.world.settle(2)
        self.assertEqual((self.told, reader.rooms), ([], ["lobby"]))
        reader.start()
        self.world.settle()
        self.assertEqual([event.text for event in self.told if isinstance(event, MessageReceived)], ["heard"])

    def test_comes_while_it_ends(self) -> None:
        """Who joins a program that is about to end does not connect it once more, and takes over."""
        self.reader.start()
        self.world.settle()
        stopping = self.reader.stop()
        self.assertNoResult(stopping)
        script = self.make([], name="second")
        script.start()
        self.world.run()
        self.assertFalse(self.reader._lifecycle.started)
        self.world.settle()
        self.successResultOf(stopping)
        self.assertEqual((script._away, script.rooms), (False, ["lobby"]))
        self.assertEqual(len(self.world.server.connections), 2)

    def test_refused_for_good(self) -> None:
        """What the server refuses for good, all programs are told, and nobody tries again."""
        told: list[ClientEvent] = []
        self.reader.start()
        script = self.joined(told)
        self.world.settle()
        self.alice.do(self.alice.client.admin.suspend("bob"))
        self.world.settle(70)
        for events in (self.told, told):
            statuses = [event.status for event in events if isinstance(event, StatusChanged)]
            self.assertEqual((statuses[-1], statuses.count(Status.FAILED)), (Status.FAILED, 1))
        self.assertEqual((script.rooms, self.door.wires), ([], []))


class JoinerTests(SharedCase):
    """Connections, as the program sees them that holds the profile."""

    def connect(self, factory: _Factory) -> Any:
        """One more."""
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        return protocol

    def test_too_many(self) -> None:
        """A program too many is refused in words; when one ends, there is place again."""
        factory = _Factory(self.first._open_session)
        programs = [self.connect(factory) for _ in range(MAX_JOINED)]
        self.assertEqual([each.transport.value() for each in programs], [b""] * MAX_JOINED)
        refused = self.connect(factory)
        (frame,) = Frames(MAX_MESSAGE).take(refused.transport.value())
        welcome = msgspec.msgpack.decode(frame, type=Welcome)
        assert welcome.refused is not None
        with self.assertRaises(ProfileError) as caught:
            VALUES.result(welcome.refused, None)
        self.assertIn(f"{MAX_JOINED + 1} programs", str(caught.exception))
        self.assertTrue(refused.transport.disconnecting)
        refused.connectionLost()
        programs[0].connectionLost()
        self.assertEqual(self.connect(factory).transport.value(), b"")

    def test_never_reads(self) -> None:
        """Who never reads is cut off in the end, and not before."""
        program = self.connect(_Factory(self.first._open_session))
        self.assertEqual(program.transport.bufferSize, MAX_UNSENT)
        aborted: list[bool] = []
        program.transport.abortConnection = lambda: aborted.append(True)
        program.pauseProducing()
        program.write(bytes(HARD_UNSENT))
        self.assertEqual(aborted, [])
        program.write(b"x")
        self.assertEqual(aborted, [True])

    def test_garbage(self) -> None:
        """What is no frame ends the connection."""
        program = self.connect(_Factory(self.first._open_session))
        aborted: list[bool] = []
        program.transport.abortConnection = lambda: aborted.append(True)
        program.dataReceived(b"GET / HTTP/1.1\r\n")
        self.assertEqual(aborted, [True])
