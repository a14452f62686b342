"""The five row filters of PNG (the specification's section 9), taken away. Numbers of bytes are those of one row."""

from collections.abc import Callable
from itertools import accumulate
from typing import Final

from clients.window.pictures.rows import NoPictureError


def _none(row: bytes, _above: bytes, _step: int) -> bytes:
    return row


def _sub(row: bytes, _above: bytes, step: int) -> bytes:
    """Each byte was less by the one to its left."""
    found = bytearray(len(row))
    for channel in range(step):
        found[channel::step] = bytes([value & 255 for value in accumulate(row[channel::step])])
    return bytes(found)


def _up(row: bytes, above: bytes, _step: int) -> bytes:
    """Each byte was less by the one above it; all of them are added at once, as digits of one large number."""
    size = len(row)
    low, high = int.from_bytes(b"\x7f" * size), int.from_bytes(b"\x80" * size)
    one, two = int.from_bytes(row), int.from_bytes(above)
    return (((one & low) + (two & low)) ^ ((one ^ two) & high)).to_bytes(size)


def _average(row: bytes, above: bytes, step: int) -> bytes:
    """Each byte was less by the mean of those to its left and above."""
    found = bytearray(len(row))
    for channel in range(step):
        left, values = 0, bytearray()
        for value, up in zip(row[channel::step], above[channel::step], strict=True):
            left = value + (left + up >> 1) & 255
            values.append(left)
        found[channel::step] = values
    return bytes(found)


def _paeth(row: bytes, above: bytes, step: int) -> bytes:
    """Each byte was less by that of its three neighbours which continues them best."""
    found = bytearray(len(row))
    for channel in range(step):
        left = corner = 0
        values = bytearray()
        for value, up in zip(row[channel::step], above[channel::step], strict=True):
            to_left, to_up = up - corner, left - corner
            to_corner = abs(to_left + to_up)
            to_left, to_up = abs(to_left), abs(to_up)
            if to_left > to_up or to_left > to_corner:
                left = up if to_up <= to_corner else corner
            left = value + left & 255
            corner = up
            values.append(left)
        found[channel::step] = values
    return bytes(found)


FILTERS: Final[tuple[Callable[[bytes, bytes, int], bytes], ...]] = (_none, _sub, _up, _average, _paeth)


def unfiltered(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    """A row as it was before it was filtered.

    Args:
        kind: Which filter, as the byte in front of the row says.
        row: As it came.
        above: The row above it, unfiltered; zeros for the first.
        step: How many bytes apart two samples of one channel are; at least 1.
    """
    if kind >= len(FILTERS):
        raise NoPictureError("a filter that PNG does not have")
    return FILTERS[kind](row, above, step)
