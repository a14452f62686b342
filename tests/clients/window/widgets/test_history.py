"""Tests of `clients.window.widgets.history`."""

from twisted.trial.unittest import SynchronousTestCase

from clients.window.widgets.history import MAX_HISTORY, History


class HistoryTests(SynchronousTestCase):
    """Lines that were sent."""

    def test_what_was_sent_comes_back(self) -> None:
        """Up and down, with what stood in the field at the end; bounded."""
        history = History()
        for line in ("one", "two", "two", " "):
            history.add(line)
        self.assertEqual([history.step(-1, "begun"), history.step(-1, ""), history.step(-1, "")], ["two", "one", "one"])
        self.assertEqual(
            [history.step(1, ""), history.step(1, ""), history.step(1, "begun")], ["two", "begun", "begun"]
        )
        for number in range(MAX_HISTORY + 1):
            history.add(str(number))
        self.assertEqual(len(history._lines), MAX_HISTORY)
