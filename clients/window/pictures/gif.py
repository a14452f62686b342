"""Reads the first picture of a GIF file (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""

from collections.abc import Iterator
from typing import Final

from clients.window.pictures.rows import OPAQUE, NoPictureError, PlaneRow, Planes, Reader, Row

SIGNATURES: Final = (b"GIF87a", b"GIF89a")
_EXTENSION, _IMAGE = 0x21, 0x2C
_CONTROL: Final = 0xF9  # the extension that says which colour is none
_MAX_CODES: Final = 4096
_PASSES: Final = ((0, 8), (4, 8), (2, 4), (1, 2))  # of an interlaced picture: first row and distance


class GifReader(Reader):
    """A GIF file; of one that moves, how it begins.

    Args:
        data: The file.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 6
        width, height = self._number(), self._number()
        super().__init__(width, height)
        flags = self._byte()
        self._at += 2
        self._colours = self._palette(flags)
        self._none: int | None = None

    # -- bytes ---------------------------------------------------------------------------------------------------------

    def _take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise NoPictureError("it ends too early")
        self._at += size
        return found

    def _byte(self) -> int:
        return self._take(1)[0]

    def _number(self) -> int:
        return int.from_bytes(self._take(2), "little")

    def _blocks(self) -> Iterator[bytes]:
        while size := self._byte():
            yield self._take(size)

    def _palette(self, flags: int) -> bytes:
        return self._take(3 << (flags & 7) + 1) if flags & 0x80 else b""

    # -- the picture ---------------------------------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """See `Reader`."""
        while (kind := self._byte()) != _IMAGE:
            if kind != _EXTENSION:
                raise NoPictureError("no picture in it")
            control = self._byte() == _CONTROL
            for block in self._blocks():
                if control and len(block) >= 4:
                    self._none = block[3] if block[0] & 1 else None
        left, top, width, height = self._number(), self._number(), self._number(), self._number()
        if not width or not height or left + width > self.width or top + height > self.height:
            raise NoPictureError("the picture is not inside its frame")
        flags = self._byte()
        tables = self._tables(self._palette(flags) or self._colours)
        least = self._byte()
        if not 2 <= least <= 8:
            raise NoPictureError("damaged")
        pixels = _unpacked(b"".join(self._blocks()), least, width * height)
        return self._framed(pixels, tables, (left, top, width, height), interlaced=bool(flags & 0x40))

    def _tables(self, colours: bytes) -> Planes:
        red, green, blue = (colours[channel::3].ljust(256, b"\0") for channel in range(3))
        opacity = bytearray([OPAQUE] * 256)
        if self._none is not None:
            opacity[self._none] = 0
        return red, green, blue, bytes(opacity)

    def _framed(
        self, pixels: bytes, tables: Planes, place: tuple[int, int, int, int], *, interlaced: bool
    ) -> Iterator[Row]:
        """The rows of the frame; where the picture is not, there is nothing."""
        left, top, width, height = place
        order = [row for begin, by in _PASSES for row in range(begin, height, by)] if interlaced else range(height)
        where = {row: at * width for at, row in enumerate(order)}
        empty = PlaneRow((bytes(self.width),) * 4)
        for y in range(self.height):
            begin = where.get(y - top)
            if begin is None:
                yield empty
                continue
            row = pixels[begin : begin + width]
            red, green, blue, opacity = (
                bytes(left) + row.translate(table) + bytes(self.width - left - width) for table in tables
            )
            yield PlaneRow((red, green, blue, opacity))


def _unpacked(data: bytes, least: int, size: int) -> bytes:
    """So many numbers of colours; what LZW has packed beyond them is not looked at.

    Args:
        data: Codes, from ``least + 1`` bits on.
        least: How many bits a colour has.
        size: How many are wanted.
    """
    clear = 1 << least
    table: list[bytes] = []
    bits, before = least + 1, b""
    found = bytearray()
    held = held_bits = 0
    for byte in data:
        held |= byte << held_bits
        held_bits += 8
        while held_bits >= bits:
            code = held & (1 << bits) - 1
            held >>= bits
            held_bits -= bits
            if code == clear:
                table = [bytes([colour]) for colour in range(clear)] + [b"", b""]
                bits, before = least + 1, b""
                continue
            if code == clear + 1 or len(found) >= size:
                return _whole(found, size)
            entry = _entry(table, code, before)
            found += entry
            if before and len(table) < _MAX_CODES:
                table.append(before + entry[:1])
                if len(table) == 1 << bits and bits < 12:
                    bits += 1
            before = entry
    return _whole(found, size)


def _entry(table: list[bytes], code: int, before: bytes) -> bytes:
    """What a code stands for; it may be the one that is made by it."""
    if code < len(table):
        return table[code]
    if code > len(table) or not before:
        raise NoPictureError("damaged")
    return before + before[:1]


def _whole(found: bytearray, size: int) -> bytes:
    if len(found) < size:
        raise NoPictureError("it ends too early")
    return bytes(found[:size])
