"""Slash commands about files: what is refused, what is completed, and how files look on a line."""

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.file_events import FileLimits
from chatserv.client.outbound.pending import WaitingMessage
from chatserv.client.slash import files
from chatserv.client.slash.file_text import file_text, kind_text, progress_text, size_text
from chatserv.client.slash.formatting import message_line, quotation
from tests.client.file_fakes import attachment
from tests.client.slash.test_dispatcher import SlashTestCase
from tests.client.slash_fakes import AT_MS, message
from tests.clients.shared.test_event_text import HOSTILE


class FileCommandTests(SlashTestCase):
    """``/file``, ``/save`` and ``/pause`` in the lobby."""

    def setUp(self) -> None:
        """A directory with a few files."""
        super().setUp()
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        for name in ("report.pdf", "two words.txt", ".hidden", 'a"quote'):
            (self.directory / name).write_bytes(bytes(411))
        (self.directory / "folder").mkdir()
        self.lobby = self.client.there["lobby"]

    def assert_refused(self, line: str, words: str) -> None:
        """Nothing is sent, and it is said why."""
        self.assertIn(words, self.refusal(line))
        self.assertEqual(self.client.calls, [])

    def test_quotes(self) -> None:
        """A path with spaces stands in quotes; what is behind it is said beside the file."""
        self.run_line(f'/file "{self.directory}/two words.txt" as you  asked')
        self.assertEqual(
            self.client.calls, [("lobby", "send_file", f"{self.directory}/two words.txt", "as you  asked")]
        )

    def test_refused(self) -> None:
        """What is not there, is too large, or is sent to a server that takes no files."""
        self.assert_refused(f"/file {self.directory}/missing", "There is no file")
        self.assert_refused("/file ~nobody-of-this-name/x", "No file can be called like that")
        self.assert_refused("/file", "/file PATH [TEXT]")
        self.client.file_limits = FileLimits(410, 30)
        self.assert_refused(
            f"/file {self.directory}/report.pdf", "report.pdf has 411 B: too much for this server. Files"
        )
        self.client.file_limits = FileLimits(0, 0)
        self.assert_refused(f"/file {self.directory}/report.pdf", "takes no files")

    def test_save(self) -> None:
        """Where nobody says otherwise, into the folder for downloads; a message without a file is told."""
        self.lobby.kept = [message(1), message(2, file=attachment(2))]
        self.patch(files, "downloads", lambda: self.directory)
        self.assert_refused("/save 1", "Message 1 brings no file")
        self.assert_refused("/save 7", "no message 7")
        self.assert_refused(f"/save 2 {self.directory}/missing", "missing: no such directory")
        self.run_line("/save 2")
        self.run_line("/save -1 ~")
        (self.directory / "a b").mkdir()
        self.run_line(f"/save 2 {self.directory}/a b")
        self.assertEqual(
            self.client.calls,
            [
                ("lobby", "save_file", b"\2" * 16, str(where))
                for where in (self.directory, Path.home(), self.directory / "a b")
            ],
        )

    def test_pause(self) -> None:
        """All that moves here stops, and goes on by the same word; where nothing moves it is said."""
        self.assert_refused("/pause", "No file is on its way")
        coming = message(2, file=attachment(2, state="moving"))
        going = WaitingMessage(b"\1" * 16, "", False, None, AT_MS, file=attachment(1, state="moving"))
        self.lobby.kept, self.lobby.texts = [message(1), coming], [going]
        self.assertEqual(len(self.run_line("/pause")), 2)
        self.lobby.kept = [replace(coming, file=attachment(2, state="paused"))]
        self.lobby.texts = [replace(going, file=attachment(1, state="paused"))]
        self.assertIn("Going on: report.pdf", "\n".join(self.run_line("/pause")))
        self.assertEqual(
            self.client.calls,
            [("lobby", f"{what}_file", bytes([each]) * 16) for what in ("pause", "resume") for each in (1, 2)],
        )

    def test_discard(self) -> None:
        """A file that was stopped on its way out is given up; one that moves is not, nor one that comes."""
        going = WaitingMessage(b"\1" * 16, "", False, None, AT_MS, file=attachment(1, state="moving"))
        self.lobby.texts = [going]
        self.lobby.kept = [message(2, file=attachment(2, state="paused"))]
        self.assert_refused("/discard", "no file that was sent here is paused")
        self.lobby.texts = [replace(going, file=attachment(1, state="paused"))]
        self.run_line("/discard")
        self.assertEqual([("lobby", "discard", b"\1" * 16)], self.client.calls)

    def test_completion(self) -> None:
        """Paths are completed, in quotes where they have spaces; folders go on; hidden files only where begun so."""
        at = self.directory
        self.assertEqual(
            self.slash.complete(f"/file {at}/"),
            [f"/file {at}/folder/", f"/file {at}/report.pdf ", f'/file "{at}/two words.txt" '],
        )
        self.assertEqual(self.slash.complete(f"/file {at}/.h"), [f"/file {at}/.hidden "])
        self.assertEqual(self.slash.complete(f'/file "{at}/two w'), [f'/file "{at}/two words.txt" '])
        self.assertEqual(self.slash.complete(f'/file "{at}/r'), [f'/file "{at}/report.pdf" '])
        self.assertEqual(self.slash.complete(f"/file {at}/report.pdf t"), [])
        self.assertEqual(self.slash.complete(f'/file "{at}/two words.txt" t'), [])
        self.assertEqual(self.slash.complete("/file ~nobody-of-this-name/"), [])
        self.assertEqual(self.slash.complete(f"/save 2 {at}/"), [f"/save 2 {at}/folder/"])


class TextTests(SynchronousTestCase):
    """How files look."""

    def test_sizes(self) -> None:
        """Bytes, then powers of a thousand, with one digit behind the point below ten."""
        cases = {
            0: "0 B",
            999: "999 B",
            1000: "1.0 kB",
            2_100_000: "2.1 MB",
            9_960_000: "10 MB",
            411 * 10**12: "411 TB",
        }
        self.assertEqual({size: size_text(size) for size in cases}, cases)

    def test_kinds(self) -> None:
        """By the end of the name, else by the type; nothing that is long or strange."""
        for name, mime, kind in (
            ("a.tar.gz", "", "GZ"), ("README", "text/plain", "plain"), ("x.", "", ""), ("a.longer-than-that", "a/b c", ""),
            (".pdf", "image/svg", "svg"), ("a.\u202epdf", "x" * 100, ""),
        ):  # fmt: skip
            self.assertEqual(kind_text(attachment(name=name, mime=mime)), kind, name)

    def test_lines(self) -> None:
        """Name, size and kind, then what is said beside it; one line whatever the sender has chosen."""
        picture = attachment(name="cat.png", width=640, height=480)
        self.assertEqual(file_text(picture), "cat.png (2.1 MB, PNG, 640x480)")
        self.assertTrue(
            message_line(message(1, "look", file=picture)).endswith("<bob> cat.png (2.1 MB, PNG, 640x480) look")
        )
        self.assertTrue(message_line(message(1, "", file=picture)).endswith("640x480)"))
        self.assertEqual(quotation(message(1, "", file=attachment())), "bob: report.pdf (2.1 MB, PDF)")
        self.assertTrue(message_line(message(1, None, file=attachment(), deleted=True)).endswith("(deleted)"))
        for text in HOSTILE.values():
            line = file_text(attachment(name=text, mime=text))
            self.assertNotRegex(line, r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

    def test_progress(self) -> None:
        """A bar of ten places in eighths, per cent, and the speed where there is one."""
        self.assertEqual(progress_text(0, 100), "▕          ▏ 0 %")
        self.assertEqual(progress_text(41, 100, 3_200_000), "▕████      ▏ 41 % 3.2 MB/s")
        self.assertEqual(progress_text(43, 100), "▕████▎     ▏ 43 %")
        self.assertEqual(progress_text(200, 100), "▕██████████▏ 100 %")
        self.assertEqual(progress_text(0, 0), "▕██████████▏ 100 %")
