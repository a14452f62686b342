"""The leaves of the server's log, each with the root of the log that ends with it (docs/rooms.rst 8.2)."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from chatserv.client.storage.database import Database


class LogTable:
    """Leaves and roots, in order, without holes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[None]:
        """A transaction of the database that the table is in; it does not wait for the disk.

        What is told or sent on the strength of it waits for that.
        """
        return self._database.transaction(wait=False)

    def append(self, leaves: Sequence[tuple[bytes, bytes]]) -> None:
        """Keeps the next leaves: each leaf (105 bytes) with the root of the log up to and with it (32 bytes)."""
        with self._database.transaction():
            start = self.count()
            rows = [(position, leaf, root) for position, (leaf, root) in enumerate(leaves, start)]
            self._database.write_many("INSERT INTO log VALUES (?, ?, ?)", rows)

    def cut(self, size: int) -> None:
        """Forgets all leaves from a position on."""
        self._database.write("DELETE FROM log WHERE position >= ?", (size,))

    def load(self) -> list[tuple[bytes, bytes]]:
        """All leaves with their roots, oldest first."""
        return self._database.all("SELECT leaf, root FROM log ORDER BY position")

    def leaves_from(self, position: int, limit: int) -> list[bytes]:
        """Up to ``limit`` leaves from a position on, in order."""
        rows = self._database.all(
            "SELECT leaf FROM log WHERE position >= ? ORDER BY position LIMIT ?", (position, limit)
        )
        return [bytes(leaf) for (leaf,) in rows]

    def count(self) -> int:
        """How many there are."""
        (newest,) = self._database.one("SELECT max(position) FROM log")
        return 0 if newest is None else int(newest) + 1
