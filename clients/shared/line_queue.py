"""Standard input as lines, on Twisted's stdio."""

import os
import sys
import termios
from typing import Any, Final, Protocol

from twisted.internet import stdio
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from chatserv.client import translate
from clients.shared.exit_codes import DONE, Exit

MAX_LINE_BYTES: Final = 8192
PAUSE_ABOVE: Final = 1000  # unacknowledged lines; standard input waits meanwhile
RESUME_BELOW: Final = 500

# What the line discipline of Linux keeps of a line that is typed (N_TTY_BUF_SIZE less the line's end); what is behind it,
# it drops in silence. To read without it would mean to rebuild erasing, killing and echoing, which screen readers follow.
TERMINAL_LINE_BYTES: Final = 4095


def cuts_lines(stream: Any) -> bool:
    """Whether it is a terminal that gives whole lines, and cuts those that are too long (termios(3), canonical mode)."""
    try:
        return bool(termios.tcgetattr(stream.fileno())[3] & termios.ICANON)
    except (termios.error, OSError, ValueError):
        return False


class Taker(Protocol):
    """What takes the lines."""

    def line_typed(self, line: str) -> None:
        """A line came."""
        ...

    def input_ended(self) -> None:
        """No more lines will come."""
        ...

    def line_refused(self, why: str) -> None:
        """A line came that cannot be taken, for a reason in words."""
        ...

    def finish(self, end: Exit) -> None:
        """There is no input or output any more, or it cannot be used."""
        ...


@implementer(IHalfCloseableProtocol)
class LineQueue(LineReceiver):
    """Standard input and output.

    Args:
        program: Gets whole lines, and the end.
    """

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE_BYTES

    def __init__(self, program: Taker) -> None:
        self._program = program
        self._standard: stdio.StandardIO | None = None
        self._held_up = self._cuts = False
        self._encoding = "utf-8"  # of pipes; a terminal has that of the locale

    @property
    def begun(self) -> bool:
        """Whether standard input is read."""
        return self._standard is not None

    def begin(self) -> None:
        """Reads standard input from now on."""
        if self._standard is not None:
            return
        self._cuts = cuts_lines(sys.stdin)
        if sys.stdin.isatty():
            self._encoding = sys.stdin.encoding
        self._standard = stdio.StandardIO(self)
        # Twisted makes both non-blocking, and a `print` into a full pipe would fail; it only reads when there is
        # something, and writes nothing itself.
        for stream in (sys.stdin, sys.stdout):
            os.set_blocking(stream.fileno(), True)

    def regulate(self, unacknowledged: int) -> None:
        """Reads no faster than the server takes."""
        if unacknowledged > PAUSE_ABOVE and not self._held_up:
            self.hold()
        elif self._held_up and unacknowledged < RESUME_BELOW:
            self._held_up = False
            self.resumeProducing()

    def hold(self) -> None:
        """Reads nothing more until `regulate` lets it."""
        self._held_up = True
        self.pauseProducing()

    def lineReceived(self, line: bytes) -> None:
        """A line was typed or piped in."""
        if self._cuts and len(line) >= TERMINAL_LINE_BYTES:
            said = translate(
                "A terminal passes on {size} bytes of a line and no more; as its end may be missing, it was not sent."
            )
            self._program.line_refused(said.format(size=TERMINAL_LINE_BYTES))
            return
        try:
            text = line.decode(self._encoding)
        except UnicodeDecodeError:
            said = translate("A line is not {encoding} text; it was not sent.")
            self._program.line_refused(said.format(encoding=self._encoding.upper()))
        else:
            self._program.line_typed(text.rstrip("\r"))

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002 - Twisted's signature
        """A line is longer than any message may be."""
        said = translate("A line is too long to send: at most {size} bytes.")
        self._program.line_refused(said.format(size=self.MAX_LENGTH))

    def readConnectionLost(self) -> None:
        """Standard input ended; output goes on."""
        rest = self.clearLineBuffer()
        if rest:
            self.lineReceived(rest)
        self._program.input_ended()

    def writeConnectionLost(self) -> None:
        """Nobody reads our output any more."""
        self._program.finish(Exit(DONE))

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002 - Twisted's signature
        """Both are gone."""
        self._program.finish(Exit(DONE))
