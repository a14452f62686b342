"""What the senders of kept messages have signed, so that a history can be proved to others later (docs/rooms.rst 7.5).

A message without a row here cannot be shared: it was kept before there were any, or came from an import without.
"""

from typing import Any, Final

from chatserv.client.storage.database import Database
from chatserv.crypto.content import Content, ContentType
from chatserv.crypto.e2e.proof import Proof
from chatserv.discreet import Discreet

MAX_TAKEN_OFF: Final = 20
"""How many signs that one user has taken off one message stay known as such."""

_COLUMNS: Final = "room_id, message, seq, at_ms, sender, ctype, detail, live, proof"
_PUT: Final = f"INSERT OR REPLACE INTO proofs ({_COLUMNS}) VALUES ({', '.join('?' * 9)})"  # noqa: S608 - names of our own
_OF: Final = "SELECT seq, at_ms, sender, ctype, detail, live, proof FROM proofs"
_TAKEN_OFF: Final = (
    "SELECT position FROM proofs WHERE message = ? AND sender = ? AND ctype = ? AND NOT live"
    " ORDER BY seq DESC LIMIT -1 OFFSET ?"
)


class KeptProof(Discreet, frozen=True):
    """What one message said or changed.

    Attributes:
        seq: Its place in the room, by the server's word.
        at_ms: When the server took it.
        sender: The user, from the roster.
        ctype: A `chatserv.crypto.content.ContentType`, or an unknown number.
        proof: What was signed.
        detail: Which sign, of a reaction.
        live: False for a sign that was taken off.
    """

    shown = ("seq", "at_ms", "sender", "ctype", "detail", "live")

    seq: int
    at_ms: int
    sender: str
    ctype: int
    proof: Proof
    detail: str = ""
    live: bool = True

    @property
    def said(self) -> bytes:
        """The body of the content."""
        return Content.decode(self.proof.content).body


def _kept(row: Any) -> KeptProof:
    seq, at_ms, sender, ctype, detail, live, proof = row
    return KeptProof(seq, at_ms, sender, ctype, Proof.decode(proof), detail, bool(live))


class ProofTable:
    """Proofs by the message that they are of or change: of each kind, sender and sign the newest one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, room_id: bytes, message: int | None, kept: KeptProof) -> None:
        """Keeps one in place of an earlier one that it supersedes.

        Args:
            room_id: 16 bytes.
            message: The row of the message that it is of or changes; None where it is about the room.
            kept: What was signed.
        """
        if message is None:
            sql = "DELETE FROM proofs WHERE message IS NULL AND room_id = ? AND ctype = ?"
            self._database.write(sql, (room_id, kept.ctype))
        values = (room_id, message, kept.seq, kept.at_ms, kept.sender, kept.ctype, kept.detail, kept.live)
        self._database.gather(_PUT, (*values, kept.proof.encode()))
        if not kept.live:
            which = (message, kept.sender, kept.ctype, MAX_TAKEN_OFF)
            self._database.write(f"DELETE FROM proofs WHERE position IN ({_TAKEN_OFF})", which)  # nosec B608  # noqa: S608

    def newest(self, message: int, sender: str, ctype: int, detail: str = "") -> int:
        """The place of the newest one of its kind; 0 for none."""
        sql = "SELECT seq FROM proofs WHERE message = ? AND sender = ? AND ctype = ? AND detail = ?"
        row = self._database.one(sql, (message, sender, ctype, detail))
        return 0 if row is None else int(row[0])

    def of(self, message: int) -> list[KeptProof]:
        """Those of the message in this row, and of what has changed it, in order of their places."""
        return [_kept(row) for row in self._database.all(f"{_OF} WHERE message = ? ORDER BY seq, position", (message,))]

    def of_room(self, room_id: bytes) -> list[KeptProof]:
        """Those that are about the room: its name and topic, where they are sealed."""
        return [_kept(row) for row in self._database.all(f"{_OF} WHERE message IS NULL AND room_id = ?", (room_id,))]

    def drop_said(self, message: int) -> None:
        """Forgets everything about a message but that it was taken back."""
        sql = "DELETE FROM proofs WHERE message = ? AND ctype != ?"
        self._database.write(sql, (message, int(ContentType.DELETE)))

    def clear(self, room_id: bytes) -> None:
        """Forgets those that are about the room; those of a message go with it."""
        self._database.write("DELETE FROM proofs WHERE message IS NULL AND room_id = ?", (room_id,))
