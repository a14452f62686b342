"""``chatserv-client --file`` and ``--save``, without a server."""

from pathlib import Path

from twisted.internet.defer import Deferred, fail

from chatserv.client import FileDamaged, FileInvalid, FileProgress, FileState, Status, StatusChanged
from chatserv.client.events import SendHeld
from tests.client.file_fakes import attachment
from tests.client.slash_fakes import message
from tests.clients.program_fakes import ProgramTestCase


def moved(done: int) -> FileProgress:
    """A file has moved."""
    return FileProgress("lobby", b"i" * 16, done, 100, "up", FileState.MOVING)


class FileTests(ProgramTestCase):
    """``--file``."""

    def test_stored(self) -> None:
        """It ends with 0 when all are stored, in order."""
        self.program("--file", "a.pdf", "--file", "/tmp/b", online=False)
        stored: Deferred[int] = Deferred()
        self.client.stored = stored
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual(self.client.calls, [("lobby", "send_file", str(Path("a.pdf").absolute()), "")])
        self.client.stored = None
        stored.callback(1)
        self.assertEqual(self.client.calls[1:], [("lobby", "send_file", "/tmp/b", "")])
        self.assert_ended(0)

    def test_refused(self) -> None:
        """What is not sent ends it with 1, and with its name and the reason."""
        directory = self.mktemp()
        Path(directory).mkdir()
        self.program("--file", directory, online=False)
        self.client.stored = fail(FileInvalid())
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_ended(1, f"{directory}: This is no file that can be sent: only regular files")
        self.assertIn(("forget",), self.client.calls)

    def test_missing(self) -> None:
        """A file that is not there ends it with 1, and is named."""
        self.program("--file", "nowhere.pdf", online=False)
        self.client.stored = fail(FileInvalid())
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_ended(1, "There is no file nowhere.pdf.")

    def test_no_room(self) -> None:
        """A room that is not ours is waited for, and then named."""
        self.program("--file", "a.pdf", "--room", "late", "--timeout", "5")
        self.reactor.advance(6)
        self.assert_ended(1, "not in a room #late")

    def test_patience(self) -> None:
        """While something moves it goes on; when nothing has moved for too long it ends with 1."""
        self.program("--file", "a.pdf", "--timeout", "5", online=False)
        self.client.stored = Deferred()
        self.client.tell(StatusChanged(Status.ONLINE))
        for done in range(5):
            self.reactor.advance(4)
            self.client.tell(moved(done))
        self.assert_runs()
        self.reactor.advance(6)
        self.assert_ended(1, "Nothing of the file was taken within 5 s")

    def test_held(self) -> None:
        """Nobody is there to look at an identity that has changed."""
        self.program("--file", "a.pdf", online=False)
        self.client.stored = Deferred()
        self.client.tell(StatusChanged(Status.ONLINE))
        self.client.tell(SendHeld("lobby", ("bob",)))
        self.assert_ended(1, "bob")

    def test_alone(self) -> None:
        """They stand alone."""
        for more in (("--send",), ("--follow",), ("--command", "/who"), ("--save", "x"), ("--export", "x")):
            with self.assertRaises(SystemExit) as raised:
                self.program("--file", "a.pdf", *more)
            self.assertEqual(raised.exception.code, 2, more)


class SaveTests(ProgramTestCase):
    """``--save``."""

    def test_saved(self) -> None:
        """Files of others in this room are saved in order, each is printed, and after so many it ends with 0."""
        self.program("--save", "/tmp/kept", "--count", "2")
        self.assertTrue(self.client.options["follow"])
        self.assertEqual(self.client.options["name"], "save")
        self.client.tell(message(1, "no file"))
        self.client.tell(message(2, file=attachment(2), room="plans"))
        self.client.tell(message(3, sender="alice", file=attachment(3)))
        for number in (4, 5, 6):
            self.client.tell(message(number, file=attachment(number)))
        self.assertEqual(
            self.client.calls, [("lobby", "save_file", bytes([each]) * 16, "/tmp/kept") for each in (4, 5)]
        )
        self.assertEqual(self.lines, ["/tmp/kept/report.pdf"] * 2)
        self.assert_ended(0)

    def test_damaged(self) -> None:
        """A file that is not what its sender said ends it with 1."""
        self.program("--save", "/tmp/kept")
        self.client.there["lobby"].refusal = FileDamaged()
        self.client.tell(message(1, file=attachment(1)))
        self.assert_ended(1, "Nothing was saved")
        self.assertEqual(self.lines, [])
