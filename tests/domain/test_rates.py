"""Rates: never more than the limit in any window, and a table that does not grow."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.rates import Rates


class RatesTests(SynchronousTestCase):
    """What `Rates` promises."""

    def setUp(self) -> None:
        """A clock that stands."""
        self.now = 0.0
        self.rates = Rates(lambda: self.now, 3)

    def test_limit(self) -> None:
        """As many as the limit are free; the next waits until the first is as old as the window."""
        for second in (0.0, 1.0):
            self.now = second
            self.assertEqual(self.rates.wait("a", 2, 10), 0.0)
            self.rates.take("a")
        self.now = 4.0
        self.assertEqual(self.rates.wait("a", 2, 10), 6.0)
        self.assertEqual(self.rates.wait("b", 2, 10), 0.0)
        self.now = 10.0
        self.assertEqual(self.rates.wait("a", 2, 10), 0.0)

    def test_given_back(self) -> None:
        """What came to nothing does not count; giving back nothing is harmless."""
        self.rates.give_back("a")
        self.rates.take("a")
        self.rates.give_back("a")
        self.assertEqual((self.rates.wait("a", 1, 10), len(self.rates)), (0.0, 0))

    def test_most_keys(self) -> None:
        """As many keys as the limit are kept; one more pushes out the one that was used longest ago."""
        for key in "abac":
            self.rates.take(key)
        self.assertEqual(len(self.rates), 3)
        self.rates.take("d")
        self.assertEqual(len(self.rates), 3)
        waits = [self.rates.wait(key, 1, 10) for key in "abcd"]
        self.assertEqual(waits, [10.0, 0.0, 10.0, 10.0])

    def test_forgotten_with_time(self) -> None:
        """A key whose time is over is let go when it is asked for."""
        self.rates.take("a")
        self.now = 10.0
        self.rates.wait("a", 1, 10)
        self.assertEqual(len(self.rates), 0)

    @given(st.lists(st.floats(0, 20), max_size=60), st.integers(1, 4))
    def test_never_more(self, steps: list[float], limit: int) -> None:
        """Who acts only when there is nothing to wait for never does it more often than allowed; waiting is enough."""
        now = 0.0
        rates = Rates(lambda: now, 10)
        taken: list[float] = []
        for step in steps:
            now += step
            wait = rates.wait("a", limit, 30)
            if wait:
                self.assertEqual(len([time for time in taken if time > now - 30]), limit)
                now += wait + 1e-6
            self.assertEqual(rates.wait("a", limit, 30), 0.0)
            rates.take("a")
            taken.append(now)
            self.assertLessEqual(len([time for time in taken if time > now - 30]), limit)
