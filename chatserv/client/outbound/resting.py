"""Rooms that wait for a while before anything more of ours goes to them."""

from collections.abc import Callable
from typing import Any

from chatserv.client.state.rooms import Room


class Resting:
    """Which rooms wait.

    Args:
        later: Calls something after so many seconds.
        over: Told when a room may go on.
    """

    def __init__(self, later: Callable[[float, Callable[[], object]], Any], over: Callable[[Room], object]) -> None:
        self._later, self._over = later, over
        self._rooms: set[bytes] = set()

    def __contains__(self, room: Room) -> bool:
        return room.room_id in self._rooms

    def rest(self, room: Room, seconds: float) -> None:
        """The room waits for so long, unless it does already."""
        if room.room_id not in self._rooms:
            self._rooms.add(room.room_id)
            self._later(seconds, lambda: self._end(room))

    def clear(self) -> None:
        """None waits any more."""
        self._rooms.clear()

    def _end(self, room: Room) -> None:
        self._rooms.discard(room.room_id)
        self._over(room)
