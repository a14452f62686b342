"""Parts of the screen that are as high as they have lines."""

from collections.abc import Callable

from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, Window

from clients.terminal.styled_lines import Line, safe


def pieces(line: Line) -> StyleAndTextTuples:
    """A line as prompt-toolkit takes it."""
    return [(style, text) for style, text in safe(line)]


def rows(lines: Callable[[], list[Line]], style: str = "") -> ConditionalContainer:
    """A part that shows these lines, each cut at the edge; none where there are none."""

    def joined() -> StyleAndTextTuples:
        found: StyleAndTextTuples = []
        for line in lines():
            found += [*pieces(line), ("", "\n")]
        return found[:-1]

    window = Window(FormattedTextControl(joined), height=lambda: len(lines()), style=style, dont_extend_height=True)
    return ConditionalContainer(window, filter=Condition(lambda: bool(lines())))
