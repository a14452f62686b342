"""Fail-points: how they are told what to do, that they are off otherwise, and where they stand."""

import errno
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv import failpoints
from chatserv.failpoints import DISK, NAMES, VARIABLE, FailpointReached, Order, active, failpoint, parse
from chatserv.testing.processes import child_environment

ROOT = Path(__file__).parents[1]
POINT = "store.committing"


class ParseTests(SynchronousTestCase):
    """The variable."""

    def test_orders(self) -> None:
        """A point, what it does, at which time, and whether from then on."""
        self.assertEqual(parse(""), {})
        self.assertEqual(
            parse("store.committed=kill@20  store.committing=EIO send.stored=sleep:0.5@2+ log.taking=raise"),
            {
                "store.committed": Order("kill", 20),
                "store.committing": Order("EIO"),
                "send.stored": Order("sleep:0.5", 2, always=True),
                "log.taking": Order("raise"),
            },
        )

    def test_all(self) -> None:
        """Every point at once."""
        self.assertEqual(list(parse("all=note")), list(NAMES))

    def test_refused(self) -> None:
        """What is no order, no point, or no place for a disk to fail."""
        for text in (
            "store.committed",
            "store.committed=explode",
            "store.committed=kill@0",
            "no.such=kill",
            "net.line_in=EIO",
        ):
            with self.assertRaisesRegex(ValueError, VARIABLE):
                parse(text)


class ReachTests(SynchronousTestCase):
    """What happens at a point."""

    def order(self, text: str) -> None:
        """From here on."""
        self.patch(failpoints, "_orders", parse(text))

    def test_off(self) -> None:
        """Without an order nothing happens."""
        self.assertEqual(active(), "")
        failpoint(POINT)

    def test_errors(self) -> None:
        """The disk's errors, once or each time."""
        self.order(f"{POINT}=ENOSPC@2")
        self.assertEqual(active(), f"{POINT}=ENOSPC")
        failpoint(POINT)
        failpoint("store.committed")
        with self.assertRaises(OSError) as caught:
            failpoint(POINT)
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        failpoint(POINT)
        self.order(f"{POINT}=EIO@2+")
        failpoint(POINT)
        for _ in range(2):
            self.assertRaises(OSError, failpoint, POINT)

    def test_raise(self) -> None:
        """An exception that nobody expects."""
        self.order(f"{POINT}=raise")
        self.assertRaises(FailpointReached, failpoint, POINT)

    def test_sleep_and_note(self) -> None:
        """One waits, the other does nothing."""
        self.order(f"{POINT}=sleep:0.05 store.committed=note")
        began = time.monotonic()
        failpoint("store.committed")
        failpoint(POINT)
        self.assertGreaterEqual(time.monotonic() - began, 0.05)

    def test_kill(self) -> None:
        """A process ends at once, and has told where."""
        code = f"from chatserv.failpoints import failpoint; failpoint({POINT!r}); print('alive')"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**child_environment(Path()), VARIABLE: f"{POINT}=kill"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (-9, "", f"failpoint {POINT}: kill\n"))


class PlaceTests(SynchronousTestCase):
    """Where they stand."""

    def test_once(self) -> None:
        """Each name stands in the server's code exactly once, those of a commit once in each of the two stores."""
        found = Counter(
            (name, path.parent.name == "postgres")
            for path in sorted((ROOT / "chatserv").rglob("*.py"))
            if path.name != "failpoints.py"
            for name in re.findall(r'\bfailpoint\("([^"]+)"\)', path.read_text(encoding="utf-8"))
        )
        commit = ("store.beginning", "store.committing", "store.committed")
        self.assertEqual(found, Counter([*((name, False) for name in NAMES), *((name, True) for name in commit)]))
        self.assertGreaterEqual(len(NAMES), 25)
        self.assertLess(DISK, set(NAMES))
