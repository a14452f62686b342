"""Tests of completion's first step."""

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.common_start import common_start


class CommonStartTests(SynchronousTestCase):
    """`clients.shared.common_start`."""

    def test_common_start(self) -> None:
        """What words begin with, all of them."""
        self.assertEqual(common_start(["abc", "abd", "ab"]), "ab")
        self.assertEqual(common_start(["abc"]), "abc")
        self.assertEqual(common_start(["a", "b"]), "")
