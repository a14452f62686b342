"""The lines of a script on their way into one room, and what becomes of them where the disk here does not take them."""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from chatserv.client import ChatError, Client, LocalFileError, explained, translate
from clients.shared.exit_codes import NOT_SENT, PROFILE, Exit, exit_for
from clients.shared.line_queue import Lines
from clients.shared.wanted_room import WantedRoom


class Sender(Protocol):
    """Whose lines they are."""

    def finish(self, end: Exit) -> None:
        """Ends the run."""
        ...

    def sent(self, stored: "Deferred[int]") -> None:
        """A line is under way."""
        ...


class Sending:
    """Sends lines. One that our own disk does not take waits, and what follows with it, until the disk does.

    Args:
        client: The client.
        wanted: The room.
        lines: Standard input, which waits as well.
        program: Told what becomes of each line.
        stumbled: Told of a disk of ours that does not take a line.
    """

    def __init__(
        self,
        client: Client,
        wanted: WantedRoom,
        lines: Lines,
        program: Sender,
        stumbled: Callable[[LocalFileError], None],
    ) -> None:
        self._client, self._wanted, self._lines = client, wanted, lines
        self._program, self._stumbled = program, stumbled
        self._kept: str | None = None

    @property
    def waits(self) -> bool:
        """Whether a line waits for our own disk."""
        return self._kept is not None

    def send(self, line: str) -> None:
        """Sends a line, or ends the run where it cannot be sent."""
        handle = self._wanted.find()
        if handle is None:
            self._program.finish(Exit(NOT_SENT, self._wanted.missing(), clean=True))
            return
        try:
            self._program.sent(handle.send(line))
        except LocalFileError as error:
            if not error.retryable:
                self._program.finish(exit_for(error))
                return
            self._kept = line
            self._lines.hold()
            self._stumbled(error)
        except ChatError as error:
            self._program.finish(Exit(NOT_SENT, explained(error), clean=True))

    def again(self) -> None:
        """The disk may take it now."""
        line, self._kept = self._kept, None
        if line is not None:
            self.send(line)
            self.regulate()

    def regulate(self) -> None:
        """Reads no faster than the server takes."""
        if not self.waits:
            self._lines.regulate(self._client.unacknowledged)

    def give_up(self, end: Exit) -> Exit:
        """What is not stored does not go out behind a script's back later. Gives how to end, after all."""
        try:
            self._client.forget_unsent()
        except LocalFileError as error:
            text = translate("What is not stored yet cannot be given up; it may go out with the next run.")
            return Exit(PROFILE, f"{exit_for(error).message} {text}", clean=True)
        return end
