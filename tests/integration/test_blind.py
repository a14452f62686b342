"""What ``make prove-blind`` finds on a server: nothing, and everything where the server leaks."""

import re
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.blindness.places import LEAKS
from chatserv.testing.blindness.run import CLEAN, FOUND, LEAKED
from tests.integration.test_demo import play

SECONDS = 150
COUNT = re.compile(r"^(\S[a-z -]*?)  +(\d+)$", re.MULTILINE)


class BlindTests(SynchronousTestCase):
    """Both runs, at once, since each has a server of its own."""

    def test_blind(self) -> None:
        """The server has nothing of what people wrote; one that leaks is found out in every place."""
        with (
            tempfile.TemporaryDirectory() as name,
            play(Path(name), "blindness.run") as blind,
            play(Path(name), "blindness.run", "--leak") as leaking,
        ):
            try:
                outcomes = [(*one.communicate(timeout=SECONDS), one.returncode) for one in (blind, leaking)]
            finally:
                for one in (blind, leaking):
                    one.kill()
        (shown, errors, code), (leaking_shown, leaking_errors, leaking_code) = outcomes
        self.assertEqual((code, errors), (CLEAN, ""), shown)
        self.assertEqual(COUNT.findall(shown), [(place, "0") for place in LEAKS])
        self.assertEqual((leaking_code, leaking_errors), (FOUND, ""), leaking_shown)
        counts = {place: int(count) for place, count in COUNT.findall(leaking_shown)}
        self.assertEqual(counts.keys(), LEAKS.keys())
        self.assertTrue(all(counts.values()), counts)
        for place, encoding in LEAKS.items():
            self.assertIn(f"    {LEAKED[place]}, {encoding}\n", leaking_shown)
