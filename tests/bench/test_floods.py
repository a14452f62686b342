"""The floods: each runs, and whoever talks meanwhile is heard."""

from twisted.trial.unittest import SynchronousTestCase

from bench.floods import KINDS, flood_figures


class FloodTests(SynchronousTestCase):
    """At a real server with its default limits."""

    def test_a_moment_of_some(self) -> None:
        """For a moment each: every message of others is stored, and the server is there at the end."""
        kinds = ("messages", "wrong messages", "leases of new rooms", "history")
        self.assertLessEqual(set(kinds), set(KINDS))
        figures = list(flood_figures(None, None, 0.2, kinds))
        self.assertEqual(list(kinds), [line["kind"] for line in figures])
        for line in figures:
            noisy = line["flood_ms"]
            assert isinstance(noisy, dict)
            self.assertGreater(noisy["max"], 0, line)
