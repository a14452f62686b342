"""When the store is asked, and when it is not."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.polling import (
    LOOK_SECONDS,
    MAX_NODES,
    MISSED_SECONDS,
    MISSING_SECONDS,
    QUIET_SECONDS,
    RETRY_SECONDS,
    STRANGE_SECONDS,
    Polling,
)
from chatserv.errors import Busy
from chatserv.net.effects import reactor_effects

SECONDS = 0.5


class PollingTests(SynchronousTestCase):
    """What `Polling` promises."""

    def setUp(self) -> None:
        """The bus has been found, and what was missing was read."""
        self.clock = Clock()
        self.polls: list[Deferred[Any]] = []
        effects = reactor_effects(self.clock, lambda: 0, bytes)
        self.polling = Polling(effects, self._poll, lambda: SECONDS)
        self.polling.start()
        self.polling.bus_back()
        self.polls.pop().callback(None)
        self.polls.pop().callback(None)
        self.wait(10)
        self.assertEqual(self.polls, [])

    def _poll(self) -> "Deferred[Any]":
        self.polls.append(Deferred())
        return self.polls[-1]

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.pump([0.1] * round(seconds * 10))

    def answer(self) -> int:
        """The polls under way are answered. Says how many there were."""
        polls, self.polls = self.polls, []
        for poll in polls:
            poll.callback(None)
        return len(polls)

    def test_while_the_bus_is_away(self) -> None:
        """Again and again, one after the other; once more when it is back; and then no more."""
        self.polling.bus_away()
        self.assertEqual(self.answer(), 1)
        self.wait(SECONDS + 0.1)
        self.assertEqual(len(self.polls), 1)
        self.wait(10)
        self.assertEqual(self.answer(), 1)
        self.wait(SECONDS / 2)
        self.polling.bus_back()
        self.assertEqual(self.answer(), 1)
        self.wait(10)
        self.assertEqual(self.polls, [])

    def test_quiet(self) -> None:
        """Once in a while also where all seems to be well: the bus may bring old beats, and nothing else."""
        for _ in range(round(QUIET_SECONDS) - 11):
            self.polling.heard(b"node")
            self.wait(1)
        self.assertEqual(self.polls, [])
        self.polling.heard(b"node")
        self.wait(2)
        self.assertEqual(self.answer(), 1)
        self.polling.heard(b"node")
        self.wait(2)
        self.assertEqual(self.polls, [])

    def test_back_while_it_polls(self) -> None:
        """What a poll finds that began before may be older: there is another one."""
        self.polling.bus_away()
        self.polling.bus_back()
        self.assertEqual(self.answer(), 1)
        self.assertEqual(self.answer(), 1)
        self.wait(10)
        self.assertEqual(self.polls, [])

    def test_refused(self) -> None:
        """Is tried again, until it was done."""
        self.polling.ask()
        for error in (Busy("not now"), Busy("nor now"), ZeroDivisionError()):  # the last one is a bug, and is logged
            self.polls.pop().errback(error)
            self.assertEqual(self.polls, [])
            self.wait(RETRY_SECONDS + 0.1)
        self.assertEqual(self.answer(), 1)
        self.wait(10)
        self.assertEqual((self.polls, len(self.flushLoggedErrors(ZeroDivisionError))), ([], 1))

    def test_a_node_that_is_not_heard(self) -> None:
        """Is asked for, once where it has said that it leaves; one that is heard, or has said farewell, is not."""
        for _ in range(30):
            self.polling.heard(b"alive")
            self.wait(0.1)
        self.polling.heard(b"dead", leaves=True)
        self.polling.heard(b"gone")
        self.polling.said_farewell(b"gone")
        for _ in range(20):
            self.polling.heard(b"alive")
            self.wait(0.1)
        self.assertEqual(self.polls, [])
        for _ in range(11):
            self.polling.heard(b"alive")
            self.wait(0.1)
        self.assertEqual(self.answer(), 1)
        for _ in range(50):
            self.polling.heard(b"alive")
            self.wait(0.1)
        self.assertEqual(self.polls, [])

    def test_a_node_that_is_cut_off(self) -> None:
        """May live, and nothing of it is heard: the store is asked until it is heard, or for long enough."""
        self.polling.heard(b"node")
        self.wait(MISSING_SECONDS + LOOK_SECONDS + 0.1)
        for _ in range(5):
            self.assertEqual(self.answer(), 1)
            self.wait(SECONDS + 0.1)
        self.polling.heard(b"node")
        self.assertEqual(self.answer(), 1)
        self.wait(1)
        self.assertEqual(self.polls, [])
        self.wait(MISSING_SECONDS)
        for _ in range(round((MISSED_SECONDS + MISSING_SECONDS) / SECONDS)):
            self.answer()
            self.wait(SECONDS)
        self.answer()
        self.wait(QUIET_SECONDS / 2)
        self.assertEqual(self.answer(), 0)

    def test_who_is_not_understood(self) -> None:
        """The store is asked as long as somebody is, and a while longer; then no more."""
        for _ in range(5):
            self.polling.cannot_hear()
            self.answer()
            self.wait(SECONDS + 0.1)
            self.assertEqual(self.answer(), 1)
        self.wait(STRANGE_SECONDS - 2 * SECONDS)
        self.assertEqual(self.answer(), 1)
        for _ in range(round((MISSING_SECONDS + 2) / SECONDS)):
            self.wait(SECONDS)
            self.answer()
        self.wait(5)
        self.assertEqual(self.answer(), 0)

    def test_most_that_are_missed(self) -> None:
        """Of one more it is asked once."""
        for number in range(MAX_NODES):
            self.polling.heard(number.to_bytes(8, "big"))
        self.wait(2 * MISSING_SECONDS)
        self.polling.heard(b"one more")
        self.wait(2 * MISSING_SECONDS)
        self.assertEqual(len(self.polling._missed), MAX_NODES)

    def test_nobody_is_missed_while_nothing_is_heard(self) -> None:
        """Beats that cannot come say nothing."""
        self.polling.heard(b"node")
        self.polling.bus_away()
        self.answer()
        self.polling.bus_back()
        self.answer()
        self.wait(2 * MISSING_SECONDS)
        self.assertEqual(self.polls, [])

    def test_most_nodes(self) -> None:
        """Of one more it is not noticed when it dies; those that are followed still are."""
        for number in range(MAX_NODES + 1):
            self.polling.heard(number.to_bytes(8, "big"))
        self.assertEqual(len(self.polling._nodes), MAX_NODES)
        self.polling.heard(bytes(8))
        self.wait(2 * MISSING_SECONDS)
        self.assertEqual((self.answer(), len(self.polling._nodes)), (1, 0))

    def test_stop(self) -> None:
        """No timer stays, and what was under way has no consequences."""
        self.polling.bus_away()
        self.polling.stop()
        self.polling.ask()
        self.assertEqual(self.answer(), 1)
        self.assertEqual((self.polls, self.clock.getDelayedCalls()), ([], []))
