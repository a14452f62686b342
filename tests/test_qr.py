"""Tests of QR codes for a terminal."""

# mypy: allow-untyped-calls

import segno
from twisted.trial.unittest import SynchronousTestCase

from chatserv.qr import terminal_qr

LINK = "chatserv://192.168.1.20:5000/?invite=" + "0" * 52 + "#" + "G" * 52
LIGHT = {"\u2588": (1, 1), "\u2580": (1, 0), "\u2584": (0, 1), " ": (0, 0)}


class TerminalQrTests(SynchronousTestCase):
    """`terminal_qr` draws the code that segno computes."""

    def test_modules(self) -> None:
        """Each half block is one module of the code, light where drawn, with the quiet zone around."""
        for border in (0, 1, 4):
            lines = terminal_qr(LINK, border, colour=False).splitlines()
            pairs = [[LIGHT[character] for character in line] for line in lines]
            rows = [[1 - pair[half] for pair in line] for line in pairs for half in (0, 1)]
            expected = [list(row) for row in segno.make_qr(LINK, error="l").matrix_iter(border=border)]
            self.assertEqual(rows[: len(expected)], expected)

    def test_fits(self) -> None:
        """An invite link fits on a screen of 80 columns and 25 lines."""
        lines = terminal_qr(LINK, colour=False).splitlines()
        self.assertLessEqual(len(lines), 25)
        self.assertEqual(len({len(line) for line in lines}), 1)
        self.assertLessEqual(len(lines[0]), 80)

    def test_colour(self) -> None:
        """With colour every line sets white on black and resets it; without there is no escape."""
        plain = terminal_qr(LINK, colour=False)
        self.assertNotIn("\x1b", plain)
        for bare, line in zip(plain.splitlines(), terminal_qr(LINK).splitlines(), strict=True):
            self.assertEqual(line, f"\x1b[38;5;231;48;5;16m{bare}\x1b[0m")

    def test_too_long(self) -> None:
        """A text that does not fit into a QR code is a ValueError."""
        self.assertRaises(ValueError, terminal_qr, "x" * 3000)
