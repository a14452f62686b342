"""One contract for every client: that which holds its profile, that which has joined, and that which has taken over."""

import inspect
import os
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import (
    Client,
    ClientEvent,
    FileInvalid,
    FileProgress,
    MessageReceived,
    Preview,
    RoomHandle,
    RoomOffered,
    SendFailed,
    Slash,
)
from chatserv.client.errors import (
    ChatError,
    Forbidden,
    LocalProtocolError,
    Muted,
    NotFound,
    NotMember,
    Offline,
    TextInvalid,
    Withdrawn,
)
from chatserv.client.events import MessageEdited, Reacted, SendQueued, Status
from chatserv.client.joining.remote_client import RemoteClient
from chatserv.client.joining.values import EVENT_LIST
from chatserv.client.joining.verbs import OWN, VERBS, Way, is_part
from chatserv.testing.memory_door import MemoryDoor
from chatserv.testing.world import World


class Contract:
    """What a program can rely on. The client is bob's; alice is an administrator, and both are in the lobby."""

    name = "alone"

    def setUp(self) -> None:
        """Makes them, and the client in the way of the class."""
        self.world = World(str(Path(self.mktemp()).absolute()))  # type: ignore[attr-defined]
        self.addCleanup(self.world.close)  # type: ignore[attr-defined]
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")
        self.bob.leave_the_machine()
        self.door = MemoryDoor(self.world.reactor)
        self.told: list[ClientEvent] = []
        self.client = self.make(self.told)
        self.begin()
        self.world.settle()

    def make(self, told: list[ClientEvent], **options: Any) -> Client:
        """One of bob's programs."""
        sleep = self.world.server.pass_time
        client = RemoteClient(
            self.bob.profile, self.world.reactor, told.append, meeting=self.door, sleep=sleep,
            **{**self.world.surroundings, **options},
        )  # fmt: skip
        self.addCleanup(client.stop)  # type: ignore[attr-defined]
        return client

    def loop(self) -> Client:
        """Another one, to be read in a loop."""
        sleep = self.world.server.pass_time
        return RemoteClient(
            self.bob.profile, self.world.reactor, meeting=self.door, sleep=sleep, **self.world.surroundings
        )

    def begin(self) -> None:
        """Starts it."""
        self.client = Client(self.bob.profile, self.world.reactor, self.told.append, **self.world.surroundings)
        self.addCleanup(self.client.stop)  # type: ignore[attr-defined]
        self.client.start()

    def moment(self) -> None:
        """Between what a program gets and what it does with it."""

    def events(self, kind: type[Any]) -> list[Any]:
        """What the program was told of a kind."""
        return [event for event in self.told if isinstance(event, kind)]

    def texts(self) -> list[str | None]:
        """The messages that it was told."""
        return [event.text for event in self.events(MessageReceived)]

    def last(self, handle: RoomHandle) -> MessageReceived:
        """The newest message of a room."""
        self.world.settle()
        return handle.history()[-1]

    # -- rooms ---------------------------------------------------------------------------------------------------------

    def test_where_the_server_is(self: Any) -> None:
        """Every program can say at which of its addresses it was found, and where else it is."""
        self.assertEqual("chat.example:5000", self.client.address)
        self.world.server.await_(self.world.server.context.addresses.add("b.example:1"))
        self.world.settle()
        self.assertEqual(("chat.example:5000", "b.example:1"), self.client.addresses)

    def test_rooms(self: Any) -> None:
        """Rooms, their handles and what is to be seen of them."""
        client = self.client
        self.assertEqual((client.rooms, client.user, client.status), (["lobby"], "bob", Status.ONLINE))
        lobby = client.room("#lobby")
        self.moment()
        self.assertEqual([handle.name for handle in client.handles()], ["lobby"])
        self.assertEqual(client.handles()[0], lobby)
        self.assertIsInstance(lobby, RoomHandle)
        self.assertEqual(len({lobby, client.room("lobby")}), 1)
        self.assertEqual((lobby.public, lobby.direct, lobby.offered, lobby.role), (True, False, False, "member"))
        self.assertEqual([member.user for member in lobby.members()], ["alice", "bob"])
        self.assertEqual(client.room_by_id(lobby.room_id), lobby)
        with self.assertRaises(NotMember):
            client.room("nowhere")
        with self.assertRaises(TypeError):
            lobby.members(nonsense=True)

    def test_made(self: Any) -> None:
        """A room is made, named, filled and left."""
        plans = self.world.do(self.client.create_room("plans", topic="this week"))
        self.moment()
        self.assertEqual((plans.name, plans.topic, plans.role), ("plans", "this week", "owner"))
        self.world.do(plans.invite("alice"))
        self.world.settle()
        self.alice.room("plans").accept()
        self.alice.say("plans", "here I am")
        self.world.do(plans.set_topic("next week"))
        self.world.do(plans.set_role("alice", "owner"))
        self.world.settle()
        self.assertEqual((plans.topic, plans.unread), ("next week", 1))
        plans.mark_seen()
        self.assertEqual(plans.unread, 0)
        self.world.do(plans.leave())
        self.assertEqual(self.client.rooms, ["lobby"])
        with self.assertRaises(Forbidden):
            self.world.do(self.client.room("lobby").kick("alice"))

    def test_accepted(self: Any) -> None:
        """What was said before a room was agreed to is given once."""
        plans = self.world.do(self.alice.client.create_room("plans"))
        self.world.do(plans.invite("bob"))
        self.alice.say("plans", "before")
        self.world.settle()
        self.assertEqual([event.by for event in self.events(RoomOffered)], ["alice"])
        handle = self.client.room("plans")
        self.moment()
        with self.assertRaises(NotMember):
            handle.history()
        self.assertEqual([message.text for message in handle.accept()], ["before"])
        self.alice.say("plans", "after")
        self.world.settle()
        self.assertEqual(self.texts(), ["after"])

    # -- messages ------------------------------------------------------------------------------------------------------

    def test_sent_files(self: Any) -> None:
        """They go up and come down, from where the program is; how far they are is told."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        (folder / "a.txt").write_bytes(b"bytes" * 1000)
        lobby = self.client.room("lobby")
        sent = lobby.send_file(os.path.relpath(folder / "a.txt"), "look", preview=Preview(640, 480, b"PNG"))
        self.moment()
        self.assertGreater(self.world.do(sent), 0)
        self.assertEqual([event.file.name for event in self.events(SendQueued)], ["a.txt"])
        self.assertEqual(self.events(FileProgress)[-1].state, "done")
        found = self.last(lobby)
        self.assertEqual((found.message_id, found.file.preview, found.text), (sent.message_id, b"PNG", "look"))
        path = self.world.do(lobby.save_file(sent.message_id, os.path.relpath(folder)))
        self.assertEqual((os.path.basename(path), Path(path).read_bytes()), ("a (2).txt", b"bytes" * 1000))
        self.assertEqual([file.name for file in self.world.do(self.client.files()).files], ["a.txt"])
        self.assertGreater(self.client.file_limits.size, 0)
        with self.assertRaises(NotFound):
            lobby.pause_file(sent.message_id)
        with self.assertRaises(FileInvalid):
            self.world.do(lobby.send_file(str(folder)))

    def test_messages(self: Any) -> None:
        """Sent, told, changed, found, and taken back."""
        lobby = self.client.room("lobby")
        sent = lobby.send("one")
        self.moment()
        self.assertEqual(len(sent.message_id), 16)
        self.assertGreater(self.world.do(sent), 0)
        self.assertEqual([event.text for event in self.events(SendQueued)], ["one"])
        one = self.last(lobby)
        self.assertEqual((one.message_id, one.own, self.texts()), (sent.message_id, True, ["one"]))
        self.world.do(lobby.edit(one.message_id, "two"))
        self.world.do(lobby.react(one.message_id, "👍"))
        self.world.settle()
        self.assertEqual([event.text for event in self.alice.events(MessageEdited)], ["two"])
        self.assertEqual(lobby.reactions(one.message_id), {"👍": ["bob"]})
        self.assertEqual(self.events(Reacted)[0].emoji, "👍")
        self.assertEqual(lobby.find(one.message_id).text, "two")
        self.assertEqual([message.text for message in self.client.search("two")], ["two"])
        self.assertEqual(self.client.search("two", before=one), [])
        self.world.do(lobby.delete(one.message_id))
        self.assertTrue(self.last(lobby).deleted)
        self.assertGreater(self.world.do(self.client.send("lobby", "three")), 0)

    def test_refused(self: Any) -> None:
        """What cannot be sent is refused at once, what the server refuses fails."""
        lobby = self.client.room("lobby")
        with self.assertRaises(TextInvalid):
            lobby.send("")
        with self.assertRaises(NotFound):
            lobby.react(bytes(16), "👍")
        self.world.do(self.alice.client.admin.mute("bob"))
        failing = lobby.send("but")
        self.moment()
        with self.assertRaises(Muted) as caught:
            self.world.do(failing)
        self.assertEqual(caught.exception.by, "server")
        self.assertEqual([type(event.error) for event in self.events(SendFailed)], [Muted])
        (waiting,) = lobby.waiting()
        self.assertEqual((waiting.text, waiting.state, type(waiting.error)), ("but", "failed", Muted))
        self.world.do(self.alice.client.admin.mute("bob", on=False))
        self.assertGreater(self.world.do(lobby.resend(waiting.message_id)), 0)

    def test_waiting(self: Any) -> None:
        """What has not left is counted, discarded and forgotten."""
        lobby = self.client.room("lobby")
        self.world.server.up = False
        self.world.server.cut()
        self.world.settle(1)
        first, second = lobby.send("one"), lobby.send("two")
        self.assertEqual([waiting.text for waiting in lobby.waiting()], ["one", "two"])
        self.moment()
        lobby.discard(first.message_id)
        self.world.run()
        self.failureResultOf(first, Withdrawn)
        self.assertEqual(self.client.unacknowledged, 1)
        self.assertEqual((self.client.forget_unsent(), self.client.unacknowledged), (1, 0))
        self.world.server.up = True
        self.world.settle(70)
        self.assertNoResult(second)
        self.assertEqual(self.texts(), [])

    # -- people and the server -----------------------------------------------------------------------------------------

    def test_people(self: Any) -> None:
        """Numbers are compared, people ignored, direct messages begun."""
        people = self.client.people
        theirs = self.world.do(self.alice.client.people.verification("bob"))
        self.moment()
        self.assertEqual(self.world.do(people.verification("alice")).number, theirs.number)
        self.assertTrue(self.world.do(people.compare("alice", theirs.qr)))
        self.assertEqual(people.trust("alice"), "verified")
        people.ignore("alice")
        self.assertEqual(people.ignored(), ["alice"])
        people.unignore("alice")
        with self.assertRaises(NotFound):
            people.unignore("alice")
        direct = self.world.do(self.client.direct("alice"))
        self.assertEqual((direct.name, direct.direct), ("@alice", True))
        (device,) = self.world.do(people.devices())
        self.assertTrue(device.current)
        self.assertEqual(len(self.world.do(self.client.devices.list())), 1)

    def test_server(self: Any) -> None:
        """What administrators alone can do is refused; the rest of the server is to be seen."""
        self.assertEqual((self.client.is_admin, self.client.distrusted, self.client.refusal), (False, False, None))
        self.assertEqual(self.client.troubles(), [])
        with self.assertRaises(Forbidden):
            self.world.do(self.client.admin.accounts())
        self.assertEqual([room.name for room in self.world.do(self.client.public_rooms())], ["lobby"])
        self.assertIn("bob", [person.user for person in self.world.do(self.client.audit()).people])

    def test_slash(self: Any) -> None:
        """People type the same everywhere."""
        slash = Slash(self.client, "lobby")
        self.assertIn("alice", "\n".join(self.world.do(slash.run("/who"))))
        self.assertEqual(slash.complete("@al")[:1], ["@alice"] if slash.complete("@al") else [])

    def test_files(self: Any) -> None:
        """A file is meant from where the program is."""
        self.world.do(self.client.send("lobby", "kept"))
        self.world.settle()
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        before = Path.cwd()
        os.chdir(directory)
        self.addCleanup(os.chdir, before)
        self.world.do(self.client.export_history("history.jsonl"))
        self.assertIn("kept", (directory / "history.jsonl").read_text())

    # -- who is told ---------------------------------------------------------------------------------------------------

    def test_listeners(self: Any) -> None:
        """Others can listen, under names of their own; a program follows or not."""
        heard: list[ClientEvent] = []
        leave = self.client.listen(heard.append, name="archive")
        self.client.follow(False)
        self.world.settle()
        self.alice.say("lobby", "one")
        self.world.settle()
        self.moment()
        self.assertEqual([event.text for event in heard if isinstance(event, MessageReceived)], ["one"])
        self.assertEqual(self.texts(), [])
        leave()
        self.client.follow()
        self.alice.say("lobby", "two")
        self.world.settle()
        self.assertEqual(self.texts(), ["one", "two"])
        self.client.listen(heard.append, name="archive")
        self.world.settle()
        self.assertEqual([event.text for event in heard if isinstance(event, MessageReceived)], ["one", "two"])

    def test_stream(self: Any) -> None:
        """A program that reads in a loop is told everything in order, once."""
        self.client.stop()
        self.world.settle(2)
        self.client = self.loop()
        heard: list[str | None] = []

        async def read() -> None:
            async with self.client as client:
                async for event in client:
                    if isinstance(event, MessageReceived):
                        heard.append(event.text)
                        if len(heard) == 4:
                            return

        reading = Deferred.fromCoroutine(read())
        self.world.settle()
        for text in ("one", "two"):
            self.alice.say("lobby", text)
        self.world.settle()
        self.moment()
        for text in ("three", "four"):
            self.alice.say("lobby", text)
        self.world.settle()
        self.successResultOf(reading)
        self.assertEqual(heard, ["one", "two", "three", "four"])

    def test_stopped(self: Any) -> None:
        """A client that is stopped is that."""
        lobby = self.client.room("lobby")
        self.world.do(self.client.stop())
        self.assertEqual((self.client.rooms, self.client.status), ([], Status.STOPPED))
        self.assertEqual(self.client.unacknowledged, 0)
        with self.assertRaises(LocalProtocolError):
            self.client.room("lobby")
        for too_late in (
            lambda: lobby.send("hello"),
            lambda: lobby.mark_seen(1),
            lambda: lobby.react(bytes(16), "🙂"),
            lobby.history,
            lambda: self.world.do(lobby.mark_read(1)),
            lambda: self.world.do(lobby.invite("alice")),
        ):
            with self.assertRaises(ChatError) as caught:
                too_late()
            self.assertIsInstance(caught.exception, LocalProtocolError | Offline | NotFound)


class AloneTests(Contract, SynchronousTestCase):
    """A `Client`."""

    def loop(self) -> Client:
        """Another one, to be read in a loop."""
        return Client(self.bob.profile, self.world.reactor, **self.world.surroundings)


class HoldingTests(Contract, SynchronousTestCase):
    """A `RemoteClient` that holds the profile, with another one beside it."""

    def begin(self) -> None:
        """The other one joins."""
        self.client.start()
        self.make([], name="other").start()


class JoinedTests(Contract, SynchronousTestCase):
    """One that has joined another."""

    def begin(self) -> None:
        """The other one was first."""
        self.first = self.make([], name="other")
        self.first.start()
        self.client.start()


class TakenOverTests(JoinedTests):
    """One that had joined, and takes over in the middle."""

    def moment(self) -> None:
        """The first one ends."""
        self.first.stop()
        self.world.settle(2)


class JoinedAgainTests(JoinedTests):
    """One that had joined, and joins another in the middle."""

    def moment(self) -> None:
        """The first one ends; one that came between takes over."""
        second = self.make([], name="second")
        self.door.last_first = True
        second.start()
        self.first.stop()
        self.world.settle(2)


class FaceTests(SynchronousTestCase):
    """Whatever a client offers can be asked of one that has joined."""

    def test_complete(self) -> None:
        """Every public name of `Client` is a verb, or about the program itself; and one that has joined has it."""
        for name in dir(Client):
            if not name.startswith("_") and name not in OWN:
                known = [verb for verb in VERBS if verb == f"client.{name}" or verb.startswith(f"client.{name}.")]
                self.assertTrue(known, name)
                self.assertIn(name, vars(RemoteClient), name)
        self.assertLessEqual(OWN - {"send", "unfollow", "user", "status", "failure"}, set(dir(Client)))

    def test_parts(self) -> None:
        """So are the names of what a client and a room have: nothing of them is left out."""
        for kind, group in ((Client, "client"), (RoomHandle, "room")):
            for name in dir(kind):
                found = inspect.getattr_static(kind, name)
                if name.startswith("_") or not isinstance(found, property):
                    continue
                part = get_type_hints(found.fget)["return"]
                if name not in OWN and is_part(part):
                    wanted = {f"{group}.{name}.{each}" for each in dir(part) if not each.startswith("_")}
                    self.assertEqual(wanted - set(VERBS), set(), name)

    def test_types(self) -> None:
        """All arguments and results are of types that travel: values, structures, handles, promises, errors."""
        for verb in VERBS.values():
            taken = get_type_hints(verb.args)
            for kind in (*(taken[name] for name in verb.args.__struct_fields__), verb.result):
                if kind == EVENT_LIST:
                    continue
                self.assert_travels(kind, verb.name)

    def assert_travels(self, kind: Any, where: str) -> None:
        """A type is one that `msgspec` knows, or that `Values` does."""
        custom: list[Any] = []

        def hook(wanted: Any, _: Any) -> Any:
            custom.append(wanted)

        msgspec.msgpack.Decoder(kind, dec_hook=hook)  # raises where it cannot be
        for each in (kind, *get_args(kind)):
            plain = get_origin(each) or each
            if isinstance(plain, type) and plain.__module__.startswith(("twisted", "collections.abc")):
                self.assertIs(plain, Deferred, where)

    def test_way(self) -> None:
        """What is awaited is awaited, what is called is called, what is a value is one."""
        ways = {name: VERBS[name].way for name in ("client.rooms", "client.room", "client.join", "room.send")}
        self.assertEqual(list(ways.values()), [Way.GET, Way.CALL, Way.AWAIT, Way.CALL])
