"""Every row of the fault suite in small, a test each; and the table itself."""

import re
import shutil
from pathlib import Path
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.postgres import Cluster
from tests.faults import all_rows
from tests.faults.__main__ import side_by_side
from tests.faults.driven import driven
from tests.faults.rows import ROWS, Ground, NotRun, Outcome, Row, allowed_not_to_run, play

all_rows.load()


class RowTests(SynchronousTestCase):
    """``make faults-short``."""

    def run_row(self, number: int) -> None:
        """The row passes, or may be left out here."""
        outcome = play(ROWS[number], short=True)
        self.assertTrue(outcome.good, f"{outcome}")


def _test(number: int) -> None:
    def test(self: RowTests) -> None:
        self.run_row(number)

    test.__doc__ = ROWS[number].title
    setattr(RowTests, f"test_row_{number:02}", test)


for each in ROWS:
    _test(each)


class TableTests(SynchronousTestCase):
    """What becomes of a row."""

    def outcome(self, error: Exception | None) -> Outcome:
        """What a row comes to that raises this, or that is good without."""

        def one(_: Ground) -> str:
            if error is not None:
                raise error
            return "7 of 7"

        return play(Row(99, "one", one), short=True)

    def test_pass(self) -> None:
        """Its figure is said."""
        outcome = self.outcome(None)
        self.assertEqual((str(outcome), outcome.good), ("row 99 pass 7 of 7", True))

    def test_fail(self) -> None:
        """Whatever it raises, in one line."""
        outcome = self.outcome(ValueError("two\nlines"))
        self.assertEqual((str(outcome), outcome.good), ("row 99 fail ValueError: two lines", False))

    def test_not_run(self) -> None:
        """A row that cannot run is a failure unless the list has it; each of the list has a reason."""
        outcome = self.outcome(NotRun("no gcc"))
        self.assertEqual((str(outcome), outcome.good), ("row 99 not run no gcc", False))
        self.assertTrue(all(allowed_not_to_run().values()))

    def test_of_sqlite(self) -> None:
        """A row whose fault is one of a file is not run where the store is in PostgreSQL, and that is no failure."""
        each = Row(99, "one", lambda ground: str(ground.cluster), sqlite="it has no file")
        outcome = play(each, short=True, cluster=cast(Cluster, "a cluster"))
        self.assertEqual((str(outcome), outcome.good), ("row 99 not run on PostgreSQL: it has no file", True))
        self.assertEqual("None", play(each, short=True).figure)
        self.assertEqual([3, 4, 5, 6, 10, 13, 36, 38], sorted(number for number in ROWS if ROWS[number].sqlite))


class DrivenTests(SynchronousTestCase):
    """Tests that a row runs as well."""

    NAME = "tests.domain.test_buckets.TokensTests.test_never_more_than_burst_and_rate"

    def test_after_the_suite(self) -> None:
        """One that Hypothesis draws runs again, in another instance, where this process has run it before."""
        ground = Ground(short=True)
        self.addCleanup(shutil.rmtree, ground.directory)
        self.assertEqual([driven(ground, self.NAME) for _ in range(2)], [1, 1])


class SideBySideTests(SynchronousTestCase):
    """``--jobs``."""

    def test_each_is_told(self) -> None:
        """A row that passes and one that its process cannot play have a line each, and only the first is good."""
        told = sorted(side_by_side([15, 99], 2, short=True))
        self.assertEqual([good for _, good in told], [True, False])
        self.assertRegex(told[0][0], r"row 15 pass .* \[[\d.]+ s\]")
        self.assertRegex(told[1][0], r"row 99 fail exit code 2: .*there is no row 99")


class DocumentTests(SynchronousTestCase):
    """docs/reliability.rst."""

    def test_rows(self) -> None:
        """Every row stands in its table, and no other."""
        text = (Path(__file__).parents[2] / "docs" / "reliability.rst").read_text(encoding="utf-8")
        told = re.findall(r"^(\d+)  +\S", text[text.index("The rows\n") :], re.MULTILINE)
        self.assertEqual([int(number) for number in told], sorted(ROWS))
