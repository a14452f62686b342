"""Our prekeys: their secrets, when they were made, and which number is next (docs/rooms.rst 3.3)."""

from dataclasses import dataclass
from typing import Any

from chatserv.client.storage.database import Database
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.local_errors import LocalProtocolError


@dataclass(frozen=True)
class PrekeyRow:
    """A prekey. ``retired_ms``: since when it is no longer offered, and only opens what was made for it before."""

    secret: PrekeySecret
    created_ms: int
    retired_ms: int | None = None


def _row(row: Any) -> PrekeyRow:
    return PrekeyRow(PrekeySecret(*row[:3]), row[3], row[4])


class PrekeyTable:
    """Prekeys by their id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, secret: PrekeySecret, created_ms: int) -> None:
        """Keeps a new one; to be done before the server gets its public half."""
        values = (secret.id, secret.mlkem_seed, secret.x25519_seed, created_ms)
        self._database.write("INSERT INTO prekeys VALUES (?, ?, ?, ?, NULL)", values)

    def get(self, prekey_id: int) -> PrekeyRow | None:
        """The one with this id, or None."""
        row = self._database.one("SELECT * FROM prekeys WHERE id = ?", (prekey_id,))
        return None if row is None else _row(row)

    def all(self) -> dict[int, PrekeySecret]:
        """All that can still open a wrap, retired or not."""
        rows = map(_row, self._database.all("SELECT * FROM prekeys ORDER BY id"))
        return {row.secret.id: row.secret for row in rows}

    def delete(self, prekey_id: int) -> None:
        """Forgets one; to be done in the transaction that stores what its wrap held."""
        self._database.write("DELETE FROM prekeys WHERE id = ?", (prekey_id,))

    def retire(self, prekey_id: int, at_ms: int) -> None:
        """Marks one as no longer offered; the first time counts."""
        self._database.write(
            "UPDATE prekeys SET retired_ms = ? WHERE id = ? AND retired_ms IS NULL", (at_ms, prekey_id)
        )

    def delete_retired(self, before_ms: int) -> int:
        """Forgets those that were retired before a time; how many."""
        return self._database.write("DELETE FROM prekeys WHERE retired_ms < ?", (before_ms,))

    def next_id(self, last_resort: bool) -> int:
        """A number that no prekey had before, of either kind."""
        with self._database.transaction():
            (number,) = self._database.one("SELECT next FROM prekey_numbers WHERE last_resort = ?", (last_resort,))
            if number >= LAST_RESORT_BIT:
                raise LocalProtocolError("prekeys: all numbers are used")
            self._database.write("UPDATE prekey_numbers SET next = next + 1 WHERE last_resort = ?", (last_resort,))
        return number | LAST_RESORT_BIT if last_resort else int(number)

    def made(self, prekey_id: int) -> bool:
        """Whether this device has made one of this number, as far as it remembers; kept or not."""
        last_resort, number = bool(prekey_id & LAST_RESORT_BIT), prekey_id & ~LAST_RESORT_BIT
        (following,) = self._database.one("SELECT next FROM prekey_numbers WHERE last_resort = ?", (last_resort,))
        return bool(number < following)

    def newest_last_resort(self) -> PrekeyRow | None:
        """The last-resort prekey that is offered now, or None."""
        row = self._database.one(
            "SELECT * FROM prekeys WHERE id >= ? AND retired_ms IS NULL ORDER BY id DESC", (LAST_RESORT_BIT,)
        )
        return None if row is None else _row(row)

    def one_time_ids(self) -> tuple[int, ...]:
        """The ids of the one-time prekeys that are not used or retired yet, in order."""
        sql = "SELECT id FROM prekeys WHERE id < ? AND retired_ms IS NULL ORDER BY id"
        return tuple(prekey_id for (prekey_id,) in self._database.all(sql, (LAST_RESORT_BIT,)))
