"""Tests of small parts that need no screen: ports, options, throttles, QR codes, reasons, the start of the program."""

import io
import sys

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import PinMismatch
from clients.window.arguments import Arguments, parse_arguments
from clients.window.widgets.throttle import Throttle

QR_TEXT = "CHATSERV-VERIFY:" + "A" * 104


def needs_tk() -> str:
    """Why modules with widgets cannot be imported; empty where they can."""
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return "not installed: tkinter (python3-tk)"
    return ""


class ArgumentsTests(SynchronousTestCase):
    """The command line."""

    def test_everything_has_a_default(self) -> None:
        """Theme and scale are what is remembered."""
        self.assertEqual(parse_arguments([]), Arguments())
        words = [
            "chatserv://x",
            "--profile",
            "bob",
            "--room",
            "plans",
            "--no-tls",
            "--theme",
            "dark",
            "--scale",
            "1.26",
            "--notify",
            "none",
        ]
        self.assertEqual(parse_arguments(words), Arguments("chatserv://x", "bob", "plans", True, "dark", 1.3, "none"))

    def test_what_makes_no_sense_ends_the_program_with_2(self) -> None:
        """A scale out of bounds, an unknown theme."""
        self.patch(sys, "stderr", io.StringIO())
        for words in (["--scale", "9"], ["--theme", "pink"], ["--scale", "x"], ["--scale", "nan"]):
            with self.assertRaises(SystemExit) as caught:
                parse_arguments(words)
            self.assertEqual(caught.exception.code, 2, words)


class ThrottleTests(SynchronousTestCase):
    """Work now and then."""

    def test_it_is_done_once_however_often_it_is_asked_for(self) -> None:
        """And again when it is asked for afterwards."""
        clock, done = Clock(), []
        throttle = Throttle(clock, 0.5, lambda: done.append(clock.seconds()))
        throttle.ask()
        clock.advance(0.25)
        throttle.ask()
        clock.advance(0.25)
        clock.advance(1)
        throttle.ask()
        clock.advance(0.5)
        self.assertEqual(done, [0.5, 2.0])

    def test_it_is_not_done_after_the_end(self) -> None:
        """Neither what was asked for, nor what is."""
        clock, done = Clock(), []
        throttle = Throttle(clock, 0.5, lambda: done.append(1))
        throttle.ask()
        throttle.stop()
        throttle.ask()
        clock.advance(1)
        self.assertEqual((done, clock.getDelayedCalls()), ([], []))


class WidgetModulesTests(SynchronousTestCase):
    """Functions of modules that import Tk."""

    skip = needs_tk() or None

    def test_a_port_is_a_number_in_its_range(self) -> None:
        """Anything else is refused."""
        from clients.window.widgets.connection_bar import PortInvalid, parse_port

        self.assertEqual([parse_port(text) for text in ("1", " 5000 ", "65535")], [1, 5000, 65535])
        for text in ("", "0", "65536", "99999", "5000x", "-1", "\u0665", "1e3", "9" * 5000):
            self.assertRaises(PortInvalid, parse_port, text)

    def test_a_qr_code_is_drawn_in_runs_of_dark_modules(self) -> None:
        """They are what segno makes, with a quiet zone of four."""
        import segno

        from clients.window.dialogs.verification import QUIET_MODULES, dark_runs

        size, runs = dark_runs(QR_TEXT)
        matrix = segno.make_qr(QR_TEXT, error="l").matrix
        self.assertEqual(size, len(matrix) + 8)
        dark = {(row, column) for row, begin, end in runs for column in range(begin, end)}
        wanted = {
            (row + QUIET_MODULES, column + QUIET_MODULES)
            for row, modules in enumerate(matrix)
            for column, module in enumerate(modules)
            if module
        }
        self.assertEqual(dark, wanted)

    def test_a_number_is_read_in_groups(self) -> None:
        """Three rows of four."""
        from clients.window.dialogs.verification import grouped_rows

        rows = grouped_rows("".join(f"{group:05}" for group in range(12)))
        self.assertEqual((len(rows), rows[0]), (3, "00000  00001  00002  00003"))

    def test_what_was_sent_comes_back(self) -> None:
        """Up and down, with what stood in the field at the end; bounded."""
        from clients.window.widgets.history import MAX_HISTORY, History

        history = History()
        for line in ("one", "two", "two", " "):
            history.add(line)
        self.assertEqual([history.step(-1, "begun"), history.step(-1, ""), history.step(-1, "")], ["two", "one", "one"])
        self.assertEqual(
            [history.step(1, ""), history.step(1, ""), history.step(1, "begun")], ["two", "begun", "begun"]
        )
        for number in range(MAX_HISTORY + 1):
            history.add(str(number))
        self.assertEqual(len(history._lines), MAX_HISTORY)


class ReasonTests(SynchronousTestCase):
    """Why there is no connection."""

    skip = needs_tk() or None

    def test_the_systems_word_stands_behind_ours(self) -> None:
        """Cleaned and short."""
        from clients.window.actions.connecting import MAX_REASON_CHARACTERS, reason

        text = reason(OSError("refused\x1b[31m" + "x" * 1000))
        self.assertTrue(text.startswith("The server cannot be reached."), text)
        self.assertNotIn("\x1b", text)
        self.assertLess(len(text), MAX_REASON_CHARACTERS + 120)

    def test_a_wrong_identity_is_told_as_such(self) -> None:
        """With what to do."""
        from clients.window.actions.connecting import reason

        self.assertIn("not the server that your link", reason(PinMismatch()))
        self.assertIn("cannot be reached", reason(None))


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
