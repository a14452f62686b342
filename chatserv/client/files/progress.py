"""How far files are, for programs."""

from collections.abc import Callable
from typing import Final

from chatserv.client.file_events import FileProgress, FileState
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Rooms
from chatserv.errors import ChatError

EVERY_SECONDS: Final = 0.1


class Progress:
    """Tells of one transfer, at most ten times a second and at each change of its state.

    Args:
        context: What the client's parts share.
        rooms: For names.
        room_id: Of the message.
        message_id: Likewise.
        size: Of the file, in bytes.
        sealed: Of its sealed bytes, which are what moves.
        direction: ``up`` or ``down``.
        told: Likewise told how many bytes are there, each time.
        silent: Whether programs are told nothing.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        room_id: bytes,
        message_id: bytes,
        size: int,
        sealed: int,
        direction: str,
        told: Callable[[int], object] = lambda _: None,
        *,
        silent: bool = False,
    ) -> None:
        self._silent = silent
        self._context, self._rooms = context, rooms
        self._room_id, self._message_id, self._direction = room_id, message_id, direction
        self._size, self._sealed, self._tell_done = size, sealed, told
        self._told, self.done = 0.0, 0
        self._state: FileState | None = None

    def moved(self, sealed: int) -> None:
        """So many sealed bytes are at the other end; while it is paused, that is told to no program."""
        self.done = min(self._size, sealed * self._size // self._sealed)
        self._tell_done(self.done)
        now = self._context.seconds()
        if self._state == FileState.PAUSED:
            return
        if self._state != FileState.MOVING or now - self._told >= EVERY_SECONDS:
            self.tell(FileState.MOVING)

    def tell(self, state: FileState, error: ChatError | None = None) -> None:
        """It is in this state now."""
        self._state, self._told = state, self._context.seconds()
        done = self._size if state == FileState.DONE else self.done
        if self._silent:
            return
        room = self._rooms.get(self._room_id)
        name = "" if room is None else self._rooms.name(room)
        where = (name, self._message_id, done, self._size, self._direction, state)
        self._context.emit(FileProgress(*where, self._room_id, error))
