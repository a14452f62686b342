"""A client through all its connections, against the real server in memory."""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import registration
from chatserv.client.api import Client
from chatserv.client.events import ClientEvent, GapSeen, MessageReceived, Replaced, Status, StatusChanged
from chatserv.client.keyring import Keyring
from chatserv.client.profile import Profile, ProfileError
from chatserv.client.registration import prepare_account
from chatserv.crypto.password import make_verifier
from chatserv.domain.passwords import PasswordInvalid
from chatserv.domain.roles import Role
from chatserv.errors import (
    AuthFailed,
    Busy,
    Draining,
    Forbidden,
    InviteInvalid,
    LocalProtocolError,
    NameInvalid,
    NameTaken,
    NotMember,
    Quota,
    ServerFull,
    TooLarge,
)
from chatserv.private_files import make_directory
from chatserv.wire import messages
from chatserv.wire.client_session import MethodRefused, PinMismatch
from chatserv.wire.link import ServerLink
from tests.client.memory_server import CHEAP, PASSWORD, MemoryServer, keyring, server_id

TOKEN = b"t" * 32


class Person:
    """A client and what it told."""

    def __init__(self, server: MemoryServer, profile: Profile, follow: bool = True, token: bytes | None = None) -> None:
        self.profile = profile
        self.told: list[ClientEvent] = []
        self.client = Client(profile, server.reactor, self.told.append, follow=follow, endpoint=server.endpoint())
        self.client.start(token)

    @property
    def statuses(self) -> list[Status]:
        """How it stood, in order."""
        return [event.status for event in self.told if isinstance(event, StatusChanged)]

    @property
    def error(self) -> Exception | None:
        """Why it last changed how it stands."""
        return [event.error for event in self.told if isinstance(event, StatusChanged)][-1]

    @property
    def texts(self) -> list[str | None]:
        """What it was shown."""
        return [event.text for event in self.told if isinstance(event, MessageReceived)]


class ApiTestCase(SynchronousTestCase):
    """A server with alice's and bob's accounts; alice is its administrator."""

    def setUp(self) -> None:
        """Starts the server."""
        self.serve()

    def serve(self, **settings: Any) -> None:
        """Another server, with these settings."""
        self.server = MemoryServer(**settings)
        self.server.add_account("alice", Role.ADMIN)
        self.server.add_account("bob")

    def join(self, user: str, **options: Any) -> Person:
        """Somebody with an account, connected."""
        person = Person(self.server, self.server.profile(self.mktemp(), user), **options)
        self.server.run()
        return person

    def register(self, user: str, token: bytes | None) -> Person:
        """Somebody who registers."""
        person = Person(self.server, self.server.profile(self.mktemp(), user, registered=False), token=token)
        self.server.run()
        return person

    def stop(self, person: Person) -> None:
        """Somebody leaves."""
        stopping = person.client.stop()
        self.server.run()
        self.successResultOf(stopping)


class SendingTests(ApiTestCase):
    """Messages there and back."""

    def test_send(self) -> None:
        """A message is stored, acknowledged with its number, and shown to everybody."""
        alice, bob = self.join("alice"), self.join("bob")
        acknowledged = alice.client.send("lobby", "hello")
        self.assertNoResult(acknowledged)
        self.assertEqual(alice.client.unacknowledged, 1)
        self.server.run()
        self.assertEqual(self.successResultOf(acknowledged), 1)
        self.assertEqual(alice.client.unacknowledged, 0)
        self.assertEqual((alice.texts, bob.texts), (["hello"], ["hello"]))
        self.assertEqual(len(self.server.stored()), 1)
        self.assertEqual(alice.client.rooms, ["lobby"])

    def test_order(self) -> None:
        """Many messages keep their order, sent before and after the connection is there."""
        alice = Person(self.server, self.server.profile(self.mktemp(), "alice"))
        early = [alice.client.send("lobby", f"early {number}") for number in range(200)]
        self.server.run()
        late = [alice.client.send("lobby", f"late {number}") for number in range(200)]
        self.server.run()
        self.assertEqual([self.successResultOf(one) for one in early + late], list(range(1, 401)))
        self.assertEqual(alice.texts, [f"early {number}" for number in range(200)] + [f"late {n}" for n in range(200)])

    def test_refused(self) -> None:
        """A message that the server refuses for good fails, and the next one goes through."""
        alice = self.join("alice")
        elsewhere = alice.client.send("attic", "hello")
        self.server.run()
        self.failureResultOf(elsewhere, NotMember)
        fine = alice.client.send("lobby", "hello")
        self.server.run()
        self.assertEqual(self.successResultOf(fine), 1)

    def test_too_large(self) -> None:
        """A text that fits into no message is refused at once; the longest that does is stored."""
        alice = self.join("alice")
        longest = 12_000 - 30  # around a body are 30 bytes of content
        self.assertRaises(TooLarge, alice.client.send, "lobby", "x" * (longest + 1))
        fine = alice.client.send("lobby", "x" * longest)
        self.server.run()
        self.assertEqual(self.successResultOf(fine), 1)

    def test_retry_after_busy(self) -> None:
        """A message that the server has no time for is sent again after the delay that the server named."""
        alice = self.join("alice")
        busy, append = [True], self.server.store.append

        async def sometimes(draft: Any) -> Any:
            if busy:
                raise Busy("queue", after_seconds=3.0)
            return await append(draft)

        self.patch(self.server.store, "append", sometimes)
        acknowledged = alice.client.send("lobby", "hello")
        self.server.run()
        busy.clear()
        self.server.pass_time(2)
        self.assertNoResult(acknowledged)
        self.server.pass_time(2)
        self.assertEqual(self.successResultOf(acknowledged), 1)

    def test_bound(self) -> None:
        """5000 messages may wait for the server; one more is refused at once, and waits for nothing."""
        self.server.up = False
        alice = Person(self.server, self.server.profile(self.mktemp(), "alice"))
        for number in range(5000):
            alice.client.send("lobby", str(number))
        with self.assertRaises(Quota):
            alice.client.send("lobby", "one more")
        self.assertEqual((alice.client.unacknowledged, len(alice.client._acknowledgements)), (5000, 5000))

    def test_without_following(self) -> None:
        """A client that does not follow is shown nothing and leaves the cursors alone."""
        alice = self.join("alice", follow=False)
        before = alice.profile.cursors()
        alice.client.send("lobby", "hello")
        self.server.run()
        self.assertEqual((alice.texts, alice.profile.cursors()), ([], before))


class ConnectionTests(ApiTestCase):
    """Connections that come and go."""

    def test_statuses(self) -> None:
        """The program is told in order: connecting, online, offline, online again, stopped."""
        alice = self.join("alice")
        self.server.cut()
        self.server.pass_time(3)
        self.stop(alice)
        expected = [Status.CONNECTING, Status.ONLINE, Status.OFFLINE, Status.ONLINE, Status.STOPPED]
        self.assertEqual(alice.statuses, expected)

    def test_resume(self) -> None:
        """After a lost connection only what is missing comes, once, in order, without a gap."""
        alice, bob = self.join("alice"), self.join("bob")
        bob.client.send("lobby", "one")
        self.server.run()
        self.server.cut()
        bob.client.send("lobby", "two")
        alice.client.send("lobby", "three")
        self.server.pass_time(4)
        for person in (alice, bob):
            self.assertEqual(sorted(map(str, person.texts)), ["one", "three", "two"])
            self.assertEqual(person.texts[0], "one")
            self.assertFalse([event for event in person.told if isinstance(event, GapSeen)])
        self.assertEqual(alice.texts, bob.texts)

    def test_resume_after_restart(self) -> None:
        """A new run of the program goes on where the last one had read."""
        bob, alice = self.join("bob"), self.join("alice")
        bob.client.send("lobby", "one")
        self.server.run()
        self.stop(alice)
        bob.client.send("lobby", "two")
        self.server.run()
        again = Person(self.server, alice.profile)
        self.server.run()
        self.assertEqual(again.texts, ["two"])

    def test_stopped_by_the_program(self) -> None:
        """A program that stops while it is told a message is told no more; the next run goes on right behind that one."""
        bob = self.join("bob")
        alice = self.join("alice")
        alice.client._on_event = lambda event: (alice.told.append(event), alice.client.stop())[0]  # type: ignore[func-returns-value]
        for number in range(3):
            bob.client.send("lobby", str(number))
        self.server.run()
        self.assertEqual(alice.texts, ["0"])
        again = Person(self.server, alice.profile)
        self.server.run()
        self.assertEqual(again.texts, ["1", "2"])

    def test_last_words(self) -> None:
        """The program is told why the server ended the session: it goes down, or another program took over."""
        alice = self.join("alice")
        copy = self.mktemp()
        shutil.copytree(alice.profile.directory, copy)
        other = Person(self.server, Profile(Path(copy)))
        self.server.run()
        self.assertIsInstance(alice.error, Replaced)
        self.server.pass_time(120)
        self.assertEqual((alice.statuses[-1], other.statuses[-1]), (Status.FAILED, Status.ONLINE))
        self.server.factory.drain()
        self.server.run()
        self.assertIsInstance(other.error, Draining)

    def test_profile_in_use(self) -> None:
        """Two programs on one profile would throw each other out; the second is refused, until the first has ended."""
        alice = self.join("alice")
        self.assertRaises(ProfileError, Person, self.server, alice.profile)
        self.stop(alice)
        again = Person(self.server, alice.profile)
        self.server.run()
        self.assertEqual(again.statuses[-1], Status.ONLINE)

    def test_lost_answer(self) -> None:
        """A message whose answer was lost is sent again and stored once."""
        alice = self.join("alice")
        acknowledged = alice.client.send("lobby", "hello")
        self.server.reactor.advance(0)
        (pump,) = self.server.connections
        pump.serverIO.bufferReceived(pump.clientIO.getOutBuffer())
        self.assertEqual(len(self.server.stored()), 1)
        self.server.cut()
        self.assertNoResult(acknowledged)
        self.server.pass_time(3)
        self.assertEqual(self.successResultOf(acknowledged), 1)
        self.assertEqual((len(self.server.stored()), alice.texts), (1, ["hello"]))

    def test_backoff_server_away(self) -> None:
        """While nobody listens the pauses grow to a minute and no further; the program is told once."""
        self.server.up = False
        alice = self.join("alice")
        self.server.pass_time(600)
        self.assert_grows_to_a_minute()
        self.assertEqual(alice.statuses, [Status.CONNECTING, Status.OFFLINE])
        self.server.up = True
        self.server.pass_time(61)
        self.assertEqual(alice.statuses[-1], Status.ONLINE)

    def test_backoff_fruitless_logins(self) -> None:
        """While every login fails for now, the pauses grow in the same way."""
        self.serve(max_connections=1)
        self.join("bob")
        alice = self.join("alice")
        self.server.attempts.clear()
        self.server.pass_time(600)
        self.assert_grows_to_a_minute()
        self.assertIsInstance(alice.error, ServerFull)

    def test_backoff_begins_anew(self) -> None:
        """After a session that worked, the first pause is short again."""
        self.server.up = False
        self.join("alice")
        self.server.pass_time(300)
        self.server.up = True
        self.server.pass_time(61)
        self.server.cut()
        self.server.attempts.clear()
        self.server.pass_time(3)
        self.assertEqual(len(self.server.attempts), 1)

    def assert_grows_to_a_minute(self) -> None:
        """The pauses between the attempts: each about half as long again as the one before, never above 60 s."""
        attempts = self.server.attempts
        pauses = [later - earlier for earlier, later in pairwise(attempts)]
        self.assertGreater(len(pauses), 10)
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

        bob = self.join("bob")
        bob.client.send("lobby", "hello")
        self.server.run()
        self.patch(self.server.store, "events", sometimes)
        alice = Person(self.server, self.server.profile(self.mktemp(), "alice"))
        waiting = alice.client.send("lobby", "hello too")
        self.server.run()
        self.assertIsInstance(alice.error, Busy)
        refuse.clear()
        self.server.pass_time(3)
        self.assertEqual(alice.texts, ["hello", "hello too"])
        self.successResultOf(waiting)

    def test_stop_before_start(self) -> None:
        """Stopping a client that does not run is harmless; starting it twice is an error."""
        client = Client(
            self.server.profile(self.mktemp(), "alice"), self.server.reactor, print, endpoint=self.server.endpoint()
        )
        self.successResultOf(client.stop())
        client.start()
        with self.assertRaises(LocalProtocolError):
            client.start()

    def test_stop_while_waiting(self) -> None:
        """A client that is stopped between two attempts makes no more of them."""
        self.server.up = False
        alice = self.join("alice")
        self.stop(alice)
        self.server.attempts.clear()
        self.server.pass_time(100)
        self.assertEqual((self.server.attempts, alice.statuses[-1]), ([], Status.STOPPED))

    def test_no_account(self) -> None:
        """A profile without keys cannot be used."""
        with self.assertRaises(ProfileError):
            Client(Profile.named("x", Path(self.mktemp()).absolute()), self.server.reactor, print)

    def test_keepalive(self) -> None:
        """An idle session stays up."""
        alice = self.join("alice")
        self.server.pass_time(400)
        self.assertEqual(alice.statuses, [Status.CONNECTING, Status.ONLINE])


class RegistrationTests(ApiTestCase):
    """The first connection of an account."""

    def assert_final(self, person: Person, error: type[Exception]) -> None:
        """The client has given up because of this error, and tries no more."""
        self.assertEqual(person.statuses, [Status.CONNECTING, Status.FAILED])
        self.assertIsInstance(person.error, error)
        self.server.attempts.clear()
        self.server.pass_time(120)
        self.assertEqual((self.server.attempts, self.server.connections), ([], []))

    def test_register(self) -> None:
        """An invite makes an account, which the profile remembers; later connections log in."""
        self.server.add_invite(TOKEN)
        carol = self.register("carol", TOKEN)
        self.assertEqual(carol.statuses, [Status.CONNECTING, Status.ONLINE])
        kept = carol.profile.keyring()
        self.assertTrue(kept is not None and kept.registered)
        self.server.cut()
        self.server.pass_time(3)
        self.assertEqual(carol.statuses[-1], Status.ONLINE)
        carol.client.send("lobby", "hello")
        self.server.run()
        self.assertEqual(carol.texts, ["hello"])

    def test_lost_answer(self) -> None:
        """A registration whose answer was lost succeeds with the same keys."""
        self.server.add_invite(TOKEN)
        carol = Person(self.server, self.server.profile(self.mktemp(), "carol", registered=False), token=TOKEN)
        (pump,) = self.server.connections
        while self.server.await_(self.server.store.device("carol", keyring("carol").device_id)) is None:
            self.assertTrue(pump.pump())
        self.server.cut()
        kept = carol.profile.keyring()
        self.assertTrue(kept is not None and not kept.registered)
        self.server.pass_time(3)
        self.assertEqual(carol.statuses[-1], Status.ONLINE)

    def test_invite_used(self) -> None:
        """An invite that was used is a final refusal."""
        self.server.add_invite(TOKEN)
        self.stop(self.register("carol", TOKEN))
        self.assert_final(self.register("dave", TOKEN), InviteInvalid)

    def test_no_invite(self) -> None:
        """So is none at all."""
        self.assert_final(self.register("carol", None), InviteInvalid)

    def test_name_taken(self) -> None:
        """So is a name that somebody has, or that looks like one."""
        self.server.add_invite(TOKEN)
        self.assert_final(self.register("a1ice", TOKEN), NameTaken)

    def test_closed(self) -> None:
        """So is registration where there is none."""
        self.serve(registration="closed")
        self.assert_final(self.register("carol", TOKEN), MethodRefused)

    def test_open(self) -> None:
        """Where registration is open, it takes no invite."""
        self.serve(registration="open")
        self.assertEqual(self.register("carol", None).statuses[-1], Status.ONLINE)

    def test_unknown_device(self) -> None:
        """A login that the server does not know is a final refusal."""
        self.assert_final(self.join("mallory"), AuthFailed)

    def test_wrong_pin(self) -> None:
        """A server with another identity is a final refusal, and learns nothing about who knocked."""
        profile = self.server.profile(self.mktemp(), "alice")
        profile.save_keyring(msgspec.structs.replace(keyring("alice"), server_id=b"x" * 32, registered=True))
        asked: list[Any] = []
        self.patch(self.server.store, "device", lambda *arguments: asked.append(arguments))
        alice = Person(self.server, profile)
        self.server.run()
        self.assert_final(alice, PinMismatch)
        self.assertEqual(asked, [])


class InviteTests(ApiTestCase):
    """Links for others."""

    def test_invite(self) -> None:
        """An administrator gets a link to this server with which one person registers."""
        alice = self.join("alice")
        making = Deferred.fromCoroutine(alice.client.make_invite())
        self.server.run()
        link = self.successResultOf(making)
        self.assertEqual((link.host, link.port, link.fingerprint), ("chat.example", 5000, server_id()))
        self.assertEqual(self.register("carol", link.invite).statuses[-1], Status.ONLINE)
        self.assertEqual(self.register("dave", link.invite).statuses[-1], Status.FAILED)

    def test_named(self) -> None:
        """A link for one name does not let another in."""
        alice = self.join("alice")
        making = Deferred.fromCoroutine(alice.client.make_invite("carol", admin=True))
        self.server.run()
        token = self.successResultOf(making).invite
        self.assertEqual(self.register("dave", token).statuses[-1], Status.FAILED)
        self.assertEqual(self.register("carol", token).statuses[-1], Status.ONLINE)

    def test_not_an_administrator(self) -> None:
        """Others are refused."""
        bob = self.join("bob")
        making = Deferred.fromCoroutine(bob.client.make_invite())
        self.server.run()
        self.failureResultOf(making, Forbidden)

    def test_connection_lost(self) -> None:
        """A question whose connection dies fails, and so does one without a connection."""
        alice = self.join("alice")
        making = Deferred.fromCoroutine(alice.client.make_invite())
        self.server.cut()
        self.failureResultOf(making, LocalProtocolError)
        self.failureResultOf(Deferred.fromCoroutine(alice.client.make_invite()), LocalProtocolError)


class ForeignServerTests(ApiTestCase):
    """Servers that do odd things."""

    def test_gap(self) -> None:
        """A number that the server leaves out is told to the program."""
        alice = self.join("alice")
        alice.client.message_received([messages.Event(self.server.lobby, 5, 0, "bob", 0, b"")])
        self.assertIn(GapSeen("lobby", 1, 4), alice.told)

    def test_answer_to_nobody(self) -> None:
        """An answer to a question that was not asked is ignored."""
        alice = self.join("alice")
        alice.client.message_received([messages.Ok(999), messages.Error(998, "busy")])
        self.assertEqual(alice.statuses[-1], Status.ONLINE)


class PrepareAccountTests(SynchronousTestCase):
    """Keys for a new account."""

    def setUp(self) -> None:
        """An empty profile, and keys that cost nothing."""
        self.profile = Profile(Path(self.mktemp()).absolute())
        make_directory(self.profile.directory)
        self.made: list[str] = []
        self.patch(registration, "deferToThread", lambda function, *arguments: succeed(function(*arguments)))
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
        return Deferred.fromCoroutine(prepare_account(self.profile, target, user, password))

    def test_saved(self) -> None:
        """The keys are kept before anybody registers with them; the name is in its canonical form."""
        made = self.successResultOf(self.prepare("Alice"))
        self.assertEqual((made.user, self.profile.keyring()), ("alice", made))

    def test_again(self) -> None:
        """A second try takes the same keys, and the address of the newer link."""
        first = self.successResultOf(self.prepare())
        second = self.successResultOf(self.prepare(host="other.example", port=6000))
        self.assertEqual(second, msgspec.structs.replace(first, host="other.example", port=6000))
        self.assertEqual(self.profile.keyring(), second)

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
