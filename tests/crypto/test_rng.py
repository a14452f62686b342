"""Tests of hedged random numbers."""

# mypy: allow-untyped-calls

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.e2e.rng import HedgedRandom, hedge
from tests.support.e2e import named


class HedgedRandomTests(SynchronousTestCase):
    """Random numbers that survive a weak generator."""

    def test_broken_generator(self) -> None:
        """With a generator and a clock that stand still, the counter still keeps all outputs apart."""
        random = HedgedRandom(named("seed"), bytes, lambda: 7)
        drawn = [random(32) for _ in range(100)]
        self.assertEqual(len(set(drawn)), 100)
        self.assertEqual(drawn[:2], [hedge(named("seed"), bytes(32), 7, counter, 32) for counter in (0, 1)])

    def test_every_input_matters(self) -> None:
        """Seed, system, clock, counter and length each change the whole output."""
        base = hedge(named("seed"), named("fresh"), 7, 0, 32)
        others = [
            hedge(named("other"), named("fresh"), 7, 0, 32),
            hedge(named("seed"), named("other"), 7, 0, 32),
            hedge(named("seed"), named("fresh"), 8, 0, 32),
            hedge(named("seed"), named("fresh"), 7, 1, 32),
            hedge(named("seed"), named("fresh"), 7, 0, 64)[:32],
        ]
        self.assertEqual(len({base, *others}), 6)

    def test_asks_for_32_bytes(self) -> None:
        """However much is wanted, the system is asked for 32 bytes each time."""
        asked: list[int] = []

        def os_random(length: int) -> bytes:
            asked.append(length)
            return bytes(length)

        random = HedgedRandom(named("seed"), os_random, lambda: 0)
        self.assertEqual([len(random(length)) for length in (1, 32, 64, 8160)], [1, 32, 64, 8160])
        self.assertEqual(asked, [32] * 4)

    def test_repr(self) -> None:
        """The seed stays out of the repr."""
        self.assertNotIn(repr(named("seed"))[2:10], repr(HedgedRandom(named("seed"), bytes, lambda: 0)))
