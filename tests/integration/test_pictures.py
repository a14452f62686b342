"""The child that reads pictures, as a real process: what it answers, what it may not do, and how it ends."""

import os
import struct
import zlib
from typing import Any, cast

import psutil
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from clients.window.pictures import decoder
from clients.window.pictures.child import MAX_FILE_BYTES, MAX_PREVIEW_BYTES
from clients.window.pictures.decoder import MAX_WAITING, PictureDecoder
from tests.clients.window.pictures.drawn import coloured, gif, png, png_head

LIMITED = (
    "import os, socket, sys; sys.path.insert(0, sys.argv[1]); "
    "from clients.window.pictures import child; child.give_up_everything()\n"
)
FOUR = "import struct; sys.stdout.buffer.write(struct.pack('>IIII', 9, 9, 2, 2) + bytes(12)); sys.stdout.flush()"


class PictureTests(TestCase):
    """A decoder on the real reactor."""

    timeout = 120

    def decoder(self, begin: str = "") -> PictureDecoder:
        """One whose child is ours, or runs this."""
        from twisted.internet import reactor  # noqa: TID251 - processes are the point

        made = PictureDecoder(cast(Any, reactor), begin) if begin else PictureDecoder(cast(Any, reactor))
        self.addCleanup(made.stop)
        return made

    async def test_read(self) -> None:
        """PNG and GIF come back as pixels, and as previews, in the order in which they were asked for."""
        made = self.decoder()
        data = png(40, 20, 2, 8, coloured)
        first, second, third = await gatherResults(
            [made.show(data, 10, 10), made.show(gif(3, 2, bytes(6)), 10, 10), made.preview(data)], consumeErrors=True
        )
        assert first is not None
        assert second is not None
        assert third is not None
        self.assertEqual((first.width, first.height, first.shown_width, first.shown_height), (40, 20, 10, 5))
        self.assertEqual(len(first.data), 3 * 10 * 5)
        self.assertEqual(first.ppm, b"P6 10 5 255\n" + first.data)
        self.assertEqual((second.width, second.shown_height), (3, 2))
        self.assertTrue(third.data.startswith(b"\x89PNG"))
        self.assertLessEqual(len(third.data), MAX_PREVIEW_BYTES)

    async def test_refused(self) -> None:
        """What is no picture, is cut off, is too large a file, or a bomb: nothing, and the next one is read."""
        made = self.decoder()
        good = png(40, 20, 2, 8, coloured)
        packed = zlib.compress(bytes(50_000_000), 9)
        for bad in (
            b"",
            b"no picture",
            good[:-40],
            bytes(MAX_FILE_BYTES + 1),
            png_head(65_535, 65_535, packed),
            png_head(16_384, 16_384, packed),
            gif(2, 2, bytes(4))[:6] + struct.pack("<HH", 65_535, 65_535) + gif(2, 2, bytes(4))[10:],
        ):
            self.assertIsNone(await made.show(bad, 10, 10))
        self.assertIsNotNone(await made.show(good, 10, 10))

    async def test_long_rows(self) -> None:
        """A bomb within the bounds of sizes: 40 million pixels of one packed chunk take memory for a few rows alone."""
        packed = zlib.compress(bytes(2442 * 16_385), 9)
        found = await self.decoder().show(png_head(16_384, 2441, packed), 10, 10)
        self.assertTrue(found is None or found.width == 16_384)  # a slow machine needs more than its seconds

    async def test_confined(self) -> None:
        """It opens no file and no socket, starts nothing, and has nothing of our environment, directory and files."""
        found = []
        for each in (
            "open('/etc/passwd')",
            "socket.socket()",
            "os.fork()",
            "os.listdir('/')",
            "x = bytearray(300 << 20)",
        ):
            begin = f"{LIMITED}try:\n    {each}\nexcept (OSError, MemoryError):\n    {FOUR}"
            found.append(await self.decoder(begin).show(b"x", 2, 2) is not None)
        if os.geteuid() == 0:
            found[2] = True  # the bound on processes is not for root, as which nobody chats
        self.assertEqual(found, [True] * 5)
        begin = f"{LIMITED}if os.getcwd() == '/' and not set(os.environ) - {{'LC_CTYPE'}}:\n    {FOUR}"
        self.assertIsNotNone(await self.decoder(begin).show(b"x", 2, 2))

    async def test_descriptors(self) -> None:
        """Files that are open here are not open there."""
        with open(os.devnull, "rb") as file:
            os.set_inheritable(file.fileno(), True)
            begin = f"import os, sys\ntry:\n    os.fstat({file.fileno()})\nexcept OSError:\n    {FOUR}"
            self.assertIsNotNone(await self.decoder(begin).show(b"x", 2, 2))

    async def test_hangs(self) -> None:
        """One that sleeps is killed, and the next one is read; nothing of it is left."""
        self.patch(decoder, "WALL_SECONDS", 0.5)
        self.assertIsNone(await self.decoder("import time; time.sleep(600)").show(b"x", 2, 2))
        self.assertFalse([one for one in psutil.Process().children() if "time.sleep(600)" in " ".join(one.cmdline())])

    async def test_crashes(self) -> None:
        """One that is killed, fails, says too little, too much or something else: nothing."""
        for begin in (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "import os; os._exit(1)",
            f"import sys; {FOUR}; raise SystemExit(1)",
            "pass",
            "print('x' * 100_000_000)",
            "import sys; sys.stdout.buffer.write(bytes(28))",
            f"import sys; {FOUR.replace('bytes(12)', 'bytes(11)')}",
            f"import sys; {FOUR.replace('9, 9, 2, 2', '9, 9, 3, 2')}",
            f"import sys; {FOUR.replace('9, 9, 2, 2', '0, 9, 2, 2')}",
        ):
            self.assertIsNone(await self.decoder(begin).show(b"x", 2, 2), begin)

    async def test_bounds(self) -> None:
        """Of too many that wait, those that have waited longest get nothing; at the end, all of them."""
        made = self.decoder("import time; time.sleep(600)")
        asked = [made.show(b"x", 2, 2) for _ in range(MAX_WAITING + 3)]
        self.assertEqual([each.called for each in asked[:4]], [False, True, True, False])
        made.stop()
        self.assertEqual(await gatherResults(asked, consumeErrors=True), [None] * len(asked))
