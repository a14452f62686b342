"""Rooms: the state that we verified, and how far we have come."""

from dataclasses import astuple, dataclass, field, fields
from enum import IntEnum
from typing import Any, Final

from chatserv.client.storage.database import Database


class Standing(IntEnum):
    """What a room is to us."""

    OFFERED = 0
    """We were put into it, and have not agreed yet."""
    IN = 1
    OUT = 2
    """Left, removed from, or closed: it can be read and no more."""
    FORKED = 3
    """The server shows different things to different members: nothing is sent any more."""
    REFUSED = 4
    """As OFFERED, and it is not to be seen until we begin with it ourselves."""


class Keys(IntEnum):
    """Whether we can read the room's current epoch."""

    WANTED = 0
    HELD = 1
    BROKEN = 2


@dataclass(frozen=True)
class RoomRow:
    """One room.

    Attributes:
        room_id: 16 bytes.
        kind: A `chatserv.crypto.room_state.Kind`.
        title: For people: the policy's name, or the one that was sent sealed.
        topic: Likewise.
        epoch: Of the newest commit that we verified.
        commit_hash: Of that commit, 32 bytes.
        kt_size: The log's size in that commit.
        state: The encoded State after that commit.
        head_commit: That commit.
        cursor: The newest event that was dealt with.
        shown: The newest event that the program was shown.
        read: The newest event that the person has read.
        since: Nothing up to here can be read.
        standing: What the room is to us.
        keys: Whether we can read its current epoch.
        epoch_since_ms: When the epoch began.
        epoch_messages: How many messages it has.
        committer: The device that made the newest commit, 16 bytes.
        agreed: In which order our rooms came to their names with us in them; 0: not yet, or before this was noted.
        inviter: Who has put us into it, where we have not agreed; ourselves, where we have left it. We come back
            to neither by ourselves.
        read_told: How far our other devices know that the person has read.
    """

    room_id: bytes
    kind: int
    title: str = field(repr=False)
    topic: str = field(repr=False)
    epoch: int
    commit_hash: bytes
    kt_size: int
    state: bytes = field(repr=False)
    head_commit: bytes = field(repr=False)
    cursor: int
    shown: int
    read: int
    since: int
    standing: Standing
    keys: Keys
    epoch_since_ms: int
    epoch_messages: int
    committer: bytes = b""
    agreed: int = 0
    inviter: str = ""
    read_told: int = 0

    def passed(self, seq: int) -> "RoomRow":
        """The row after one more message, which is at this place; as `dataclasses.replace`, but ten times as fast."""
        row = object.__new__(RoomRow)
        vars(row).update(vars(self), cursor=seq, epoch_messages=self.epoch_messages + 1)
        return row


_COLUMNS: Final = tuple(each.name for each in fields(RoomRow))
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM rooms"  # nosec B608  # noqa: S608 - names of our own
_MOVE_ON: Final = "UPDATE rooms SET cursor = max(cursor, ?), epoch_messages = ? WHERE room_id = ?"
_PLACES: Final = ", ".join("?" * len(_COLUMNS))
_PUT: Final = f"INSERT OR REPLACE INTO rooms ({', '.join(_COLUMNS)}) VALUES ({_PLACES})"  # noqa: S608


def _row(row: Any) -> RoomRow:
    values = dict(zip(_COLUMNS, row, strict=True))
    return RoomRow(**{**values, "standing": Standing(values["standing"]), "keys": Keys(values["keys"])})


class RoomTable:
    """Rooms by their id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, room_id: bytes) -> RoomRow | None:
        """The room, or None."""
        row = self._database.one(f"{_SELECT} WHERE room_id = ?", (room_id,))
        return None if row is None else _row(row)

    def all(self) -> list[RoomRow]:
        """All rooms, in no order that means anything but always the same."""
        return [_row(row) for row in self._database.all(f"{_SELECT} ORDER BY room_id")]

    def next_agreed(self) -> int:
        """The number of the next room that we agree to."""
        return int(self._database.one("SELECT max(0, coalesce(max(agreed), 0)) + 1 FROM rooms")[0])

    def put(self, row: RoomRow) -> None:
        """Keeps a room in place of what was known of it."""
        self._database.write(_PUT, astuple(row))

    def delete(self, room_id: bytes) -> None:
        """Forgets the row alone; `chatserv.client.storage.vault.Vault.forget_room` forgets all of a room."""
        self._database.write("DELETE FROM rooms WHERE room_id = ?", (room_id,))

    def set_cursor(self, room_id: bytes, seq: int) -> None:
        """Remembers the newest event that was dealt with; never goes back."""
        self._database.write("UPDATE rooms SET cursor = max(cursor, ?) WHERE room_id = ?", (seq, room_id))

    def set_shown(self, room_id: bytes, seq: int) -> None:
        """Remembers the newest event that the program was shown; never goes back, but for a power failure."""
        self._database.note("UPDATE rooms SET shown = max(shown, ?) WHERE room_id = ?", (seq, room_id))

    def set_read(self, room_id: bytes, seq: int) -> None:
        """Remembers the newest event that was read; never goes back, but for a power failure."""
        self._database.note("UPDATE rooms SET read = max(read, ?) WHERE room_id = ?", (seq, room_id))

    def set_read_told(self, room_id: bytes, seq: int) -> None:
        """Remembers what our other devices know of that; never goes back."""
        self._database.write("UPDATE rooms SET read_told = max(read_told, ?) WHERE room_id = ?", (seq, room_id))

    def pass_message(self, room_id: bytes, seq: int, epoch_messages: int) -> None:
        """A message was dealt with: the newest event, and how many messages the room's epoch has with it.

        The row holds the state of the room, and is long: it is written once for all messages of a transaction.
        """
        self._database.gather(_MOVE_ON, (seq, epoch_messages, room_id), room_id)
