"""A message of several lines, as ``draft/multiline`` of IRCv3 has it: a batch of PRIVMSG from a client.

Specification: https://ircv3.net/specs/extensions/multiline
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatserv.client import translate
from clients.irc.lines import Line
from clients.irc.session import Session
from clients.irc.settings import Bounds
from clients.irc.talk import privmsg
from clients.irc.words import CONCAT, MULTILINE


@dataclass(frozen=True)
class Batch(Line):
    """A whole batch as one line: target and text, with the tags of its first line.

    Attributes:
        failure: In place of target and text: the code for ``FAIL``, and what it is about.
    """

    failure: tuple[str, ...] = ()


class BatchReader:
    """Puts the lines of a batch together as they come. One is open at a time, and no more of it is kept than may be sent.

    Args:
        bounds: How large a batch may be, and how long it may take.
        clock: For that.
        too_late: Told of one that has taken longer.
    """

    def __init__(self, bounds: Bounds, clock: Any, too_late: Callable[[Line], object]) -> None:
        self._bounds, self._clock, self._too_late = bounds, clock, too_late
        self._timer: Any = None
        self._begin: Line | None = None
        self._reference = ""
        self._text = ""
        self._lines = self._bytes = 0
        self._failure: tuple[str, ...] = ()

    def take(self, line: Line) -> Line | None:
        """What is to be carried out now: a line that is in no batch, or a whole batch; None where more has to come."""
        if line.verb == "BATCH":
            return self._border(line)
        if "batch" not in line.tags:
            return line
        if self._begin is None or line.tags["batch"] != self._reference:
            return Batch("BATCH", tags=line.tags, failure=("MULTILINE_INVALID",))
        if not self._failure:
            self._failure = self._add(line, self._begin.param(2))
        return None

    def _border(self, line: Line) -> Line | None:
        sign, reference = line.param(0)[:1], line.param(0)[1:]
        begin = self._begin
        if sign == "+" and reference and begin is None and len(line.params) == 3 and line.param(1) == MULTILINE:
            self._begin, self._reference = line, reference
            self._text, self._lines, self._bytes, self._failure = "", 0, 0, ()
            self._timer = self._clock.callLater(self._bounds.multiline_seconds, self._expire)
            return None
        if sign != "-" or begin is None or reference != self._reference:
            return Batch("BATCH", tags=line.tags, failure=("MULTILINE_INVALID",))
        text = self._text
        self.close()
        failure = self._failure if self._lines else ("MULTILINE_INVALID",)
        return Batch("BATCH", () if failure else (begin.param(2), text), tags=begin.tags, failure=failure)

    def close(self) -> None:
        """Nothing more comes of what is open."""
        self._text, self._begin = "", None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _expire(self) -> None:
        begin = self._begin
        self.close()
        if begin is not None:
            self._too_late(Batch("BATCH", tags=begin.tags, failure=("TIMEOUT", self._reference)))

    def _add(self, line: Line, target: str) -> tuple[str, ...]:
        """Keeps a line, or gives what is wrong with it."""
        self._lines += 1
        if line.verb != "PRIVMSG" or len(line.params) != 2 or (CONCAT in line.tags and not line.param(1)):
            return ("MULTILINE_INVALID",)
        if line.param(0).lower() != target.lower():
            return ("MULTILINE_INVALID_TARGET", target, line.param(0))
        text = line.param(1) if self._lines == 1 or CONCAT in line.tags else f"\n{line.param(1)}"
        self._bytes += len(text.encode())
        if self._bytes > self._bounds.multiline_bytes:
            return ("MULTILINE_MAX_BYTES", str(self._bounds.multiline_bytes))
        if self._lines > self._bounds.multiline_lines:
            return ("MULTILINE_MAX_LINES", str(self._bounds.multiline_lines))
        self._text += text
        return ()


async def batch(session: Session, line: Line) -> None:
    """BATCH: a message of several lines."""
    if not isinstance(line, Batch):
        session.numeric("421", line.verb, translate("Unknown command"))
    elif line.failure:
        code, *about = line.failure
        session.fail(
            "BATCH", code, translate("No message of several lines that could be sent: nothing was done"), *about
        )
    else:
        await privmsg(session, Line("PRIVMSG", line.params, tags=line.tags))
