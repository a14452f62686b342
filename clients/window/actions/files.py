"""What a person asks for about files: sending, saving, showing, stopping."""

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from chatserv.client import (
    Attachment,
    ChatError,
    FileState,
    MessageReceived,
    Preview,
    RoomHandle,
    WaitingMessage,
    downloads,
    file_text,
    limits_text,
    shown,
    size_text,
    translate,
)
from clients.shared.file_kinds import may_be_opened
from clients.window.actions.clipboard import clipboard_file
from clients.window.actions.doing import Doing
from clients.window.actions.messages import MessageActions
from clients.window.actions.opening import find_opener, hand_over
from clients.window.actions.private_folder import PrivateFolder, read_file, read_head
from clients.window.dialogs.dialog import Field, Form, confirm
from clients.window.dialogs.file_choice import FileChoice
from clients.window.dialogs.picture import show_picture
from clients.window.timeline.entries import RESULT


class FileActions:
    """Files of the room on the screen; whoever is asked something keeps the room's handle meanwhile.

    Args:
        doing: Does it.
        messages: Knows which message is marked.
        in_thread: Runs what waits for the disk.
    """

    def __init__(self, doing: Doing, messages: MessageActions, in_thread: Callable[..., Any] = deferToThread) -> None:
        self._doing, self._messages, self._in_thread = doing, messages, in_thread
        self._context = doing.context
        self._folder = PrivateFolder()
        self._last: Path | None = None  # where the last file was chosen

    def stop(self) -> None:
        """The program ends: what was saved to be shown goes."""
        self._context.decoder.stop()
        self._folder.remove()

    # -- sending -------------------------------------------------------------------------------------------------------

    def choose(self) -> None:
        """Asks which file is to be sent."""
        here = self._context.here()
        if here is None or self._context.client is None:
            self._doing.tell_not_done(translate("Not connected."))
            return

        def chosen(path: Path) -> str | None:
            wrong = self._wrong(path)
            if not wrong:
                self._last = path.parent
                self._context.reactor.callLater(0, self.offer, here, path)
            return wrong or None

        begin = self._last or Path.home()
        FileChoice(self._context.root, translate("Send a file"), translate("Choose"), begin, chosen).ask()

    def _wrong(self, path: Path) -> str:
        """Why a file is not sent; empty where nothing is known against it."""
        client = self._context.client
        if client is None:
            return translate("Not connected.")
        limits = client.file_limits
        if not limits.size:
            return translate("This server takes no files.")
        try:
            size = path.stat().st_size
        except (OSError, ValueError):
            return translate("There is no such file.")
        if size > limits.size:
            said = translate("{file} has {size}: too much for this server.")
            return f"{said.format(file=shown(path.name), size=size_text(size))} {limits_text(limits)}"
        return ""

    def offer(self, here: RoomHandle, path: Path, after: Callable[[], object] = lambda: None) -> None:
        """Shows what would be sent, how long the server keeps it, and asks for words beside it. ``after``: it was sealed."""
        client, wrong = self._context.client, self._wrong(path)
        if wrong or client is None:
            self._doing.tell_not_done(wrong)
            return

        def go(values: list[str]) -> None:
            self._doing.run(self._send(here, path, values[0].strip(), after))

        about = f"{shown(path.name)} ({size_text(path.stat().st_size)})\n\n{limits_text(client.file_limits)}"
        fields = [Field(translate("Words beside it"))]
        Form(self._context.root, translate("Send a file"), about, fields, translate("Send"), go).ask()

    async def _send(self, here: RoomHandle, path: Path, words: str, after: Callable[[], object]) -> None:
        preview = await self._preview(path)
        self._doing.sent(lambda: here.send_file(str(path), words, preview=preview).addBoth(_then(after)))
        self._doing.presenter.waiting_changed = True
        self._doing.presenter.chat.ask()

    async def _preview(self, path: Path) -> Preview | None:
        """A small picture of a picture; of others nothing."""
        data = await self._in_thread(read_file, path)
        found = await self._context.decoder.preview(data)
        return None if found is None else Preview(found.width, found.height, found.data)

    def paste(self) -> bool:
        """Takes a file, or a picture, from the clipboard; says whether there was one."""
        here, found = self._context.here(), clipboard_file(self._context.root, self._folder)
        if found is None or here is None:
            return False
        path, ours = found
        self.offer(here, path, (lambda: self._folder.forget(path)) if ours else lambda: None)
        return True

    # -- of the marked message -----------------------------------------------------------------------------------------

    def act(self, what: str) -> bool:
        """Something is wanted of the marked message's file; says whether it is about one at all."""
        message = self._messages.chosen_waiting or self._messages.chosen
        here = self._context.here()
        if message is None or message.file is None or here is None:
            return False
        if what == "pause":
            self._pause(here, message, message.file)
        elif isinstance(message, WaitingMessage) or what not in {"save", "open", "view"}:
            return False
        elif what == "save":
            self._save(here, message)
        elif what == "open":
            self._ask_to_open(here, message, message.file)
        else:
            self._doing.run(self._view(here, message, message.file))
        return True

    def _pause(self, here: RoomHandle, message: MessageReceived | WaitingMessage, file: Attachment) -> None:
        stands = self._context.transfers.paused(here.name, message.message_id) or file.state == FileState.PAUSED
        try:
            (here.resume_file if stands else here.pause_file)(message.message_id)
        except ChatError as error:
            self._doing.refuse(error)

    def _save(self, here: RoomHandle, message: MessageReceived) -> None:
        def chosen(folder: Path) -> str | None:
            if not folder.is_dir():
                return translate("There is no such folder.")
            self._doing.run(self._save_to(here, message, folder))
            return None

        title = translate("Save the file")
        FileChoice(self._context.root, title, translate("Save here"), downloads(), chosen, folders=True).ask()

    async def _save_to(self, here: RoomHandle, message: MessageReceived, folder: Path) -> None:
        path = await here.save_file(message.message_id, str(folder))
        self._doing.presenter.say(translate("Saved: {file}").format(file=shown(path)), style=RESULT)

    def _ask_to_open(self, here: RoomHandle, message: MessageReceived, file: Attachment) -> None:
        opener = find_opener()
        if not opener or not may_be_opened(file.name, b""):
            self._doing.tell_not_done(_only_saved())
            return
        said = translate("Open {file} from {user} in the program that this system has for it?")
        confirm(
            self._context.root, translate("Open"), said.format(file=file_text(file), user=shown(message.sender)),
            translate("Open"), lambda: self._doing.run(self._open(here, message, opener)),
        )  # fmt: skip

    async def _open(self, here: RoomHandle, message: MessageReceived, opener: list[str]) -> None:
        path = Path(await here.save_file(message.message_id, str(self._folder.new())))
        if not may_be_opened(path.name, await self._in_thread(read_head, path)):
            self._folder.forget(path)
            self._doing.tell_not_done(_only_saved())
        elif not hand_over(str(path), opener):
            self._doing.tell_not_done(translate("No program of this system took the file."))

    async def _view(self, here: RoomHandle, message: MessageReceived, file: Attachment) -> None:
        """Shows a picture as large as the window has place for it."""
        path = Path(await here.save_file(message.message_id, str(self._folder.new())))
        data = await self._in_thread(read_file, path)
        self._folder.forget(path)
        root = self._context.root
        most = (max(root.winfo_width() - 80, 100), max(root.winfo_height() - 160, 100))
        pixels = await self._context.decoder.show(data, *most)
        if pixels is None:
            self._doing.tell_not_done(translate("This picture cannot be shown here: it can be saved."))
        else:
            show_picture(root, file_text(file), tk.PhotoImage(master=root, data=pixels.ppm, format="ppm"))


def _then(after: Callable[[], object]) -> Callable[[Any], Any]:
    def passed(result: Any) -> Any:
        after()
        return result

    return passed


def _only_saved() -> str:
    return translate("Files of this kind are only saved: a program that opens them might run what is in them.")
