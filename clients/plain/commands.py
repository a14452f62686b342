"""``--command``: slash commands in order, for scripts."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from chatserv.client import ChatError, Client, LocalFileError, NotMember, Slash, explained, translate
from clients.shared.event_text import held_text
from clients.shared.exit_codes import DONE, REFUSED, SERVER_AWAY, Exit, exit_for


class Orders:
    """Carries commands out, each when the one before is done and what it sent is stored.

    Args:
        client: The client.
        room: The current room at the beginning; it need not be there.
        reactor: Tells the time.
        timeout_seconds: How long one command may take.
        write: Prints a line.
        finish: Ends the run; the first call counts.
    """

    def __init__(
        self,
        client: Client,
        room: str,
        reactor: Any,
        timeout_seconds: float,
        *,
        write: Callable[[str], None],
        finish: Callable[[Exit], None],
    ) -> None:
        self._client, self._reactor, self._timeout_seconds = client, reactor, timeout_seconds
        self._write, self._finish = write, finish
        self._under_way: list[Deferred[int]] = []
        self._patience: Any = None
        self._settling: Deferred[None] | None = None
        self._before = 0  # messages that wait from an earlier run
        self._quit = self._busy = self._storing = False
        self._slash = Slash(client, room, sent=self._under_way.append, quit=self._quits)

    @property
    def sending(self) -> bool:
        """Whether messages of a command are not known to be stored."""
        return self._storing

    def _quits(self) -> None:
        self._quit = True

    async def run(self, lines: Sequence[str]) -> None:
        """Everything in order; the first refusal ends the run."""
        self._before = self._client.unacknowledged
        for line in lines:
            if self._quit:
                break
            self._patience = self._reactor.callLater(self._timeout_seconds, self._give_up, line)
            self._busy = True
            try:
                await self._carry_out(line)
            except ChatError as error:
                ours = isinstance(error, LocalFileError)
                self._finish(exit_for(error) if ours else Exit(REFUSED, explained(error), clean=True))
                return
            finally:
                self._busy = self._storing = False
                self.stop()
        self._finish(Exit(DONE))

    def stop(self) -> None:
        """The run is over: nothing is waited for any more."""
        if self._patience is not None and self._patience.active():
            self._patience.cancel()

    async def _carry_out(self, line: str) -> None:
        for each in await self._slash.run(line):
            self._write(each)
        self._storing = self._client.unacknowledged > self._before
        if self._under_way:
            self._check_held()
        while self._under_way:
            await self._under_way.pop(0)
        if self._client.unacknowledged > self._before:  # what the library sends along, such as a private room's name
            self._settling = Deferred()
            await self._settling

    def settled(self) -> None:
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
            self.held(self._slash.room, changed)

    def held(self, room: str, users: tuple[str, ...]) -> None:
        """Messages to a room wait for a person."""
        if self._busy and room == self._slash.room:
            self._finish(Exit(REFUSED, held_text(users), clean=True))

    def _give_up(self, line: str) -> None:
        text = translate("Not done within {seconds} s: {line}")
        self._finish(Exit(SERVER_AWAY, text.format(seconds=round(self._timeout_seconds), line=line)))
