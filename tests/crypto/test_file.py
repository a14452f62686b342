"""Files, sealed and opened: any size, in any pieces; what is not as it was announced does not open."""

from hashlib import sha256

from cryptography.cobblestone import Cobblestone256Encryptor
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.e2e.file import FileOpener, FileSealer, Purpose, largest_file, sealed_size
from chatserv.crypto.suite import pad
from chatserv.errors import Reject

KEY, ROOM = b"k" * 32, b"r" * 16
SIZES = (0, 1, 254, 255, 256, 257, 16_383, 16_384, 16_385, 40_000, 1 << 20)


def sealed(data: bytes, piece: int = 1 << 20, key: bytes = KEY, room: bytes = ROOM) -> bytes:
    """All of the sealed bytes."""
    sealer = FileSealer(key, room, len(data))
    out = b"".join(sealer.update(data[at : at + piece]) for at in range(0, len(data), piece)) + sealer.finalize()
    assert sealer.hash == sha256(out).digest()
    return out


def opened(data: bytes, size: int, piece: int = 1 << 20, key: bytes = KEY, room: bytes = ROOM) -> bytes:
    """All of the opened bytes."""
    opener = FileOpener(key, room, size)
    return b"".join(opener.update(data[at : at + piece]) for at in range(0, len(data), piece)) + opener.finalize()


class FileTests(SynchronousTestCase):
    """``FileSealer`` and ``FileOpener``."""

    def test_sizes(self) -> None:
        """The sealed size is known before, and says no more than that of the padded file."""
        for size in SIZES:
            data = bytes(range(256)) * (size // 256) + bytes(size % 256)
            made = sealed(data)
            self.assertEqual(len(made), sealed_size(size))
            self.assertEqual(opened(made, size), data)
        self.assertEqual(sealed_size(0), sealed_size(255))
        self.assertEqual(sealed_size(1_000_000), sealed_size(1_000_001))

    def test_largest(self) -> None:
        """The largest file that fits, for a server's bound."""
        for bound in (*range(300, 2000, 7), 100_000, 100_000_000):
            most = largest_file(bound)
            fits = sealed_size(most) <= bound
            self.assertTrue(fits if most else True)
            self.assertGreater(sealed_size(most + 1), bound)
        self.assertEqual(largest_file(0), 0)

    @settings(deadline=None, max_examples=50)
    @given(st.binary(max_size=40_000), st.integers(100, 50_000), st.integers(100, 50_000))
    def test_pieces(self, data: bytes, one: int, other: int) -> None:
        """In whatever pieces it comes."""
        self.assertEqual(opened(sealed(data, one), len(data), other), data)

    def test_another_key_or_room(self) -> None:
        """It opens with its key, in its room."""
        made = sealed(b"hello")
        self.assertRaises(Reject, opened, made, 5, key=b"x" * 32)
        self.assertRaises(Reject, opened, made, 5, room=b"x" * 16)

    def test_another_purpose(self) -> None:
        """A history does not open as a file, nor a file as a history."""
        made = sealed(b"hello")
        self.assertRaises(Reject, FileOpener(KEY, ROOM, 5, Purpose.HISTORY).update, made)
        sealer = FileSealer(KEY, ROOM, 5, Purpose.HISTORY)
        history = sealer.update(b"hello") + sealer.finalize()
        self.assertRaises(Reject, opened, history, 5)
        opener = FileOpener(KEY, ROOM, 5, Purpose.HISTORY)
        self.assertEqual(opener.update(history) + opener.finalize(), b"hello")

    def test_changed(self) -> None:
        """A bit that is another, an end that is missing, and bytes that are too many."""
        made = sealed(b"hello" * 5000)
        for at in range(0, len(made), 997):
            wrong = made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :]
            self.assertRaises(Reject, opened, wrong, 25_000)
        for end in (0, 55, 56, 100, len(made) - 1, 56 + 16_400):
            self.assertRaises(Reject, opened, made[:end], 25_000)
        self.assertRaises(Reject, opened, made + b"x", 25_000)

    def test_a_false_size(self) -> None:
        """Whoever seals more than was announced, or less, or pads otherwise, is refused, and no more than that comes out."""
        made = sealed(b"a" * 100_000)
        for announced in (0, 99_999, 100_001, 200_000):
            opener, found = FileOpener(KEY, ROOM, announced), 0
            with self.assertRaises(Reject):
                for at in range(0, len(made), 4096):
                    found += len(opener.update(made[at : at + 4096]))
                found += len(opener.finalize())
            self.assertLessEqual(found, announced)
        for padded in (pad(b"hello") + b"\0", pad(b"hello")[:-1], pad(b"hello")[:-1] + b"x", b"hello", b"hello\x80"):
            sealing = Cobblestone256Encryptor(KEY, b"chatserv1 file" + ROOM)
            self.assertRaises(Reject, opened, bytes(sealing.update(padded) + sealing.finalize()), 5)

    def test_a_file_that_changes(self) -> None:
        """More or less than was said at the beginning."""
        sealer = FileSealer(KEY, ROOM, 3)
        self.assertRaises(Reject, sealer.update, b"four")
        sealer.update(b"ab")
        self.assertRaises(Reject, sealer.finalize)
