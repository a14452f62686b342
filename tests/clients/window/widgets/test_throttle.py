"""Tests of `clients.window.widgets.throttle`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from clients.window.widgets.throttle import Throttle


class ThrottleTests(SynchronousTestCase):
    """Work now and then."""

    def test_it_is_done_once_however_often_it_is_asked_for(self) -> None:
        """And again when it is asked for afterwards."""
        clock, done = Clock(), []
        throttle = Throttle(clock, 0.5, lambda: done.append(clock.seconds()))
        throttle.ask()
        clock.advance(0.25)
        throttle.ask()
        clock.advance(0.25)
        clock.advance(1)
        throttle.ask()
        clock.advance(0.5)
        self.assertEqual(done, [0.5, 2.0])

    def test_it_is_not_done_after_the_end(self) -> None:
        """Neither what was asked for, nor what is."""
        clock, done = Clock(), []
        throttle = Throttle(clock, 0.5, lambda: done.append(1))
        throttle.ask()
        throttle.stop()
        throttle.ask()
        clock.advance(1)
        self.assertEqual((done, clock.getDelayedCalls()), ([], []))
