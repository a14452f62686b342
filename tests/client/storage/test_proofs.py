"""What proves the messages that are kept."""

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.database import Database
from chatserv.client.storage.messages import Archive
from chatserv.client.storage.proofs import MAX_TAKEN_OFF, KeptProof
from chatserv.client.storage.schema import APPLICATION_ID, MIGRATIONS
from chatserv.crypto.content import ContentType
from chatserv.crypto.e2e.proof import Proof
from chatserv.crypto.envelope import Header
from tests.client.storage.test_messages import OTHER, ROOM, message
from tests.support.e2e import named

MESSAGE_ID = message(1).message_id


def kept(seq: int, ctype: int = ContentType.TEXT, sender: str = "alice", words: bytes = b"words") -> KeptProof:
    """What was signed at a place."""
    header = Header(ROOM, 3, 2, seq, b"g" * 4)
    return KeptProof(seq, 1000 + seq, sender, int(ctype), Proof(header, b"c" * 32, words, b"s" * 64, named(sender)))


class ProofTableTests(SynchronousTestCase):
    """An archive with room for three messages a room."""

    def setUp(self) -> None:
        """One message is there, in the first row."""
        self.database = Database.open(None)
        self.addCleanup(self.database.close)
        self.archive = Archive(self.database, 3)
        self.archive.add(message(1), kept(1))

    def test_comes_back(self) -> None:
        """As it was; a message that came once more changes nothing, and one without a proof has none."""
        self.assertEqual(self.archive.proofs.of(1), [kept(1)])
        self.archive.add(message(1), kept(1, words=b"others"))
        self.archive.add(message(2))
        self.assertEqual((self.archive.proofs.of(1), self.archive.proofs.of(2)), ([kept(1)], []))

    def test_newest_edit(self) -> None:
        """The first text stays, as it is the message; of edits the newest, and none that is older."""
        for seq in (5, 9, 7):
            self.archive.mark_edited(ROOM, MESSAGE_ID, b"text", seq, kept(seq, ContentType.EDIT))
        self.assertEqual(self.archive.proofs.of(1), [kept(1), kept(9, ContentType.EDIT)])

    def test_taken_back(self) -> None:
        """Words go with the message: only that it was taken back can be proved, by whoever was first."""
        self.archive.mark_edited(ROOM, MESSAGE_ID, b"text", 5, kept(5, ContentType.EDIT))
        self.archive.react(ROOM, MESSAGE_ID, "bob", "+1", True, kept(6, ContentType.REACTION, "bob"))
        for seq in (7, 8):
            self.archive.mark_deleted(ROOM, MESSAGE_ID, kept(seq, ContentType.DELETE, "bob", b"target"))
        self.assertEqual(self.archive.proofs.of(1), [kept(7, ContentType.DELETE, "bob", b"target")])

    def test_signs(self) -> None:
        """Of a sign the last change counts; of signs that were taken off so many are remembered, and no more."""

        def react(seq: int, emoji: str, *, on: bool) -> KeptProof:
            said = kept(seq, ContentType.REACTION, "bob")
            self.archive.react(ROOM, MESSAGE_ID, "bob", emoji, on, said)
            return replace(said, detail=emoji, live=on)

        react(2, "+1", on=True)
        react(2, "+1", on=True)
        stays = react(3, "tada", on=True)
        off = react(4, "+1", on=False)
        self.assertEqual(self.archive.proofs.of(1), [kept(1), stays, off])
        for number in range(MAX_TAKEN_OFF):
            react(10 + 2 * number, str(number), on=True)
            last = react(11 + 2 * number, str(number), on=False)
        found = self.archive.proofs.of(1)
        self.assertEqual((len(found), found[-1]), (2 + MAX_TAKEN_OFF, last))
        self.assertNotIn(off, found)
        self.assertIn(stays, found)

    def test_room(self) -> None:
        """The newest name of a room, each room's own."""
        for room_id, seq in ((ROOM, 1), (OTHER, 2), (ROOM, 3)):
            self.archive.proofs.put(room_id, None, kept(seq, ContentType.ROOM_NAME))
        self.assertEqual(self.archive.proofs.of_room(ROOM), [kept(3, ContentType.ROOM_NAME)])
        self.archive.clear(ROOM)
        self.assertEqual(self.archive.proofs.of_room(ROOM), [])
        self.assertEqual(self.archive.proofs.of_room(OTHER), [kept(2, ContentType.ROOM_NAME)])

    def test_kept_before(self) -> None:
        """A message of a file that had no proofs is there, and has none; nor had it one that would have been enough."""
        path = Path(self.mktemp())
        with closing(sqlite3.connect(path)) as older:
            older.executescript(
                f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=6;{''.join(MIGRATIONS[:6])}"
            )
            values = (
                ROOM,
                1,
                MESSAGE_ID,
                "alice",
                b"d" * 16,
                2,
                3,
                1,
                1001,
                901,
                1,
                b"said 1",
                b"s" * 64,
                b"c" * 32,
                0,
            )
            older.execute(
                "INSERT INTO messages (room_id, seq, message_id, sender, device_id, leaf, epoch, generation, at_ms, sent_ms,"
                " ctype, body, signature, commit_hash, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            older.commit()
        path.chmod(0o600)
        database = Database.open(path)
        self.addCleanup(database.close)
        archive = Archive(database)
        found = archive.get(ROOM, 1)
        assert found is not None
        self.assertEqual((found.body, found.sent_ms, archive.proofs.of(1)), (b"said 1", 901, []))

    def test_bound(self) -> None:
        """What falls out of the archive takes its proofs with it."""
        for seq in (2, 3, 4):
            self.archive.add(message(seq), kept(seq))
        self.assertEqual(self.database.one("SELECT min(seq), max(seq), count(*) FROM proofs"), (2, 4, 3))
