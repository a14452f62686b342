"""``python -m bench passwords``."""

from twisted.trial.unittest import SynchronousTestCase

from bench.passwords import password_figures


class PasswordTests(SynchronousTestCase):
    """A real server."""

    def test_figures(self) -> None:
        """Both kinds are guessed at and refused, all log in, and each figure is there."""
        line = password_figures(None, None, tries=3, logins=2)
        self.assertEqual((line["scenario"], line["tries"], line["logins"]), ("passwords", 3, 2))
        for name in ("known_us", "unknown_us", "ping_ms", "crowded_ping_ms", "gap_ms"):
            self.assertGreater(float(str(line[name])), 0, name)
