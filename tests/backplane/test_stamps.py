"""What was said that may be lost: once, in order, and not much later."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.stamps import MAX_NODES, OLD_MS, Stamps

NOW_MS = 1_790_000_000_000


class StampsTests(SynchronousTestCase):
    """What `Stamps` promises."""

    def setUp(self) -> None:
        """It is now."""
        self.now_ms = NOW_MS
        self.stamps = Stamps(lambda: self.now_ms)

    def test_rising(self) -> None:
        """Each is later than the one before, also where the clock stands, or was set back a little."""
        self.assertEqual([self.stamps.next() for _ in range(3)], [NOW_MS, NOW_MS + 1, NOW_MS + 2])
        self.now_ms += 10
        self.assertEqual(self.stamps.next(), NOW_MS + 10)
        self.now_ms -= OLD_MS
        self.assertEqual(self.stamps.next(), NOW_MS + 11)

    def test_set_back_by_far(self) -> None:
        """Then it goes by the clock: the others would hear nothing of this node for as long."""
        self.stamps.next()
        self.now_ms -= OLD_MS + 1
        self.assertEqual(self.stamps.next(), self.now_ms)

    def test_once(self) -> None:
        """What is said again, or comes late, does not count; of another node it does."""
        heard = [
            self.stamps.is_new(node, NOW_MS + at)
            for node, at in ((b"a", 1), (b"a", 1), (b"a", 0), (b"b", 0), (b"a", 2))
        ]
        self.assertEqual(heard, [True, False, False, True, True])

    def test_times(self) -> None:
        """Clocks may differ by two minutes, either way, and by no more."""
        for at_ms, good in (
            (-OLD_MS, True),
            (-OLD_MS - 1, False),
            (OLD_MS, True),
            (OLD_MS + 1, False),
            (-NOW_MS, False),
        ):
            self.assertEqual(self.stamps.is_new(b"%d" % at_ms, NOW_MS + at_ms), good, at_ms)

    def test_a_refused_one(self) -> None:
        """Changes nothing: what was heard before still does not count again."""
        self.assertTrue(self.stamps.is_new(b"a", NOW_MS))
        self.assertFalse(self.stamps.is_new(b"a", NOW_MS - 1))
        self.assertFalse(self.stamps.is_new(b"a", NOW_MS))

    def test_bound(self) -> None:
        """Of one node more, nothing is known of the one that was not heard for longest."""
        for number in range(MAX_NODES):
            self.stamps.is_new(b"%d" % number, NOW_MS)
        self.stamps.is_new(b"0", NOW_MS + 1)
        self.stamps.is_new(b"one more", NOW_MS)
        self.assertEqual(len(self.stamps), MAX_NODES)
        self.assertFalse(self.stamps.is_new(b"0", NOW_MS + 1))
        self.assertTrue(self.stamps.is_new(b"1", NOW_MS))
