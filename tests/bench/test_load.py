"""The load: who speaks when, and what counts as delivered; with talkers that are not connected to anything."""

import socket
from array import array

from twisted.trial.unittest import SynchronousTestCase

from bench import load
from bench.load import Load, Room
from bench.server import BenchError


class Mouth:
    """Somebody whose every message waits to be heard by the ears of the room."""

    def __init__(self) -> None:
        self.said: list[int] = []
        self.heard = self.acknowledged = self.lines = 0
        self.here, self.there = socket.socketpair()
        self.fileno = self.here.fileno

    def say(self, count: int, due_ns: int) -> None:  # noqa: ARG002 - as the real one
        """Is noted."""
        self.said.append(count)
        self.acknowledged += count

    def let_hear(self, count: int) -> None:
        """So many deliveries are there to be read."""
        self.there.send(bytes(count))

    def hear(self) -> int:
        """What was let hear."""
        return len(self.here.recv(4096))

    def close(self) -> None:
        """Both ends."""
        self.here.close()
        self.there.close()


class RoomTests(SynchronousTestCase):
    """What is under way."""

    def setUp(self) -> None:
        """Three who listen, two who speak."""
        self.people = [Mouth() for _ in range(5)]
        for each in self.people:
            self.addCleanup(each.close)
        self.room = Room(self.people[:3], self.people[3:])

    def said(self) -> list[list[int]]:
        """By each of the two, in one go each."""
        return [each.said for each in self.people[3:]]

    def test_fill(self) -> None:
        """The window is shared among those who speak, each at most once a time; the next turn is the next one's."""
        self.room.fill(5)
        self.assertEqual(self.said(), [[3], [2]])
        self.room.fill(5)
        self.assertEqual((self.said(), self.room.sent), ([[3], [2]], 5))
        self.room.deliveries += 3
        self.room.fill(5)
        self.assertEqual((self.said(), self.room.under_way), ([[3], [2, 1]], 5))

    def test_share(self) -> None:
        """A message is under way until all of its deliveries have come."""
        self.room.say(0)
        for deliveries, under_way in ((2, 1), (3, 0)):
            self.room.deliveries = deliveries
            self.assertEqual(self.room.under_way, under_way)
        self.assertEqual(Room(self.people[:3], self.people[:1], fan_out=2).fan_out, 2)

    def test_settle(self) -> None:
        """It is over when everybody has heard everything; what is missing, and what is too much, is said."""
        self.patch(load, "SETTLE_SECONDS", 0.0)
        other = Room(self.people[:1], self.people[:1])
        loads = Load([self.room], array("q")), Load([other], array("q"))
        for one in loads:
            self.addCleanup(one.close)
        self.room.say(0)
        self.assertRaisesRegex(BenchError, "1 messages were not delivered", loads[0].settle)
        for each in self.people[:3]:
            each.let_hear(1)
        self.patch(load, "SETTLE_SECONDS", 60.0)
        loads[0].settle()
        self.assertEqual((loads[0].sent, loads[0].deliveries), (1, 3))
        self.people[0].let_hear(1)
        self.people[0].acknowledged = 0
        while not loads[1].deliveries:
            loads[1].pace(0.01, 0)
        self.assertRaisesRegex(BenchError, "0 messages, 1 deliveries", loads[1].settle)
