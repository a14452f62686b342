"""Tests of `clients.window.timeline.entries`."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import MessageReceived, Quota, WaitingMessage, clock, date
from clients.shared.dates import day_text
from clients.shared.separators import Anew, Day, Unread
from clients.window.timeline.entries import (
    GOES_ON_MS,
    LOUD,
    Entry,
    Note,
    copied,
    entry_line,
    sender_tag,
    waiting_line,
)
from clients.window.timeline.spans import ROW, plain
from tests.client.slash_fakes import AT_MS, message

CLOCK = f"[{clock(AT_MS)}]"


def waiting(**fields: object) -> WaitingMessage:
    """A text of alice's on its way."""
    given = {"message_id": b"w" * 16, "text": "hello", "action": False, "reply_to": None, "at_ms": AT_MS, **fields}
    return WaitingMessage(**given)  # type: ignore[arg-type]


class EntryLineTests(SynchronousTestCase):
    """Lines of a conversation."""

    def test_mine_others_and_the_programs_lines_differ(self) -> None:
        """Each has the time, and a tag of its own; below who said it stands what."""
        own, other = entry_line(message(1, sender="alice")), entry_line(message(2, sender="bob"))
        note = entry_line(Note("bob joined", AT_MS))
        self.assertEqual(plain(own), f"alice  {clock(AT_MS)}{ROW}hello ✓")
        self.assertEqual(plain(other), f"bob  {clock(AT_MS)}{ROW}hello")
        self.assertEqual(plain(note), f"bob joined  {clock(AT_MS)}")
        self.assertEqual([line[0].tag for line in (own, other, note)], ["own", sender_tag("bob"), "notice"])

    def test_who_goes_on_is_not_named_again(self) -> None:
        """But after somebody else, after the program, after a while, and around actions."""
        first = message(1)
        self.assertEqual(plain(entry_line(message(2), first)), "hello")
        others: list[tuple[MessageReceived, Entry | None]] = [
            (message(2), None),
            (message(2), message(1, sender="eve")),
            (message(2), Note("bob joined", AT_MS)),
            (message(2), message(1, action=True)),
            (replace(message(2), at_ms=AT_MS + GOES_ON_MS), first),
            (replace(message(2), at_ms=AT_MS - 1), first),
        ]
        for entry, previous in others:
            self.assertIn("bob", plain(entry_line(entry, previous)), previous)
        self.assertEqual(plain(waiting_line(waiting(), "alice", previous=waiting())), "hello …")
        self.assertEqual(plain(waiting_line(waiting(), "alice", previous=message(1, sender="alice"))), "hello …")
        self.assertIn("alice", plain(waiting_line(waiting(), "alice", previous=first)))

    def test_links_are_spans_of_their_own(self) -> None:
        """In what people and the program say; the rest is text."""
        text = "see https://example.org/a, or mailto:bob@example.org"
        for line in (entry_line(message(1, text)), entry_line(Note(text, AT_MS, LOUD))):
            self.assertEqual(
                [span.text for span in line if span.link], ["https://example.org/a", "mailto:bob@example.org"]
            )
            self.assertIn(text, plain(line))

    def test_loud_notes_are_loud(self) -> None:
        """They have their own tag."""
        self.assertEqual(entry_line(Note("ALARM", AT_MS, LOUD))[0].tag, "loud")

    def test_nothing_foreign_breaks_the_line(self) -> None:
        """Names, texts, quotations and signs are cleaned."""
        evil = "a\nb\x1b]0;title\x07\u202e"
        quoted = message(1, evil, sender="eve")
        line = entry_line(
            message(2, evil, sender=evil, reply_to=quoted.message_id), quoted=quoted, signs={evil: [evil]}
        )
        self.assertFalse(set("\n\x1b\x07\u202e") & set(plain(line)))

    def test_lines_are_rows(self) -> None:
        """Each below the other, with the spaces that it begins with, and clean; a long text is folded, or whole."""
        rows = plain(entry_line(message(1, "one\r\n\n  [00:00] <eve> \x1b[2J\n\tfour"))).split(ROW)[1:]
        self.assertEqual(rows, ["one", "\xa0", "\xa0\xa0[00:00] <eve> \ufffd[2J", "\xa0\xa0\xa0\xa0four"])
        long = message(1, "x\n" * 99 + "end")
        line = entry_line(long)
        self.assertEqual((line[-1].tag, line[-1].text), ("fold", "… 88 more lines"))
        self.assertEqual(plain(line).split(ROW)[1:], ["x"] * 12 + ["… 88 more lines"])
        self.assertEqual(plain(entry_line(long, whole=True)).split(ROW)[1:], ["x"] * 99 + ["end"])
        self.assertEqual(plain(waiting_line(waiting(text="one\ntwo"), "alice")).split(ROW)[1:], ["one", "two …"])

    def test_a_message_tells_what_became_of_it(self) -> None:
        """Edited, answered, with signs, arrived."""
        quoted = message(1, "what?", sender="bob")
        line = entry_line(
            message(2, sender="alice", edited=True, reply_to=quoted.message_id),
            quoted=quoted, signs={"👍": ["bob"]}, arrived={"bob"},
        )  # fmt: skip
        self.assertEqual(plain(line).split(ROW)[1:], ["│ bob: what?", "hello (edited) ✓ delivered to bob", " 👍 bob "])
        self.assertEqual(
            copied(message(2), line, "alice"),
            f"{CLOCK} <alice> (bob: what?) hello (edited) ✓ delivered to bob [👍 bob]",
        )

    def test_an_answer_to_something_unknown_is_an_answer(self) -> None:
        """Though it is not at hand."""
        self.assertIn("│ a reply", plain(entry_line(message(2, reply_to=b"x" * 16))))

    def test_actions_mentions_and_what_is_gone_look_otherwise(self) -> None:
        """A star for actions, tags for the others."""
        waves = entry_line(message(1, "waves", action=True))
        self.assertEqual(plain(waves), f"* bob waves  {clock(AT_MS)}")
        self.assertEqual(copied(message(1, action=True), waves, "bob"), f"{CLOCK} * bob waves")
        self.assertEqual(entry_line(message(1, mentioned=True))[3].tag, "mentioned")
        self.assertEqual(entry_line(message(1, None, deleted=True))[3].tag, "gone")

    def test_what_another_identity_has_signed_says_so(self) -> None:
        """In front of the text, and loud."""
        doubtful = plain(entry_line(replace(message(1), sent_ms=message(1).at_ms + 600_001)))
        self.assertIn("(by the sender's clock:", doubtful)
        self.assertNotIn("clock", plain(entry_line(replace(message(1), sent_ms=message(1).at_ms))))
        line = entry_line(message(1, identity_changed=True))
        self.assertEqual(plain(line).split(ROW)[-1], "(identity changed: perhaps not them) hello")
        self.assertEqual(line[3].tag, LOUD)

    def test_days_and_the_unread_mark_are_lines(self) -> None:
        """Each in one span."""
        self.assertEqual(plain(entry_line(Day(AT_MS))), day_text(AT_MS))
        self.assertEqual(entry_line(Unread())[0].tag, "unread")
        self.assertEqual(plain(entry_line(Anew())), "new identity: the conversation begins anew")

    def test_a_time_that_is_none_is_shown_as_such(self) -> None:
        """The server may claim anything."""
        self.assertEqual(f"[{clock(10**30)}]", "[--:--]")
        self.assertEqual(date(10**30), "----------")


class WaitingLineTests(SynchronousTestCase):
    """Texts that are not in the room yet."""

    def test_each_state_has_its_sign(self) -> None:
        """On its way, stored, failed with the reason."""
        head = f"alice  {clock(AT_MS)}{ROW}"
        self.assertEqual(plain(waiting_line(waiting(), "alice")), f"{head}hello …")
        self.assertEqual(plain(waiting_line(waiting(state="stored"), "alice")), f"{head}hello ✓")
        failed = plain(waiting_line(waiting(state="failed", error=Quota("full")), "alice"))
        self.assertTrue(failed.startswith(f"{head}hello ✗ not sent: "), failed)

    def test_answers_and_actions_show_as_in_the_room(self) -> None:
        """With the start of what they answer."""
        line = waiting_line(waiting(action=True, reply_to=b"x" * 16), "alice", message(1, "what?"))
        self.assertEqual(plain(line), f"* alice │ bob: what?{ROW}hello …")
        self.assertEqual(copied(waiting(action=True), line, "alice"), f"{CLOCK} * alice (bob: what?) hello …")


class SignTests(SynchronousTestCase):
    """Signs are texts that somebody chose."""

    def test_a_sign_does_not_look_like_a_state(self) -> None:
        """It stands by itself, below what is said, and is short; copied, it is in brackets that it cannot leave."""
        line = entry_line(message(1, sender="alice"), signs={"] ✗ not sent: banned": ["mallory"]})
        self.assertEqual(plain(line).split(ROW)[1:], ["hello ✓", "  ✗ not … mallory "])
        self.assertEqual([span.tag for span in line[-3:]], ["stored", "mark", "sign"])
        self.assertEqual(copied(message(1), line, "alice"), f"{CLOCK} <alice> hello ✓ [✗ not … mallory]")
        whole = entry_line(message(1), signs={"12345678": ["bob"], "123456789": ["bob"]})
        self.assertTrue(plain(whole).endswith(" 12345678 bob    1234567… bob "))
