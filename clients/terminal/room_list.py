"""The rooms of a person in an order that stays, each with a number, and where something has happened."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chatserv.client import LOBBY


@dataclass(frozen=True)
class Place:
    """A room in the row. ``mentioned``: we are, in what was not read."""

    name: str
    unread: int = 0
    mentioned: bool = False

    @property
    def direct(self) -> bool:
        """Whether it is direct messages."""
        return self.name.startswith("@")

    @property
    def urgent(self) -> bool:
        """Whether somebody wants us there."""
        return self.unread > 0 and (self.mentioned or self.direct)


class RoomList:
    """Numbers rooms from 1: the lobby, rooms, direct messages; those that come later at the end."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self.current = ""

    @property
    def places(self) -> tuple[Place, ...]:
        """All of them, in order."""
        return tuple(self._places)

    def update(self, names: Iterable[str]) -> None:
        """Takes in the rooms that came, and lets go of those that went."""
        now = set(names)
        kept = [place for place in self._places if place.name in now]
        new = now - {place.name for place in kept}
        self._places = kept + [Place(name) for name in sorted(new, key=_in_order)]

    def rename(self, before: str, after: str) -> None:
        """Gives a room its new name; it stays where it is."""
        if before != after and self.number(after) is None:
            self._change(before, name=after)
            if self.current == before:
                self.current = after

    def number(self, name: str) -> int | None:
        """Where it stands, from 1."""
        return next((at for at, place in enumerate(self._places, 1) if place.name == name), None)

    def at(self, number: int) -> str | None:
        """The room with this number."""
        return self._places[number - 1].name if 1 <= number <= len(self._places) else None

    def count(self, name: str, unread: int) -> None:
        """Sets what is unread in a room, as it was kept."""
        if name != self.current:
            self._change(name, unread=unread)

    def arrived(self, name: str, *, mentioned: bool) -> bool:
        """Counts a message; says whether to tell of it: the first that wants us there since we were there."""
        found = self._place(name)
        if found is None or name == self.current:
            return False
        self._change(name, unread=found.unread + 1, mentioned=found.mentioned or mentioned)
        return not found.urgent and (mentioned or found.direct)

    def enter(self, name: str) -> None:
        """Makes it the current room; nothing is unread there."""
        self.current = name
        self._change(name, unread=0, mentioned=False)

    def next_active(self) -> str | None:
        """Where to look next: behind the current room first, mentions and direct messages before all others."""
        start = self.number(self.current) or 0
        row = self._places[start:] + self._places[:start]
        row = [place for place in row if place.unread and place.name != self.current]
        return next((place.name for place in sorted(row, key=lambda place: not place.urgent)), None)

    def _place(self, name: str) -> Place | None:
        return next((place for place in self._places if place.name == name), None)

    def _change(self, room: str, **fields: object) -> None:
        self._places = [replace(place, **fields) if place.name == room else place for place in self._places]  # type: ignore[arg-type]


def _in_order(name: str) -> tuple[bool, bool, str]:
    return name != LOBBY, name.startswith("@"), name
