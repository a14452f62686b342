"""``python -m bench irc``."""

from twisted.trial.unittest import SynchronousTestCase

from bench.gateway import gateway_figures


class GatewayTests(SynchronousTestCase):
    """A few lines and rooms, with real programs."""

    def test_figures(self) -> None:
        """Two people talk by IRC, one pastes, and a client comes to all rooms."""
        line = gateway_figures(3, 2)
        self.assertEqual((line["scenario"], line["what"]), ("irc", "IRC, 3 lines, 2 rooms"))
        for figure in ("p50_ms", "p95_ms", "paste_ms", "attach_ms", "gateway_mb"):
            self.assertGreater(float(str(line[figure])), 0, figure)
