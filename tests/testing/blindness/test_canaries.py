"""Canaries."""

import string

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.bodies import MAX_EMOJI_BYTES
from chatserv.domain.names import MAX_CHARACTERS, room_name
from chatserv.testing.blindness.canaries import MARK_LETTERS, OWN_LETTERS, Flock


class CanaryTests(SynchronousTestCase):
    """What they are made of."""

    def test_texts(self) -> None:
        """Each has letters of its own behind those that all have in common."""
        flock = Flock.hatch(("one", "two", "three"))
        self.assertEqual([canary.name for canary in flock.canaries], ["one", "two", "three"])
        own = {canary.text.removeprefix(flock.mark) for canary in flock.canaries}
        self.assertEqual([len(text) for text in own], [OWN_LETTERS] * 3)
        self.assertEqual(len(flock.mark), MARK_LETTERS)
        self.assertLessEqual(set(flock.mark).union(*own), set(string.ascii_lowercase))

    def test_random(self) -> None:
        """Two flocks have nothing in common."""
        self.assertNotEqual(Flock.hatch(("one",)).mark, Flock.hatch(("one",)).mark)

    def test_distinct(self) -> None:
        """A text that chance brings twice is not taken twice."""
        mark, one, two = string.ascii_lowercase[:MARK_LETTERS], "mnopqrstuvwxyzab", "zyxwvutsrqponmlk"
        letters = iter(mark + one + one + two)
        flock = Flock.hatch(("one", "two"), lambda _: next(letters))
        self.assertEqual([canary.text for canary in flock.canaries], [mark + one, mark + two])

    def test_repetitions(self) -> None:
        """Three letters that come twice, in which a compressor would show the canary once only, are not taken."""
        mark, bad, good = string.ascii_lowercase[:MARK_LETTERS], "mnopqrstuvwxyabc", "mnopqrstuvwxyzab"
        self.assertEqual(len(bad), OWN_LETTERS)
        letters = iter("abcdefabcxyz" + mark + bad + good)
        (canary,) = Flock.hatch(("one",), lambda _: next(letters)).canaries
        self.assertEqual(canary.text, mark + good)

    def test_hexadecimal(self) -> None:
        """A beginning that looks the same in small and in large hexadecimal digits is not taken."""
        mark, own = string.ascii_lowercase[:MARK_LETTERS], "mnopqrstuvwxyzab"
        letters = iter("abcdefghipqr" + mark + own)
        (canary,) = Flock.hatch(("one",), lambda _: next(letters)).canaries
        self.assertEqual(canary.text, mark + own)

    def test_by_name(self) -> None:
        """A canary is found by its name."""
        flock = Flock.hatch(("one", "two"))
        self.assertEqual(flock["two"], flock.canaries[1])

    def test_fits(self) -> None:
        """A canary is a room's name as it is, and short enough for a reaction."""
        (canary,) = Flock.hatch(("one",)).canaries
        self.assertEqual(room_name(canary.text), canary.text)
        self.assertLessEqual(len(canary.text), min(MAX_CHARACTERS, MAX_EMOJI_BYTES))
