"""Which rooms a node lets go of: those that nobody there has needed for a while. Pure: time and timers come in."""

from collections.abc import Callable, Iterable, Set
from functools import partial
from typing import Final

from chatserv.commands.effects import Effects, Timer

MOST: Final = 1000  # that are let go of in one turn


class IdleRooms:
    """Looks at all rooms twice in the time that one may stay; one that nobody needed at two looks goes.

    So whoever asks for a room has it for half of that time at least, also where nothing says that they need it.

    Args:
        effects: Timers.
        seconds: How long a room stays that nobody needs, at most; asked each time.
        here: The rooms that could go: nothing of them is under way.
        needed: Those that somebody needs.
        let_go: Lets one go.
    """

    def __init__(
        self,
        effects: Effects,
        seconds: Callable[[], float],
        here: Callable[[], Iterable[bytes]],
        needed: Callable[[], Set[bytes]],
        let_go: Callable[[bytes], None],
    ) -> None:
        self._effects, self._seconds = effects, seconds
        self._here, self._needed, self._let_go = here, needed, let_go
        self._idle: set[bytes] = set()
        self._timer: Timer | None = None

    def start(self) -> None:
        """Looks from now on."""
        self._timer = self._effects.later(self._seconds() / 2, self._look)

    def stop(self) -> None:
        """Looks no more; harmless where it has not begun."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def keep(self, room_ids: Iterable[bytes]) -> None:
        """Somebody asks for these."""
        self._idle.difference_update(room_ids)

    def _unneeded(self) -> set[bytes]:
        needed = self._needed()
        return {room_id for room_id in self._here() if room_id not in needed}

    def _look(self) -> None:
        before, self._idle = self._idle, self._unneeded()
        self._go(before & self._idle)

    def _go(self, rooms: set[bytes]) -> None:
        """Lets go of these, some in a turn, but for those that somebody has asked for or needs since."""
        going = list(rooms & self._idle & self._unneeded())
        for room_id in going[:MOST]:
            self._let_go(room_id)
        rest = set(going[MOST:])
        self._timer = (
            self._effects.later(0, partial(self._go, rest))
            if rest
            else self._effects.later(self._seconds() / 2, self._look)
        )
