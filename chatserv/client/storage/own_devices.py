"""What our own devices have told us: of themselves, and of rooms that this one is not in yet."""

from dataclasses import astuple, dataclass, field
from typing import Final

from chatserv.client.storage.database import Database
from chatserv.client.trust_events import short_id

MAX_OWN_DEVICES: Final = 100
"""Those that are revoked are remembered as well: which of them held the identity key counts."""
MAX_HEARD_ROOMS: Final = 2000


@dataclass(frozen=True)
class OwnDeviceRow:
    """A device of ours, as it speaks of itself.

    Attributes:
        device_id: 16 bytes.
        name: For people; empty where it has not said any.
        holds_identity: Whether it has proved, once, that the identity key is on it.
        backup: The counter of the newest backup that it knows; 0: none.
    """

    device_id: bytes
    name: str = field(repr=False)
    holds_identity: bool
    backup: int


class OwnDeviceTable:
    """Devices by id; this one is not among them.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, row: OwnDeviceRow) -> None:
        """Keeps what a device says in place of what it said before; beyond `MAX_OWN_DEVICES` the one heard of longest ago
        is forgotten.
        """
        with self._database.transaction():
            self._database.write("DELETE FROM own_devices WHERE device_id = ?", (row.device_id,))
            self._database.write(
                "INSERT INTO own_devices (device_id, name, holds_identity, backup) VALUES (?, ?, ?, ?)", astuple(row)
            )
            self._database.write(
                "DELETE FROM own_devices WHERE position NOT IN"
                " (SELECT position FROM own_devices ORDER BY position DESC LIMIT ?)",
                (MAX_OWN_DEVICES,),
            )

    def label(self, device_id: bytes) -> str:
        """What a device is called, or its short id where it has not said any name."""
        row = self._database.one("SELECT name FROM own_devices WHERE device_id = ?", (device_id,))
        return (row and row[0]) or short_id(device_id)

    def all(self) -> list[OwnDeviceRow]:
        """All of them, in the order in which they were last heard of."""
        rows = self._database.all("SELECT device_id, name, holds_identity, backup FROM own_devices ORDER BY position")
        return [OwnDeviceRow(bytes(device_id), name, bool(holds), backup) for device_id, name, holds, backup in rows]


@dataclass(frozen=True)
class HeardRoom:
    """What another device of ours has told of a room.

    Attributes:
        title: Of a private room; empty where nothing was told.
        topic: Likewise.
        agreed: Whether the person has agreed to be in it.
        read: The newest event that they have read.
    """

    title: str = field(default="", repr=False)
    topic: str = field(default="", repr=False)
    agreed: bool = False
    read: int = 0


class HeardRooms:
    """Rooms that this device is not in yet, by id.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_title(self, room_id: bytes, title: str, topic: str) -> None:
        """Remembers a name."""
        if self._make(room_id):
            self._database.write(
                "UPDATE heard_rooms SET title = ?, topic = ? WHERE room_id = ?", (title, topic, room_id)
            )

    def put_agreed(self, room_id: bytes, *, agreed: bool) -> None:
        """Remembers whether the person wants to be in it."""
        if self._make(room_id):
            self._database.write("UPDATE heard_rooms SET agreed = ? WHERE room_id = ?", (agreed, room_id))

    def put_read(self, room_id: bytes, seq: int) -> None:
        """Remembers how far they have read; never goes back."""
        if self._make(room_id):
            self._database.write("UPDATE heard_rooms SET read = max(read, ?) WHERE room_id = ?", (seq, room_id))

    def _make(self, room_id: bytes) -> bool:
        """Whether there is a row now; beyond `MAX_HEARD_ROOMS` there is none for another room."""
        (count,) = self._database.one("SELECT count(*) FROM heard_rooms WHERE room_id <> ?", (room_id,))
        if count < MAX_HEARD_ROOMS:
            self._database.write("INSERT OR IGNORE INTO heard_rooms (room_id) VALUES (?)", (room_id,))
        return int(count) < MAX_HEARD_ROOMS

    def get(self, room_id: bytes) -> HeardRoom:
        """What was told of a room."""
        row = self._database.one("SELECT title, topic, agreed, read FROM heard_rooms WHERE room_id = ?", (room_id,))
        return HeardRoom() if row is None else HeardRoom(row[0], row[1], bool(row[2]), row[3])

    def drop(self, room_id: bytes) -> None:
        """We are in the room: from now on it is known here."""
        self._database.write("DELETE FROM heard_rooms WHERE room_id = ?", (room_id,))
