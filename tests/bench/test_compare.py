"""Two revisions in turns: the order, the clean checkout, and the ratios."""

import shutil
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bench.compare import BASE, HERE, ROOT, arguments, checkout, report, turns
from bench.server import BenchError


def line(cpu: float | None, **changes: Any) -> dict[str, Any]:
    """A run's line."""
    figures = {
        "deliveries_per_second": 1000,
        "p50_ms": 2.0,
        "p99_ms": 4.0,
        "disturbed": False,
        "generator_bound": False,
    }
    return {"scenario": "S1", "members": 50, "senders": 1, "server_cpu_us_per_delivery": cpu, **figures, **changes}


class CompareTests(SynchronousTestCase):
    """``python -m bench.compare``."""

    def test_turns(self) -> None:
        """Both run equally often, and each is the first in every other round."""
        self.assertEqual(list(turns(3)), [BASE, HERE, HERE, BASE, BASE, HERE])

    def test_arguments(self) -> None:
        """What is not ours goes on to the benchmark."""
        options, further = arguments(["HEAD~3", "--rounds", "2", "--scenario", "s2", "--seconds", "3"])
        self.assertEqual((options.base, options.rounds), ("HEAD~3", 2))
        self.assertEqual(further, ["--scenario", "s2", "--seconds", "3"])
        self.assertRaises(SystemExit, arguments, ["HEAD", "--rounds", "0"])

    def test_ratios(self) -> None:
        """The ratio is the median of the rounds, with the lowest and the highest; marks are counted."""
        base = [[line(2.0)], [line(4.0, disturbed=True)], [line(1.0)]]
        here = [[line(3.0, disturbed=True)], [line(4.0)], [line(0.5)]]
        heading, cpu, *rest = report({BASE: base, HERE: here})
        self.assertEqual(heading, "S1, 50 members, 1 senders; 2 runs disturbed")
        self.assertEqual(
            cpu.split(maxsplit=3), ["server_cpu_us_per_delivery", "2.00", "3.00", "1.000 (0.500 to 1.500)"]
        )
        self.assertEqual([each.split()[0] for each in rest], ["deliveries_per_second", "p50_ms", "p99_ms"])

    def test_nothing_to_divide(self) -> None:
        """A figure that a run does not have is left out."""
        rows = list(report({BASE: [[line(None)]], HERE: [[line(1.0)]]}))
        self.assertNotIn("server_cpu_us_per_delivery", "".join(rows))

    def test_checkout(self) -> None:
        """The other revision is there as it was committed; one that does not exist is said so."""
        if shutil.which("git") is None or not (ROOT / ".git").exists():
            raise SkipTest("not in a checkout")
        target = Path(self.mktemp()).absolute()
        self.assertRegex(checkout("HEAD", target), "^[0-9a-f]{40}$")
        self.assertTrue((target / "bench" / "__main__.py").exists())
        self.assertRaises(BenchError, checkout, "no-such-revision", target)
