"""What programs of this profile have asked of the one that holds it, so that nothing is done twice when that one dies."""

from typing import Final

from chatserv.client.storage.database import Database

MAX_ASKED: Final = 10_000
"""Requests that are remembered, the newest; twice as many as messages can wait for the server."""


class AskedTable:
    """Requests by the id that whoever asked has made, 16 bytes; that of a message is its own id.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = {id_ for (id_,) in database.all("SELECT id FROM asked")}

    def __contains__(self, id_: bytes) -> bool:
        return id_ in self._known

    def begin(self, id_: bytes) -> None:
        """It is about to be done; for a message, in one transaction with its place in the outbox."""
        self._database.note("INSERT OR IGNORE INTO asked (id) VALUES (?)", (id_,))
        self._known.add(id_)
        if len(self._known) > MAX_ASKED:
            sql = "DELETE FROM asked WHERE position <= (SELECT max(position) - ? FROM asked)"
            self._database.note(sql, (MAX_ASKED,))
            self._known = {id_ for (id_,) in self._database.all("SELECT id FROM asked")}

    def stored(self, id_: bytes, seq: int) -> None:
        """The message is stored at this place."""
        if id_ in self._known:
            self._database.write("UPDATE asked SET seq = ? WHERE id = ?", (seq, id_))

    def seq(self, id_: bytes) -> int | None:
        """Where the message is stored; None where that is not known."""
        row = self._database.one("SELECT seq FROM asked WHERE id = ?", (id_,))
        return None if row is None else row[0]
