"""PNG: all kinds of it, and what is refused."""

import zlib
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from clients.window.pictures.png import PngReader, encode
from clients.window.pictures.rows import MAX_SIDE, NoPictureError
from tests.clients.window.pictures.drawn import PALETTE, Samples, chunk, coloured, png, png_head

Pixel = tuple[int, ...]


def pixels(data: bytes) -> list[list[Pixel]]:
    """All pixels: red, green, blue, opacity."""
    return [list(zip(*row.planes(), strict=True)) for row in PngReader(data).rows()]


class KindTests(SynchronousTestCase):
    """Every colour type and depth, straight and interlaced, with all filters."""

    def check(
        self, kind: int, depth: int, made: Samples, seen: Callable[[int, int], Pixel], extra: bytes = b""
    ) -> None:
        """Reads pictures of some sizes: how their samples are made, and what each pixel is."""
        for width, height in ((1, 1), (3, 2), (13, 11), (40, 9)):
            for interlaced in (False, True):
                data = png(width, height, kind, depth, made, interlaced=interlaced, extra=extra)
                wanted = [[seen(x, y) for x in range(width)] for y in range(height)]
                self.assertEqual(pixels(data), wanted, (kind, depth, width, height, interlaced))

    def test_grey(self) -> None:
        """Grey of 1, 2, 4, 8 and 16 bits is spread over 8."""
        for depth in (1, 2, 4, 8, 16):
            most = (1 << depth) - 1

            def made(x: int, y: int, most: int = most) -> list[int]:
                return [(x * 7 + y * 3) * 257 % (most + 1)]

            def seen(x: int, y: int, most: int = most, depth: int = depth) -> Pixel:
                value = made(x, y, most)[0]
                level = value >> 8 if depth == 16 else value * 255 // most
                return level, level, level, 255

            self.check(0, depth, made, seen)

    def test_colour(self) -> None:
        """Three channels, with 8 and 16 bits."""
        self.check(2, 8, coloured, lambda x, y: (*coloured(x, y), 255))
        self.check(2, 16, lambda x, y: [each * 257 for each in coloured(x, y)], lambda x, y: (*coloured(x, y), 255))

    def test_opacity(self) -> None:
        """Grey and colour that one can see through."""
        self.check(4, 8, lambda x, y: (x % 256, y % 256), lambda x, y: (x, x, x, y))
        self.check(6, 8, lambda x, y: (*coloured(x, y), x + y), lambda x, y: (*coloured(x, y), x + y))

    def test_palette(self) -> None:
        """Numbers of colours, some of which one can see through; a number beyond the palette is black."""
        extra = chunk(b"PLTE", PALETTE[:9]) + chunk(b"tRNS", b"\x07\xff")
        for depth in (1, 2, 4, 8):
            most = min(1 << depth, 4)

            def seen(x: int, y: int, most: int = most) -> Pixel:
                at = (x + y) % most
                colour = tuple(PALETTE[at * 3 : at * 3 + 3]) if at < 3 else (0, 0, 0)
                return (*colour, 7 if at == 0 else 255)

            def made(x: int, y: int, most: int = most) -> list[int]:
                return [(x + y) % most]

            self.check(3, depth, made, seen, extra)

    def test_written(self) -> None:
        """What the program writes, it reads."""
        rows = [bytes(each for x in range(17) for each in coloured(x, y)) for y in range(9)]
        found = pixels(encode(17, 9, rows))
        self.assertEqual(found, [[(*coloured(x, y), 255) for x in range(17)] for y in range(9)])


class RefusedTests(SynchronousTestCase):
    """What is no picture, or would be too dear."""

    def refused(self, data: bytes, why: str) -> None:
        """It is refused, for this reason."""
        with self.assertRaises(NoPictureError) as raised:
            pixels(data)
        self.assertIn(why, str(raised.exception))

    def test_sizes(self) -> None:
        """Nothing, one side too long, and too many pixels: the header alone says so."""
        for width, height in (
            (0, 1),
            (1, 0),
            (MAX_SIDE + 1, 1),
            (1, MAX_SIDE + 1),
            (10_000, 10_000),
            (2**32 - 1, 2**32 - 1),
        ):
            self.refused(png_head(width, height), "out of bounds")

    def test_cut(self) -> None:
        """A file that ends early, anywhere, is refused."""
        data = png(9, 9, 2, 8, coloured)
        for size in range(8, len(data) - 12):
            with self.assertRaises(NoPictureError):
                pixels(data[:size])

    def test_damaged(self) -> None:
        """A byte that has changed is noticed."""
        data = png(9, 9, 2, 8, coloured)
        for at in range(8, len(data) - 12):
            with self.assertRaises(NoPictureError):
                pixels(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    def test_missing(self) -> None:
        """Rows that are not there; a filter, a palette and a kind that are none."""
        self.refused(png_head(5, 5, zlib.compress(bytes(6 * 4))), "too early")
        self.refused(png_head(5, 5, zlib.compress(b"\x05" * 30)), "filter")
        self.refused(png_head(5, 5, b"nothing packed"), "damaged")
        self.refused(png(3, 3, 3, 8, lambda _x, _y: [0]), "palette")
        self.refused(png_head(1, 1)[:8] + chunk(b"IHDR", b"\0\0\0\1\0\0\0\1\x03\x02\0\0\0"), "kind")
        self.refused(b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b""), "header")

    def test_bomb(self) -> None:
        """A hundred times as many rows as the header says: those alone are unpacked."""
        data = png_head(100, 10, zlib.compress(bytes(101 * 10 * 10_000)))
        self.assertEqual(len(pixels(data)), 10)
