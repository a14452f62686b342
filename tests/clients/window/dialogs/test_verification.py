"""Tests of `clients.window.dialogs.verification`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.clients.window.screens import needs_tk

QR_TEXT = "CHATSERV-VERIFY:" + "A" * 104


class NumberTests(SynchronousTestCase):
    """A safety number as it is drawn."""

    skip = needs_tk() or None

    def test_a_qr_code_is_drawn_in_runs_of_dark_modules(self) -> None:
        """They are what segno makes, with a quiet zone of four."""
        import segno

        from clients.window.dialogs.verification import QUIET_MODULES, dark_runs

        size, runs = dark_runs(QR_TEXT)
        matrix = segno.make_qr(QR_TEXT, error="l").matrix
        self.assertEqual(size, len(matrix) + 8)
        dark = {(row, column) for row, begin, end in runs for column in range(begin, end)}
        wanted = {
            (row + QUIET_MODULES, column + QUIET_MODULES)
            for row, modules in enumerate(matrix)
            for column, module in enumerate(modules)
            if module
        }
        self.assertEqual(dark, wanted)

    def test_a_number_is_read_in_groups(self) -> None:
        """Three rows of four."""
        from clients.window.dialogs.verification import grouped_rows

        rows = grouped_rows("".join(f"{group:05}" for group in range(12)))
        self.assertEqual((len(rows), rows[0]), (3, "00000  00001  00002  00003"))
