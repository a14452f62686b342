"""How long a client waits before it tries again."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.connection.backoff import DRAINING_SECONDS, Backoff


class BackoffTests(SynchronousTestCase):
    """`Backoff`."""

    def test_one_address(self) -> None:
        """1 to 2 s at first, half as long again each time, a minute at most."""
        self.assertEqual((1, 2), (Backoff(lambda: 0.0).next_delay(), Backoff(lambda: 1.0).next_delay()))
        backoff = Backoff(lambda: 0.0)
        self.assertEqual([1, 1.5, 2.25], [backoff.next_delay() for _ in range(3)])
        self.assertEqual(60, [backoff.next_delay() for _ in range(200)][-1])

    def test_several(self) -> None:
        """0.1 to 0.3 s at first, half as long again each time, 20 to 60 s in the end: never all at the same moment."""
        least, most = Backoff(lambda: 0.0), Backoff(lambda: 1.0)
        lowest = [least.next_delay(several=True) for _ in range(200)]
        highest = [most.next_delay(several=True) for _ in range(200)]
        self.assertEqual((0.1, 0.3), (round(lowest[0], 9), round(highest[0], 9)))
        self.assertEqual((0.15, 0.45), (round(lowest[1], 9), round(highest[1], 9)))
        self.assertEqual((20, 60), (round(lowest[-1], 9), round(highest[-1], 9)))

    def test_anew(self) -> None:
        """What has borne fruit begins anew, whichever way it was counted."""
        backoff = Backoff(lambda: 0.5)
        for several in (True, False):
            for _ in range(9):
                backoff.next_delay(several=several)
            backoff.succeeded()
            self.assertAlmostEqual(0.2, backoff.next_delay(several=True))
            backoff.succeeded()

    def test_drained(self) -> None:
        """Who is sent elsewhere goes within two seconds, not all at once."""
        self.assertEqual((0, DRAINING_SECONDS), (Backoff(lambda: 0.0).drained(), Backoff(lambda: 1.0).drained()))
