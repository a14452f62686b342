"""Files on their way: how far and how fast."""

from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, FileProgress, FileState
from chatserv.client.outbound.pending import WaitingMessage
from clients.shared.transfers import MAX_TRANSFERS, Transfers, file_of
from tests.client.file_fakes import attachment
from tests.client.slash_fakes import AT_MS, FakeClient, message

ID = b"\1" * 16


def progress(
    done: int, state: FileState = FileState.MOVING, message_id: bytes = ID, direction: str = "up"
) -> FileProgress:
    """A file of 1,000 bytes has moved."""
    return FileProgress("lobby", message_id, done, 1000, direction, state)


class TransfersTests(SynchronousTestCase):
    """With a clock of their own."""

    def setUp(self) -> None:
        """Nothing moves."""
        self.clock = Clock()
        self.transfers = Transfers(self.clock.seconds)

    def test_speed(self) -> None:
        """What has moved within the last seconds; none while it is paused, nor of the time before."""
        self.transfers.take(progress(0))
        for done in (200, 400):
            self.clock.advance(2)
            self.transfers.take(progress(done))
        self.assertEqual(self.transfers.text("lobby", ID), "▕████      ▏ 40 % 100 B/s")
        self.transfers.take(progress(400, FileState.PAUSED))
        self.assertEqual(self.transfers.text("lobby", ID), "▕████      ▏ 40 %")
        self.assertTrue(self.transfers.paused("lobby", ID))
        self.clock.advance(1000)
        self.transfers.take(progress(400))
        self.clock.advance(1)
        self.transfers.take(progress(500))
        self.assertEqual(self.transfers.text("lobby", ID), "▕█████     ▏ 50 % 100 B/s")

    def test_steps(self) -> None:
        """Each tenth is told once, however small the pieces are."""
        told = [done for done in range(0, 1000, 25) if self.transfers.take(progress(done))]
        self.assertEqual(told, list(range(100, 1000, 100)))

    def test_over(self) -> None:
        """What is there, or has failed, moves no more."""
        for state in (FileState.DONE, FileState.FAILED):
            self.transfers.take(progress(100))
            self.transfers.take(progress(100, state))
            self.assertEqual(self.transfers.text("lobby", ID), "")

    def test_coming(self) -> None:
        """Which come down here; and no more are known than is right."""
        for number in range(MAX_TRANSFERS + 1):
            self.transfers.take(progress(1, message_id=bytes([number]) * 16, direction="down" if number else "up"))
        self.assertEqual(len(self.transfers.coming("lobby")), MAX_TRANSFERS)
        self.assertEqual(self.transfers.coming("plans"), [])

    def test_which(self) -> None:
        """The file is that of the message, which may be on its way still; or is not known."""
        client = FakeClient()
        known = cast(Client, client)
        self.assertIsNone(file_of(known, progress(1)))
        client.there["lobby"].kept = [message(1, file=attachment(name="came"))]
        client.there["lobby"].texts = [WaitingMessage(b"\2" * 16, "", False, None, AT_MS, file=attachment(name="goes"))]
        found = [file_of(known, progress(1, message_id=each)) for each in (ID, b"\2" * 16)]
        self.assertEqual([each.name for each in found if each is not None], ["came", "goes"])
        self.assertIsNone(file_of(known, FileProgress("gone", ID, 1, 2, "up", FileState.MOVING)))
