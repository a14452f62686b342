"""Tests of `clients.window.transcript`."""

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import MessageReceived
from clients.window.entries import Day, Entry, Note, Unread
from clients.window.transcript import DROPPED, LOADED, MAX_ENTRIES, MAX_NOTES, Transcript
from tests.client.slash_fakes import AT_MS, message

DAY_MS = 86_400_000


class Archive:
    """Messages that a device keeps."""

    def __init__(self, count: int) -> None:
        self.kept = [said(seq) for seq in range(1, count + 1)]

    def __call__(self, limit: int, before: int | None) -> list[MessageReceived]:
        """The last ones before a place."""
        return [each for each in self.kept if before is None or each.seq < before][-limit:]


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
