"""The archive of messages."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.database import Database
from chatserv.client.storage.messages import MAX_REACTIONS, Archive
from chatserv.client.storage.stored_message import StoredMessage
from chatserv.crypto.content import ContentType
from tests.support.e2e import named

ROOM, OTHER = b"r" * 16, b"s" * 16


def message(seq: int, sender: str = "alice", ctype: int = ContentType.TEXT) -> StoredMessage:
    """The message at a place of the room."""
    return StoredMessage(
        room_id=ROOM,
        seq=seq,
        message_id=named(f"message {seq}", 16),
        sender=sender,
        device_id=named(sender, 16),
        leaf=2,
        epoch=3,
        generation=seq,
        at_ms=1000 + seq,
        sent_ms=900 + seq,
        ctype=int(ctype),
        body=b"said %d" % seq,
        commit_hash=b"c" * 32,
    )


class ArchiveCase(SynchronousTestCase):
    """An archive in memory with room for five messages a room."""

    def setUp(self) -> None:
        """Makes it."""
        self.database = Database.open(None)
        self.addCleanup(self.database.close)
        self.archive = Archive(self.database, 5)

    def seqs(self, room_id: bytes = ROOM) -> list[int]:
        """What is there."""
        return [each.seq for each in self.archive.last(room_id, 100)]


class AddTests(ArchiveCase):
    """What comes in, and what goes."""

    def test_comes_back(self) -> None:
        """A message comes back as it was, found by place or id."""
        for each in (message(1), replace(message(2), edited_body=b"x", deleted=True, body=b"")):
            self.assertTrue(self.archive.add(each))
            self.assertEqual(self.archive.get(ROOM, each.seq), each)
            self.assertEqual(self.archive.by_id(ROOM, each.message_id), each)
        self.assertIsNone(self.archive.get(OTHER, 1))
        self.assertIsNone(self.archive.by_id(OTHER, message(1).message_id))

    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 2**64 - 1), st.integers(0, 255), st.integers(0, 2**32 - 1))
    def test_numbers(self, sent_ms: int, ctype: int, number: int) -> None:
        """Whatever numbers a sender puts into a message, they come back."""
        sent = replace(message(1), sent_ms=sent_ms, ctype=ctype, leaf=number, epoch=number, generation=number)
        self.archive.clear(ROOM)
        self.archive.add(sent)
        self.assertEqual(self.archive.get(ROOM, 1), sent)

    def test_twice(self) -> None:
        """The same id from the same sender is taken once in a room; another sender or room may have it too."""
        first = message(1)
        self.archive.add(first)
        self.assertFalse(self.archive.add(first))
        self.assertFalse(self.archive.add(replace(first, seq=2, body=b"again")))
        copied = replace(first, seq=3, sender="mallory")
        self.assertTrue(self.archive.add(copied))
        self.assertTrue(self.archive.add(replace(first, room_id=OTHER)))
        self.assertEqual((self.seqs(), self.seqs(OTHER)), ([1, 3], [1]))
        self.assertEqual(self.archive.by_id(ROOM, first.message_id), first)
        self.assertEqual(self.archive.by_id(ROOM, first.message_id, "mallory"), copied)
        self.assertIsNone(self.archive.by_id(ROOM, first.message_id, "bob"))

    def test_one_place(self) -> None:
        """A server that was restored gives a place out again: both messages stay, in the order in which they came."""
        again = replace(message(2), seq=1)
        self.archive.add(message(1))
        self.archive.add(again)
        self.assertEqual(self.archive.get(ROOM, 1), again)
        self.assertEqual(self.archive.last(ROOM, 5), [message(1), again])

    def test_bound(self) -> None:
        """Beyond the bound of a room its oldest message goes, with its reactions and receipts; other rooms stay."""
        self.archive.add(replace(message(1), room_id=OTHER))
        for seq in (1, 2, 3, 4, 5):
            self.archive.add(message(seq))
        self.archive.react(ROOM, message(1).message_id, "bob", "+1", True)
        self.archive.add_receipt(ROOM, message(1).message_id, "bob")
        self.assertEqual(self.seqs(), [1, 2, 3, 4, 5])
        self.archive.add(message(6))
        self.assertEqual((self.seqs(), self.seqs(OTHER)), ([2, 3, 4, 5, 6], [1]))
        self.assertEqual(self.database.all("SELECT user FROM reactions UNION ALL SELECT user FROM receipts"), [])
        self.archive.add(message(1))
        self.assertEqual(self.seqs(), [2, 3, 4, 5, 6], "older than all that are kept")

    def test_bound_after_clear(self) -> None:
        """A room that was cleared has all of its places again."""
        for seq in range(5):
            self.archive.add(message(seq))
        self.archive.clear(ROOM)
        self.assertEqual(self.seqs(), [])
        for seq in range(6):
            self.archive.add(message(seq))
        self.assertEqual(self.seqs(), [1, 2, 3, 4, 5])


class ReadTests(ArchiveCase):
    """Pages, and the newest of somebody."""

    def setUp(self) -> None:
        """Five messages of three people; the last two are no texts."""
        super().setUp()
        for seq, sender, ctype in ((1, "alice", 1), (3, "bob", 1), (5, "alice", 1), (7, "carol", 2), (9, "alice", 99)):
            self.archive.add(message(seq, sender, ctype))

    def test_pages(self) -> None:
        """Pages forward and back are in order, bounded, and without the place itself."""
        rows = [
            (self.archive.after(ROOM, 0, 2), [1, 3]),
            (self.archive.after(ROOM, 3, 10), [5, 7, 9]),
            (self.archive.after(ROOM, 9, 10), []),
            (self.archive.last(ROOM, 2), [7, 9]),
            (self.archive.last(ROOM, 2, before=7), [3, 5]),
            (self.archive.last(ROOM, 10, before=1), []),
            (self.archive.after(OTHER, 0, 10), []),
        ]
        for found, wanted in rows:
            self.assertEqual([each.seq for each in found], wanted)

    def test_count_after(self) -> None:
        """The messages beyond a place are counted."""
        self.assertEqual([self.archive.count_after(ROOM, seq) for seq in (0, 3, 8, 9)], [5, 3, 1, 0])

    def newest(self, sender: str | None = None, not_sender: str | None = None) -> int | None:
        """The place of what `last_of` finds."""
        found = self.archive.last_of(ROOM, sender, not_sender=not_sender)
        return None if found is None else found.seq

    def test_last_of(self) -> None:
        """The newest text of somebody, or of anybody but them, is found; deleted ones and other types are not."""
        self.assertEqual((self.newest(), self.newest("alice"), self.newest("bob")), (5, 5, 3))
        self.assertEqual((self.newest("carol"), self.newest(not_sender="alice")), (None, 3))
        self.archive.mark_deleted(ROOM, message(5).message_id)
        self.assertEqual((self.newest(), self.newest("alice")), (3, 1))


class PageTests(ArchiveCase):
    """Pages where two messages have one place, as after a restore of the server."""

    def test_complete(self) -> None:
        """A page holds all messages of the place where it ends, so that the next one misses none."""
        self.archive.retention._limit = 100
        for seq in (1, 2, 3):
            self.archive.add(message(seq))
        self.archive.add(replace(message(2), message_id=b"x" * 16))
        first = self.archive.after(ROOM, 0, 2)
        self.assertEqual([each.seq for each in first], [1, 2, 2])
        self.assertEqual([each.seq for each in self.archive.after(ROOM, 2, 2)], [3])
        self.assertEqual([each.seq for each in self.archive.last(ROOM, 2)], [2, 2, 3])
        self.assertEqual([each.seq for each in self.archive.last(ROOM, 2, 2)], [1])


class ChangeTests(ArchiveCase):
    """Edits, deletions, reactions and receipts."""

    def setUp(self) -> None:
        """Two messages."""
        super().setUp()
        self.archive.add(message(1))
        self.archive.add(message(2))
        self.message_id = message(1).message_id

    def test_edit(self) -> None:
        """The newest edit is kept beside the message, in whatever order edits come."""
        self.assertTrue(self.archive.mark_edited(ROOM, self.message_id, b"second", 8))
        self.assertFalse(self.archive.mark_edited(ROOM, self.message_id, b"first", 7))
        self.assertEqual(self.archive.get(ROOM, 1), replace(message(1), edited_body=b"second"))
        self.assertTrue(self.archive.mark_edited(ROOM, self.message_id, b"third", 9))
        self.assertEqual(self.archive.get(ROOM, 1), replace(message(1), edited_body=b"third"))
        self.assertFalse(self.archive.mark_edited(ROOM, named("nothing", 16), b"x", 9))
        self.assertEqual(self.archive.get(ROOM, 2), message(2))

    def test_delete(self) -> None:
        """A deleted message has no text, edit, signature or reactions any more, and takes none; its place stays."""
        self.archive.mark_edited(ROOM, self.message_id, b"edited", 8)
        self.archive.react(ROOM, self.message_id, "bob", "+1", True)
        self.assertTrue(self.archive.mark_deleted(ROOM, self.message_id))
        deleted = replace(message(1), body=b"", deleted=True)
        self.assertFalse(self.archive.mark_deleted(ROOM, self.message_id))
        self.assertFalse(self.archive.mark_edited(ROOM, self.message_id, b"again", 9))
        self.assertFalse(self.archive.react(ROOM, self.message_id, "bob", "+1", True))
        self.assertEqual(self.archive.get(ROOM, 1), deleted)
        self.assertEqual(self.archive.reactions(ROOM, self.message_id), {})
        self.assertFalse(self.archive.mark_deleted(ROOM, named("nothing", 16)))
        self.assertFalse(self.archive.add(message(1)), "a deleted message cannot come again")

    def test_copied_id(self) -> None:
        """Who takes the id of somebody else's message gets nothing of what is meant for it, deleted or not."""
        copied = replace(message(3), message_id=self.message_id, sender="mallory")
        self.archive.add(copied)
        self.archive.mark_edited(ROOM, self.message_id, b"edited", 8)
        self.archive.mark_deleted(ROOM, self.message_id)
        self.archive.mark_edited(ROOM, self.message_id, b"later", 9)
        self.assertFalse(self.archive.react(ROOM, self.message_id, "bob", "+1", True))
        self.assertEqual(self.archive.get(ROOM, 3), copied)

    def test_reactions(self) -> None:
        """Signs are kept with whose they are, in order, each once, until they are taken off."""
        for user, emoji in (("bob", "+1"), ("carol", "ok"), ("alice", "+1"), ("bob", "ok")):
            self.assertTrue(self.archive.react(ROOM, self.message_id, user, emoji, True))
        self.assertFalse(self.archive.react(ROOM, self.message_id, "bob", "+1", True))
        self.assertEqual(
            self.archive.reactions(ROOM, self.message_id), {"+1": ["bob", "alice"], "ok": ["carol", "bob"]}
        )
        self.assertTrue(self.archive.react(ROOM, self.message_id, "carol", "ok", False))
        self.assertFalse(self.archive.react(ROOM, self.message_id, "carol", "ok", False))
        self.assertEqual(self.archive.reactions(ROOM, self.message_id), {"+1": ["bob", "alice"], "ok": ["bob"]})
        self.assertEqual(self.archive.reactions(ROOM, message(2).message_id), {})
        self.assertFalse(self.archive.react(ROOM, named("nothing", 16), "bob", "+1", True))
        self.assertEqual(self.archive.reactions(ROOM, named("nothing", 16)), {})

    def test_reactions_bound(self) -> None:
        """One user has room for twenty signs on a message; that is no matter to others."""
        for number in range(MAX_REACTIONS + 1):
            put = self.archive.react(ROOM, self.message_id, "bob", str(number), True)
            self.assertEqual(put, number < MAX_REACTIONS)
        self.assertTrue(self.archive.react(ROOM, self.message_id, "carol", "x", True))
        self.assertEqual(len(self.archive.reactions(ROOM, self.message_id)), MAX_REACTIONS + 1)

    def test_receipts(self) -> None:
        """A receipt counts once, and for a message that is there."""
        for user in ("bob", "carol"):
            self.assertTrue(self.archive.add_receipt(ROOM, self.message_id, user))
        self.assertFalse(self.archive.add_receipt(ROOM, self.message_id, "bob"))
        self.assertFalse(self.archive.add_receipt(ROOM, named("nothing", 16), "bob"))
        self.assertEqual(self.archive.receipts(ROOM, self.message_id), {"bob", "carol"})
        self.assertEqual(self.archive.receipts(ROOM, message(2).message_id), set())
