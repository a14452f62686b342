"""A guest's connection against the real server in memory: who gets in, what is asked, and how it ends."""

import contextlib
import functools
import queue
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import DNSLookupError
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.connection.backoff import Replaced
from chatserv.client.connection.guest import LOOK_SECONDS, GuestConnection
from chatserv.client.connection.protocol import SILENCE_SECONDS, Login
from chatserv.client.state.context import Interrupted, Offline
from chatserv.commands.attendance import expel
from chatserv.commands.session import GuestAdmission
from chatserv.crypto.log_leaves import LEAF_BYTES
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import oaep, rsa_spki, sha256
from chatserv.errors import (
    AuthFailed,
    BadKey,
    BadMessage,
    ChatError,
    Draining,
    Forbidden,
    Internal,
    RateLimited,
    TimedOut,
)
from chatserv.local_errors import LocalProtocolError
from chatserv.testing.memory_server import NOW_MS, PASSWORD, MemoryServer, keyring, rsa_key, server_id
from chatserv.wire import messages
from chatserv.wire.client_session import MethodRefused, OtherAccount, PinMismatch
from chatserv.wire.codec import encode_message
from chatserv.wire.handshake import METHOD_DEVICE
from chatserv.wire.parameters import GuestCredentials, ServerIdentity
from chatserv.wire.password_login import GuestOffer


class Guest:
    """Somebody at a new machine, with the keys that it would like to have there."""

    def __init__(self, server: MemoryServer, user: str = "alice", password: str = PASSWORD, number: int = 1) -> None:
        self.server, self.user = server, user
        self.key = rsa_key("device of a guest")
        self.signing = ed25519.Ed25519PrivateKey.from_private_bytes(sha256(b"guest %d" % number))
        self.offer = GuestOffer(
            sha256(b"id %d" % number)[:16],
            rsa_spki(self.key.public_key()),
            self.signing.public_key().public_bytes_raw(),
            NOW_MS,
        )
        self.told: list[Any] = []
        self.lost: list[ChatError | None] = []
        self.connection = GuestConnection(
            server.reactor,
            Login(ServerKeys(server_id()), GuestCredentials(user, self.offer, self.signing)),
            password,
            lambda ciphertext, label: self.key.decrypt(ciphertext, oaep(label)),
            on_notice=self.told.append,
            on_lost=self.lost.append,
            seconds=server.reactor.seconds,
        )

    def certificate(self, **changes: Any) -> bytes:
        """What an old device of the account would sign for it."""
        ring = keyring(self.user)
        facts: dict[str, Any] = {
            "server_id": server_id(),
            "user": self.user,
            "device_id": self.offer.device_id,
            "rsa_spki": self.offer.rsa_spki,
            "ed25519": self.offer.ed25519,
            "created_ms": self.offer.created_ms,
            "identity_fingerprint": ring.identity_fingerprint(),
        }
        return make_certificate(DeviceFacts(**facts | changes), ring.load_identity(), self.signing)


class GuestCase(SynchronousTestCase):
    """A server on which alice has an account."""

    def setUp(self) -> None:
        """Registers her."""
        self.server = MemoryServer()
        self.server.add_account("alice", logged=True)

    def begin(self, working: Coroutine[Any, Any, Any]) -> "Deferred[Any]":
        """Starts something, and carries what it says."""
        running = Deferred.fromCoroutine(working)
        self.server.run()
        return running

    def result(self, working: Coroutine[Any, Any, Any]) -> Any:
        """What becomes of something at once."""
        return self.successResultOf(self.begin(working))

    def fails(self, working: Coroutine[Any, Any, Any], kind: type[Exception]) -> Any:
        """The error that something ends with."""
        return self.failureResultOf(self.begin(working), kind).value

    def refused(self, guest: Guest, kind: type[Exception]) -> Any:
        """The error that keeps a guest out."""
        return self.fails(guest.connection.open(self.server.endpoint()), kind)

    def enter(self, guest: Guest) -> messages.GuestWelcome:
        """A guest logs in."""
        welcome: messages.GuestWelcome = self.result(guest.connection.open(self.server.endpoint()))
        return welcome


WRONG = "wrong horse battery"


class OpenTests(GuestCase):
    """`GuestConnection.open`."""

    def test_the_right_password_lets_a_guest_in(self) -> None:
        """It is told whose guest it is, and has a session of its own."""
        guest = Guest(self.server)
        welcome = self.enter(guest)
        self.assertEqual((welcome.name, welcome.identity_spki), ("alice", keyring("alice").identity_spki()))
        self.assertTrue(guest.connection.connected)
        self.assertEqual(self.result(guest.connection.ask(messages.Ping)), messages.Ok(1))
        self.assertEqual(len(self.server.context.guests), 1)

    def test_a_wrong_password_and_an_unknown_user_are_one_error(self) -> None:
        """In code, text and detail."""
        wrong = self.refused(Guest(self.server, password=WRONG), AuthFailed)
        unknown = self.refused(Guest(self.server, user="nobody1"), AuthFailed)
        self.assertEqual((wrong.code, wrong.text, wrong.detail), (unknown.code, unknown.text, unknown.detail))

    def test_after_too_many_tries_it_is_told_how_long_to_wait(self) -> None:
        """`RateLimited` with ``after_seconds``; then the right password works again."""
        for _ in range(5):
            self.refused(Guest(self.server, password=WRONG), AuthFailed)
        error = self.refused(Guest(self.server), RateLimited)
        self.assertEqual(error.after_seconds, 300)
        self.server.pass_time(301)
        self.enter(Guest(self.server))

    def test_nobody_there(self) -> None:
        """A server that cannot be reached is `Offline`, also where its name is nobody's."""
        self.server.up = False
        self.refused(Guest(self.server), Offline)
        self.patch(self.server, "connect", lambda _: fail(DNSLookupError()))
        self.refused(Guest(self.server), Offline)

    def test_opened_once(self) -> None:
        """A connection is for one session."""
        guest = Guest(self.server)
        self.enter(guest)
        self.fails(guest.connection.open(self.server.endpoint()), LocalProtocolError)


class SessionTests(GuestCase):
    """An open session."""

    def setUp(self) -> None:
        """One guest is in, and a device of the account is there."""
        super().setUp()
        self.guest = Guest(self.server)
        self.enter(self.guest)

    def live(self) -> Any:
        """The server's end of it."""
        (session,) = self.server.context.guests.sessions
        return session

    def queue(self, *notices: messages.Message) -> None:
        """The server says something."""
        parts = [encode_message(notice) for notice in notices]
        self.live().outbox.queue(parts, sum(map(len, parts)))
        self.server.pass_time(1)

    def test_notices(self) -> None:
        """What is unasked goes to whoever made the connection, in order; answers do not."""
        told = [messages.Told(bytes(16), False, b"%d" % number) for number in range(3)]
        self.queue(*told)
        self.assertEqual(self.guest.told, told)

    def test_an_error_is_raised(self) -> None:
        """The code of a refusal is its error's."""
        self.fails(self.guest.connection.ask(messages.ListRooms), Forbidden)
        self.fails(self.guest.connection.ask(messages.Enrol, certificate=b"none"), BadKey)

    def test_another_answer(self) -> None:
        """What answers something else than was asked is refused."""
        page = self.result(self.guest.connection.expect(messages.LogPage, messages.GetLog, after=0))
        self.assertEqual(len(page.leaves), 2 * LEAF_BYTES)
        self.fails(self.guest.connection.expect(messages.LogPage, messages.Ping), BadMessage)

    def test_enrol(self) -> None:
        """The way of a whole enrolment: then the machine is a device, and the server closes its guest's session."""
        certificate = self.guest.certificate()
        self.assertIsInstance(
            self.result(self.guest.connection.ask(messages.Enrol, certificate=certificate)), messages.Ok
        )
        self.result(self.guest.connection.close())
        device = self.server.await_(self.server.store.device("alice", self.guest.offer.device_id))
        assert device is not None
        self.assertEqual(device.certificate, certificate)
        self.assertEqual(len(self.server.context.guests), 0)

    def test_close(self) -> None:
        """What is under way fails, nobody is told that it was lost, and a second time changes nothing."""
        asking = Deferred.fromCoroutine(self.guest.connection.ask(messages.Ping))
        closing = Deferred.fromCoroutine(self.guest.connection.close())
        again = Deferred.fromCoroutine(self.guest.connection.close())
        self.server.run()
        self.successResultOf(closing)
        self.successResultOf(again)
        self.failureResultOf(asking, Interrupted)
        self.assertEqual((self.guest.lost, self.guest.connection.connected), ([], False))
        self.fails(self.guest.connection.ask(messages.Ping), Offline)
        self.result(self.guest.connection.close())

    def test_lost(self) -> None:
        """A connection that goes is told once; what is under way fails."""
        asking = Deferred.fromCoroutine(self.guest.connection.ask(messages.Ping))
        self.server.cut()
        self.failureResultOf(asking, Interrupted)
        self.assertEqual(self.guest.lost, [None])

    def test_put_out(self) -> None:
        """Whoever is ended by the server is told why."""
        expel(self.server.context, self.live(), "suspended")
        self.server.pass_time(1)
        (error,) = self.guest.lost
        self.assertIsInstance(error, Forbidden)

    def test_taken_over(self) -> None:
        """The same machine once more takes the session over."""
        self.enter(Guest(self.server))
        self.server.pass_time(1)
        self.assertEqual([type(error) for error in self.guest.lost], [Replaced])

    def test_draining(self) -> None:
        """A server that goes says so."""
        self.server.factory.drain()
        self.server.pass_time(1)
        self.assertEqual([type(error) for error in self.guest.lost], [Draining])

    def test_it_is_asked_whether_it_is_there(self) -> None:
        """A guest that says nothing for long answers the server by itself."""
        self.server.pass_time(300)
        self.assertTrue(self.guest.connection.connected)

    def test_a_server_that_says_nothing(self) -> None:
        """It is left, as one that is gone."""
        self.server.factory.wheel.stop()
        self.server.pass_time(SILENCE_SECONDS + 2 * LOOK_SECONDS)
        self.assertEqual([type(error) for error in self.guest.lost], [TimedOut])


class GreetingTests(GuestCase):
    """What a server says first."""

    def greeted(self, **changes: Any) -> Any:
        """The error of a guest that is greeted otherwise."""
        real = GuestAdmission.begin

        def begin(admission: GuestAdmission, context: Any, session: Any) -> list[Any]:
            (greeting,) = real(admission, context, session)
            return [changes["instead"] if "instead" in changes else msgspec.structs.replace(greeting, **changes)]

        self.patch(GuestAdmission, "begin", begin)
        return self.refused(Guest(self.server), OtherAccount if "name" in changes else BadMessage)

    def test_for_somebody_else(self) -> None:
        """A server that takes us for another account is not listened to."""
        self.assertIn("somebody else", self.greeted(name="mallory").detail)

    def test_another_server_key(self) -> None:
        """The key that it shows is the one that it is pinned by."""
        self.assertIn("another key", self.greeted(server_key=b"another").detail)

    def test_something_else(self) -> None:
        """A guest is greeted as one."""
        self.assertIn("Keepalive", self.greeted(instead=messages.Keepalive()).detail)

    def test_not_our_server(self) -> None:
        """Whoever has another key than the pin gets no name."""
        guest = Guest(self.server)
        guest.connection._login = Login(ServerKeys(bytes(32)), guest.connection._login.credentials)
        self.refused(guest, PinMismatch)

    def test_a_server_without_passwords(self) -> None:
        """It is told apart from a refusal of this one."""
        identity = self.server.factory.identity
        self.server.factory.identity = ServerIdentity(identity.spki, bytes((METHOD_DEVICE,)))
        self.refused(Guest(self.server), MethodRefused)

    def test_the_connection_goes_on_the_way(self) -> None:
        """Before there was a session: `Interrupted`."""
        opening = Deferred.fromCoroutine(Guest(self.server).connection.open(self.server.endpoint()))
        self.server.cut()
        self.failureResultOf(opening, Interrupted)

    def test_too_little_memory(self) -> None:
        """A machine that cannot derive the key says so, and does not hang."""

        def derive(*_: object) -> bytes:
            raise MemoryError

        guest = Guest(self.server)
        guest.connection._derive = functools.partial(derive)
        error = self.refused(guest, Internal)
        self.assertIn("memory", error.detail)


class ParallelTests(GuestCase):
    """Argon2id in threads, several at once: with more lanes than one OpenSSL would hang here for good."""

    def setUp(self) -> None:
        """The threads are real; what they give comes back in the order in which it is ready."""
        super().setUp()
        self.ready: queue.Queue[Callable[[], object]] = queue.Queue()
        pool = ThreadPool(8, 8)
        pool.start()
        self.addCleanup(pool.stop)
        reactor: Any = self.server.reactor
        reactor.getThreadPool = lambda: pool
        reactor.callFromThread = lambda work, *given, **named: self.ready.put(lambda: work(*given, **named))

    def test_eight_logins(self) -> None:
        """Eight people log in by password at the same moment: each gets in, and keys are derived side by side."""
        users = ["alice", *(f"user{number}" for number in range(7))]
        for user in users[1:]:
            self.server.add_account(user, logged=True)
        guests = [Guest(self.server, user, number=number) for number, user in enumerate(users)]
        opening = [self.begin(guest.connection.open(self.server.endpoint())) for guest in guests]
        until = time.monotonic() + 300
        while not all(each.called for each in opening) and time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                self.ready.get(timeout=1)()
            self.server.run()
        self.assertEqual([self.successResultOf(each).name for each in opening], users)
