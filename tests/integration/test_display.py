"""The screen for tests: Xvfb as it is started and ended here."""

import os
import subprocess
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatserv.testing.demo.stage import wait_until
from chatserv.testing.display import Display, DisplayError, missing
from tests.clients.window.screens import ScreenTestCase

HELD_SECONDS = 1.0  # of which a screen of its own accord repeats a key a dozen times


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


class KeyTests(ScreenTestCase):
    """Keys on the screen that all tests of windows share: Tk ends a process whose screen has gone under it."""

    def test_a_key_that_is_held_is_pressed_once(self) -> None:
        """However long it is until it is let go: on a busy machine that is long."""
        if missing("xdotool"):
            raise SkipTest("not installed: xdotool")
        import tkinter as tk

        field, released = tk.Entry(self.root), list[object]()
        field.pack()
        field.bind("<KeyRelease>", released.append)
        field.focus_force()
        self.update()

        def is_let_go() -> bool:
            self.update()
            return bool(released)

        with self.screen().entered():
            subprocess.run(["xdotool", "keydown", "a"], check=True)
            time.sleep(HELD_SECONDS)
            subprocess.run(["xdotool", "keyup", "a"], check=True)
        self.assertTrue(wait_until(is_let_go))
        self.assertEqual(field.get(), "a")
