"""Parts that measure themselves, in a process of their own."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.own_program import figures_of
from bench.server import BenchError


class FiguresTests(SynchronousTestCase):
    """What comes of one; that there are figures is seen by ``tests.bench.test_files``."""

    def run_until(self, seconds: float) -> str:
        """Runs a part that has nothing to go by, and gives what is said of it."""
        directory = Path(self.mktemp())
        directory.mkdir()
        error = self.assertRaises(
            BenchError,
            figures_of,
            "bench.files",
            "nowhere",
            "1",
            "none",
            directory=directory.absolute(),
            seconds=seconds,
        )
        return str(error)

    def test_failure(self) -> None:
        """One that fails has no figures: it is told which one that was, and what it has written."""
        said = self.run_until(120)
        self.assertTrue(said.startswith("bench.files ('nowhere', '1', 'none'): exit 1\n"), said)
        self.assertIn("ValueError", said)

    def test_no_end(self) -> None:
        """Nor has one that does not end in time."""
        self.assertEqual(self.run_until(0.001), "bench.files ('nowhere', '1', 'none'): no end after 0.001 s")
