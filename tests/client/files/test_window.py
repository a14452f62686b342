"""The size of pieces goes with the round trip."""

from collections import Counter, deque

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.files.window import AGAIN_SECONDS, LATE_SECONDS, LEAST_BYTES, UNDER_WAY, Window
from chatserv.wire.blobs import CHUNK_BYTES


class WindowTests(SynchronousTestCase):
    """`Window`."""

    def setUp(self) -> None:
        """It has just begun."""
        self.now = 0.0
        self.window = Window(lambda: self.now)

    def answered(self, seconds: float, times: int = 1) -> None:
        """Pieces of the size that is wanted are answered, each after so long."""
        for _ in range(times):
            self.window.answered(self.window.size, self.now - seconds)

    def line(self, bytes_per_second: float, seconds: float, *, trip: float = 0.04) -> Counter[int]:
        """Pieces go over a line for so long, two at a time. Returns how many there were, by size."""
        waiting, free_at, sizes = deque[tuple[int, float, float]](), self.now, Counter[int]()
        end = self.now + seconds
        while self.now < end:
            while len(waiting) < self.window.under_way:
                size = self.window.size
                sizes[size] += 1
                free_at = max(free_at, self.now) + size / bytes_per_second
                waiting.append((size, self.now, free_at + trip))
            size, sent, self.now = waiting.popleft()
            self.window.answered(size, sent)
        return sizes

    def test_both_ends(self) -> None:
        """Quick answers make pieces as large as the wire takes, late ones as small as they are of use."""
        self.answered(0.01, 9)
        self.assertEqual(self.window.size, CHUNK_BYTES)
        self.answered(0.01 + LATE_SECONDS * 1.1, 1 + UNDER_WAY)
        self.assertEqual(self.window.size, CHUNK_BYTES // 2)
        self.answered(1.0, 9)
        self.assertEqual(self.window.size, LEAST_BYTES)
        self.answered(0.01 + LATE_SECONDS * 0.9, 1 + UNDER_WAY)
        self.assertEqual(self.window.size, 2 * LEAST_BYTES)

    def test_before_the_change(self) -> None:
        """What was sent before the size changed says nothing of the new one."""
        self.answered(0.01, 1 + UNDER_WAY)
        self.answered(0.01 + LATE_SECONDS * 1.1, UNDER_WAY)
        self.assertEqual(self.window.size, 2 * LEAST_BYTES)

    def test_slow_line(self) -> None:
        """Where the smallest pieces alone are in time, hardly any other is sent, and none of more than twice the size."""
        self.line(90_000, 2)
        sizes = self.line(90_000, 60)
        self.assertLessEqual(set(sizes), {LEAST_BYTES, 2 * LEAST_BYTES})
        self.assertLess(sizes[2 * LEAST_BYTES], sizes.total() / 20)

    def test_steady(self) -> None:
        """A size that is in time stays."""
        sizes = self.line(750_000, 60)
        self.assertLessEqual(sizes.total() - sizes[CHUNK_BYTES], 6 * UNDER_WAY)

    def test_quicker_line(self) -> None:
        """A line that has become quicker is noticed, and one that has become slower at once."""
        self.line(90_000, 30)
        self.line(50_000_000, AGAIN_SECONDS + 1)
        self.assertEqual(self.window.size, CHUNK_BYTES)
        self.line(90_000, 2)
        self.assertEqual(self.window.size, LEAST_BYTES)

    def test_one_late(self) -> None:
        """Answers that wait for a disk now and then cost a few pieces, and no more."""
        self.answered(0.001, 12)
        for _ in range(50):
            self.answered(0.2, UNDER_WAY)
            self.answered(0.001, 12)
            self.assertEqual(self.window.size, CHUNK_BYTES)
