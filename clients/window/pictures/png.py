"""Reads and writes PNG (https://www.w3.org/TR/png-3/). Never more than a row is unpacked, but for interlaced pictures."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from clients.window.pictures.filters import unfiltered
from clients.window.pictures.rows import OPAQUE, NoPictureError, PlaneRow, Planes, Reader, Row

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_CHANNELS: Final = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}
_DEPTHS: Final = {
    _GREY: (1, 2, 4, 8, 16), _COLOUR: (8, 16), _PALETTE: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _COLOUR_ALPHA: (8, 16)
}  # fmt: skip
_PASSES: Final = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
"""Of an interlaced picture: first column and distance of columns, first row and distance of rows."""
_MAX_CHUNKS: Final = 65_536
_UNPACKED_BYTES: Final = 65_536  # at once


class PngReader(Reader):
    """A PNG file; `rows` raises what is wrong behind its header.

    Args:
        data: The file.
    """

    def __init__(self, data: bytes) -> None:
        chunks = _chunks(data)
        kind, head = next(chunks, ("", b""))
        if kind != "IHDR" or len(head) != 13:
            raise NoPictureError("no header")
        width, height, self._depth, self._kind, packing, filtering, interlaced = struct.unpack(">IIBBBBB", head)
        super().__init__(width, height)
        if self._depth not in _DEPTHS.get(self._kind, ()) or packing or filtering or interlaced > 1:
            raise NoPictureError("a kind that PNG does not have")
        self._interlaced = bool(interlaced)
        self._chunks = chunks
        self._tables: Planes | None = None  # a palette's
        self._pixel_bits = _CHANNELS[self._kind] * self._depth

    def rows(self) -> Iterator[Row]:
        """See `Reader`."""
        packed = _Packed(self._pixels())
        if self._interlaced:
            return self._woven(packed)
        return (_PngRow(row, self.width, self) for row in self._sheet(packed, self.width, self.height))

    def _pixels(self) -> Iterator[bytes]:
        """What is packed, a chunk at a time; what stands before it is taken note of."""
        colours, opacity = b"", b""
        for kind, body in self._chunks:
            if kind == "PLTE":
                colours = body
            elif kind == "tRNS" and self._kind == _PALETTE:
                opacity = body
            elif kind == "IDAT":
                if self._tables is None and self._kind == _PALETTE:
                    self._tables = _tables(colours, opacity)
                yield body
            elif kind == "IEND":
                return

    def _sheet(self, packed: "_Packed", width: int, height: int) -> Iterator[bytes]:
        """The rows of a rectangle, as they were before they were filtered."""
        size, step = (width * self._pixel_bits + 7) // 8, max(self._pixel_bits // 8, 1)
        above = bytes(size)
        for _ in range(height):
            row = packed.take(size + 1)
            above = unfiltered(row[0], row[1:], above, step)
            yield above

    def _woven(self, packed: "_Packed") -> Iterator[Row]:
        """The rows of a picture whose pixels come in seven passes: it has to be held whole."""
        canvas = [bytearray(self.width * self.height) for _ in range(4)]
        for left, right_by, top, down_by in _PASSES:
            width, height = -((left - self.width) // right_by), -((top - self.height) // down_by)
            if width <= 0 or height <= 0:
                continue
            for at, row in enumerate(self._sheet(packed, width, height)):
                begin = (top + at * down_by) * self.width
                for plane, samples in zip(canvas, self.split(row, width), strict=True):
                    plane[begin + left : begin + self.width : right_by] = samples
        for begin in range(0, self.width * self.height, self.width):
            red, green, blue, opacity = (bytes(plane[begin : begin + self.width]) for plane in canvas)
            yield PlaneRow((red, green, blue, opacity))

    def split(self, row: bytes, width: int) -> Planes:
        """The planes of an unfiltered row of so many pixels."""
        if self._depth == 16:
            row = row[::2]  # the higher half is all that is to be seen
        elif self._depth < 8:
            row = _spread(row, self._depth, scaled=self._kind == _GREY)[:width]
        if self._kind == _PALETTE:
            if self._tables is None:
                raise NoPictureError("no palette")
            red, green, blue, opacity = (row.translate(table) for table in self._tables)
            return red, green, blue, opacity
        channels = _CHANNELS[self._kind]
        planes = [row[channel::channels] for channel in range(channels)]
        opacity = planes.pop() if channels in {2, 4} else bytes([OPAQUE]) * width
        return planes[0], planes[-1] if len(planes) == 1 else planes[1], planes[-1], opacity


class _PngRow(Row):
    def __init__(self, row: bytes, width: int, reader: PngReader) -> None:
        self._row, self._width, self._reader = row, width, reader

    def planes(self) -> Planes:
        return self._reader.split(self._row, self._width)


class _Packed:
    """A stream that zlib has packed, unpacked only as far as it is asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._zlib, self._there = pieces, zlib.decompressobj(), b""

    def take(self, size: int) -> bytes:
        """The next so many bytes."""
        found = [self._there]
        missing = size - len(self._there)
        while missing > 0:
            found.append(self._more())
            missing -= len(found[-1])
        joined = b"".join(found)
        self._there = joined[size:]
        return joined[:size]

    def _more(self) -> bytes:
        while True:
            piece = self._zlib.unconsumed_tail or next(self._pieces, b"")
            if self._zlib.eof or not piece:
                raise NoPictureError("it ends too early")
            try:
                found = self._zlib.decompress(piece, _UNPACKED_BYTES)
            except zlib.error as error:
                raise NoPictureError("damaged") from error
            if found:
                return found


def _chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The kind and the body of each chunk."""
    at = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise NoPictureError("it ends too early")
        size = int.from_bytes(data[at : at + 4])
        body, mark = data[at + 8 : at + 8 + size], data[at + 8 + size : at + 12 + size]
        if len(mark) < 4 or zlib.crc32(data[at + 4 : at + 8 + size]) != int.from_bytes(mark):
            raise NoPictureError("damaged")
        yield data[at + 4 : at + 8].decode("latin-1"), body
        at += 12 + size
    raise NoPictureError("too many chunks")


def _tables(colours: bytes, opacity: bytes) -> Planes:
    """What each number of a palette stands for; numbers beyond it are black."""
    if not 3 <= len(colours) <= 768 or len(colours) % 3 or len(opacity) > len(colours) // 3:
        raise NoPictureError("no palette")
    red, green, blue = (colours[channel::3].ljust(256, b"\0") for channel in range(3))
    return red, green, blue, opacity.ljust(256, bytes([OPAQUE]))


def _spread(row: bytes, depth: int, *, scaled: bool) -> bytes:
    """Samples of 1, 2 or 4 bits, each in a byte of its own; ``scaled``: as large as samples of 8 bits are."""
    most = (1 << depth) - 1
    scale = 255 // most if scaled else 1
    table = [bytes((byte >> shift & most) * scale for shift in range(8 - depth, -1, -depth)) for byte in range(256)]
    return b"".join([table[byte] for byte in row])


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a file: ``kind`` is four letters."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def encode(width: int, height: int, rows: Iterable[bytes]) -> bytes:
    """A PNG file of 8 bits a channel, without opacity.

    Args:
        width: Pixels.
        height: Rows.
        rows: From the top, ``3 * width`` bytes each: red, green, blue.
    """
    plain, upward, above = bytearray(), bytearray(), bytes(3 * width)
    for row in rows:
        plain += b"\0" + row
        upward += b"\2" + bytes([value - up & 255 for value, up in zip(row, above, strict=True)])
        above = row
    packed = min((zlib.compress(bytes(each), 9) for each in (plain, upward)), key=len)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
