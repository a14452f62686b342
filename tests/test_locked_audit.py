"""``make audit`` fails for a hole that is known, and for no network."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.support.locked_audit import judged


class JudgedTests(SynchronousTestCase):
    """What comes of pip-audit's answer."""

    def test_hole(self) -> None:
        """A package with a hole fails, and is named with it."""
        found = {"name": "one", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1"}]}
        whole = {"name": "two", "version": "2.0", "vulns": []}
        good, line = judged("dev", json.dumps({"dependencies": [found, whole]}))
        self.assertFalse(good)
        self.assertIn("one 1.0: PYSEC-2026-1", line)
        good, line = judged("dev", json.dumps({"dependencies": [whole]}))
        self.assertTrue(good)
        self.assertIn("1 of 1 packages", line)

    def test_not_run(self) -> None:
        """No answer, or one that knows no package: it was not run, and says so."""
        unknown = {"name": "one", "skip_reason": "not found"}
        for output in ("", "[]", "{}", json.dumps({"dependencies": [unknown]})):
            good, line = judged("dev", output)
            self.assertTrue(good)
            self.assertIn("not run", line)
