"""A person at a terminal who wants plain lines, as for a screen reader."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from chatserv.client import (
    Client,
    ClientEvent,
    FileProgress,
    MessageReceived,
    Profile,
    Sent,
    SlashError,
    open_client,
    place,
    shown,
    translate,
)
from clients.plain.mode import Mode
from clients.shared.arguments import Arguments
from clients.shared.notifications import NONE
from clients.shared.questions import unseen
from clients.shared.server_address import with_address
from clients.shared.showing import Showing
from clients.shared.talk import Talk
from clients.shared.transfers import Transfers, file_of


class TalkMode(Mode):
    """Lines go to the current room, or are commands; everything that happens is told."""

    follows = reads = True

    def __init__(
        self, reactor: Any, arguments: Arguments, profile: Profile, make_client: Callable[..., Client] = open_client
    ) -> None:
        super().__init__(reactor, arguments, profile, make_client)
        write, rings = self._printing.line, self._printing.terminal and arguments.notify != NONE
        self._showing = Showing(self._client, lambda: self._talk.slash.room, write, talking=True, bell=rings)
        self._talk = Talk(
            self._client, arguments.room, write=write, say=self.say, sent=self.sent, quit=self.quit, codes=False
        )
        self._talk.slash.ask_secret = self._ask_secret
        self._asking: Deferred[str] | None = None
        self._transfers = Transfers(reactor.seconds)

    def sent(self, stored: "Deferred[int]") -> None:
        """A message is under way, and stands there already."""
        if isinstance(stored, Sent):
            self._showing.typed(stored.message_id)
        super().sent(stored)

    def say(self, line: str) -> None:
        """News."""
        self._showing.say(line)

    def line_refused(self, why: str) -> None:
        """It is told."""
        self.say(why)

    async def _ask_secret(self, question: str) -> str:
        """The next line, which stands nowhere on the screen."""
        if self._asking is not None:
            raise SlashError(translate("Answer the question before this one first."))
        self.say(question)
        self._asking = Deferred()
        with unseen():
            return await self._asking

    def _take(self, line: str) -> None:
        asking, self._asking = self._asking, None
        if asking is None:
            self._talk.line_typed(line)
        else:
            asking.callback(line)

    def _give_up(self) -> None:
        """A person waits for as long as they like."""

    def _online(self, *, first: bool) -> None:
        self._patience.end()
        handle = self._wanted.find()
        if not first:
            said = translate("Connected again.")
        elif handle is None:
            said = self._wanted.missing()
        else:
            said = translate("Connected to {room} as {name}.")
            said = said.format(room=place(handle.name), name=self._client.keyring.user)
        self.say(with_address(said, self._client))
        self._lines.begin()

    def _happened(self, event: ClientEvent) -> None:
        if isinstance(event, FileProgress):
            self._file_moved(event)
        elif not isinstance(event, MessageReceived):
            self._showing.news(event)
        elif not self.done.called and self._showing.message(event):
            self.check_done()

    def _file_moved(self, progress: FileProgress) -> None:
        """A file has gone some way; every tenth of it is a line."""
        if self._transfers.take(progress):
            file = file_of(self._client, progress)
            name = "" if file is None else f"{shown(file.name)} "
            self.say(f"{place(progress.room)}: {name}{self._transfers.text(progress.room, progress.message_id)}")
