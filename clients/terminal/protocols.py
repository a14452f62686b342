"""What the two halves of the terminal client know of each other: who talks, and what is drawn on."""

from collections.abc import Hashable
from typing import Protocol

from twisted.internet.defer import Deferred

from clients.terminal.styled_lines import Line


class Talker(Protocol):
    """Whom the keys speak to, and who knows what stands around the prompt: `clients.terminal.conversation.Conversation`."""

    @property
    def switching(self) -> bool:
        """Whether a command is under way that may lead to another room."""
        ...

    def line_typed(self, line: str) -> None:
        """Return was pressed."""
        ...

    def room_wanted(self, number: int) -> None:
        """Go to this room."""
        ...

    def active_room_wanted(self) -> None:
        """Go where something has happened."""
        ...

    def leave(self) -> None:
        """End the talk."""
        ...

    def interrupted(self) -> None:
        """End it at once."""
        ...

    def broken(self, error: BaseException | None) -> None:
        """There is no terminal any more, or it cannot be used."""
        ...

    def prompt(self) -> Line:
        """What stands in front of what is typed."""
        ...

    def bar(self, width: int) -> Line:
        """The line below."""
        ...

    def waiting(self) -> list[Line]:
        """The lines above: messages of ours that are not in the room yet."""
        ...

    def notices(self) -> list[Line]:
        """What waits for the person to do something about it, until it is done."""
        ...

    def candidates(self, line: str) -> tuple[int, list[str]]:
        """See `clients.terminal.completion.candidates`."""
        ...


class Screen(Protocol):
    """What is drawn on: `clients.terminal.screen.TerminalScreen`."""

    def start(self) -> None:
        """Draws from now on."""
        ...

    def write(self, line: Line) -> None:
        """Prints a line above the prompt."""
        ...

    def enter(self, room: Hashable) -> None:
        """Another room is the current one."""
        ...

    def refresh(self) -> None:
        """Draws the prompt and what stands around it anew."""
        ...

    def bell(self) -> None:
        """Rings."""
        ...

    def give_back(self, text: str) -> None:
        """Puts a text that is refused where it was typed, to be changed."""
        ...

    async def ask_secret(self, question: str) -> str:
        """Asks for something that is shown nowhere. Raises `SlashError` where nothing is entered."""
        ...

    def leave(self) -> "Deferred[None]":
        """Gives the terminal back."""
        ...
