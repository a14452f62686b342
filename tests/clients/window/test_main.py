"""Tests of `clients.window.main`."""

import io
import sys

from twisted.trial.unittest import SynchronousTestCase


class StartTests(SynchronousTestCase):
    """Where no window can be opened."""

    def test_a_python_without_tk_says_what_to_install(self) -> None:
        """The exit code is 2."""
        from clients.window.main import open_window

        errors = io.StringIO()
        self.patch(sys, "stderr", errors)
        there = sys.modules.get("tkinter")
        sys.modules["tkinter"] = None  # type: ignore[assignment]
        self.addCleanup(lambda: sys.modules.pop("tkinter") if there is None else sys.modules.update(tkinter=there))
        with self.assertRaises(SystemExit) as caught:
            open_window()
        self.assertEqual(caught.exception.code, 2)
        self.assertIn("apt install python3-tk", errors.getvalue())
