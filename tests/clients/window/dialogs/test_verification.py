"""Tests of `clients.window.dialogs.verification`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.clients.window.screens import needs_tk


class NumberTests(SynchronousTestCase):
    """A safety number as it is drawn."""

    skip = needs_tk() or None

    def test_a_number_is_read_in_groups(self) -> None:
        """Three rows of four."""
        from clients.window.dialogs.verification import grouped_rows

        rows = grouped_rows("".join(f"{group:05}" for group in range(12)))
        self.assertEqual((len(rows), rows[0]), (3, "00000  00001  00002  00003"))
