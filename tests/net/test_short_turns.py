"""Turns of the reactor, when all sockets are ready."""

import os
from types import SimpleNamespace
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.trial.unittest import SynchronousTestCase

from chatserv.net.short_turns import SERVED, shorten_turns


class Ready:
    """A pipe in which something waits to be read, and goes on waiting."""

    def __init__(self, served: list[object]) -> None:
        self.reading, self._writing = os.pipe()
        self._served = served
        os.write(self._writing, b"x")

    def fileno(self) -> int:
        """The end to read from."""
        return self.reading

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's names
        """Its name."""
        return "ready"

    def doRead(self) -> None:  # noqa: N802
        """Notes that it was served."""
        self._served.append(self)

    def close(self) -> None:
        """Both ends."""
        os.close(self.reading)
        os.close(self._writing)


class ShortTurnsTests(SynchronousTestCase):
    """What a crowd gets."""

    def setUp(self) -> None:
        """A reactor, and more than a turn serves who are always ready."""
        self.reactor: Any = EPollReactor()
        self.served: list[object] = []
        self.crowd = [Ready(self.served) for _ in range(2 * SERVED + 1)]
        for each in self.crowd:
            self.addCleanup(each.close)
            self.reactor.addReader(each)
        self.addCleanup(self._close)

    def _close(self) -> None:
        self.reactor.removeAll()
        self.reactor.waker.connectionLost(None)
        self.reactor._poller.close()

    def _turn(self) -> list[object]:
        self.served.clear()
        self.reactor.doPoll(0)
        return [*self.served]

    def test_without(self) -> None:
        """Twisted serves all of them in one turn, and keeps what it waits with under a name of its own."""
        self.assertEqual(len(self.crowd), len(self._turn()))

    def test_bound(self) -> None:
        """No turn serves more, and nobody is served twice before all are served once."""
        shorten_turns(self.reactor)
        turns = [self._turn() for _ in range(3)]
        self.assertEqual([SERVED] * 3, [len(turn) for turn in turns])
        self.assertEqual({*self.crowd}, {each for turn in turns for each in turn})
        self.assertEqual(len(self.crowd), len({*turns[0], *turns[1]}) + 1)

    def test_come_and_go(self) -> None:
        """Sockets come and go as before."""
        shorten_turns(self.reactor)
        for each in self.crowd[2:]:
            self.reactor.removeReader(each)
        self.assertEqual({*self.crowd[:2]}, {*self._turn()})
        self.reactor.addReader(self.crowd[2])
        self.assertEqual({*self.crowd[:3]}, {*self._turn()})

    def test_others(self) -> None:
        """Another reactor is left as it is."""
        other = SimpleNamespace(_poller="of another kind")
        shorten_turns(other)
        shorten_turns(SimpleNamespace())
        self.assertEqual("of another kind", other._poller)
