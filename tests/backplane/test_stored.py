"""How a node asks how far the store is: however many want to know, the store is asked once at a time."""

from typing import Any, cast

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.feed import Budget
from chatserv.backplane.stored import Streams
from chatserv.errors import Busy, ReadOnly
from chatserv.net.effects import reactor_effects
from chatserv.node_models import Numbers
from chatserv.ports import Store


class NumbersTests(SynchronousTestCase):
    """What `Streams.numbers` promises."""

    def setUp(self) -> None:
        """A store that answers when it is told to."""
        effects = reactor_effects(Clock(), lambda: 0, bytes)
        self.reads: list[Deferred[Numbers]] = []
        self.reasons: list[str] = []
        store = cast(Store, self)
        self.streams = Streams(effects, Budget(effects), store, Numbers(3, 2), lambda _: None, lambda _: None)

    def numbers(self) -> "Deferred[Numbers]":
        """As of the store."""
        self.reads.append(Deferred())
        return self.reads[-1]

    def give_up(self, reason: str) -> None:
        """As of the store."""
        self.reasons.append(reason)

    def ask(self, count: int = 1) -> list["Deferred[Any]"]:
        """So many want to know."""
        return [ensureDeferred(self.streams.numbers()) for _ in range(count)]

    def test_together(self) -> None:
        """Who asks while a read is under way has the next one, which is of after that, and shares it with all others."""
        first, others = self.ask(), self.ask(1000)
        self.assertEqual(len(self.reads), 1)
        self.reads[0].callback(Numbers(3, 2))
        self.assertEqual(self.successResultOf(first[0]), Numbers(3, 2))
        self.assertEqual(len(self.reads), 2)
        late = self.ask()
        self.reads[1].callback(Numbers(4, 2))
        self.assertEqual([self.successResultOf(each) for each in others], [Numbers(4, 2)] * 1000)
        self.reads[2].callback(Numbers(5, 2))
        self.assertEqual(self.successResultOf(late[0]), Numbers(5, 2))
        self.assertEqual(len(self.reads), 3)

    def test_refused(self) -> None:
        """All are told; who asks then has an answer."""
        found = self.ask() + self.ask(2)
        self.reads[0].errback(Busy("away"))
        self.failureResultOf(found[0], Busy)
        self.reads[1].errback(ZeroDivisionError())  # a bug, which is logged
        for each in found[1:]:
            self.failureResultOf(each, Busy)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        again = self.ask()
        self.reads[2].callback(Numbers(3, 2))
        self.assertEqual(self.successResultOf(again[0]), Numbers(3, 2))

    def test_gone_back(self) -> None:
        """A store that has less than this node has is given up, and everybody is told."""
        for less in (Numbers(2, 2), Numbers(3, 1)):
            found = self.ask()
            self.reads[-1].callback(less)
            self.failureResultOf(found[0], ReadOnly)
        self.assertEqual(len(self.reasons), 2)
