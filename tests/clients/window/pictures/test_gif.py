"""GIF: its first picture, and what is refused."""

import struct

from twisted.trial.unittest import SynchronousTestCase

from clients.window.pictures.gif import GifReader
from clients.window.pictures.rows import NoPictureError
from tests.clients.window.pictures.drawn import PALETTE, gif

Pixel = tuple[int, ...]


def pixels(data: bytes) -> list[list[Pixel]]:
    """All pixels: red, green, blue, opacity."""
    return [list(zip(*row.planes(), strict=True)) for row in GifReader(data).rows()]


def colour(at: int, opacity: int = 255) -> Pixel:
    """A colour of the palette."""
    return (*PALETTE[at * 3 : at * 3 + 3], opacity)


def numbers(width: int, height: int) -> bytes:
    """A colour's number for each place."""
    return bytes((x * 3 + y * 5) % 16 for y in range(height) for x in range(width))


class ReadTests(SynchronousTestCase):
    """Pictures that are fine."""

    def test_rows(self) -> None:
        """Rows in order, and in four passes."""
        for width, height in ((1, 1), (5, 3), (19, 17)):
            wanted = [[colour((x * 3 + y * 5) % 16) for x in range(width)] for y in range(height)]
            for interlaced in (False, True):
                data = gif(width, height, numbers(width, height), interlaced=interlaced)
                self.assertEqual(pixels(data), wanted, (width, height, interlaced))

    def test_transparent(self) -> None:
        """One colour is none."""
        found = pixels(gif(4, 1, bytes([1, 2, 1, 3]), clear=1))
        self.assertEqual([pixel[3] for pixel in found[0]], [0, 255, 0, 255])

    def test_growing_codes(self) -> None:
        """Codes that stand for rows of pixels, the one among them that is being made; of 20 black pixels."""
        codes, bits = [4, 0, 6, 7, 8, 9, 5], [3, 3, 3, 3, 4, 4, 4]  # 1 + 2 + 3 + 4 + 5 pixels, then the end
        held = at = 0
        for code, size in zip(codes, bits, strict=True):
            held |= code << at
            at += size
        data = held.to_bytes((at + 7) // 8, "little")
        head = b"GIF87a" + struct.pack("<HHBBB", 15, 1, 0x80 | 1, 0, 0) + PALETTE[:12]
        file = head + b"\x2c" + struct.pack("<HHHHB", 0, 0, 15, 1, 0) + b"\x02" + bytes([len(data)]) + data + b"\0\x3b"
        self.assertEqual(pixels(file), [[colour(0)] * 15])

    def test_smaller_than_its_frame(self) -> None:
        """What is around the picture can be seen through."""
        data = gif(2, 2, bytes([1, 2, 3, 4]))
        framed = data[:6] + struct.pack("<HH", 4, 3) + data[10:]
        framed = framed.replace(b"\x2c" + struct.pack("<HHHH", 0, 0, 2, 2), b"\x2c" + struct.pack("<HHHH", 1, 1, 2, 2))
        found = pixels(framed)
        self.assertEqual([[pixel[3] for pixel in row] for row in found], [[0] * 4, [0, 255, 255, 0], [0, 255, 255, 0]])
        self.assertEqual(found[2][1], colour(3))


class RefusedTests(SynchronousTestCase):
    """What is no picture."""

    def test_cut(self) -> None:
        """A file that ends early, anywhere before its last bytes, is refused."""
        data = gif(9, 9, numbers(9, 9))
        for size in range(6, len(data) - 3):
            with self.assertRaises(NoPictureError):
                pixels(data[:size])

    def test_sizes(self) -> None:
        """No pixels, and more than are read."""
        for width, height in ((0, 1), (1, 0), (65_535, 65_535)):
            with self.assertRaises(NoPictureError):
                GifReader(b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0))

    def test_codes(self) -> None:
        """A code that stands for nothing yet; a picture that sticks out of its frame; none at all."""
        data = gif(2, 2, bytes(4))
        broken = data[: data.index(b"\x2c")] + b"\x2c" + struct.pack("<HHHHB", 0, 0, 2, 2, 0) + b"\x04\x01\xff\0\x3b"
        outside = data.replace(b"\x2c" + struct.pack("<HHHH", 0, 0, 2, 2), b"\x2c" + struct.pack("<HHHH", 1, 0, 2, 2))
        for each in (broken, outside, data[: data.index(b"\x2c")] + b"\x3b"):
            with self.assertRaises(NoPictureError):
                pixels(each)
