"""The restore drill in small."""

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.restore_drill import main


class DrillTests(SynchronousTestCase):
    """``make restore-drill``."""

    def test_short(self) -> None:
        """It passes."""
        self.assertEqual(main(["--short"]), 0)
