"""How results are told to people, where several rows do it alike."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines with columns as wide as what is in them; the last column has no end."""
    lines = [[*map(str, row)] for row in (heads, *rows)]
    widths = [max(width(line[column]) for line in lines) for column in range(len(heads))]
    return ["  ".join(_padded(*each) for each in zip(line, widths, strict=True)).rstrip() for line in lines]


def width(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415 - most texts do without

    return max(0, int(wcswidth(text)))


def _padded(text: str, cells: int) -> str:
    return text + " " * (cells - width(text))
