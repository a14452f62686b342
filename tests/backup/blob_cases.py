"""A server that has files of people, for tests of its copies."""

from pathlib import Path

from chatserv.backup.blob_links import beside
from chatserv.blob_directory import BlobDirectory
from chatserv.crypto.suite import sha256
from tests.backup.cases import BackupCase
from tests.store.contract_blobs import new_blob

SIZE = 70_000


class BlobCase(BackupCase):
    """A server with three files: two whole ones, and an upload."""

    def setUp(self) -> None:
        """Alice has sent two, and is about to send a third."""
        super().setUp()
        self.blobs = BlobDirectory(self.state.path / "blobs")
        self.blobs.make()
        for number, size in ((1, SIZE), (2, SIZE), (3, 100)):
            self.put(number, size)

    def data(self, number: int) -> bytes:
        """The bytes of a file."""
        return (sha256(b"%d" % number) * (SIZE // 32 + 1))[:SIZE]

    def put(self, number: int, received: int) -> None:
        """Uploads so much of one."""
        store, now_ms = self.server.store, self.server.now_ms()
        hashed = sha256(self.data(number))
        new = new_blob(number, room=self.room, size=SIZE, hash=hashed, now_ms=now_ms, expires_ms=now_ms + 10**9)
        self.server.wait(store.open_blob(new))
        self.blobs.write(new.blob_id, 0, self.data(number)[:received])
        whole = received == SIZE
        self.server.wait(store.note_received(new.blob_id, 0, received, new.expires_ms, whole=whole))

    def taken(self, number: int) -> Path:
        """A file beside the backup."""
        return beside(self.target) / f"{number:02x}" / (bytes([number]) * 16).hex()
