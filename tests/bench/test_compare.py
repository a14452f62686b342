"""Two revisions in turns: the order, and the checkout."""

import shutil
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bench.compare import BASE, HERE, ROOT, arguments, checkout, turns
from bench.server import BenchError


class CompareTests(SynchronousTestCase):
    """``python -m bench.compare``."""

    def test_turns(self) -> None:
        """Both run equally often, and each is the first in every other round."""
        self.assertEqual(list(turns(3)), [BASE, HERE, HERE, BASE, BASE, HERE])

    def test_arguments(self) -> None:
        """What is not ours goes on to the benchmark."""
        options, further = arguments(["HEAD~3", "s2", "--rounds", "2", "--seconds", "3"])
        self.assertEqual((options.base, options.rounds), ("HEAD~3", 2))
        self.assertEqual(further, ["s2", "--seconds", "3"])
        self.assertRaises(SystemExit, arguments, ["HEAD", "--rounds", "0"])

    def test_checkout(self) -> None:
        """The other revision is there as it was committed, with our benchmark; one that does not exist is said so."""
        if shutil.which("git") is None or not (ROOT / ".git").exists():
            raise SkipTest("not in a checkout")
        target = Path(self.mktemp()).absolute()
        self.assertRegex(checkout("HEAD", target), "^[0-9a-f]{40}$")
        ours = [path.read_bytes() for path in sorted((ROOT / "bench").glob("*.py"))]
        self.assertEqual([path.read_bytes() for path in sorted((target / "bench").glob("*.py"))], ours)
        self.assertRaises(BenchError, checkout, "no-such-revision", target)
