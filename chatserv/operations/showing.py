"""How results are told to people, where several rows do it alike."""

from collections.abc import Iterable, Sequence
from typing import Any

from chatserv.i18n import _


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


def miscounted(noted: int, counts_for: int) -> str:
    """What is said where the sum over all files is not what their rows make, in bytes."""
    said = _("all files count for {counted} bytes, and {noted} are noted: the next sweep of a server puts that right")
    return said.format(counted=counts_for, noted=noted)


def _padded(text: str, cells: int) -> str:
    return text + " " * (cells - width(text))
