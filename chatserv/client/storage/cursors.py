"""How far each listener of a client was shown each room, by the name that the listener gives itself."""

import re
from collections.abc import Collection
from typing import Final

from chatserv.client.storage.database import Database
from chatserv.errors import NameInvalid, Quota

DEFAULT_CURSOR: Final = "default"
"""Of what people read: its place stands with the room, and other names begin there."""
MAX_CURSORS: Final = 32
"""Other names that are remembered; beyond, the one that was used longest ago makes room."""
CURSOR_MS: Final = 90 * 86_400_000
"""How long a name is remembered that nobody uses."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def cursor_name(name: str) -> str:
    """The name, if it can be one: letters, digits, dot, underscore, hyphen, at most 64. Raises `NameInvalid`."""
    if not _NAME.fullmatch(name):
        raise NameInvalid(f"{name!r}: letters, digits, dot, underscore and hyphen, at most 64")
    return name


class CursorTable:
    """Places by name and room. `DEFAULT_CURSOR` has none here: its place is ``shown`` of the room.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, name: str, now_ms: int, in_use: Collection[str] = ()) -> dict[bytes, int]:
        """What a name was shown, by room; a new one begins where `DEFAULT_CURSOR` stands.

        Args:
            name: Of the listener.
            now_ms: The clock, milliseconds since 1970.
            in_use: Names that must not make room.

        Raises:
            Quota: There are `MAX_CURSORS`, and all of them are in use.
        """
        with self._database.transaction():
            self._database.write("DELETE FROM listeners WHERE used_ms < ?", (now_ms - CURSOR_MS,))
            if not self._database.write(
                "UPDATE listeners SET used_ms = max(used_ms, ?) WHERE name = ?", (now_ms, name)
            ):
                self._make_room(in_use)
                self._database.write("INSERT INTO listeners VALUES (?, ?)", (name, now_ms))
                self._database.write("INSERT INTO cursors SELECT ?, room_id, shown FROM rooms", (name,))
            return dict(self._database.all("SELECT room_id, shown FROM cursors WHERE name = ?", (name,)))

    def _make_room(self, in_use: Collection[str]) -> None:
        names = [name for (name,) in self._database.all("SELECT name FROM listeners ORDER BY used_ms, name")]
        for name in names:
            if len(names) < MAX_CURSORS:
                return
            if name not in in_use:
                self._database.write("DELETE FROM listeners WHERE name = ?", (name,))
                names = names[1:]
        if len(names) >= MAX_CURSORS:
            raise Quota(f"{MAX_CURSORS} listeners are in use")

    def set_shown(self, name: str, room_id: bytes, seq: int) -> None:
        """Remembers the newest event that was shown; never goes back, but for a power failure."""
        sql = "INSERT INTO cursors VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET shown = max(shown, excluded.shown)"
        self._database.note(sql, (name, room_id, seq))

    def newest(self, room_id: bytes) -> int:
        """The newest event of a room that any of them was shown."""
        return int(self._database.one("SELECT max(0, max(shown)) FROM cursors WHERE room_id = ?", (room_id,))[0] or 0)

    def rewind(self, room_id: bytes, head: int) -> None:
        """A room has lost what is behind ``head``: other messages will have those places."""
        self._database.write("UPDATE cursors SET shown = min(shown, ?) WHERE room_id = ?", (head, room_id))

    def clear(self, room_id: bytes) -> None:
        """Forgets a room."""
        self._database.write("DELETE FROM cursors WHERE room_id = ?", (room_id,))
