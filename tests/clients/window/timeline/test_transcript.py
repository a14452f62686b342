"""Tests of `clients.window.timeline.transcript`."""

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import MessageReceived
from clients.shared.separators import Day, Unread
from clients.window.timeline.entries import LOUD, Entry, Newer, Note
from clients.window.timeline.notes import MAX_LOUD, MAX_NOTES
from clients.window.timeline.transcript import DROPPED, LOADED, MAX_ENTRIES, Transcript
from tests.client.slash_fakes import AT_MS, message

DAY_MS = 86_400_000


class Archive:
    """Messages that a device keeps."""

    def __init__(self, count: int) -> None:
        self.kept = [said(seq) for seq in range(1, count + 1)]

    def __call__(self, limit: int, before: int | None) -> list[MessageReceived]:
        """The last ones before a place."""
        return [each for each in self.kept if before is None or each.seq < before][-limit:]

    def following(self, seq: int, limit: int) -> list[MessageReceived]:
        """The first ones behind a place."""
        return [each for each in self.kept if each.seq > seq][:limit]


def said(seq: int, text: str = "hello", **fields: Any) -> MessageReceived:
    """A message of a room with many."""
    return replace(message(1, text), seq=seq, message_id=seq.to_bytes(16, "big"), **fields)


def texts(entries: list[Entry]) -> list[str]:
    """What stands there, in short."""
    return [
        str(entry.seq)
        if isinstance(entry, MessageReceived)
        else entry.text
        if isinstance(entry, Note)
        else type(entry).__name__
        for entry in entries
    ]


class TranscriptTests(SynchronousTestCase):
    """One room."""

    def setUp(self) -> None:
        """An empty one."""
        self.transcript = Transcript()

    def test_a_room_that_is_not_on_the_screen_keeps_notes_alone(self) -> None:
        """Messages are in the archive; notes are nowhere else."""
        self.transcript.receive(said(1))
        self.transcript.note(Note("bob joined", AT_MS))
        self.assertEqual(texts(self.transcript.entries), ["bob joined"])

    def test_notes_stand_behind_the_message_that_was_the_newest_then(self) -> None:
        """Wherever the room is loaded later."""
        self.transcript.receive(said(1))
        self.transcript.note(Note("first", AT_MS))
        self.transcript.receive(said(2))
        self.transcript.note(Note("second", AT_MS))
        self.transcript.load_newest(Archive(3))
        self.assertEqual(texts(self.transcript.entries), ["Day", "1", "first", "2", "second", "3"])

    def test_days_are_told_apart(self) -> None:
        """A line stands where another day begins, loaded or live."""
        archive = Archive(1)
        self.transcript.load_newest(archive)
        self.transcript.receive(said(2))
        self.transcript.receive(said(3, at_ms=AT_MS + DAY_MS))
        self.assertEqual(texts(self.transcript.entries), ["Day", "1", "2", "Day", "3"])

    def test_what_is_new_is_marked(self) -> None:
        """Behind what was read, before the first message of somebody else."""
        self.transcript.load_newest(Archive(4), read=2)
        self.assertEqual(texts(self.transcript.entries), ["Day", "1", "2", "Unread", "3", "4"])
        self.transcript.load_newest(Archive(4), read=4)
        self.assertNotIn(Unread(), self.transcript.entries)

    def test_a_message_is_held_once(self) -> None:
        """Though it is told while it is loaded already."""
        self.transcript.load_newest(Archive(2))
        self.transcript.receive(said(2))
        self.assertEqual(texts(self.transcript.entries), ["Day", "1", "2"])

    def test_a_message_is_changed_where_it_stands(self) -> None:
        """Its number is noted, for who draws."""
        self.transcript.load_newest(Archive(2))
        self.transcript.change(said(1).message_id, text="other", edited=True)
        found = self.transcript.find(said(1).message_id)
        self.assertEqual(found and (found.text, found.edited), ("other", True))
        self.assertEqual(list(self.transcript.changed), [self.transcript.first + 1])
        self.transcript.change(b"unknown" * 2, text="nothing")
        self.assertEqual(len(self.transcript.changed), 1)

    def test_it_is_bounded(self) -> None:
        """One entry too many drops a good deal of the oldest; numbers stay."""
        self.transcript.load_newest(Archive(0))
        for seq in range(1, MAX_ENTRIES):
            self.transcript.receive(said(seq))
        self.assertEqual(len(self.transcript.entries), MAX_ENTRIES)
        last = self.transcript.number(said(MAX_ENTRIES - 1).message_id)
        self.transcript.receive(said(MAX_ENTRIES))
        self.assertEqual(len(self.transcript.entries), MAX_ENTRIES + 1 - DROPPED)
        self.assertEqual(self.transcript.number(said(MAX_ENTRIES - 1).message_id), last)
        self.assertIsNone(self.transcript.find(said(1).message_id))

    def test_notes_are_bounded(self) -> None:
        """The oldest go."""
        for number in range(MAX_NOTES + 1):
            self.transcript.note(Note(str(number), AT_MS))
        self.transcript.unload()
        self.assertEqual(len(self.transcript.entries), MAX_NOTES)
        self.assertEqual(texts(self.transcript.entries)[0], "1")

    def test_older_messages_come_before_the_first(self) -> None:
        """The numbers of those that were there stay."""
        archive = Archive(LOADED + 50)
        self.transcript.load_newest(archive)
        number = self.transcript.number(said(LOADED + 50).message_id)
        self.assertEqual(self.transcript.load_older(archive), 51)
        self.assertEqual(texts(self.transcript.entries)[:2], ["Day", "1"])
        self.assertEqual(self.transcript.number(said(LOADED + 50).message_id), number)
        self.assertTrue(self.transcript.complete)
        self.assertEqual(self.transcript.load_older(archive), 0)

    def test_who_reads_far_back_does_not_hold_the_newest(self) -> None:
        """The list stays bounded; new messages come when one goes back to the newest."""
        archive = Archive(MAX_ENTRIES + LOADED)
        self.transcript.load_newest(archive)
        while self.transcript.load_older(archive):
            pass
        self.assertEqual(len(self.transcript.entries), MAX_ENTRIES)
        self.assertTrue(self.transcript.detached)
        newest = said(MAX_ENTRIES + LOADED + 1)
        self.transcript.receive(newest)
        self.assertIsNone(self.transcript.find(newest.message_id))
        archive.kept.append(newest)
        self.transcript.load_newest(archive)
        self.assertEqual(self.transcript.find(newest.message_id), newest)

    def test_a_message_of_long_ago_is_shown_with_those_around_it(self) -> None:
        """The newest are not held then, unless they are near."""
        archive = Archive(600)
        self.transcript.receive(said(600))
        self.transcript.load_around(archive, 100)
        self.assertIsNotNone(self.transcript.find(said(100).message_id))
        self.assertIsNotNone(self.transcript.find(said(120).message_id))
        self.assertTrue(self.transcript.detached)
        self.transcript.load_around(archive, 590)
        self.assertFalse(self.transcript.detached)

    def test_numbers_are_not_used_twice(self) -> None:
        """Whoever holds an old number finds nothing."""
        self.transcript.load_newest(Archive(3))
        old = self.transcript.first
        self.transcript.load_newest(Archive(3))
        self.assertIsNone(self.transcript.entry(old))
        self.assertIsInstance(self.transcript.entry(self.transcript.first), Day)


class UnreadTests(SynchronousTestCase):
    """Where a room opens."""

    def test_what_is_new_has_a_number(self) -> None:
        """A line, or the first message where nothing was read; none where nothing of others is new."""
        transcript = Transcript()
        for read, entry in ((2, Unread()), (0, said(1)), (4, None)):
            transcript.load_unread(Archive(4), read, 4 - read)
            found = None if transcript.unread is None else transcript.entry(transcript.unread)
            self.assertEqual(found, entry)

    def test_more_is_new_than_is_loaded(self) -> None:
        """Those around the marker are, and page by page all behind them, until the newest are there."""
        for unread in (700, 10):  # our own ones are not counted
            self.read_all(unread)

    def read_all(self, unread: int) -> None:
        """From the first new one to the end."""
        transcript, archive = Transcript(), Archive(1000)
        transcript.note(Note("ALARM", AT_MS, LOUD))
        transcript.load_unread(archive, 300, unread)
        self.assertTrue(transcript.detached)
        at = transcript.unread or 0
        self.assertEqual(
            texts([entry for entry in (transcript.entry(at), transcript.entry(at + 1)) if entry]), ["Unread", "301"]
        )
        while transcript.load_newer(archive.following):
            self.assertEqual(transcript.entries.count(Newer()), transcript.detached)
        self.assertEqual(texts(transcript.entries)[-2:], ["1000", "ALARM"])
        self.assertFalse(transcript.detached)
        seqs = [entry.seq for entry in transcript.entries if isinstance(entry, MessageReceived)]
        self.assertEqual(seqs, list(range(seqs[0], 1001)))
        self.assertEqual(transcript.find(said(900).message_id), said(900))


class ForeignIdsTests(SynchronousTestCase):
    """Senders choose the ids of their messages, and may choose those of others."""

    def setUp(self) -> None:
        """Mallory has taken carol's."""
        self.transcript = Transcript()
        self.carols = said(1, "deal at 100", sender="carol")
        self.mallorys = replace(said(2, "deal at 900", sender="mallory"), message_id=self.carols.message_id)
        self.transcript.load_newest(lambda *_: [self.carols, self.mallorys])

    def shown(self) -> list[tuple[str, str | None]]:
        """Who has said what."""
        entries = self.transcript.entries
        return [(entry.sender, entry.text) for entry in entries if isinstance(entry, MessageReceived)]

    def test_each_sender_has_a_message_of_their_own(self) -> None:
        """What carol changes is hers; an id alone means the first."""
        message_id = self.carols.message_id
        self.transcript.change(message_id, "carol", text="deal at 101")
        self.assertEqual(self.shown(), [("carol", "deal at 101"), ("mallory", "deal at 900")])
        self.transcript.change(message_id, "eve", text="nothing")
        self.transcript.change(message_id, text=None, deleted=True)
        self.assertEqual(self.shown(), [("carol", None), ("mallory", "deal at 900")])
        self.assertEqual(self.transcript.find(message_id, "mallory"), self.mallorys)

    def test_a_second_one_with_an_id_is_shown(self) -> None:
        """Once."""
        for _ in range(2):
            self.transcript.receive(replace(self.mallorys, seq=3, sender="eve"))
        self.assertEqual([sender for sender, _ in self.shown()], ["carol", "mallory", "eve"])

    def test_it_stays_bounded(self) -> None:
        """Both go when there are too many."""
        for seq in range(10, 10 + MAX_ENTRIES):
            self.transcript.receive(said(seq))
        self.assertLessEqual(len(self.transcript.entries), MAX_ENTRIES)
        self.assertIsNone(self.transcript.find(self.carols.message_id))
        self.assertLessEqual(len(self.transcript._numbers), MAX_ENTRIES)


class LookingBackTests(SynchronousTestCase):
    """Old messages are looked at."""

    def setUp(self) -> None:
        """Those around one of long ago, in a room that was not on the screen before."""
        self.transcript = Transcript()
        self.archive = Archive(1000)
        self.transcript.load_around(self.archive, 100)

    def test_new_messages_are_not_put_behind_old_ones(self) -> None:
        """A line says where they are."""
        self.assertTrue(self.transcript.detached)
        self.transcript.receive(said(1001))
        self.assertIsNone(self.transcript.find(said(1001).message_id))
        self.assertIsInstance(self.transcript.entries[-1], Newer)

    def test_what_the_program_says_stands_below(self) -> None:
        """And behind the newest message, once that is looked at."""
        self.transcript.note(Note("ALARM", AT_MS, LOUD))
        self.assertEqual(texts(self.transcript.entries)[-2:], ["Newer", "ALARM"])
        self.transcript.load_newest(self.archive)
        self.assertEqual(texts(self.transcript.entries)[-2:], ["1000", "ALARM"])
        self.assertNotIn(Newer(), self.transcript.entries)

    def test_who_scrolls_far_back_sees_where_the_newest_are(self) -> None:
        """The line is drawn anew, and is there once."""
        archive = Archive(MAX_ENTRIES + 2 * LOADED)
        self.transcript.load_newest(archive)
        while self.transcript.load_older(archive):
            pass
        self.assertIsInstance(self.transcript.entries[-1], Newer)
        self.assertEqual(self.transcript.entries.count(Newer()), 1)
        self.assertIn(self.transcript.end - 1, self.transcript.changed)


class LoudNotesTests(SynchronousTestCase):
    """What has to be seen."""

    def test_others_do_not_push_them_out(self) -> None:
        """Though they are bounded themselves."""
        transcript = Transcript()
        transcript.note(Note("ALARM", AT_MS, LOUD))
        for number in range(MAX_NOTES + 1):
            transcript.note(Note(str(number), AT_MS))
        transcript.unload()
        self.assertEqual(texts(transcript.entries)[:2], ["ALARM", "1"])
        for number in range(MAX_LOUD):
            transcript.note(Note(f"loud {number}", AT_MS, LOUD))
        transcript.unload()
        self.assertEqual(len(transcript.entries), MAX_NOTES + MAX_LOUD)
        self.assertNotIn("ALARM", texts(transcript.entries))

    def test_what_is_said_before_anything_is_known_stands_at_the_end(self) -> None:
        """Not before messages of long ago."""
        transcript = Transcript()
        transcript.note(Note("ALARM", AT_MS, LOUD))
        transcript.load_newest(Archive(2))
        self.assertEqual(texts(transcript.entries), ["Day", "1", "2", "ALARM"])
        transcript.receive(said(3))
        transcript.load_newest(Archive(3))
        self.assertEqual(texts(transcript.entries), ["Day", "1", "2", "ALARM", "3"])
