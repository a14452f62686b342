"""The real interface on a terminal in memory: keys from a pipe, output into pyte."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Final

import pyte
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input.base import PipeInput
from prompt_toolkit.input.defaults import create_pipe_input
from prompt_toolkit.output import ColorDepth

from clients.terminal.key_bindings import bindings
from clients.terminal.protocols import Talker
from clients.terminal.screen import TerminalScreen
from clients.terminal.steady_output import SteadyOutput
from clients.terminal.styled_lines import Line

SECONDS: Final = 20.0
COLUMNS, ROWS = 80, 24


class FakeTalker:
    """Notes what keys ask for."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.above: list[Line] = []
        self.notes: list[Line] = []
        self.words: list[str] = []
        self.room = "#lobby"
        self.switching = False

    def line_typed(self, line: str) -> None:
        """Return."""
        self.calls.append(line)

    def room_wanted(self, number: int) -> None:
        """Alt and a digit."""
        self.calls.append(number)

    def active_room_wanted(self) -> None:
        """Alt-A."""
        self.calls.append("active")

    def leave(self) -> None:
        """Ctrl-D."""
        self.calls.append("leave")

    def interrupted(self) -> None:
        """Ctrl-C."""
        self.calls.append("interrupted")

    def broken(self, error: BaseException | None) -> None:
        """The end."""
        self.calls.append(error)

    def prompt(self) -> Line:
        """In front."""
        return [("class:prompt", f"{self.room}> ")]

    def bar(self, width: int) -> Line:
        """Below."""
        return [("class:bar", f"bar of {width}")]

    def waiting(self) -> list[Line]:
        """Above."""
        return self.above

    def notices(self) -> list[Line]:
        """Above, until it is done."""
        return self.notes

    def candidates(self, line: str) -> tuple[int, list[str]]:
        """Words."""
        word = line.rpartition(" ")[2]
        return len(word), [each for each in self.words if each.startswith(word)]


class Wire(io.StringIO):
    """Takes what is written, and feeds the terminal.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: pyte.Stream) -> None:
        super().__init__()
        self._stream = stream
        self.writes = 0

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of a terminal."""
        return "utf-8"

    def write(self, text: str) -> int:
        """Draws."""
        self.writes += 1
        self._stream.feed(text)
        return super().write(text)


class Drawing:
    """An interface that runs.

    Args:
        input: Where keys come from.
        depth: How many colours.
    """

    def __init__(self, input: PipeInput, depth: ColorDepth | None = None) -> None:  # noqa: A002
        self.screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000)
        self.wire = Wire(pyte.Stream(self.screen))
        self._input, self._depth = input, depth
        self.talker = FakeTalker()
        self.columns = COLUMNS
        self.late: list[Callable[[], None]] | None = (
            None  # what is to be called in the next turn, where that waits for us
        )
        self.interface: TerminalScreen

    def open(self, talker: Talker) -> TerminalScreen:
        """Makes it."""
        output = SteadyOutput(self.wire, lambda: Size(ROWS, self.columns), term="xterm-256color")
        loop = asyncio.get_running_loop()

        def later(function: Callable[[], None]) -> None:
            if self.late is None:
                loop.call_soon(function)
            else:
                self.late.append(function)

        self.interface = TerminalScreen(talker, self._input, output, later, bindings, self._depth)
        return self.interface

    async def leave(self) -> None:
        """Ends it."""
        await self.interface.leave().asFuture(asyncio.get_running_loop())

    @property
    def rows(self) -> list[str]:
        """The screen without what is empty below."""
        rows = [row.rstrip() for row in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def raw(self) -> str:
        """All that was written."""
        return self.wire.getvalue()

    def type(self, text: str) -> None:
        """Types."""
        self._input.send_text(text)

    async def settle(self) -> None:
        """Waits until nothing is drawn any more."""
        quiet, seen = 0, -1
        for _ in range(int(SECONDS / 0.002)):
            await asyncio.sleep(0.002)
            rests = self.wire.writes == seen and not self.interface.app.invalidated
            quiet, seen = (quiet + 1, seen) if rests else (0, self.wire.writes)
            if quiet >= 4:
                return
        raise AssertionError("it never comes to rest")

    async def keys(self, text: str) -> None:
        """Types, and waits until that has been drawn; an escape that stands alone takes a while."""
        self.type(text)
        await asyncio.sleep(0.02)
        await self.settle()


def drawn(play: Callable[[Drawing], Awaitable[None]], depth: ColorDepth | None = None) -> Drawing:
    """Plays a scene to its end."""

    async def scene() -> Drawing:
        with create_pipe_input() as given:
            drawing = Drawing(given, depth)
            await play(drawing)
            return drawing

    return asyncio.run(scene())


def play(scene: Callable[[Drawing], Awaitable[None]], depth: ColorDepth | None = None) -> Drawing:
    """Plays a scene with an interface that runs; it leaves at the end."""

    async def whole(drawing: Drawing) -> None:
        drawing.open(drawing.talker).start()
        await drawing.settle()
        await scene(drawing)
        await drawing.leave()

    return drawn(whole, depth)
