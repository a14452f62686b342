"""Smaller pictures, and previews of at most so many bytes."""

from twisted.trial.unittest import SynchronousTestCase

from clients.window.pictures.child import HEAD, MAX_PREVIEW_BYTES, PREVIEW, SHOW, answer
from clients.window.pictures.png import PngReader
from clients.window.pictures.rows import NoPictureError, PixelReader
from clients.window.pictures.scaling import fitting, scaled
from tests.clients.window.pictures.drawn import coloured, gif, noise, png


class ScalingTests(SynchronousTestCase):
    """Sizes and means."""

    def test_shape(self) -> None:
        """The shape stays, nothing gets larger, and no side is nothing."""
        self.assertEqual(fitting(100, 50, 40, 40), (40, 20))
        self.assertEqual(fitting(10, 5, 40, 40), (10, 5))
        self.assertEqual(fitting(16_000, 1, 40, 40), (40, 1))

    def test_same(self) -> None:
        """At its own size a picture is itself."""
        rows = [bytes(each for x in range(7) for each in coloured(x, y)) for y in range(5)]
        self.assertEqual(scaled(PixelReader(7, rows), 7, 5), rows)
        self.assertEqual(scaled(PixelReader(1, [b"abc"]), 1, 1), [b"abc"])

    def test_mean(self) -> None:
        """A pixel is the mean of those that it stands for."""
        rows = [bytes([0, 0, 0, 100, 50, 20] * 2), bytes([100, 50, 20, 200, 100, 40] * 2)]
        self.assertEqual(scaled(PixelReader(4, rows), 2, 1), [bytes([100, 50, 20] * 2)])

    def test_all_sizes(self) -> None:
        """Whatever the two sizes are, there are as many pixels as were wanted."""
        rows = [bytes(3 * 23)] * 19
        for width in range(1, 24):
            for height in range(1, 20):
                found = scaled(PixelReader(23, rows), width, height)
                self.assertEqual([len(row) for row in found], [3 * width] * height)

    def test_on_paper(self) -> None:
        """What one can see through is white behind."""
        found = answer(SHOW, 9, 9, png(2, 1, 6, 8, lambda x, _: (0, 0, 0, 255 * x)))
        self.assertEqual(found[HEAD.size :], b"\xff\xff\xff\0\0\0")


class AnswerTests(SynchronousTestCase):
    """What the child answers."""

    def test_pixels(self) -> None:
        """The sizes, and three bytes a pixel."""
        found = answer(SHOW, 10, 10, png(40, 20, 2, 8, coloured))
        self.assertEqual(HEAD.unpack_from(found), (40, 20, 10, 5))
        self.assertEqual(len(found), HEAD.size + 3 * 10 * 5)
        self.assertEqual(HEAD.unpack_from(answer(SHOW, 10, 10, gif(3, 2, bytes(6)))), (3, 2, 3, 2))

    def test_preview(self) -> None:
        """Noise, which nothing packs, still becomes a PNG that a message can hold."""
        data = noise(200 * 100 * 3)
        noisy = png(200, 100, 2, 8, lambda x, y: data[(y * 200 + x) * 3 :][:3])
        found = answer(PREVIEW, 192, 192, noisy)
        preview = found[HEAD.size :]
        _, _, width, height = HEAD.unpack_from(found)
        self.assertLessEqual(len(preview), MAX_PREVIEW_BYTES)
        reader = PngReader(preview)
        self.assertEqual((reader.width, reader.height), (width, height))
        self.assertGreaterEqual(width, 48)
        self.assertEqual(len(list(reader.rows())), height)

    def test_others(self) -> None:
        """Only PNG and GIF."""
        for data in (b"", b"\xff\xd8\xff\xe0 JFIF", b"RIFF....WEBP", b"<svg/>", b"%PDF-1.7"):
            with self.assertRaises(NoPictureError):
                answer(SHOW, 10, 10, data)
