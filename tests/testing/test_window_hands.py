"""Windows with hands; that they do what they should is seen by ``tests.integration.test_blind`` and ``test_demo``."""

import tempfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatserv.testing import display
from chatserv.testing.display import why_no_window
from chatserv.testing.processes import ProgramError
from chatserv.testing.window_hands import play

HANDS = "tests.support.no_hands"


class PlayTests(SynchronousTestCase):
    """Their programs."""

    def test_failure(self) -> None:
        """Where hands find what they cannot use the window ends at once, and it is said whose and why."""
        if lacking := why_no_window():
            raise SkipTest(lacking)
        with tempfile.TemporaryDirectory() as name:
            error = self.assertRaises(ProgramError, play, Path(name), HANDS, "nobody")
        self.assertIn("the window of nobody: exit 1", str(error))
        self.assertIn("there is nothing to press", str(error))

    def test_no_screen(self) -> None:
        """Where there is no Xvfb it is said, too."""
        with tempfile.TemporaryDirectory() as name, mock.patch.object(display, "missing", return_value=["Xvfb"]):
            error = self.assertRaises(ProgramError, play, Path(name), HANDS, "nobody")
        self.assertEqual(str(error), "the window of nobody: not installed: Xvfb")
