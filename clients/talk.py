"""A person who talks: lines become messages of the current room, or commands."""

from collections import deque
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client import ChatError, Client, RoomHandle, Slash, explained, translate

MAX_WAITING: Final = 1000  # lines that were typed while a command goes to another room


class Talk:
    """Takes lines one after the other.

    While a command that goes to another room is under way, lines wait, so that none ends up in the room before.

    Args:
        client: The client.
        room: Where the talk begins.
        write: Prints a line.
        say: Prints a line of news.
        sent: Gets what fires when a message is stored.
        quit: What ``/quit`` does.
        codes: Whether QR codes are drawn.
    """

    def __init__(
        self,
        client: Client,
        room: str,
        *,
        write: Callable[[str], None],
        say: Callable[[str], None],
        sent: Callable[["Deferred[int]"], object],
        quit: Callable[[], None],  # noqa: A002 - the command's name
        codes: bool = True,
    ) -> None:
        self._write, self._say, self._quit = write, say, quit
        self._waiting: deque[str] = deque()
        self._working = False
        self.slash = Slash(client, room, sent=sent, quit=quit, codes=codes)

    @property
    def waits(self) -> bool:
        """Whether lines wait for a command that may lead to another room."""
        return self.slash.switching or bool(self._waiting)

    def go(self, handle: RoomHandle) -> None:
        """Goes to a room; behind what waits, so that no line ends up in a room that it was not typed for."""
        if self.waits:
            self.line_typed(f"/room {handle.name if handle.direct else f'#{handle.name}'}")
        else:
            self.slash.go(handle)

    def line_typed(self, line: str) -> None:
        """A line to send or to obey. ``/quit`` waits for nothing."""
        if line.rstrip() in {"/quit", "/exit"}:
            self._quit()
        elif len(self._waiting) >= MAX_WAITING:
            self._say(translate("Too many lines wait; this one is dropped."))
        else:
            self._waiting.append(line)
            self._work()

    def _work(self) -> None:
        if self._working:
            return
        self._working = True
        try:
            while self._waiting and not self.slash.switching:
                Deferred.fromCoroutine(self._carry_out(self._waiting.popleft()))
        finally:
            self._working = False

    async def _carry_out(self, line: str) -> None:
        try:
            lines = await self.slash.run(line)
        except ChatError as error:
            text = not line.startswith("/") or line.startswith("//")
            self._say(f"{translate('Not sent:')} {explained(error)}" if text else explained(error))
        else:
            self.answer(lines)
        self._work()

    def answer(self, lines: list[str]) -> None:
        """Shows what a line has led to."""
        for each in lines:
            self._write(each)
