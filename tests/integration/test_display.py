"""The screen for tests: Xvfb as it is started and ended here."""

import os
import subprocess

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatserv.testing.display import Display, DisplayError, missing


class DisplayTests(SynchronousTestCase):
    """A screen without a monitor."""

    def setUp(self) -> None:
        """Where it is installed."""
        if missing("Xvfb", "xdotool"):
            raise SkipTest("not installed: Xvfb, xdotool")

    @staticmethod
    def geometry(environment: dict[str, str]) -> str:
        """What a program is told that asks for the screen; empty where it is not let in."""
        done = subprocess.run(
            ["xdotool", "getdisplaygeometry"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def test_programs_with_its_cookie_are_let_in_and_no_others(self) -> None:
        """And nobody afterwards; this process's environment stays as it was."""
        before = dict(os.environ)
        with Display() as display:
            self.assertEqual(self.geometry(display.environment), "1280 800")
            self.assertEqual(self.geometry({**display.environment, "XAUTHORITY": "/dev/null"}), "")
            with display.entered():
                self.assertEqual(os.environ["DISPLAY"], display.name)
        self.assertEqual(self.geometry(display.environment), "")
        self.assertEqual(dict(os.environ), before)

    def test_what_is_not_installed_is_named(self) -> None:
        """Nothing is started."""
        self.patch(os, "environ", {**os.environ, "PATH": self.mktemp()})
        self.assertEqual(missing("Xvfb"), ["Xvfb"])
        self.assertRaises(DisplayError, Display().start)
