"""The sync of ``python -m bench client``."""

from twisted.trial.unittest import SynchronousTestCase

from bench.sync import sync_figures


class SyncTests(SynchronousTestCase):
    """A plain and a sealed file."""

    def test_figures(self) -> None:
        """Both take all messages; the ratio is that of the seconds."""
        line = sync_figures(None, count=100)
        self.assertEqual((line["scenario"], line["messages"]), ("sync", 100))
        plain, sealed, ratio = (float(str(line[name])) for name in ("plain_s", "sealed_s", "ratio"))
        self.assertGreater(plain, 0)
        self.assertLess(abs(ratio - sealed / plain), 0.05)
