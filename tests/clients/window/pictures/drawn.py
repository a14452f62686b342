"""Pictures made for tests, by other code than what reads and writes them in the program."""

import struct
import zlib
from collections.abc import Callable, Sequence
from hashlib import shake_128
from typing import Final

PALETTE: Final = bytes(range(48))
"""Sixteen colours."""

_ADAM7: Final = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))

Samples = Callable[[int, int], Sequence[int]]
"""The samples of a pixel, by column and row."""


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda each: abs(guess - each))


def _filtered(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    """A row as the specification writes it, byte by byte."""
    found = bytearray([kind])
    for at, value in enumerate(row):
        left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
        guess = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[kind]
        found.append(value - guess & 255)
    return bytes(found)


def _packed(samples: Sequence[int], depth: int) -> bytes:
    """Samples of so many bits, from the left, the last byte filled with zeros."""
    bits = "".join(f"{sample:0{depth}b}" for sample in samples)
    bits += "0" * (-len(bits) % 8)
    return int(bits or "0", 2).to_bytes(len(bits) // 8)


def png(
    width: int, height: int, kind: int, depth: int, samples: Samples, *, interlaced: bool = False, extra: bytes = b""
) -> bytes:
    """A PNG whose rows have filters in no order.

    Args:
        width: Pixels.
        height: Rows.
        kind: The colour type.
        depth: Bits a sample.
        samples: Of each pixel.
        interlaced: By Adam7.
        extra: Chunks before the data.
    """
    data = bytearray()
    step = max(1, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind] * depth // 8)
    for left, right_by, top, down_by in _ADAM7 if interlaced else ((0, 1, 0, 1),):
        columns, above = range(left, width, right_by), b""
        for y in range(top, height, down_by) if columns else ():
            row = _packed([each for x in columns for each in samples(x, y)], depth)
            data += _filtered(noise(len(data) + 1)[-1] % 5, row, above or bytes(len(row)), step)
            above = row
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))
    packed = zlib.compress(bytes(data))
    pieces = chunk(b"IDAT", packed[:10]) + chunk(b"IDAT", packed[10:])
    return b"\x89PNG\r\n\x1a\n" + head + extra + pieces + chunk(b"IEND", b"")


def png_head(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says it is so large, 8 bits grey, with these packed bytes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def noise(size: int) -> bytes:
    """So many bytes in which nothing repeats; always the same."""
    return shake_128(b"noise").digest(size)


def coloured(x: int, y: int) -> tuple[int, int, int]:
    """A colour of each place."""
    return x * 37 % 256, y * 53 % 256, (x * y * 11) % 256


def gif(width: int, height: int, pixels: bytes, *, interlaced: bool = False, clear: int | None = None) -> bytes:
    """A GIF of sixteen colours, `PALETTE`, whose codes never grow beyond five bits: it clears its table often.

    Args:
        width: Pixels.
        height: Rows.
        pixels: A colour's number each.
        interlaced: Whether rows come in four passes.
        clear: The colour that is none.
    """
    order = list(range(height))
    if interlaced:
        order = [y for begin, by in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(begin, height, by)]
    codes = [16]
    for at, value in enumerate(b"".join(pixels[y * width : (y + 1) * width] for y in order)):
        codes += [16] if at and at % 12 == 0 else []
        codes.append(value)
    bits = sum(code << at * 5 for at, code in enumerate([*codes, 17]))
    data = bits.to_bytes((len(codes) * 5 + 5 + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
    control = b"" if clear is None else b"\x21\xf9\x04\x01\0\0" + bytes([clear]) + b"\0"
    place = struct.pack("<HHHHB", 0, 0, width, height, 0x40 if interlaced else 0)
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 | 3, 0, 0) + PALETTE
    return head + b"\x21\xfe\x02hi\0" + control + b"\x2c" + place + b"\x04" + blocks + b"\0\x3b"
