"""Pieces of a line of a conversation."""

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Span:
    """A piece of a line.

    Attributes:
        text: What stands there. A tab begins another row.
        tag: What kind of text it is, for colour and font.
        head: Whether it says who and when, rather than what.
        link: Whether it can be opened.
        act: What a click on it asks for (`ChatActions.act`); empty for nothing.
        picture: A small picture, PNG or GIF, that is put in its place; empty for none.
    """

    text: str
    tag: str
    head: bool = False
    link: bool = False
    act: str = ""
    picture: bytes = field(default=b"", repr=False)


Line = tuple[Span, ...]
ROW: Final = "\t"


def indented(line: Line) -> bool:
    """Whether a line begins below names, never where they stand."""
    return not line or not line[0].head


def plain(line: Line) -> str:
    """Its text alone."""
    return "".join(span.text for span in line)
