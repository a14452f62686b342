"""What stands where below the scrollback: from messages on their way down to the line with the rooms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.layout import (
    AnyContainer,
    BufferControl,
    ConditionalContainer,
    Dimension,
    HSplit,
    Layout,
    VerticalAlign,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput, TabsProcessor
from prompt_toolkit.widgets import SearchToolbar

from clients.terminal.areas import pieces, rows
from clients.terminal.protocols import Talker
from clients.terminal.secret_prompt import SecretPrompt
from clients.terminal.styled_lines import Line

INPUT_ROWS: Final = 5
TAB_COLUMNS: Final = 4
MARGIN: Final = "│ "  # in front of the second line of what is typed, and of those below it

Lines = Callable[[], list[Line]]


@dataclass(frozen=True)
class Areas:
    """The lines around the prompt: what waits to be done, a question or a hint, candidates of Tab, and the lowest line."""

    notices: Lines
    question: Lines
    candidates: Lines
    bar: Lines


def lay_out(
    talker: Talker, buffer: Buffer, search: SearchToolbar, secret: SecretPrompt, areas: Areas
) -> tuple[Layout, Window]:
    """The layout, and the window where a line is typed."""
    prompt = BufferControl(
        buffer,
        input_processors=[BeforeInput(lambda: pieces(talker.prompt())), TabsProcessor(TAB_COLUMNS, " ", " ")],
        search_buffer_control=search.control,
        preview_search=True,
    )
    typed = Window(
        prompt,
        height=Dimension(min=1, max=INPUT_ROWS),
        wrap_lines=True,
        dont_extend_height=True,
        get_line_prefix=lambda line, row: pieces([("class:prompt", MARGIN)]) if line and not row else [],
    )
    parts: list[AnyContainer] = [
        rows(talker.waiting),
        rows(areas.notices),
        rows(areas.question),
        secret.container,
        ConditionalContainer(typed, filter=Condition(lambda: not secret.asking)),
        search,
        rows(areas.candidates),
        rows(areas.bar, style="class:bar"),
    ]
    return Layout(HSplit(parts, align=VerticalAlign.TOP), focused_element=prompt), typed
