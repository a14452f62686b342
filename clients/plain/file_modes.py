"""``--file`` and ``--save``: files to a room, and files from one."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import (
    Client,
    ClientEvent,
    FileInvalid,
    FileProgress,
    MessageReceived,
    Profile,
    clean_line,
    explained,
    open_client,
    shown,
    translate,
)
from chatserv.client.errors import ChatError, LocalFileError
from chatserv.client.events import SendHeld
from clients.plain.follow_mode import FollowMode
from clients.plain.script import RoomScript
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import DONE, NOT_SENT, Exit, exit_for
from clients.shared.startup import tell
from clients.shared.trouble_text import held_text

MAX_WAITING: Final = 1000  # files that are to be saved


def _unfit(path: Path, error: FileInvalid) -> str:
    """Which file it is that cannot be sent, and why: of several, the others do not say."""
    if not os.path.lexists(path):
        return translate("There is no file {file}.").format(file=shown(str(path)))
    return f"{shown(str(path))}: {explained(error)}"


def _end_for(error: ChatError) -> Exit:
    """How to end where a file is refused."""
    return exit_for(error) if isinstance(error, LocalFileError) else Exit(NOT_SENT, explained(error), clean=True)


class FileMode(RoomScript):
    """Sends files, one after the other; all of them are stored, or the run fails. It is patient while something moves."""

    _working = False

    @property
    def _sending(self) -> bool:
        return True

    def _no_room(self) -> Exit:
        return Exit(NOT_SENT, self._wanted.missing(), clean=True)

    def _found(self, *, first: bool) -> None:  # noqa: ARG002 - the room may come later
        self._patience.end()
        self._patience.begin()
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work()).addErrback(self._failed)

    async def _work(self) -> None:
        for path in self._arguments.files:
            handle = self._wanted.find()
            if handle is None:
                self.finish(self._no_room())
                return
            try:
                await handle.send_file(str(path.absolute()))
            except FileInvalid as error:
                self.finish(Exit(NOT_SENT, _unfit(path, error), clean=True))
                return
        self.finish(Exit(DONE))

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        self.finish(_end_for(error) if isinstance(error, ChatError) else exit_for(None))

    def _happened(self, event: ClientEvent) -> None:
        match event:
            case FileProgress():
                self._patience.end()
                self._patience.begin()
            case SendHeld(room, users) if room == self._wanted.name:
                self.finish(Exit(NOT_SENT, held_text(users), clean=True))
            case _:
                super()._happened(event)

    def _give_up(self) -> None:
        if not self._working or not self._connected:
            super()._give_up()
            return
        said = translate("Nothing of the file was taken within {seconds} s.")
        self.finish(Exit(NOT_SENT, said.format(seconds=round(self._arguments.timeout_seconds))))


class SaveMode(FollowMode):
    """Saves the files that others send to the room, in order, and prints where; until there were enough."""

    def __init__(
        self, reactor: Any, arguments: Arguments, profile: Profile, make_client: Callable[..., Client] = open_client
    ) -> None:
        super().__init__(reactor, arguments, profile, make_client)
        self._files: list[MessageReceived] = []
        self._saving = False

    def _show(self, message: MessageReceived) -> None:
        if self.done.called or message.file is None or message.own or message.room != self._wanted.name:
            return
        if len(self._files) >= MAX_WAITING:
            tell(translate("Too many files are waiting; this one was not saved: {file}").format(file=message.file.name))
            return
        self._files.append(message)
        if not self._saving:
            self._saving = True
            Deferred.fromCoroutine(self._save_all()).addErrback(self._failed)

    async def _save_all(self) -> None:
        while self._files and not self.done.called:
            message = self._files.pop(0)
            path = await self._client.room(message.room).save_file(message.message_id, str(self._arguments.save))
            self._printing.line(clean_line(path))
            self._shown += 1
            self.check_done()
        self._saving = False

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        self.finish(_end_for(error) if isinstance(error, ChatError) else exit_for(None))
