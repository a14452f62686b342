"""What is done again and again goes on after a failure."""

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.repeating import repeated


class RepeatedTests(SynchronousTestCase):
    """What is done again and again."""

    def test_failures(self) -> None:
        """A failure, at once or later, is logged, and the next time comes; a time that lasts is waited for."""
        clock, turns, lasting = Clock(), [0], Deferred[None]()

        def work() -> object:
            turns[0] += 1
            if turns[0] == 1:
                raise ZeroDivisionError
            return fail(ZeroDivisionError()) if turns[0] == 2 else lasting

        call = repeated(work, clock)
        call.start(10)
        clock.pump([10.0] * 5)
        self.assertEqual((turns, len(self.flushLoggedErrors(ZeroDivisionError))), ([3], 2))
        lasting.callback(None)
        clock.advance(10)
        self.assertEqual(turns, [4])
        call.stop()
