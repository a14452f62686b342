"""Single values under names."""

from chatserv.client.storage.database import Database


class Facts:
    """A table of names and bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        row = self._database.one("SELECT value FROM facts WHERE key = ?", (key,))
        return None if row is None else bytes(row[0])

    def beginning(self, begin: str) -> list[str]:
        """The names that begin so, in order."""
        rows = self._database.all("SELECT key FROM facts WHERE substr(key, 1, ?) = ? ORDER BY key", (len(begin), begin))
        return [key for (key,) in rows]

    def put(self, key: str, value: bytes) -> None:
        """Keeps a value in place of the one before."""
        self._database.write("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    def note(self, key: str, value: bytes) -> None:
        """As `put`, without waiting for the disk; see `Database.note`."""
        self._database.note("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    def delete(self, key: str) -> None:
        """Forgets a value; where there is none, the disk is not waited for."""
        if self.get(key) is not None:
            self._database.write("DELETE FROM facts WHERE key = ?", (key,))
