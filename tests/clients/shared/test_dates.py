"""How days are written."""

import datetime

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import moment
from clients.shared.dates import day_text

DAY_MS = 86_400_000


def noon(year: int, month: int, day: int) -> int:
    """The time of a noon where the test runs."""
    return int(datetime.datetime(year, month, day, 12).astimezone().timestamp() * 1000)


class DatesTests(SynchronousTestCase):
    """`clients.shared.dates`, and times beside it."""

    def test_day_text(self) -> None:
        """The date is written out; what is no time at all is none."""
        self.assertEqual(day_text(noon(2026, 11, 25)), "Wednesday, 25 November 2026")
        self.assertEqual(day_text(noon(2024, 2, 29)), "Thursday, 29 February 2024")
        self.assertEqual(day_text(1 << 62), "")

    def test_moment(self) -> None:
        """The day is said where it is another one."""
        at = noon(2026, 11, 25)
        self.assertEqual(moment(at, at), "12:00")
        self.assertEqual(moment(at, at + DAY_MS), "2026-11-25 12:00")
        self.assertEqual(moment(at), "2026-11-25 12:00")
