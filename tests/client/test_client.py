"""The life of a client: connections that come and go, registration, invites; against the real server in memory."""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account import registration
from chatserv.client.account.failures import ProfileError
from chatserv.client.account.keyring import Keyring
from chatserv.client.account.profile import Profile
from chatserv.client.account.registration import prepare_account
from chatserv.client.client import Client
from chatserv.client.connection.backoff import Replaced
from chatserv.client.events import GapSeen, MessageReceived, Status, StatusChanged
from chatserv.client.outbound.outbox import MAX_UNACKNOWLEDGED
from chatserv.client.state.context import Interrupted
from chatserv.config import Server
from chatserv.crypto.password import make_verifier
from chatserv.crypto.suite import sha256
from chatserv.domain.passwords import PasswordInvalid
from chatserv.domain.roles import Role
from chatserv.errors import (
    AuthFailed,
    BadMessage,
    Busy,
    Draining,
    Forbidden,
    InviteInvalid,
    NameInvalid,
    NameTaken,
    NotMember,
    Quota,
    ServerFull,
    TooLarge,
)
from chatserv.local_errors import LocalProtocolError
from chatserv.private_files import make_directory
from chatserv.testing.memory_server import CHEAP, PASSWORD, MemoryServer, keyring, server_id
from chatserv.testing.world import Person, World
from chatserv.wire import messages
from chatserv.wire.client_session import MethodRefused, PinMismatch
from chatserv.wire.handshake import METHOD_DEVICE
from chatserv.wire.link import ServerLink


class OpenTests(SynchronousTestCase):
    """`Client.open`."""

    def test_what_is_kept_is_read_without_a_connection(self) -> None:
        """Rooms, history, search; nobody is told, and afterwards others can have the profile."""
        world = World(self.mktemp())
        self.addCleanup(world.close)
        alice = world.person("alice", admin=True)
        alice.say("lobby", "hello there")
        world.settle()
        self.assertRaises(ProfileError, Client(alice.profile, world.server.reactor, alice.told.append).open)
        alice.client.stop()
        world.settle()
        alice.told.clear()
        client = Client(alice.profile, world.server.reactor, alice.told.append)
        client.open()
        client.open()
        self.assertEqual(
            (client.rooms, [each.text for each in client.room("lobby").history()]), (["lobby"], ["hello there"])
        )
        self.assertEqual([each.text for each in client.search("hello")], ["hello there"])
        self.assertEqual(alice.told, [])
        self.successResultOf(client.stop())
        self.assertEqual(client.rooms, [])
        again = Client(alice.profile, world.server.reactor, alice.told.append)
        again.open()
        self.successResultOf(again.stop())


def statuses(person: Person) -> list[Status]:
    """How it stood, in order."""
    return [event.status for event in person.events(StatusChanged)]


def last_error(person: Person) -> Exception | None:
    """Why it last changed how it stands."""
    return person.events(StatusChanged)[-1].error


class ApiCase(SynchronousTestCase):
    """A server, and alice, its administrator."""

    def setUp(self) -> None:
        """Starts the server."""
        self.serve()

    def serve(self, **settings: Any) -> None:
        """A server with these settings."""
        self.world = World(self.mktemp(), **settings)
        self.addCleanup(self.world.close)
        self.server: MemoryServer = self.world.server
        self.alice = self.world.person("alice", Role.ADMIN)

    def stranger(self, user: str, token: bytes | None, *, registered: bool = False) -> Person:
        """Somebody who comes with whatever token they have."""
        profile = self.server.profile(self.mktemp(), user, registered=registered)
        person = Person(self.world, user, profile, token)
        self.world.people.append(person)
        self.world.settle()
        return person


class SendingTests(ApiCase):
    """Messages there and back."""

    def test_send(self) -> None:
        """A message is acknowledged with its number, and shown."""
        acknowledged = self.alice.client.send("lobby", "hello")
        self.assertNoResult(acknowledged)
        self.assertEqual(1, self.alice.client.unacknowledged)
        self.world.settle(1)
        self.assertEqual(self.alice.events(MessageReceived)[0].seq, self.successResultOf(acknowledged))
        self.assertEqual(0, self.alice.client.unacknowledged)

    def test_unknown_room(self) -> None:
        """A room that we are not in takes nothing, and the next message goes through."""
        self.assertRaises(NotMember, self.alice.client.send, "attic", "hello")
        self.alice.say("lobby", "hello")

    def test_too_large(self) -> None:
        """A text that fits into no message is refused at once; the longest that does is stored."""
        longest = 11_776 - 1 - 64 - 4 - 70 - 8  # docs/rooms.rst 7.2, with a log head, and eight bytes around a text
        self.assertRaises(TooLarge, self.alice.client.send, "lobby", "x" * (longest + 1))
        self.alice.say("lobby", "x" * longest)

    def test_retry_after_busy(self) -> None:
        """A message that the server has no time for is sent again after the delay that the server named."""
        busy, append = [True], self.server.store.append

        async def sometimes(draft: Any) -> Any:
            if busy:
                raise Busy("queue", after_seconds=3.0)
            return await append(draft)

        self.patch(self.server.store, "append", sometimes)
        acknowledged = self.alice.client.send("lobby", "hello")
        self.world.run()
        busy.clear()
        self.server.pass_time(2)
        self.assertNoResult(acknowledged)
        self.world.settle(3)
        self.successResultOf(acknowledged)

    def test_bound(self) -> None:
        """So many messages may wait for the server; one more is refused at once, and waits for nothing."""
        self.assertEqual(5000, MAX_UNACKNOWLEDGED)
        self.patch(self.alice.client.engine.outbox, "most", 20)
        self.server.cut()
        for number in range(20):
            self.alice.client.send("lobby", str(number))
        with self.assertRaises(Quota):
            self.alice.client.send("lobby", "one more")
        self.assertEqual(
            (20, 20), (self.alice.client.unacknowledged, len(self.alice.client._lifecycle.notifier._acknowledgements))
        )

    def test_forget(self) -> None:
        """What a program gives up on does not go out later."""
        self.server.up = False
        self.server.cut()
        self.alice.client.send("lobby", "never mind")
        self.assertEqual(1, self.alice.client.forget_unsent())
        self.server.up = True
        self.world.settle(60)
        self.assertEqual([], self.alice.texts("lobby"))

    def test_forget_only_what_is_ours(self) -> None:
        """What an earlier run has left, such as a person's line, is not given up by the run behind it."""
        self.server.up = False
        self.server.cut()
        self.alice.client.send("lobby", "said by a person")
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.alice.client.send("lobby", "said by a script")
        self.assertEqual(1, self.alice.client.forget_unsent())
        self.assertEqual(["said by a person"], [each.text for each in self.alice.room("lobby").waiting()])
        self.server.up = True
        self.world.settle(60)
        self.assertEqual([("alice", "said by a person")], self.alice.texts("lobby"))


class ConnectionTests(ApiCase):
    """Connections that come and go."""

    def test_statuses(self) -> None:
        """The program is told in order: connecting, catching up, online, offline, and so on, stopped."""
        self.server.cut()
        self.server.pass_time(3)
        self.alice.leave_the_machine()
        up = [Status.SYNCING, Status.ONLINE]
        self.assertEqual([Status.CONNECTING, *up, Status.OFFLINE, *up, Status.STOPPED], statuses(self.alice))

    def test_stopped_by_the_program(self) -> None:
        """A program that stops while it is told a message is told no more; the next run goes on right behind that one."""
        bob = self.world.person("bob")

        def stop(event: Any) -> None:
            bob.told.append(event)
            if isinstance(event, MessageReceived):
                bob.client.stop()

        bob.client._lifecycle.first._tell = stop
        for number in range(3):
            self.alice.client.send("lobby", str(number))
        self.world.settle(2)
        first = [text for _, text in bob.texts("lobby")]
        bob.come_back()
        self.assertEqual(["0", "1", "2"], first + [text for _, text in bob.texts("lobby")])

    def test_last_words(self) -> None:
        """The program is told why the server ended the session: it goes down, or another program took over."""
        copy = self.mktemp()
        shutil.copytree(self.alice.profile.directory, copy)
        other = Person(self.world, "alice", Profile(Path(copy)), None)
        self.world.people.append(other)
        self.world.settle(2)
        self.assertIsInstance(last_error(self.alice), Replaced)
        self.server.pass_time(120)
        self.assertEqual((Status.FAILED, Status.ONLINE), (statuses(self.alice)[-1], statuses(other)[-1]))
        self.server.factory.drain()
        self.world.run()
        self.assertIsInstance(last_error(other), Draining)

    def test_profile_in_use(self) -> None:
        """Two programs on one profile would throw each other out; the second is refused, until the first has ended."""
        self.assertRaises(ProfileError, Person, self.world, "alice", self.alice.profile, None)
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertTrue(self.alice.online)

    def test_backoff_server_away(self) -> None:
        """While nobody listens the pauses grow to a minute and no further; the program is told once."""
        self.server.up = False
        self.server.cut()
        self.server.attempts.clear()
        self.server.pass_time(600)
        self.assert_grows_to_a_minute()
        self.assertEqual([Status.ONLINE, Status.OFFLINE], statuses(self.alice)[-2:])
        self.server.up = True
        self.world.settle(61)
        self.assertTrue(self.alice.online)

    def test_backoff_fruitless_logins(self) -> None:
        """While every login fails for now, the pauses grow in the same way."""
        bob = self.world.person("bob")
        bob.leave_the_machine()
        self.server.context.hub.max_sessions = 1
        self.server.attempts.clear()
        bob.come_back()
        self.server.pass_time(600)
        self.assert_grows_to_a_minute()
        self.assertIsInstance(last_error(bob), ServerFull)

    def test_backoff_begins_anew(self) -> None:
        """After a session that worked, the first pause is short again."""
        self.server.up = False
        self.server.cut()
        self.server.pass_time(300)
        self.server.up = True
        self.world.settle(61)
        self.server.cut()
        self.server.attempts.clear()
        self.server.pass_time(3)
        self.assertEqual(1, len(self.server.attempts))

    def assert_grows_to_a_minute(self) -> None:
        """The pauses between the attempts: each about half as long again as the one before, never above 60 s."""
        attempts = self.server.attempts
        pauses = [later - earlier for earlier, later in pairwise(attempts)]
        self.assertGreater(len(pauses), 9)
        self.assertLessEqual(max(pauses), 61)  # the test's clock moves in steps of a second
        self.assertGreater(pauses[-1], 50)
        self.assertTrue(all(later >= earlier - 2 for earlier, later in pairwise(pauses)), pauses)

    def test_refused_sync(self) -> None:
        """A client whose sync is refused for now connects anew instead of waiting for ever."""
        events, refuse = self.server.store.events, [True]

        async def sometimes(*arguments: Any) -> Any:
            if refuse:
                raise Busy("queue")
            return await events(*arguments)

        bob = self.world.person("bob")
        bob.leave_the_machine()
        self.alice.say("lobby", "hello")
        self.patch(self.server.store, "events", sometimes)
        bob.come_back()
        self.assertIn(Busy, [type(event.error) for event in bob.events(StatusChanged)])
        refuse.clear()
        self.world.settle(60)
        self.assertEqual([("alice", "hello")], bob.texts("lobby"))

    def test_stop_before_start(self) -> None:
        """Stopping a client that does not run is harmless; starting it twice is an error."""
        client = Client(
            self.server.profile(self.mktemp(), "bob"), self.server.reactor, print, endpoint=self.server.endpoint()
        )
        self.successResultOf(client.stop())
        self.assertRaises(LocalProtocolError, client.room, "lobby")
        self.assertRaises(LocalProtocolError, self.alice.client.start)

    def test_stop_while_waiting(self) -> None:
        """A client that is stopped between two attempts makes no more of them, and leaves no timer behind."""
        self.server.up = False
        self.server.cut()
        self.server.pass_time(5)
        self.alice.leave_the_machine()
        self.server.attempts.clear()
        self.server.pass_time(100)
        self.assertEqual(([], Status.STOPPED), (self.server.attempts, statuses(self.alice)[-1]))
        self.assertEqual(set(), self.alice.client._lifecycle._timers._timers)

    def test_no_account(self) -> None:
        """A profile without keys cannot be used."""
        with self.assertRaises(ProfileError):
            Client(Profile.named("x", Path(self.mktemp()).absolute()), self.server.reactor, print)

    def test_keepalive(self) -> None:
        """An idle session stays up."""
        self.server.pass_time(400)
        self.assertEqual([Status.CONNECTING, Status.SYNCING, Status.ONLINE], statuses(self.alice))

    def test_sleep(self) -> None:
        """A machine that sleeps for hours, the server's too: the client asks, is answered, and nobody is cut."""
        self.server.reactor.advance(7200)
        self.world.run()
        self.server.pass_time(200)
        self.assertEqual([Status.CONNECTING, Status.SYNCING, Status.ONLINE], statuses(self.alice))

    def test_sleep_offline(self) -> None:
        """A client that waited to try again does so within seconds of waking."""
        self.server.up = False
        self.server.cut()
        self.server.pass_time(300)
        self.server.up = True
        self.server.reactor.advance(7200)
        self.world.settle(6)
        self.assertTrue(self.alice.online)

    def test_suspended(self) -> None:
        """An account that an administrator suspends is out until that is lifted; what it is in rooms stays."""
        bob = self.world.person("bob")
        self.alice.do(self.alice.client.admin.suspend("bob"))
        self.world.settle()
        self.assertEqual(Status.FAILED, statuses(bob)[-1])
        self.assertIsInstance(last_error(bob), Forbidden)
        self.alice.do(self.alice.client.admin.suspend("bob", on=False))
        bob.come_back()
        bob.say("lobby", "back")
        self.assertEqual([("bob", "back")], self.alice.texts("lobby"))


class RegistrationTests(ApiCase):
    """The first connection of an account."""

    def assert_final(self, person: Person, error: type[Exception]) -> None:
        """The client has given up because of this error, and tries no more."""
        self.assertEqual([Status.CONNECTING, Status.FAILED], statuses(person))
        self.assertIsInstance(last_error(person), error)
        self.alice.leave_the_machine()
        self.server.attempts.clear()
        self.server.pass_time(120)
        self.assertEqual([], self.server.attempts)

    def test_register(self) -> None:
        """An invite makes an account, which the profile remembers; later connections log in."""
        carol = self.world.person("carol")
        kept = carol.profile.keyring()
        self.assertTrue(kept is not None and kept.registered)
        self.server.cut()
        self.world.settle(3)
        self.assertTrue(carol.online)

    def test_lost_answer(self) -> None:
        """A registration whose answer was lost succeeds with the same keys."""
        carol = self.world.person("carol", wait=False)
        pump = self.server.connections[-1]
        while self.server.await_(self.server.store.device("carol", keyring("carol").device_id)) is None:
            self.server.reactor.advance(0)
            pump.pump()
        self.server.cut()
        kept = carol.profile.keyring()
        self.assertTrue(kept is not None and not kept.registered)
        self.world.settle()
        self.assertTrue(carol.online)

    def test_invite_used(self) -> None:
        """An invite that was used is a final refusal."""
        self.world.person("carol")
        self.assert_final(self.stranger("dave", sha256(b"carol")), InviteInvalid)

    def test_no_invite(self) -> None:
        """So is none at all."""
        self.assert_final(self.stranger("carol", None), InviteInvalid)

    def test_name_taken(self) -> None:
        """So is a name that somebody has, or that looks like one."""
        token = self.server.invite("a1ice")
        self.assert_final(self.stranger("a1ice", token), NameTaken)

    def test_closed(self) -> None:
        """So is registration where there is none."""
        self.patch(self.server.factory, "identity", without_registration(self.server))
        self.assert_final(self.stranger("carol", self.server.invite("carol")), MethodRefused)

    def test_open(self) -> None:
        """Where registration is open, it takes no invite."""
        self.serve(registration="open")
        self.assertTrue(self.stranger("carol", None).online)

    def test_unknown_device(self) -> None:
        """A login that the server does not know is a final refusal."""
        self.assert_final(self.stranger("mallory", None, registered=True), AuthFailed)

    def test_wrong_pin(self) -> None:
        """A server with another identity is a final refusal, and learns nothing about who knocked."""
        profile = self.server.profile(self.mktemp(), "bob")
        profile.save_keyring(msgspec.structs.replace(keyring("bob"), server_id=b"x" * 32, registered=True))
        asked: list[Any] = []
        self.patch(self.server.store, "device", lambda *arguments: asked.append(arguments))
        bob = Person(self.world, "bob", profile, None)
        self.world.run()
        self.assert_final(bob, PinMismatch)
        self.assertEqual([], asked)


def without_registration(server: MemoryServer) -> Any:
    """The server's identity, which takes no registrations."""
    return replace(server.factory.identity, methods=bytes((METHOD_DEVICE,)))


class InviteTests(ApiCase):
    """Links for others."""

    def test_invite(self) -> None:
        """An administrator gets a link to this server with which one person registers."""
        link = self.alice.do(self.alice.client.admin.make_invite())
        self.assertEqual(("chat.example", 5000, server_id()), (link.host, link.port, link.fingerprint))
        self.assertEqual(Status.ONLINE, statuses(self.stranger("carol", link.invite))[-1])
        self.assertEqual(Status.FAILED, statuses(self.stranger("dave", link.invite))[-1])

    def test_advertised(self) -> None:
        """The link leads to where the server's operator has said, not to where the administrator came by; or nowhere."""
        for host in ("reach.example", "2001:db8::7"):
            self.patch(Server, "addresses", ((host, 443),))
            link = self.alice.do(self.alice.client.admin.make_invite())
            self.assertEqual((host, 443, server_id()), (link.host, link.port, link.fingerprint))
        self.patch(Server, "addresses", (("2001:db8::7", 443), ("a.example", 1), ("::1", 2)))
        link = self.alice.do(self.alice.client.admin.make_invite())
        self.assertEqual((("2001:db8::7", 443), ("a.example", 1), ("::1", 2)), link.addresses)
        self.patch(Server, "addresses", (("no host", 443),))
        self.assertRaises(BadMessage, self.alice.do, self.alice.client.admin.make_invite())

    def test_named(self) -> None:
        """A link for one name does not let another in."""
        token = self.alice.do(self.alice.client.admin.make_invite("carol", admin=True)).invite
        self.assertEqual(Status.FAILED, statuses(self.stranger("dave", token))[-1])
        carol = self.stranger("carol", token)
        self.assertTrue(carol.online and carol.client.is_admin)

    def test_not_an_administrator(self) -> None:
        """Others are refused."""
        bob = self.world.person("bob")
        self.assertRaises(Forbidden, bob.do, bob.client.admin.make_invite())

    def test_connection_lost(self) -> None:
        """A question whose connection dies fails, and so does one without a connection."""
        making = Deferred.fromCoroutine(self.alice.client.admin.make_invite())
        self.server.cut()
        self.failureResultOf(making, Interrupted)
        self.failureResultOf(Deferred.fromCoroutine(self.alice.client.admin.make_invite()), Interrupted)


class ForeignServerTests(ApiCase):
    """Servers that do odd things."""

    def test_gap(self) -> None:
        """A number that the server leaves out is told to the program."""
        room = self.alice.client.engine.rooms.find("lobby")
        assert room.row is not None
        cursor = room.row.cursor
        self.alice.client._lifecycle.connection.message_received(
            [messages.Event(room.room_id, cursor + 5, 0, "bob", 0, b"")]
        )
        self.world.run()
        self.assertIn(GapSeen("lobby", cursor + 1, cursor + 4), self.alice.told)

    def test_answer_to_nobody(self) -> None:
        """An answer to a question that was not asked is ignored."""
        self.alice.client._lifecycle.connection.message_received([messages.Ok(999), messages.Error(998, "busy")])
        self.assertTrue(self.alice.online)


class PrepareAccountTests(SynchronousTestCase):
    """Keys for a new account."""

    def setUp(self) -> None:
        """An empty profile, and keys that cost nothing."""
        self.profile = Profile(Path(self.mktemp()).absolute())
        make_directory(self.profile.directory)
        self.made: list[str] = []
        self.patch(registration, "make_keyring", self.make)

    def make(self, server: bytes, address: tuple[str, int], user: str, password: str, *_: Any) -> Keyring:
        """The keyring of ``user`` with a device id that tells the makings apart."""
        self.made.append(user)
        verifier = make_verifier(password, bytes(16), CHEAP).encode()
        return msgspec.structs.replace(
            keyring(user), server_id=server, host=address[0], port=address[1], verifier=verifier,
            device_id=len(self.made).to_bytes(16, "big"),
        )  # fmt: skip

    def prepare(self, user: str = "alice", password: str = PASSWORD, **link: Any) -> Deferred[Keyring]:
        """Prepares with a link to a server."""
        target = ServerLink(**{"host": "chat.example", "port": 5000, "fingerprint": server_id(), **link})
        return Deferred.fromCoroutine(prepare_account(self.profile, target, user, password, in_thread=maybeDeferred))

    def test_saved(self) -> None:
        """The keys are kept before anybody registers with them; the name is in its canonical form."""
        made = self.successResultOf(self.prepare("Alice"))
        self.assertEqual((made.user, self.profile.keyring()), ("alice", made))

    def test_again(self) -> None:
        """A second try takes the same keys, and the address of the newer link."""
        first = self.successResultOf(self.prepare())
        second = self.successResultOf(self.prepare(host="other.example", port=6000))
        self.assertEqual((("other.example", 6000),), second.everywhere)
        self.assertEqual(second, first.moved(second.everywhere))
        self.assertEqual(self.profile.keyring(), second)

    def test_several_addresses(self) -> None:
        """All of the link are kept."""
        made = self.successResultOf(self.prepare(others=(("other.example", 6000),)))
        self.assertEqual((("chat.example", 5000), ("other.example", 6000)), made.everywhere)

    def test_again_with_another_password(self) -> None:
        """A second try with another password, name or server makes new keys: the old ones belong to the old words."""
        self.successResultOf(self.prepare())
        for change in ({"password": "another password"}, {"user": "bob"}, {"fingerprint": b"y" * 32}):
            before = len(self.made)
            self.successResultOf(self.prepare(**change))
            self.assertEqual(len(self.made), before + 1)

    def test_has_an_account(self) -> None:
        """A profile that has an account keeps it."""
        self.profile.save_keyring(msgspec.structs.replace(keyring("alice"), registered=True))
        self.assertIn("--profile", self.failureResultOf(self.prepare(), ProfileError).value.detail)

    def test_unusable(self) -> None:
        """A name or password that cannot be used leaves nothing behind."""
        self.failureResultOf(self.prepare(user="two words"), NameInvalid)
        self.failureResultOf(self.prepare(password="short"), PasswordInvalid)
        self.assertEqual((self.made, self.profile.keyring()), ([], None))
