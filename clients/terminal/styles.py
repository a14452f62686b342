"""What the names of styles look like: readable on black and on white, and none is needed to understand a line."""

from collections.abc import Mapping
from typing import Final

from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from clients.terminal.styled_lines import PALETTE

GREY: Final = "#808080"
RED: Final = "#d75f5f"

STYLE: Final = Style.from_dict(
    {
        "time": GREY,
        "own": "bold",
        "mention": "bold",
        "news": GREY,
        "header": "bold",
        "day": GREY,
        "new": f"bold {RED}",
        "waiting": GREY,
        "failed": f"bold {RED}",
        "code": "#ffffff bg:#000000",
        "prompt": "bold",
        "question": "bold",
        "candidates": GREY,
        "candidate": "bold",
        "bar": "reverse",
        "bar-here": "bold",
        "bar-active": "bold",
        "bar-urgent": "bold underline",
        "bar-trouble": "bold",
        **{f"sender-{number}": colour for number, colour in enumerate(PALETTE)},
    }
)


def colour_depth(environment: Mapping[str, str]) -> ColorDepth | None:
    """How many colours: none where ``NO_COLOR`` has a value (no-color.org), else as many as the terminal's kind has."""
    return ColorDepth.DEPTH_1_BIT if environment.get("NO_COLOR") else None
