"""How fast a client says things: by what the server has announced, so that nothing is refused (docs/protocol.rst 12)."""

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.connection.pace import CHAT, Pace
from chatserv.client.connection.requests import Requests
from chatserv.commands.table import TABLE
from chatserv.domain.buckets import Bucket
from chatserv.errors import RateLimited
from chatserv.testing.world import Person, World
from chatserv.wire import messages
from chatserv.wire.codec import client_decoder, join

SMALL: dict[str, Any] = {"chat_burst": 10, "chat_per_second": 2}


def info(burst: int = 3, per_second: float = 2, size: int = 65_536, bytes_per_second: int = 10_240) -> Any:
    """What a server announces."""
    return messages.LimitInfo(65_536, 12_000, 60, 500, 50, 200, burst, per_second, size, bytes_per_second)


class PaceTests(SynchronousTestCase):
    """The rates alone."""

    def setUp(self) -> None:
        """Three at once, then two a second."""
        self.clock = Clock()
        self.pace = Pace(self.clock.seconds)
        self.pace.announced(info())

    def test_what_counts_is_what_the_server_counts(self) -> None:
        """The commands that the server pays from what is said."""
        self.assertEqual(CHAT, {command for command, row in TABLE.items() if row.bucket is Bucket.CHAT})

    def test_as_many_as_the_burst(self) -> None:
        """Of four, three may leave; the fourth waits for its token. Typing takes one too, and a ping none."""
        self.assertEqual([1, 2, 3], self.pace.pick([1, 2, 3, 4], lambda _: 0))
        for command in (messages.Send, messages.SetTyping, messages.Ping):
            self.pace.spend(command)
        self.assertEqual([1], self.pace.pick([1, 2, 3, 4], lambda _: 0))
        self.pace.spend(messages.Send)
        self.assertEqual(0.5, self.pace.wait())
        self.clock.advance(0.5)
        self.assertEqual([1], self.pace.pick([1, 2], lambda _: 0))

    def test_bytes(self) -> None:
        """Bytes count as well: the one that does not fit in goes last."""
        self.pace.announced(info(burst=100, size=20_000))
        self.assertEqual([12_000, 7_000, 5_000], self.pace.pick([12_000, 7_000, 5_000, 1], lambda size: size))

    def test_a_server_that_names_none(self) -> None:
        """An older server has no rates, and numbers that are none are none."""
        for limits in (messages.LimitInfo(65_536, 12_000, 60, 500), info(per_second=float("inf")), info(burst=-1)):
            self.pace.announced(limits)
            for _ in range(1000):
                self.pace.spend(messages.Send, b"x" * 12_000)
            self.assertEqual(list(range(64)), self.pace.pick(range(64), lambda size: size))


class AskAgainTests(SynchronousTestCase):
    """A command that was refused for being too fast, before the server looked at it."""

    def setUp(self) -> None:
        """One was asked."""
        self.clock, self.written = Clock(), list[bytes]()
        self.requests = Requests(self.written.append, self.clock.seconds, self.clock.callLater)
        self.requests.up()

    def refuse(self, command: type[messages.Command], by: str, **fields: object) -> "Deferred[Any]":
        """Asks, and is refused."""
        asked = self.requests.ask(command, **fields)
        (sent,) = client_decoder.decode(join(self.written[-1:]))
        error = messages.Error(sent.label, "rate_limited", "", True, 5.0, by)
        self.assertTrue(self.requests.answered(error))
        return asked

    def test_asked_again(self) -> None:
        """It goes out once more, the same, after the time that the server names; whoever asked gets that answer."""
        asked = self.refuse(messages.Ping, "flow")
        self.clock.advance(4.9)
        self.assertEqual(1, len(self.written))
        self.clock.advance(0.2)
        self.assertEqual(self.written[0], self.written[1])
        self.requests.answered(messages.Ok(1))
        self.assertEqual(messages.Ok(1), self.successResultOf(asked))

    def test_for_another_reason(self) -> None:
        """What was looked at and refused is told to whoever asked, as slow mode is; and so is a message, whatever it was."""
        self.failureResultOf(self.refuse(messages.Ping, "room"), RateLimited)
        message = {"room": bytes(16), "id": bytes(16), "epoch": 0, "envelope": b""}
        self.failureResultOf(self.refuse(messages.Send, "flow", **message), RateLimited)

    def test_the_connection_went(self) -> None:
        """Nothing goes out on the next one."""
        asked = self.refuse(messages.Ping, "flow")
        self.requests.down()
        self.failureResultOf(asked)
        self.requests.up()
        self.clock.advance(6)
        self.assertEqual(1, len(self.written))


class OutboxTests(SynchronousTestCase):
    """People who say much at once."""

    def start(self, **limits: Any) -> tuple[Person, Person]:
        """Alice and Bob in the lobby; what the server refuses is noted."""
        self.world = World(**limits)
        self.addCleanup(self.world.close)
        self.refused: list[str] = []
        answered = Requests.answered

        def noting(requests: Requests, reply: Any) -> bool:
            if isinstance(reply, messages.Error):
                self.refused.append(reply.code)
            return answered(requests, reply)

        patching = patch.object(Requests, "answered", noting)
        patching.start()
        self.addCleanup(patching.stop)
        alice, bob = self.world.person("alice", admin=True), self.world.person("bob")
        self.world.settle(30)
        self.refused.clear()
        return alice, bob

    def paste(self, person: Person, count: int, prefix: str = "") -> list[str]:
        """Lines at once."""
        lines = [f"{prefix}{number}" for number in range(count)]
        for line in lines:
            person.client.send("lobby", line).addErrback(lambda _: None)
        return lines

    def read(self, person: Person, sender: str = "alice") -> list[str | None]:
        """What somebody has read of another."""
        return [text for name, text in person.texts("lobby") if name == sender]

    def test_two_hundred_lines(self) -> None:
        """They are there within a second, in their order."""
        alice, bob = self.start()
        lines = self.paste(alice, 195)
        self.world.run()
        self.world.server.pass_time(1)
        self.world.run()
        self.assertEqual((lines, []), (self.read(bob), self.refused))

    def test_more_than_a_burst(self) -> None:
        """They come at the rate, in their order; nothing is refused, and how many wait is known meanwhile."""
        alice, bob = self.start(**SMALL)
        lines = self.paste(alice, 40)
        self.world.settle(5)
        self.assertIn(len(self.read(bob)), range(15, 24))
        self.assertEqual(40, len(self.read(bob)) + alice.client.unacknowledged)
        self.world.settle(15)
        self.assertEqual((lines, []), (self.read(bob), self.refused))

    def test_two_rooms(self) -> None:
        """A room in which much waits does not keep another one from its turn."""
        alice, bob = self.start(**SMALL)
        alice.do(alice.client.create_room("second"))
        self.paste(alice, 60)
        self.world.settle(3)
        alice.say("second", "meanwhile")
        self.assertLess(len(self.read(bob)), 50)
        self.world.settle(30)
        self.assertEqual(([], 60), (self.refused, len(self.read(bob))))

    def test_two_devices(self) -> None:
        """Two devices have one account's rate: what is refused to one of them comes again, and in its order."""
        alice, bob = self.start(**SMALL, fakelag_seconds=2)
        phone = self.world.approved_device(alice)
        self.world.settle(30)
        first, second = self.paste(alice, 25, "a"), self.paste(phone, 25, "b")
        self.world.settle(90)
        read = [text or "" for text in self.read(bob)]
        self.assertEqual(first, [text for text in read if text.startswith("a")])
        self.assertEqual(second, [text for text in read if text.startswith("b")])
        self.assertIn("rate_limited", self.refused)

    def test_a_client_that_knows_no_rates(self) -> None:
        """One of before is slowed down by the server, and loses and reorders nothing."""
        patching = patch.object(Pace, "announced", lambda *_: None)
        patching.start()
        self.addCleanup(patching.stop)
        alice, bob = self.start(**SMALL)
        lines = self.paste(alice, 100)
        self.world.settle(60)
        self.assertEqual((lines, []), (self.read(bob), self.refused))

    def test_a_client_that_knows_no_rates_and_is_refused(self) -> None:
        """The same where the server has less patience than the client has messages under way."""
        patching = patch.object(Pace, "announced", lambda *_: None)
        patching.start()
        self.addCleanup(patching.stop)
        alice, bob = self.start(**SMALL, fakelag_seconds=2)
        lines = self.paste(alice, 60)
        self.world.settle(90)
        self.assertEqual(lines, self.read(bob))
        self.assertIn("rate_limited", self.refused)
