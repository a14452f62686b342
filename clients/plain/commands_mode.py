"""``--command``: slash commands in order."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from chatserv.client import Client, ClientEvent, Profile, Slash, WaitingMessage, explained, open_client, translate
from chatserv.client.errors import ChatError, LocalFileError, NotMember
from chatserv.client.events import SendAcknowledged, SendFailed, SendHeld
from clients.plain.script import Errand
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import DONE, REFUSED, SERVER_AWAY, Exit, exit_for
from clients.shared.patience import Patience
from clients.shared.trouble_text import held_text

LOOK_SECONDS: Final = 0.02  # between two looks whether what is stored has come: nobody tells who follows nothing


class CommandsMode(Errand):
    """Carries commands out, each when the one before is done and what it sent is in the room. That need not be there."""

    def __init__(
        self, reactor: Any, arguments: Arguments, profile: Profile, make_client: Callable[..., Client] = open_client
    ) -> None:
        super().__init__(reactor, arguments, profile, make_client)
        self._under_way: list[Deferred[int]] = []
        self._line = ""  # that is being carried out
        self._in_time = Patience(reactor, arguments.timeout_seconds, self._took_too_long)
        self._settling: Deferred[None] | None = None
        self._before = 0  # messages that wait from an earlier run
        self._quits = self._busy = self._storing = False
        self._slash = Slash(self._client, arguments.room, sent=self._under_way.append, quit=self._quit)

    async def end(self) -> None:
        """Nothing is waited for any more."""
        self._in_time.end()
        await super().end()

    @property
    def _sending(self) -> bool:
        return self._storing

    def _quit(self) -> None:
        self._quits = True

    async def _work(self) -> None:
        """Everything in order; the first refusal ends the run."""
        self._before = self._client.unacknowledged
        for line in self._arguments.commands:
            if self._quits:
                break
            self._line, self._busy = line, True
            self._in_time.begin()
            try:
                await self._what_is_stored()
                if not self.done.called:
                    await self._carry_out(line)
            except ChatError as error:
                ours = isinstance(error, LocalFileError)
                self.finish(exit_for(error) if ours else Exit(REFUSED, explained(error), clean=True))
                return
            finally:
                self._busy = self._storing = False
                self._in_time.end()
        self.finish(Exit(DONE))

    async def _what_is_stored(self) -> None:
        """Waits until the room has it: the server's answer may come first, and ``-1`` is the last message in the room."""
        while not self.done.called and any(each.state == "stored" for each in self._on_their_way()):
            await deferLater(self._reactor, LOOK_SECONDS)

    def _on_their_way(self) -> list[WaitingMessage]:
        try:
            return self._client.room(self._slash.room).waiting()
        except NotMember:
            return []

    async def _carry_out(self, line: str) -> None:
        for each in await self._slash.run(line):
            self._printing.line(each)
        self._storing = self._client.unacknowledged > self._before
        if self._under_way:
            self._check_held()
        while self._under_way:
            await self._under_way.pop(0)
        if self._client.unacknowledged > self._before:  # what the library sends along, such as a private room's name
            self._settling = Deferred()
            await self._settling

    def _happened(self, event: ClientEvent) -> None:
        match event:
            case SendAcknowledged() | SendFailed():
                self._settle()
            case SendHeld(room, users):
                self._held(room, users)
            case _:
                super()._happened(event)

    def _settle(self) -> None:
        """A message is stored, or will not be."""
        if self._settling is not None and self._client.unacknowledged <= self._before:
            settling, self._settling = self._settling, None
            settling.callback(None)

    def _check_held(self) -> None:
        """What is sent to somebody whose identity has changed would wait for a person, and there is none."""
        try:
            members = self._client.room(self._slash.room).members()
        except NotMember:
            return
        changed = tuple(member.user for member in members if member.trust == "changed")
        if changed:
            self._held(self._slash.room, changed)

    def _held(self, room: str, users: tuple[str, ...]) -> None:
        if self._busy and room == self._slash.room:
            self.finish(Exit(REFUSED, held_text(users), clean=True))

    def _took_too_long(self) -> None:
        text = translate("Not done within {seconds} s: {line}")
        self.finish(Exit(SERVER_AWAY, text.format(seconds=round(self._arguments.timeout_seconds), line=self._line)))
