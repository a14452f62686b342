"""Tests of `clients.window.timeline.conversations`."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Alarm, ClientEvent, IdentityChanged
from chatserv.client.errors import Quota
from chatserv.client.events import (
    Announced,
    Delivered,
    MessageDeleted,
    MessageEdited,
    PresenceSeen,
    Reacted,
    RoomChanged,
    RoomLeft,
    RoomTitled,
    SendFailed,
    TypingSeen,
)
from clients.window.timeline.conversations import MAX_ROOMS, Conversations
from clients.window.timeline.entries import LOUD, Note
from tests.client.slash_fakes import AT_MS, message


class ConversationsTests(SynchronousTestCase):
    """Alice's rooms; the lobby is on the screen."""

    def setUp(self) -> None:
        """One message of bob's is there."""
        self.conversations = Conversations(lambda: AT_MS, lambda: "alice")
        self.said = message(1)
        self.conversations.go("lobby").load_newest(lambda *_: [self.said])

    def take(self, *events: ClientEvent) -> None:
        """They happen."""
        for event in events:
            self.conversations.take(event)

    def notes(self, room: str = "lobby") -> list[tuple[str, str]]:
        """What the program has said, and how."""
        entries = self.conversations.of(room).entries
        return [(entry.text, entry.style) for entry in entries if isinstance(entry, Note)]

    def test_messages_go_to_their_room(self) -> None:
        """The one on the screen shows them."""
        self.take(message(2), replace(message(3), room="plans"))
        self.assertIsNotNone(self.conversations.here.find(message(2).message_id))
        self.assertIsNone(self.conversations.here.find(message(3).message_id))

    def test_what_happens_to_a_message_changes_it(self) -> None:
        """Edits, signs, receipts and deletions."""
        room, message_id = "lobby", self.said.message_id
        self.take(MessageEdited(room, message_id, "bob", "other"))
        found = self.conversations.here.find(message_id)
        self.assertEqual(found and found.text, "other")
        for event in (Reacted(room, message_id, "bob", "👍", True), Delivered(room, "bob", (message_id,))):
            self.conversations.here.changed.clear()
            self.take(event)
            self.assertEqual(len(self.conversations.here.changed), 1)
        self.take(MessageDeleted(room, message_id, "bob"))
        found = self.conversations.here.find(message_id)
        self.assertEqual(found and (found.text, found.deleted), (None, True))

    def test_a_mention_elsewhere_is_remembered_until_the_room_is_looked_at(self) -> None:
        """Not those of the room on the screen, nor our own."""
        self.take(message(2, mentioned=True), message(3, room="plans", mentioned=True, own=True))
        self.assertEqual(self.conversations.mentioned, set())
        self.take(message(4, room="plans", mentioned=True))
        self.assertEqual(self.conversations.mentioned, {"plans"})
        self.conversations.go("plans")
        self.assertEqual(self.conversations.mentioned, set())

    def test_news_of_a_room_stand_in_the_room(self) -> None:
        """Without its name, where it has a conversation here."""
        self.conversations.of("plans")
        joined = (("joined", ("bob",)),)
        self.take(RoomChanged("lobby", "bob", joined), RoomChanged("plans", "bob", joined))
        self.assertEqual(self.notes(), [("bob joined.", "notice")])
        self.assertEqual(self.notes("plans"), [("bob joined.", "notice")])

    def test_news_of_a_room_that_has_no_conversation_are_told_here(self) -> None:
        """With its name."""
        self.take(RoomChanged("other", "bob", (("joined", ("bob",)),)))
        self.assertEqual(self.notes(), [("#other: bob joined.", "notice")])

    def test_what_has_to_be_seen_is_loud(self) -> None:
        """Alarms, changed identities and announcements."""
        self.take(Alarm("old_log"), IdentityChanged("bob", True), Announced("hello", AT_MS))
        self.assertEqual([style for _, style in self.notes()], [LOUD] * 3)

    def test_what_passes_by_is_not_written_down(self) -> None:
        """The status line and the list of members show it."""
        self.take(TypingSeen("lobby", "bob"), PresenceSeen("bob", "away"))
        self.assertEqual(self.notes(), [])

    def test_a_failed_text_is_told_where_it_stands_and_anything_else_in_a_note(self) -> None:
        """An edit has no line of its own."""
        failed = SendFailed(b"m" * 16, Quota("full"))
        self.conversations.take(failed, waits=lambda _: True)
        self.assertEqual(self.notes(), [])
        self.take(failed)
        self.assertEqual(len(self.notes()), 1)

    def test_a_room_that_is_renamed_keeps_its_conversation(self) -> None:
        """On the screen or not."""
        self.take(RoomTitled("hall", "lobby", "", "bob"))
        self.assertEqual(self.conversations.current, "hall")
        self.assertIsNotNone(self.conversations.here.find(self.said.message_id))

    def test_a_room_that_we_are_put_out_of_is_forgotten(self) -> None:
        """The one on the screen says so."""
        self.conversations.of("plans").note(Note("old", AT_MS))
        self.take(RoomLeft("plans", "bob"))
        self.assertEqual(self.notes("plans"), [])
        self.assertEqual(self.notes(), [("bob removed you from #plans.", "notice")])

    def test_conversations_are_bounded(self) -> None:
        """One too many drops the oldest, but not the one on the screen."""
        for number in range(MAX_ROOMS):
            self.conversations.of(f"room{number}")
        self.assertEqual(len(self.conversations._transcripts), MAX_ROOMS)
        self.assertIsNotNone(self.conversations.here.find(self.said.message_id))

    def test_what_is_said_before_there_is_a_room_is_shown_in_the_first_one(self) -> None:
        """No room without a name takes what comes later."""
        self.conversations = Conversations(lambda: AT_MS, lambda: "alice")
        self.assertEqual(self.conversations.here.entries, [])
        self.take(Alarm("old_log"))
        self.conversations.go("lobby")
        self.take(Announced("hello", AT_MS))
        self.assertEqual([style for _, style in self.notes()], [LOUD] * 2)
        self.assertEqual(self.notes(""), [])
        self.assertEqual(list(self.conversations._transcripts), ["lobby"])

    def test_only_the_line_of_who_has_changed_a_message_changes(self) -> None:
        """Though somebody else uses its id as well."""
        mallorys = replace(message(2, sender="mallory"), message_id=self.said.message_id)
        self.take(mallorys, MessageEdited("lobby", self.said.message_id, "mallory", "forged"))
        found = self.conversations.here.find(self.said.message_id)
        self.assertEqual(found and found.text, self.said.text)

    def test_messages_of_a_room_that_is_renamed_are_in_it(self) -> None:
        """What is done with them is done there."""
        self.take(RoomTitled("hall", "lobby", "", "bob"))
        found = self.conversations.here.find(self.said.message_id)
        self.assertEqual(found and found.room, "hall")
