"""What a reader of pictures gives: rows of samples, one after the other, from the top."""

from collections.abc import Iterator
from typing import Final

MAX_SIDE: Final = 16_384  # pixels
MAX_PIXELS: Final = 40_000_000
OPAQUE: Final = 255

Planes = tuple[bytes, bytes, bytes, bytes]
"""Red, green, blue and opacity of one row: a byte for each pixel, from the left."""


class NoPictureError(Exception):
    """These bytes are no picture that is read here; the text says why, for programmers."""


class Reader:
    """One picture that is being read.

    Attributes:
        width: Pixels; at least 1, at most `MAX_SIDE`.
        height: Likewise; both together are at most `MAX_PIXELS`.
    """

    def __init__(self, width: int, height: int) -> None:
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
            raise NoPictureError("the size is out of bounds")
        self.width, self.height = width, height

    def rows(self) -> Iterator["Row"]:
        """As many rows as it is high. Raises `NoPictureError` where it is damaged."""
        raise NotImplementedError


class Row:
    """One row; what it takes to split it into planes is done only for those that are looked at."""

    def planes(self) -> Planes:
        """Its samples."""
        raise NotImplementedError


class PlaneRow(Row):
    """A row whose planes are there already."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes

    def planes(self) -> Planes:
        """See `Row`."""
        return self._planes


class PixelReader(Reader):
    """A picture that is unpacked already.

    Args:
        width: Pixels.
        rows: From the top, ``3 * width`` bytes each: red, green, blue.
    """

    def __init__(self, width: int, rows: list[bytes]) -> None:
        super().__init__(width, len(rows))
        self._rows = rows

    def rows(self) -> Iterator[Row]:
        """See `Reader`."""
        solid = bytes([OPAQUE]) * self.width
        return (PlaneRow((row[::3], row[1::3], row[2::3], solid)) for row in self._rows)
