"""What stands above the prompt."""

from dataclasses import replace
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import ChatError, FileProgress, FileState, RoomHandle, WaitingMessage
from chatserv.errors import Muted
from clients.shared.transfers import Transfers
from clients.terminal.pending_lines import MAX_CHARACTERS, MAX_LINES, pending_lines, waiting_lines
from clients.terminal.styled_lines import text_of
from tests.client.file_fakes import attachment
from tests.client.slash_fakes import FakeClient, message


def waits(text: str, state: str = "sending", error: ChatError | None = None, *, action: bool = False) -> WaitingMessage:
    """A message on its way."""
    return WaitingMessage(b"x" * 16, text, action, None, 0, state, error)


class WaitingTests(SynchronousTestCase):
    """`clients.terminal.pending_lines.waiting_lines`."""

    def texts(self, *messages: WaitingMessage) -> list[str]:
        """The lines."""
        return [text_of(line) for line in waiting_lines(messages, "alice")]

    def test_states(self) -> None:
        """Each state has its sign; what failed says why, and what to do."""
        self.assertEqual(self.texts(), [])
        shown = self.texts(
            waits("one", "stored"), waits("two"), waits("three", action=True), waits("four", "failed", Muted())
        )
        expected = [
            "✓ <alice> one", "… <alice> two", "… * alice three",
            "✗ <alice> four", "  /resend or /discard: You are muted and cannot write here.",
        ]  # fmt: skip
        self.assertEqual(shown, expected)

    def test_bounded(self) -> None:
        """So many lines stand there; one more, and the first is only counted."""
        self.assertEqual(len(self.texts(*[waits("x")] * MAX_LINES)), MAX_LINES)
        shown = self.texts(waits("first"), *[waits("x")] * MAX_LINES)
        self.assertEqual((len(shown), shown[0]), (MAX_LINES + 1, "and 1 more"))
        self.assertNotIn("first", "".join(shown))

    def test_bounded_failed(self) -> None:
        """What failed takes two lines of them."""
        shown = self.texts(*[waits("x")] * 2, *[waits("y", "failed", Muted())] * 2)
        self.assertEqual((len(shown), shown[0], shown[1]), (MAX_LINES + 1, "and 1 more", "… <alice> x"))

    def test_clean(self) -> None:
        """What was pasted into the prompt is as harmless as what others say, and not longer than is drawn."""
        (line,) = self.texts(waits("a\x1b[2J\n" + "x" * 2 * MAX_CHARACTERS))
        self.assertIn("a\ufffd[2J\u23ce", line)
        self.assertLess(len(line), MAX_CHARACTERS + 20)

    def test_files(self) -> None:
        """A file on its way has a bar, whichever way; behind it stands what is said beside it."""
        room, transfers = FakeClient().there["lobby"], Transfers(float)
        handle = cast(RoomHandle, room)
        going = replace(waits("the report"), file=attachment(name="a.pdf"), done=525_000)
        room.texts, room.kept = [going], [message(1, file=attachment(1))]
        self.assertEqual(self.lines(handle, transfers), ["… <alice> a.pdf (2.1 MB, PDF) ▕██▌       ▏ 25 % the report"])
        transfers.take(FileProgress("lobby", going.message_id, 1_050_000, 2_100_000, "up", FileState.MOVING))
        transfers.take(FileProgress("lobby", b"\1" * 16, 210_000, 2_100_000, "down", FileState.MOVING))
        transfers.take(FileProgress("lobby", b"?" * 16, 1, 2, "down", FileState.MOVING))
        expected = [
            "↓ report.pdf (2.1 MB, PDF) ▕█         ▏ 10 %",
            "… <alice> a.pdf (2.1 MB, PDF) ▕█████     ▏ 50 % the report",
        ]
        self.assertEqual(self.lines(handle, transfers), expected)

    def lines(self, handle: RoomHandle, transfers: Transfers) -> list[str]:
        """All that stands above the prompt."""
        return [text_of(line) for line in pending_lines(handle, "alice", transfers)]
