"""The delivery oracle."""

from collections import Counter

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.demo.oracle import Verdict, compare

WRITTEN = {"alice": ["a1", "a2", "a3"], "bob": ["b1", "b2"]}
SHOWN = [("alice", "a1"), ("bob", "b1"), ("alice", "a2"), ("alice", "a3"), ("bob", "b2")]


def validate(*readers: list[tuple[str, str]]) -> Verdict:
    """The verdict over these readers."""
    return compare(WRITTEN, {f"reader {number}": list(shown) for number, shown in enumerate(readers)})


class OracleTests(SynchronousTestCase):
    """What it finds, and that it finds nothing else."""

    def test_good(self) -> None:
        """Readers who saw everything once, in one order, make a good verdict."""
        verdict = validate(SHOWN, SHOWN)
        self.assertEqual(
            (verdict, verdict.good, str(verdict)), (Verdict(0, 0, True), True, "0 lost, 0 doubled, order equal")
        )

    def test_lost(self) -> None:
        """Each line that a reader misses counts."""
        verdict = validate(SHOWN[1:], SHOWN[:-1])
        self.assertEqual(
            (verdict, verdict.good, str(verdict)), (Verdict(2, 0, True), False, "2 lost, 0 doubled, order equal")
        )

    def test_everything_lost(self) -> None:
        """A reader who saw nothing misses everything, and contradicts nobody's order."""
        self.assertEqual(validate(SHOWN, []), Verdict(5, 0, True))

    def test_doubled(self) -> None:
        """Each copy too many counts, once for each reader."""
        verdict = validate([*SHOWN, SHOWN[0], SHOWN[0]], [*SHOWN, SHOWN[-1]])
        self.assertEqual((verdict, verdict.good), (Verdict(0, 3, True), False))

    def test_invented(self) -> None:
        """A line that nobody wrote, or that is put into another's mouth, is one too many."""
        self.assertEqual(validate([*SHOWN, ("mallory", "x")]), Verdict(0, 1, True))
        self.assertEqual(validate([("bob" if line == "a3" else who, line) for who, line in SHOWN]).lost, 1)

    def test_order_between_readers(self) -> None:
        """Two readers who saw the writers' lines in different orders make the order differ."""
        other = [SHOWN[1], SHOWN[0], *SHOWN[2:]]
        self.assertEqual(validate(SHOWN, other), Verdict(0, 0, False))
        self.assertEqual(str(validate(SHOWN, other)), "0 lost, 0 doubled, order differs")
        self.assertTrue(validate(other).good)

    def test_order_of_writing(self) -> None:
        """A writer's lines in another order than they were written make the order differ, even if all readers agree."""
        other = [SHOWN[2], SHOWN[1], SHOWN[0], *SHOWN[3:]]
        self.assertEqual(validate(other, other), Verdict(0, 0, False))

    def test_nobody(self) -> None:
        """Without readers there is nothing wrong."""
        self.assertTrue(compare(WRITTEN, {}).good)

    @settings(deadline=None)
    @given(st.permutations(SHOWN), st.permutations(SHOWN))
    def test_shuffles(self, first: list[tuple[str, str]], second: list[tuple[str, str]]) -> None:
        """A shuffle loses and doubles nothing, and is good exactly if both see one order that keeps each writer's."""
        verdict = validate(first, second)
        kept = all([line for who, line in first if who == writer] == lines for writer, lines in WRITTEN.items())
        self.assertEqual(verdict, Verdict(0, 0, first == second and kept))

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(SHOWN), max_size=12))
    def test_counts(self, shown: list[tuple[str, str]]) -> None:
        """Lost and doubled are what is missing and what is too much, whatever the order."""
        counts = Counter(shown)
        verdict = validate(shown)
        self.assertEqual(verdict.lost, len(SHOWN) - len(counts))
        self.assertEqual(verdict.doubled, len(shown) - len(counts))

    @settings(deadline=None)
    @given(st.permutations(SHOWN), st.integers(0, 4))
    def test_a_copy_does_not_change_the_order(self, shown: list[tuple[str, str]], place: int) -> None:
        """A second copy is a double, and no matter of order."""
        assume(shown)
        once, twice = validate(shown), validate([*shown, shown[place]])
        self.assertEqual((twice.lost, twice.doubled, twice.order_equal), (0, 1, once.order_equal))
