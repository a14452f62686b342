"""Terminals that change their width."""

import re

from prompt_toolkit.layout.screen import Char, Screen
from twisted.trial.unittest import SynchronousTestCase

from clients.terminal.resizing import breaks_rows, rows_more
from tests.clients.terminal.drawing import Drawing, play


def drawn(*rows: str) -> Screen:
    """A screen with these rows."""
    screen = Screen()
    for y, row in enumerate(rows):
        x = 0
        for character in row:
            screen.data_buffer[y][x] = Char(character)
            x += screen.data_buffer[y][x].width
    return screen


class ResizingTests(SynchronousTestCase):
    """`clients.terminal.resizing`."""

    def test_rows(self) -> None:
        """As many rows more as the terminal makes of those above the cursor, and of the cursor's own up to it."""
        for rows, row, column, width, more in (
            (["x" * 80], 0, 80, 80, 1),
            (["x" * 79], 0, 79, 80, 0),
            (["x" * 70], 0, 70, 60, 1),
            (["x" * 70], 0, 10, 60, 0),
            (["x" * 70], 0, 70, 100, 0),
            (["x" * 70], 0, 70, 10, 7),
            (["x" * 70 + "   "], 0, 69, 10, 6),
            (["\u2026 waits" + "x" * 70, "y" * 50, "z"], 2, 1, 40, 2),
            (["a" * 80 + " " * 40, "z"], 1, 1, 80, 0),
            (["\u4f1a" * 20], 0, 40, 13, 3),  # six in a row, one column is left over
            (["", "z"], 1, 1, 80, 0),
            (["xyz"], 0, 3, 1, 3),
        ):
            self.assertEqual(rows_more(drawn(*rows), row, column, width), more, (rows, width))

    def test_drawn_before_the_signal(self) -> None:
        """What is drawn or erased between the new width and its signal starts where the terminal has put the first row."""
        for erased in (False, True):

            async def scene(drawing: Drawing, erased: bool = erased) -> None:
                await drawing.keys("x" * 70)
                begun = len(drawing.raw)
                drawing.columns = 20
                if erased:
                    drawing.interface.app.renderer.erase()
                else:
                    drawing.interface.app.invalidate()
                    await drawing.settle()
                ups = re.findall(r"\x1b\[(\d*)A", drawing.raw[begun:])
                self.assertEqual(ups[0] or "1", "3")  # "#lobby> " and 70, in rows of 20

            play(scene)

    def test_kinds(self) -> None:
        """Terminals that cut rows at their edge, and tmux inside them, which does not."""
        for environment, breaks in (
            ({"TERM": "xterm-256color"}, True),
            ({"TERM": "xterm-256color", "XTERM_VERSION": "XTerm(379)"}, False),
            ({"TERM": "xterm-256color", "XTERM_VERSION": "XTerm(379)", "TMUX": "/tmp/x"}, True),
            ({"TERM": "screen", "STY": "1.pts"}, False),
            ({"TERM": "screen"}, True),
            ({"TERM": "rxvt-unicode"}, False),
            ({"TERM": "linux"}, False),
            ({}, True),
        ):
            self.assertIs(breaks_rows(environment), breaks, environment)
