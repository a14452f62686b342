"""A commit of ours that was sent and not answered: with it we know the secret of the epoch that it makes."""

from dataclasses import dataclass, field

from chatserv.client.storage.database import Database


@dataclass(frozen=True)
class PendingCommit:
    """A commit on its way, and the secret (32 bytes) of the epoch that it makes."""

    room_id: bytes
    epoch: int
    commit: bytes = field(repr=False)
    epoch_secret: bytes = field(repr=False)


class PendingCommits:
    """At most one for each room."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, room_id: bytes, epoch: int, commit: bytes, epoch_secret: bytes) -> None:
        """Keeps one in place of the one before; to be done before it is sent."""
        values = (room_id, epoch, commit, epoch_secret)
        self._database.write("INSERT OR REPLACE INTO pending_commits VALUES (?, ?, ?, ?)", values)

    def get(self, room_id: bytes) -> PendingCommit | None:
        """The room's, or None."""
        row = self._database.one("SELECT * FROM pending_commits WHERE room_id = ?", (room_id,))
        return None if row is None else PendingCommit(*row)

    def all(self) -> list[PendingCommit]:
        """Those of all rooms."""
        return [PendingCommit(*row) for row in self._database.all("SELECT * FROM pending_commits ORDER BY room_id")]

    def delete(self, room_id: bytes) -> None:
        """Forgets the room's, and the secret with it: its chains are stored, or another commit came first."""
        self._database.write("DELETE FROM pending_commits WHERE room_id = ?", (room_id,))

    def clear(self) -> None:
        """Forgets all, without waiting for the disk."""
        self._database.note("DELETE FROM pending_commits")
