"""Tests of `clients.window.actions.connecting`."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import PinMismatch
from tests.clients.window.screens import needs_tk


class ReasonTests(SynchronousTestCase):
    """Why there is no connection."""

    skip = needs_tk() or None

    def test_the_systems_word_stands_behind_ours(self) -> None:
        """Cleaned and short."""
        from clients.window.actions.connecting import MAX_REASON_CHARACTERS, reason

        text = reason(OSError("refused\x1b[31m" + "x" * 1000))
        self.assertTrue(text.startswith("The server cannot be reached."), text)
        self.assertNotIn("\x1b", text)
        self.assertLess(len(text), MAX_REASON_CHARACTERS + 120)

    def test_a_wrong_identity_is_told_as_such(self) -> None:
        """With what to do."""
        from clients.window.actions.connecting import reason

        self.assertIn("not the server that your link", reason(PinMismatch()))
        self.assertIn("cannot be reached", reason(None))
