"""Whom the person does not want to hear, and whose direct messages they have refused."""

from typing import Final

from chatserv.client.storage.database import Database
from chatserv.errors import Quota

MAX_IGNORED: Final = 1000
"""People, and as many refused rooms."""


class IgnoredTable:
    """Users by name, rooms by id.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._users = {user for (user,) in database.all("SELECT user FROM ignored")}

    def users(self) -> list[str]:
        """Who is ignored, in order."""
        return sorted(self._users)

    def __contains__(self, user: str) -> bool:
        return user in self._users

    def put(self, user: str) -> None:
        """Ignores somebody. Raises `Quota` beyond `MAX_IGNORED`."""
        if user not in self._users and len(self._users) >= MAX_IGNORED:
            raise Quota(f"{MAX_IGNORED} people are ignored")
        self._database.write("INSERT OR IGNORE INTO ignored VALUES (?)", (user,))
        self._users.add(user)

    def drop(self, user: str) -> bool:
        """Hears somebody again; False where they were not ignored."""
        dropped = bool(self._database.write("DELETE FROM ignored WHERE user = ?", (user,)))
        self._users.discard(user)
        return dropped

    def refuse(self, room_id: bytes) -> None:
        """Never offers a room again. Raises `Quota` beyond `MAX_IGNORED`."""
        (count,) = self._database.one("SELECT count(*) FROM refused_rooms")
        if count >= MAX_IGNORED:
            raise Quota(f"{MAX_IGNORED} rooms are refused")
        self._database.write("INSERT OR IGNORE INTO refused_rooms VALUES (?)", (room_id,))

    def allow(self, room_id: bytes) -> None:
        """A room that was refused may be offered."""
        self._database.write("DELETE FROM refused_rooms WHERE room_id = ?", (room_id,))

    def refused(self) -> list[bytes]:
        """Rooms that were refused for good."""
        return [bytes(room_id) for (room_id,) in self._database.all("SELECT room_id FROM refused_rooms")]

    def refuses(self, room_id: bytes) -> bool:
        """Whether a room was refused for good."""
        return self._database.one("SELECT 1 FROM refused_rooms WHERE room_id = ?", (room_id,)) is not None
