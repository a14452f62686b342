"""A person who talks: lines become messages of the current room, or commands."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client import ChatError, Client, RoomHandle, Slash, SlashError, explained, translate
from chatserv.client.errors import TooLarge

MAX_WAITING: Final = 3000  # lines that were typed while a command goes to another room


@dataclass(frozen=True, eq=False)
class _Wanted:
    """A line, or the name and the words of a command.

    ``room``: where alone it may be carried out; ``done``: gets what comes of it, in place of the screen.
    """

    line: str | tuple[str, ...]
    room: RoomHandle | None = None
    done: "Deferred[list[str]] | None" = None


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
        give_back: Gets a line that is too long for a message, to be changed.
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
        give_back: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._write, self._say, self._quit, self._give_back = write, say, quit, give_back
        self._waiting: deque[_Wanted] = deque()
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
            self._say(_too_many())
        else:
            self._waiting.append(_Wanted(line))
            self._work()

    async def carry_out(self, line: str | tuple[str, ...], room: RoomHandle | None = None) -> list[str]:
        """Carries out a command that was not typed, such as a menu's, behind what waits.

        Args:
            line: The command; or its name and its words, which may hold spaces, as a dialog has them.
            room: The room that it was meant for, as `Slash.here` gave it: in any other one it is refused.

        Returns:
            Lines to show.

        Raises:
            ChatError: It is refused.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise SlashError(_too_many())
        done: Deferred[list[str]] = Deferred()
        self._waiting.append(_Wanted(line, room, done))
        self._work()
        return await done

    def _work(self) -> None:
        if self._working:
            return
        self._working = True
        try:
            while self._waiting and not self.slash.switching:
                Deferred.fromCoroutine(self._carry_out(self._waiting.popleft()))
        finally:
            self._working = False

    async def _carry_out(self, wanted: _Wanted) -> None:
        try:
            lines = await self._run(wanted)
        except Exception as error:  # for whoever waits for it; what is no refusal, the log gets
            if wanted.done is not None:
                wanted.done.errback(error)
            elif isinstance(error, ChatError) and isinstance(wanted.line, str):
                self._refused(wanted.line, error)
            else:
                raise
        else:
            if wanted.done is not None:
                wanted.done.callback(lines)
            else:
                self.answer(lines)
        finally:
            self._work()

    async def _run(self, wanted: _Wanted) -> list[str]:
        if wanted.room is not None and self.slash.here() != wanted.room:
            raise SlashError(translate("You have switched rooms meanwhile: nothing was done."))
        if isinstance(wanted.line, str):
            return await self.slash.run(wanted.line)
        name, *words = wanted.line
        return await self.slash.obey(name, words)

    def _refused(self, line: str, error: ChatError) -> None:
        text = not line.startswith("/") or line.startswith("//")
        self._say(f"{translate('Not sent:')} {explained(error)}" if text else explained(error))
        if isinstance(error, TooLarge):
            self._give_back(line)

    def answer(self, lines: list[str]) -> None:
        """Shows what a line has led to."""
        for each in lines:
            self._write(each)


def _too_many() -> str:
    return translate("Too many lines are waiting; this one was dropped.")
