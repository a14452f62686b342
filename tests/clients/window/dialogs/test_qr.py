"""Tests of `clients.window.dialogs.qr`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.clients.window.screens import needs_tk

QR_TEXT = "CHATSERV-VERIFY:" + "A" * 104


class QrTests(SynchronousTestCase):
    """What a reader sees."""

    skip = needs_tk() or None

    def test_a_qr_code_is_drawn_in_runs_of_dark_modules(self) -> None:
        """They are what segno makes, with a quiet zone of four."""
        import segno

        from clients.window.dialogs.qr import QUIET_MODULES, dark_runs

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
