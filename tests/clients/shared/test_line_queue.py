"""Standard input, as lines."""

import os
import termios

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.exit_codes import Exit
from clients.shared.line_queue import (
    MAX_LINE_BYTES,
    PAUSE_ABOVE,
    RESUME_BELOW,
    TERMINAL_LINE_BYTES,
    LineQueue,
    cuts_lines,
)


class Transport:
    """Where lines come from; notes when it is to wait."""

    disconnecting = False

    def __init__(self) -> None:
        self.orders: list[str] = []

    def pauseProducing(self) -> None:
        """Wait."""
        self.orders.append("pause")

    def resumeProducing(self) -> None:
        """Go on."""
        self.orders.append("resume")


class LinesTests(SynchronousTestCase):
    """`clients.shared.line_queue.LineQueue`; this test takes its lines."""

    def setUp(self) -> None:
        """Nothing was typed."""
        self.typed: list[str] = []
        self.ended = 0
        self.ends: list[Exit] = []
        self.refused: list[str] = []
        self.lines = LineQueue(self)
        self.transport = Transport()
        self.lines.makeConnection(self.transport)

    def line_typed(self, line: str) -> None:
        """A line."""
        self.typed.append(line)

    def input_ended(self) -> None:
        """The end."""
        self.ended += 1

    def line_refused(self, why: str) -> None:
        """A line that cannot be taken."""
        self.refused.append(why)

    def finish(self, end: Exit) -> None:
        """A bad end."""
        self.ends.append(end)

    def test_lines(self) -> None:
        """Lines are text, however they end; the last one needs no end."""
        self.lines.dataReceived("one\r\ntwo\n\nthr\u00e9e".encode())
        self.lines.readConnectionLost()
        self.assertEqual(self.typed, ["one", "two", "", "thr\u00e9e"])
        self.assertEqual((self.ended, self.ends), (1, []))

    def test_not_text(self) -> None:
        """What is no text is refused; the next line is taken."""
        self.lines.dataReceived(b"\xff\nnext\n")
        self.assertEqual((len(self.refused), self.typed), (1, ["next"]))
        self.assertIn("UTF-8", self.refused[0])

    def test_narrow(self) -> None:
        """On a terminal, letters come in the encoding of the locale."""
        self.lines._encoding = "latin-1"
        self.lines.dataReceived(b"caf\xe9\n")
        self.lines._encoding = "ascii"
        self.lines.dataReceived(b"caf\xe9\n")
        self.assertEqual((self.typed, ["ASCII" in said for said in self.refused]), (["caf\u00e9"], [True]))

    def test_too_long(self) -> None:
        """So does a line above the limit; one at the limit is taken."""
        self.lines.dataReceived(b"x" * MAX_LINE_BYTES + b"\n")
        self.assertEqual((len(self.typed), self.refused), (1, []))
        self.lines.dataReceived(b"x" * (MAX_LINE_BYTES + 1) + b"\n")
        self.assertEqual((len(self.typed), len(self.refused)), (1, 1))

    def test_cut(self) -> None:
        """What a terminal may have cut is refused, also inside a character; a pipe cuts nothing."""
        self.lines.dataReceived(b"x" * TERMINAL_LINE_BYTES + b"\n")
        self.assertEqual((len(self.typed), self.refused), (1, []))
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        with os.fdopen(theirs) as terminal:
            self.assertTrue(cuts_lines(terminal))
            self.lines._cuts = True
            whole = b"x" * (TERMINAL_LINE_BYTES - 1)
            self.lines.dataReceived(whole + b"\n" + whole + b"\xc3\n")
            self.assertEqual((len(self.typed), len(self.refused)), (2, 1))
            self.assertIn("4095", self.refused[0])
            raw = termios.tcgetattr(terminal)
            raw[3] &= ~termios.ICANON
            termios.tcsetattr(terminal, termios.TCSANOW, raw)
            self.assertFalse(cuts_lines(terminal))
        self.assertFalse(cuts_lines(terminal))  # closed

    def test_regulated(self) -> None:
        """Input waits while too much is not stored, once, and goes on when enough is."""
        for count in (PAUSE_ABOVE, PAUSE_ABOVE + 1, PAUSE_ABOVE + 2, RESUME_BELOW, RESUME_BELOW - 1, 0):
            self.lines.regulate(count)
        self.assertEqual(self.transport.orders, ["pause", "resume"])

    def test_output_gone(self) -> None:
        """Where nobody reads what is printed, the run is over, and that is no failure."""
        self.lines.writeConnectionLost()
        self.assertEqual([end.code for end in self.ends], [0])
