"""All that a device remembers, as one thing to open, write in transactions, and close."""

from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

from chatserv.client.storage.asked import AskedTable
from chatserv.client.storage.certificates import CertificateTable
from chatserv.client.storage.chains import ChainTable
from chatserv.client.storage.cursors import CursorTable
from chatserv.client.storage.database import Database
from chatserv.client.storage.facts import Facts
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.files import FileTables
from chatserv.client.storage.ignored import IgnoredTable
from chatserv.client.storage.kept_events import KeptEventTable
from chatserv.client.storage.kept_statements import KeptStatementTable
from chatserv.client.storage.log import LogTable
from chatserv.client.storage.messages import Archive
from chatserv.client.storage.outbox import OutboxTable
from chatserv.client.storage.own_devices import HeardRooms, OwnDeviceTable
from chatserv.client.storage.pending import PendingCommits
from chatserv.client.storage.pins import PinTable
from chatserv.client.storage.prekeys import PrekeyTable
from chatserv.client.storage.rooms import RoomTable
from chatserv.client.storage.words import INDEX

_INDEXED: Final = "words_indexed"


class Vault:
    """The tables of one database.

    What belongs together is written in one `transaction`: a message with the step of the chain that opened it, a step of our
    own chain with the envelope that it sealed, an epoch's chains with the end of the prekey that brought them.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.facts = Facts(database)
        self.log = LogTable(database)
        self.certificates = CertificateTable(database)
        self.prekeys = PrekeyTable(database)
        self.rooms = RoomTable(database)
        self.chains = ChainTable(database)
        self.archive = Archive(database)
        self.outbox = OutboxTable(database)
        self.pending = PendingCommits(database)
        self.pins = PinTable(database)
        self.ignored = IgnoredTable(database)
        self.cursors = CursorTable(database)
        self.own_devices = OwnDeviceTable(database)
        self.heard_rooms = HeardRooms(database)
        self.asked = AskedTable(database)
        self.kept_events = KeptEventTable(database)
        self.kept_statements = KeptStatementTable(database)
        self.files = FileTables(database)

    @classmethod
    def open(cls, path: Path | None, key: bytes | None = None) -> "Vault":
        """Opens the file, and makes it where there is none; None is for one in memory. Raises `StorageError`.

        Args:
            path: Where it is.
            key: What the file is under, 32 bytes; None where it is not sealed.
        """
        vault = cls(Database.open(path, key=key))
        indexed = vault.facts.get(_INDEXED)
        if indexed != INDEX:
            if indexed is not None:
                vault.archive.words.mark_leftovers()
            vault.archive.index_all()
            vault.facts.note(_INDEXED, INDEX)
        return vault

    def transaction(self, *, wait: bool = True) -> AbstractContextManager[None]:
        """All of it or nothing; see `Database.transaction`."""
        return self.database.transaction(wait=wait)

    def forget_room(self, room_id: bytes) -> None:
        """Deletes all that there is of a room."""
        with self.transaction():
            self.chains.clear(room_id)
            self.archive.clear(room_id)
            self.outbox.clear(room_id)
            self.pending.delete(room_id)
            self.cursors.clear(room_id)
            self.rooms.delete(room_id)
            self.ignored.allow(room_id)
            self.heard_rooms.drop(room_id)
            self.kept_events.clear(room_id)
            self.files.clear(room_id)

    def close(self) -> None:
        """Closes the file, without words of what was taken back."""
        with suppress(StorageError):  # a disk that fails: what could not be cleaned is cleaned the next time
            self.archive.words.clean()
        self.database.close()
