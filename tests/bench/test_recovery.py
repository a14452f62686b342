"""``python -m bench recovery``."""

from twisted.trial.unittest import SynchronousTestCase

from bench.recovery import MOST_SECONDS, recovery_figures


class RecoveryTests(SynchronousTestCase):
    """Somebody who has lost every device."""

    def test_figures(self) -> None:
        """All rooms are there again, well below two minutes."""
        line = recovery_figures(None, rooms=4, devices=6)
        self.assertEqual((line["scenario"], line["rooms"], line["devices"]), ("recovery", 4, 6))
        self.assertLess(float(str(line["seconds"])), MOST_SECONDS)
