"""Which identity key each person had when we first saw them, and what became of it (docs/crypto.rst 6)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from chatserv.client.storage.database import Database


class PinState(IntEnum):
    """What we know of a person's identity key."""

    UNVERIFIED = 0
    VERIFIED = 1
    CHANGED = 2


@dataclass(frozen=True)
class Pin:
    """One person's identity.

    Attributes:
        user: Who.
        fingerprint: SHA-256 of the identity key that we go by, 32 bytes.
        state: What we know of it.
        seen_ms: Since when it is so.
        offered: While ``state`` is CHANGED: the fingerprint that the log names now.
        was_verified: While ``state`` is CHANGED: whether it was VERIFIED before.
    """

    user: str
    fingerprint: bytes
    state: PinState
    seen_ms: int
    offered: bytes | None = None
    was_verified: bool = False


def _pin(row: Any) -> Pin:
    user, fingerprint, state, seen_ms, offered, was_verified = row
    return Pin(user, fingerprint, PinState(state), seen_ms, offered, bool(was_verified))


class PinTable:
    """Pins by user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, user: str) -> Pin | None:
        """The user's, or None."""
        row = self._database.one("SELECT * FROM pins WHERE user = ?", (user,))
        return None if row is None else _pin(row)

    def put(self, pin: Pin) -> None:
        """Keeps a pin in place of the user's one before."""
        values = (pin.user, pin.fingerprint, int(pin.state), pin.seen_ms, pin.offered, pin.was_verified)
        self._database.write("INSERT OR REPLACE INTO pins VALUES (?, ?, ?, ?, ?, ?)", values)

    def all(self) -> list[Pin]:
        """All pins, in order of user."""
        return [_pin(row) for row in self._database.all("SELECT * FROM pins ORDER BY user")]
