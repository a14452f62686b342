"""The size of pieces goes with the round trip."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.files.window import LATE_SECONDS, LEAST_BYTES, Window
from chatserv.wire.blobs import CHUNK_BYTES


class WindowTests(SynchronousTestCase):
    """`Window`."""

    def test_both_ends(self) -> None:
        """Quick answers make pieces as large as the wire takes, late ones as small as they are of use."""
        window = Window()
        for _ in range(9):
            window.took(0.01)
        self.assertEqual(window.size, CHUNK_BYTES)
        window.took(0.01 + LATE_SECONDS * 1.1)
        self.assertEqual(window.size, CHUNK_BYTES // 2)
        for _ in range(9):
            window.took(1.0)
        self.assertEqual(window.size, LEAST_BYTES)
        window.took(0.01 + LATE_SECONDS * 0.9)
        self.assertEqual(window.size, 2 * LEAST_BYTES)
