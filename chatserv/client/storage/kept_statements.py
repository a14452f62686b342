"""What was signed behind leaves of the log that end devices or change identities: verified once, and kept.

Not for ourselves, who never ask again, but for a server that was restored from a backup and has lost it.
"""

from typing import Final

from chatserv.client.storage.database import Database
from chatserv.crypto.suite import sha256

MAX_STATEMENTS: Final = 20_000
"""Beyond, the oldest go: 25 MB at most."""


class KeptStatementTable:
    """Statements by their hash (32 bytes), as leaves name them.

    Args:
        database: Where they are kept.
        most: How many.
    """

    def __init__(self, database: Database, most: int = MAX_STATEMENTS) -> None:
        self._database, self._most = database, most

    def put(self, statement: bytes) -> None:
        """Keeps one."""
        sql = "INSERT OR IGNORE INTO kept_statements (hash, statement) VALUES (?, ?)"
        if self._database.write(sql, (sha256(statement), statement)):
            oldest = "SELECT position FROM kept_statements ORDER BY position DESC LIMIT -1 OFFSET ?"
            sql = f"DELETE FROM kept_statements WHERE position IN ({oldest})"  # nosec B608  # noqa: S608 - constants
            self._database.write(sql, (self._most,))

    def get(self, statement_hash: bytes) -> bytes | None:
        """The one with this hash, or None."""
        row = self._database.one("SELECT statement FROM kept_statements WHERE hash = ?", (statement_hash,))
        return None if row is None else bytes(row[0])
