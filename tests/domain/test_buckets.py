"""Token buckets: a burst, a rate after it, debts, and a bounded table."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.buckets import Bucket, Purse, Purses, Rate, Tariff, Tokens

TWO = Rate(200, 2)


class TokensTests(SynchronousTestCase):
    """One bucket."""

    def test_burst_then_rate(self) -> None:
        """So many at once; the next waits for its token, and the one behind it for another."""
        tokens = Tokens()
        for _ in range(200):
            self.assertEqual(0.0, tokens.wait(TWO, 1, 1000))
            tokens.take(TWO, 1, 1000)
        for turn in range(1, 4):
            self.assertAlmostEqual(turn / 2, tokens.wait(TWO, 1, 1000))
            tokens.take(TWO, 1, 1000)

    def test_fills_again(self) -> None:
        """What was taken comes back at the rate, up to the burst and no further."""
        tokens = Tokens()
        for _ in range(200):
            tokens.take(TWO, 1, 0)
        self.assertAlmostEqual(0.5, tokens.wait(TWO, 1, 0))
        self.assertEqual(0.0, tokens.wait(TWO, 1, 0.5))
        self.assertAlmostEqual(0.5, tokens.wait(TWO, 2, 0.5))
        self.assertEqual(0.0, tokens.wait(TWO, 200, 100_000))
        tokens.take(TWO, 200, 100_000)
        self.assertAlmostEqual(0.5, tokens.wait(TWO, 1, 100_000))

    def test_more_than_a_burst(self) -> None:
        """What costs more than there ever is waits for a full bucket, and is a debt then."""
        tokens = Tokens()
        self.assertEqual(0.0, tokens.wait(TWO, 1000, 0))
        tokens.take(TWO, 1000, 0)
        self.assertAlmostEqual(400.5, tokens.wait(TWO, 1, 0))

    def test_another_rate(self) -> None:
        """A bucket stands when settings change; what is missing takes as long as it would have."""
        tokens = Tokens()
        tokens.take(TWO, 200, 0)
        self.assertAlmostEqual(0.0, tokens.wait(Rate(400, 4), 0, 0))
        self.assertGreater(tokens.wait(Rate(1, 4), 1, 0), 0)

    @settings(max_examples=50)
    @given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 50)), max_size=30))
    def test_never_more_than_burst_and_rate(self, asked: list[tuple[float, int]]) -> None:
        """Whoever waits as told takes in no stretch of time more than a burst and what came in meanwhile."""
        tokens, now, taken = Tokens(), 0.0, []
        for pause, cost in asked:
            now += pause
            wait = tokens.wait(TWO, cost, now)
            tokens.take(TWO, cost, now)
            taken.append((now + wait, cost))
        for at, (begin, _) in enumerate(taken):
            for until in range(at, len(taken)):
                total = sum(cost for _, cost in taken[at : until + 1])
                self.assertLessEqual(total, 200 + 2 * (taken[until][0] - begin) + 1e-6)


class PurseTests(SynchronousTestCase):
    """Counts and bytes of several kinds."""

    def test_bytes_as_well(self) -> None:
        """Whichever of the two is missing longer is waited for."""
        purse, tariff = Purse(), Tariff(Rate(200, 2), Rate(65_536, 10_240))
        for _ in range(6):
            self.assertEqual(0.0, purse.wait(Bucket.CHAT, tariff, 1, 10_240, 0))
            purse.take(Bucket.CHAT, tariff, 1, 10_240, 0)
        self.assertAlmostEqual(0.6, purse.wait(Bucket.CHAT, tariff, 1, 10_240, 0))

    def test_kinds_are_apart(self) -> None:
        """One that is empty leaves the others full."""
        purse, tariff = Purse(), Tariff(Rate(1, 1))
        purse.take(Bucket.CHAT, tariff, 1, 0, 0)
        self.assertEqual((1.0, 0.0), tuple(purse.wait(kind, tariff, 1, 0, 0) for kind in (Bucket.CHAT, Bucket.UPKEEP)))


class PursesTests(SynchronousTestCase):
    """The table."""

    def test_bound(self) -> None:
        """One more than the bound, and the one that was used longest ago is forgotten."""
        purses, tariff = Purses(3), Tariff(Rate(1, 1))
        for key in "abc":
            purses.of(key).take(Bucket.CHAT, tariff, 1, 0, 0)
        purses.of("a")
        purses.of("d")
        self.assertEqual(3, len(purses))
        waits = {key: purses.of(key).wait(Bucket.CHAT, tariff, 1, 0, 0) for key in "acb"}
        self.assertEqual({"a": 1.0, "c": 1.0, "b": 0.0}, waits)
