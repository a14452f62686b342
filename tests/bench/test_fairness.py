"""People who talk while somebody keeps a real server busy, in small; how long they wait is not looked at."""

from twisted.trial.unittest import SynchronousTestCase

from bench import fairness
from bench.accounts import SharedKeys
from bench.options import Options
from tests.bench.test_e2e import keys


class FairnessTests(SynchronousTestCase):
    """Every noise, for a moment."""

    def test_figures(self) -> None:
        """Each is made, nobody's message is lost, and the ratio is that of the two figures beside it."""
        self.patch(SharedKeys, "generate", lambda: keys().shared)
        for name, count in (("LOGINS", 3), ("DEVICES", 4), ("PAGE", 20), ("WARM_UP_SECONDS", 0.1)):
            self.patch(fairness, name, count)
        lines = list(fairness.fairness(Options(seconds=0.2, members=3)))
        self.assertEqual([line["what"] for line in lines], [f"S2 beside {what}" for what in fairness.NOISES])
        for line in lines:
            noisy, quiet, ratio = (float(str(line[name])) for name in ("p99_ms", "quiet_p99_ms", "of_quiet"))
            self.assertLess(abs(ratio - noisy / quiet), 0.01 + 0.01 * ratio)
