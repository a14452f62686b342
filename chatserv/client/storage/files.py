"""Files that are on their way to the server, and those whose sealed bytes lie here: what is known of them, but not they."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from chatserv.client.storage.database import Database
from chatserv.crypto.content import ContentType
from chatserv.crypto.file_body import File
from chatserv.errors import Reject


class Stage(IntEnum):
    """How far an upload is: to be read and sealed, sealed, or at the server and its message in the outbox."""

    CHOSEN = 0
    SEALED = 1
    SAID = 2


class Holding(IntEnum):
    """What lies here of a file that was received: the first pieces, all of it, or nothing, as it is gone everywhere."""

    PIECES = 0
    WHOLE = 1
    GONE = 2


@dataclass(frozen=True)
class Upload:
    """A file on its way to the server.

    Attributes:
        message_id: Of the message that will bring it, 16 bytes.
        room_id: Where that is to go, 16 bytes.
        body: What the message will say; its hash counts from `Stage.SEALED` on.
        path: Where the file is until it is sealed; empty from then on.
        stage: How far it is.
        paused: Whether a person has stopped it.
        asked: Whether a program has sent it that had joined this one.
        at_ms: When that was, milliseconds since 1970.
    """

    message_id: bytes
    room_id: bytes
    body: File
    path: str = field(repr=False)
    stage: Stage
    paused: bool
    asked: bool
    at_ms: int


_UPLOADS: Final = "SELECT message_id, room_id, body, path, stage, paused, asked, at_ms FROM uploads"


def _upload(row: Any) -> Upload:
    message_id, room_id, body, path, stage, paused, asked, at_ms = row
    file = File.decode(body)
    return Upload(message_id, room_id, file, os.fsdecode(path), Stage(stage), bool(paused), bool(asked), at_ms)


class UploadTable:
    """Files on their way to the server, in the order in which they were sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, upload: Upload) -> None:
        """Keeps one behind all others."""
        sql = (
            "INSERT INTO uploads (message_id, room_id, body, path, stage, paused, asked, at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        body, path = upload.body.encode(), os.fsencode(upload.path)
        stage, flags = int(upload.stage), (upload.paused, upload.asked)
        self._database.write(sql, (upload.message_id, upload.room_id, body, path, stage, *flags, upload.at_ms))

    def all(self) -> list[Upload]:
        """All of them."""
        return [_upload(row) for row in self._database.all(f"{_UPLOADS} ORDER BY position")]

    def get(self, message_id: bytes) -> Upload | None:
        """The one of this message, or None."""
        row = self._database.one(f"{_UPLOADS} WHERE message_id = ?", (message_id,))
        return None if row is None else _upload(row)

    def count(self) -> int:
        """How many there are."""
        return int(self._database.one("SELECT count(*) FROM uploads")[0])

    def sealed(self, message_id: bytes, body: File) -> None:
        """All of it is sealed; the file itself is not needed any more."""
        sql = "UPDATE uploads SET stage = ?, body = ?, path = x'' WHERE message_id = ?"
        self._database.write(sql, (int(Stage.SEALED), body.encode(), message_id))

    def said(self, message_id: bytes) -> None:
        """The server has it; in one transaction with its message's place in the outbox."""
        self._database.write("UPDATE uploads SET stage = ? WHERE message_id = ?", (int(Stage.SAID), message_id))

    def pause(self, message_id: bytes, *, on: bool) -> None:
        """A person has stopped it, or lets it go on."""
        self._database.write("UPDATE uploads SET paused = ? WHERE message_id = ?", (on, message_id))

    def delete(self, message_id: bytes) -> None:
        """Forgets one."""
        self._database.write("DELETE FROM uploads WHERE message_id = ?", (message_id,))

    def clear(self, room_id: bytes) -> None:
        """Forgets all of a room."""
        self._database.write("DELETE FROM uploads WHERE room_id = ?", (room_id,))


@dataclass(frozen=True)
class KeptFile:
    """The sealed bytes of a file that was received.

    Attributes:
        name: Of the file in the profile that has them.
        room_id: Of the message that brought it, 16 bytes.
        message_id: Likewise.
        size: How many bytes lie here, at most.
        holding: What that is.
        used_ms: When it was used last, milliseconds since 1970.
    """

    name: str
    room_id: bytes
    message_id: bytes
    size: int
    holding: Holding
    used_ms: int


_KEPT: Final = "SELECT name, room_id, message_id, size, holding, used_ms FROM kept_files"


def _kept(row: Any) -> KeptFile:
    name, room_id, message_id, size, holding, used_ms = row
    return KeptFile(name, room_id, message_id, size, Holding(holding), used_ms)


class KeptFileTable:
    """What lies here of files that were received."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, kept: KeptFile) -> None:
        """Notes what lies here of one, in place of what was noted."""
        sql = "INSERT OR REPLACE INTO kept_files VALUES (?, ?, ?, ?, ?, ?)"
        where = (kept.name, kept.room_id, kept.message_id)
        self._database.note(sql, (*where, kept.size, int(kept.holding), kept.used_ms))

    def get(self, name: str) -> KeptFile | None:
        """The one of this name, or None."""
        row = self._database.one(f"{_KEPT} WHERE name = ?", (name,))
        return None if row is None else _kept(row)

    def all(self) -> list[KeptFile]:
        """All of them, those that were not used for longest first."""
        return [_kept(row) for row in self._database.all(f"{_KEPT} ORDER BY used_ms, name")]

    def delete(self, names: Iterable[str]) -> None:
        """Forgets these."""
        self._database.write_many("DELETE FROM kept_files WHERE name = ?", [(name,) for name in names])

    def orphans(self) -> list[str]:
        """Those whose message is not kept any more."""
        sql = (
            "SELECT name FROM kept_files WHERE NOT EXISTS (SELECT 1 FROM messages WHERE NOT deleted"
            " AND messages.room_id = kept_files.room_id AND messages.message_id = kept_files.message_id)"
        )
        return [name for (name,) in self._database.all(sql)]

    def clear(self, room_id: bytes) -> None:
        """Forgets all of a room."""
        self._database.write("DELETE FROM kept_files WHERE room_id = ?", (room_id,))

    def shared(self, room_id: bytes, sender: str, blob_id: bytes) -> bool:
        """Whether somebody's message that was not taken back brings this blob; its id stands in front of a body."""
        sql = (
            "SELECT 1 FROM messages WHERE room_id = ? AND sender = ? AND ctype = ? AND NOT deleted"
            " AND substr(body, 1, 16) = ? LIMIT 1"
        )
        return self._database.one(sql, (room_id, sender, int(ContentType.FILE), blob_id)) is not None


class DropTable:
    """Blobs that the server is to drop, as soon as it can be told, and whose each of them is to be."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, blob_id: bytes, owner: str) -> None:
        """One more."""
        self._database.write("INSERT OR IGNORE INTO blob_drops VALUES (?, ?)", (blob_id, owner))

    def all(self) -> list[tuple[bytes, str]]:
        """All of them."""
        return self._database.all("SELECT blob_id, owner FROM blob_drops")

    def done(self, blob_id: bytes, owner: str) -> None:
        """The server has heard of it."""
        self._database.write("DELETE FROM blob_drops WHERE blob_id = ? AND owner = ?", (blob_id, owner))


class FileTables:
    """All of them.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.uploads, self.kept, self.drops = UploadTable(database), KeptFileTable(database), DropTable(database)

    def said_by(self, user: str) -> dict[bytes, tuple[bytes, File]]:
        """The files that somebody has sent, as far as their messages are kept: by blob, with the message's id."""
        sql = "SELECT message_id, body FROM messages WHERE sender = ? AND ctype = ? AND NOT deleted ORDER BY position"
        found: dict[bytes, tuple[bytes, File]] = {}
        for message_id, body in self._database.all(sql, (user, int(ContentType.FILE))):
            with suppress(Reject):
                file = File.decode(body)
                found.setdefault(file.blob_id, (message_id, file))
        return found

    def clear(self, room_id: bytes) -> None:
        """Forgets all of a room."""
        self.uploads.clear(room_id)
        self.kept.clear(room_id)
