"""Tests of what parts messages."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.separators import Anew, Day, Separators, Unread
from tests.client.slash_fakes import AT_MS, message

DAY_MS = 86_400_000


class SeparatorTests(SynchronousTestCase):
    """`clients.shared.separators.Separators`."""

    def test_days(self) -> None:
        """A day stands between two days, none within a day; a time that is none makes none."""
        separators = Separators()
        self.assertEqual(separators.before(message(1)), [Day(AT_MS)])
        self.assertEqual(separators.before(message(2)), [])
        self.assertEqual(separators.before(message(3, at_ms=1 << 62)), [])
        self.assertEqual(separators.before(message(4)), [])
        self.assertEqual(separators.before(message(5, at_ms=AT_MS + DAY_MS)), [Day(AT_MS + DAY_MS)])

    def test_after(self) -> None:
        """What stands there already begins no day once more."""
        for after in (message(1), Day(AT_MS)):
            self.assertEqual(Separators(after).before(message(2)), [])

    def test_anew(self) -> None:
        """Where the messages are of another room, the conversation has begun anew."""
        old, new = (replace(message(1), room_id=each * 16) for each in (b"o", b"n"))
        separators = Separators(Day(AT_MS))
        told = [separators.before(each) for each in (old, old, new, new)]
        self.assertEqual(told, [[], [], [Anew()], []])
        self.assertEqual(Separators(new).before(new), [])

    def test_unread(self) -> None:
        """What is new begins once, with the first message of somebody else behind the read marker."""
        separators = Separators(message(1))
        told = [
            separators.before(message(seq, sender=sender), 2)
            for seq, sender in ((2, "bob"), (3, "alice"), (4, "bob"), (5, "bob"))
        ]
        self.assertEqual(told, [[], [], [Unread()], []])
        self.assertEqual(Separators(message(1)).before(message(2)), [])
