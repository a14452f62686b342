"""Files in the window: sent, shown, saved and opened, with a client that is none."""

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed

from chatserv.client import FileProgress, FileState, WaitingMessage
from chatserv.client.events import SendQueued
from chatserv.client.file_events import FileLimits, Preview
from clients.window.pictures.decoder import Pixels
from tests.client.file_fakes import attachment
from tests.client.slash_fakes import AT_MS, message
from tests.clients.window.pictures.drawn import coloured, png
from tests.clients.window.test_application import ApplicationTestCase

PICTURE = png(8, 4, 2, 8, coloured)


class FakeDecoder:
    """Reads nothing, and says that every picture is of one colour."""

    def __init__(self, _reactor: Any = None) -> None:
        self.read: list[tuple[str, bytes]] = []
        self.broken = False

    def _pixels(self, what: str, data: bytes, pixels: Pixels) -> "Deferred[Pixels | None]":
        self.read.append((what, data))
        return succeed(None if self.broken or not data else pixels)

    def show(self, data: bytes, _width: int, _height: int) -> "Deferred[Pixels | None]":
        """Two pixels."""
        return self._pixels("show", data, Pixels(8, 4, 2, 1, bytes(6)))

    def preview(self, data: bytes) -> "Deferred[Pixels | None]":
        """A PNG."""
        return self._pixels("preview", data, Pixels(8, 4, 2, 1, b"PNG"))

    def stop(self) -> None:
        """The end."""


class FileTests(ApplicationTestCase):
    """A window that is connected, and a folder with a few files."""

    def setUp(self) -> None:
        """No child, no thread."""
        from clients.window import application

        self.patch(application, "PictureDecoder", FakeDecoder)
        super().setUp()
        self.decoder = cast(FakeDecoder, self.context.decoder)
        self.files = self.application.actions.files
        self.files._in_thread = lambda work, *given: succeed(work(*given))
        self.online()
        self.client.calls.clear()
        self.directory = Path(self.mktemp()).absolute()
        (self.directory / "folder").mkdir(parents=True)
        for name, data in (("report.pdf", b"%PDF" + bytes(407)), ("cat.png", PICTURE), ("run.sh", b"#!/bin/sh\n")):
            (self.directory / name).write_bytes(data)

    def choose(self, path: Path) -> None:
        """Types a path into the newest dialog, and takes it."""
        (entry,) = self.parts("TEntry")
        entry.delete(0, "end")
        entry.insert(0, str(path))

    def send(self, name: str, words: str) -> None:
        """All of the way from the button to the last dialog."""
        self.context.layout.entry.attach.invoke()
        self.choose(self.directory / name)
        self.press("Choose")
        self.pass_time()
        (entry,) = self.parts("TEntry")
        entry.insert(0, words)
        self.press("Send")
        self.pass_time()

    def came(self, name: str = "report.pdf", text: str = "", number: int = 5, **fields: Any) -> None:
        """A message brings a file, and is marked."""
        found = message(number, text, file=attachment(number, name=name, **fields))
        self.room().kept.append(found)
        self.tell(found)
        self.mark()

    def mark(self) -> None:
        """The last line is the one that is meant."""
        self.context.layout.chat.focus_in()
        self.context.layout.chat._end_of(1)
        self.update()

    def saves(self, data: bytes, name: str) -> None:
        """What saving a file of the lobby writes."""

        async def save(message_id: bytes, directory: str) -> str:
            self.client.calls.append(("save", message_id, directory))
            path = Path(directory) / name
            path.write_bytes(data)
            return str(path)

        self.patch(self.room(), "save_file", save)

    # -- sending -------------------------------------------------------------------------------------------------------

    def test_send(self) -> None:
        """The button asks for a file, then shows its size and how long the server keeps it, and takes words."""
        self.context.layout.entry.attach.invoke()
        self.assertEqual(self.dialog_title, "Send a file")
        self.choose(self.directory)
        self.press("Choose")
        (tree,) = self.parts("Treeview")
        shown = [tree.item(row, "text") for row in tree.get_children()]
        self.assertEqual(shown, ["../", "folder/", "cat.png", "report.pdf", "run.sh"])
        self.choose(self.directory / "report.pdf")
        self.press("Choose")
        self.pass_time()
        self.assertIn("report.pdf (411 B)", self.dialog_text)
        self.assertIn("up to 100 MB are taken here, and kept by the server for 30 days", self.dialog_text)
        (entry,) = self.parts("TEntry")
        entry.insert(0, "the report")
        self.press("Send")
        path = str(self.directory / "report.pdf")
        self.assertEqual(self.client.calls, [("lobby", "send_file", path, "the report")])
        self.assertEqual(self.decoder.read, [("preview", b"")])

    def test_preview(self) -> None:
        """A picture is sent with a small one, which the child makes."""
        self.send("cat.png", "")
        path = str(self.directory / "cat.png")
        self.assertEqual(self.client.calls, [("lobby", "send_file", path, "", Preview(8, 4, b"PNG"))])
        self.assertEqual(self.decoder.read, [("preview", PICTURE)])

    def test_no_preview(self) -> None:
        """Without one where the child gives none, and of what is no regular file nothing is read."""
        self.decoder.broken = True
        self.send("cat.png", "look")
        self.assertEqual(self.client.calls, [("lobby", "send_file", str(self.directory / "cat.png"), "look")])
        from clients.window.actions.private_folder import read_file

        os.mkfifo(self.directory / "pipe")
        (self.directory / "link").symlink_to(self.directory / "cat.png")
        self.assertEqual([read_file(self.directory / each) for each in ("pipe", "link", "none", "run.sh")], [b""] * 4)

    def test_refused(self) -> None:
        """What is not there, or too large, is said in the dialog; a server without files takes none."""
        self.context.layout.entry.attach.invoke()
        self.choose(self.directory / "missing")
        self.press("Choose")
        self.assertIn("There is no such file", self.dialog_text)
        self.client.file_limits = FileLimits(400, 30)
        self.choose(self.directory / "report.pdf")
        self.press("Choose")
        self.assertIn("report.pdf has 411 B: too much for this server", self.dialog_text)
        self.client.file_limits = FileLimits(0, 0)
        self.press("Choose")
        self.assertIn("takes no files", self.dialog_text)
        self.press("Cancel")
        self.assertEqual(self.client.calls, [])

    def clipboard(self, **kinds: bytes | str) -> None:
        """What another program has copied."""
        for kind, data in kinds.items():
            name = {"uris": "text/uri-list", "picture": "image/png", "gnome": "x-special/gnome-copied-files"}[kind]
            self.root.selection_handle(lambda *_, data=data: data, selection="CLIPBOARD", type=name)
        self.root.selection_own(selection="CLIPBOARD")

    def test_pasted_file(self) -> None:
        """A file that was copied is offered in place of its name; what is no file here is text."""
        self.clipboard(uris=f"file://{self.directory}/report.pdf\r\nfile:///other\r\n")
        self.context.layout.entry.field.event_generate("<<Paste>>")
        self.assertIn("report.pdf (411 B)", self.dialog_text)
        self.press("Cancel")
        self.assertEqual(self.context.layout.entry.text, "")
        for uris in (
            "https://example.org/report.pdf",
            f"file://elsewhere{self.directory}/report.pdf",
            "file:///none",
            "",
        ):
            self.clipboard(uris=uris)
            self.assertFalse(self.files.paste(), uris)

    def test_pasted_picture(self) -> None:
        """A picture becomes a file that nobody else can read, and that goes once it was sent."""
        self.clipboard(picture=" ".join(f"0x{byte:02x}" for byte in PICTURE))
        self.assertTrue(self.files.paste())
        stored: Deferred[int] = Deferred()
        self.client.stored = stored
        self.press("Send")
        ((_room, _what, path, *_rest),) = self.client.calls
        self.assertEqual(Path(path).read_bytes(), PICTURE)
        self.assertEqual(stat.S_IMODE(Path(path).parent.stat().st_mode), 0o700)
        stored.callback(1)
        self.assertFalse(Path(path).exists())

    # -- what came -----------------------------------------------------------------------------------------------------

    def test_shown(self) -> None:
        """What it is, what can be done, and its small picture, which the child has read."""
        self.came("cat.png", "look", preview=PICTURE, width=8, height=4)
        self.assertIn("cat.png (2.1 MB, PNG, 8x4)", self.chat)
        self.assertIn("Save…  Open", self.chat)
        self.assertTrue(self.chat.rstrip().endswith("look"))
        self.assertEqual(self.decoder.read, [("show", PICTURE)])
        text = self.context.layout.chat.text
        self.assertEqual(len(text.image_names()), 1)
        self.came("dog.png", number=6, preview=PICTURE)
        self.assertEqual((len(text.image_names()), len(self.decoder.read)), (2, 1))
        self.context.layout.chat._copy()
        self.assertTrue(self.root.clipboard_get().endswith("<bob> dog.png (2.1 MB, PNG)"), self.root.clipboard_get())

    def test_broken_preview(self) -> None:
        """What the child does not read leaves no trace."""
        self.decoder.broken = True
        self.came("cat.png", preview=b"no picture")
        self.assertEqual(self.context.layout.chat.text.image_names() or (), ())
        self.assertNotIn("\ufffc", self.chat)

    def test_save(self) -> None:
        """Into a folder that is asked for; where it is then is told."""
        self.came()
        self.saves(b"%PDF", "report.pdf")
        self.context.layout.chat._acting("save")(cast(Any, type("Event", (), {"char": "s"})()))
        self.assertEqual(self.dialog_title, "Save the file")
        self.choose(self.directory)
        self.press("Save here")
        if self.dialog() is not None:  # it was not that folder that was shown
            self.press("Save here")
        self.pass_time()
        self.assertEqual(self.client.calls, [("save", b"\5" * 16, str(self.directory))])
        self.assertIn(f"Saved: {self.directory}/report.pdf", self.chat)

    def test_open(self) -> None:
        """After a question, by the system's program, from a folder of our own; what might run is only saved."""
        from clients.window.actions import files

        handed: list[str] = []
        self.patch(files, "find_opener", lambda: ["/usr/bin/xdg-open"])
        self.patch(files, "hand_over", lambda path, _opener: not handed.append(path))  # type: ignore[func-returns-value]
        self.came()
        self.saves(b"%PDF", "report.pdf")
        self.files.act("open")
        self.assertIn("Open report.pdf (2.1 MB, PDF) from bob", self.dialog_text)
        self.press("Open")
        (path,) = handed
        self.assertEqual(stat.S_IMODE(Path(path).parent.stat().st_mode), 0o700)
        self.files.stop()
        self.assertFalse(Path(path).exists())
        self.saves(b"#!/bin/sh", "report.pdf")
        self.files.act("open")
        self.press("Open")
        self.assertIn("only saved", self.dialog_text)
        self.press("OK")
        for number, name in enumerate(
            ("run.sh", "page.html", "x.desktop", "x.svg", "setup.exe", "noend", "x.PDF.jar"), 6
        ):
            self.came(name, number=number)
            self.files.act("open")
            self.assertIn("only saved", self.dialog_text, name)
            self.press("OK")
        self.assertEqual(len(handed), 1)

    def test_view(self) -> None:
        """A picture is shown as large as there is place, and its file goes again."""
        self.came("cat.png", preview=PICTURE)
        self.saves(PICTURE, "cat.png")
        self.files.act("view")
        self.assertEqual(self.dialog_title, "Picture")
        self.assertIn("cat.png", self.dialog_text)
        ((_what, _id, directory),) = self.client.calls
        self.assertFalse(Path(directory).exists())
        self.decoder.broken = True
        self.files.act("view")
        self.assertIn("cannot be shown", self.dialog_text)

    def test_progress(self) -> None:
        """A bar in the message, in either direction; it can be stopped there, and goes on."""
        self.came()
        self.tell(FileProgress("lobby", b"\5" * 16, 840_000, 2_100_000, "down", FileState.MOVING))
        self.assertIn("▕████      ▏ 40 %  Pause", self.chat)
        self.mark()
        self.files.act("pause")
        self.tell(FileProgress("lobby", b"\5" * 16, 840_000, 2_100_000, "down", FileState.PAUSED))
        self.assertIn("40 %  Go on", self.chat)
        self.mark()
        self.files.act("pause")
        self.assertEqual(self.client.calls, [("lobby", "pause_file", b"\5" * 16), ("lobby", "resume_file", b"\5" * 16)])
        self.tell(FileProgress("lobby", b"\5" * 16, 2_100_000, 2_100_000, "down", FileState.DONE))
        self.assertIn("Save…", self.chat)
        going = WaitingMessage(
            b"\6" * 16, "here", False, None, AT_MS, file=attachment(6, state=FileState.MOVING), done=1_050_000
        )
        self.room().texts = [going]
        self.tell(SendQueued("lobby", b"\6" * 16, "here", AT_MS))
        self.assertIn("▕█████     ▏ 50 %  Pause\there …", self.chat)
        self.tell(FileProgress("lobby", b"\6" * 16, 1_680_000, 2_100_000, "up", FileState.MOVING))
        self.assertIn("▕████████  ▏ 80 %", self.chat)

    def test_menu(self) -> None:
        """The message's menu has what can be done with its file."""
        self.came("cat.png", preview=PICTURE)
        lines = self.menu(self.application.menus.of_message.fill)
        for label in ("Send a file…", "Save…", "Open…", "View the picture", "Pause, or go on"):
            self.assertEqual(lines[label], "normal", label)
        other = replace(message(6, "no file"), seq=6)
        self.room().kept.append(other)
        self.tell(other)
        self.mark()
        self.assertNotIn("Save…", self.menu(self.application.menus.of_message.fill))
        self.assertFalse(self.files.act("save"))
