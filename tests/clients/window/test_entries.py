"""Tests of `clients.window.entries`."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Quota, WaitingMessage, clock, date
from clients.window.entries import LOUD, Day, Note, Unread, entry_line, plain, sender_tag, waiting_line
from tests.client.slash_fakes import AT_MS, message

CLOCK = f"[{clock(AT_MS)}]"


def waiting(**fields: object) -> WaitingMessage:
    """A text of alice's on its way."""
    given = {"message_id": b"w" * 16, "text": "hello", "action": False, "reply_to": None, "at_ms": AT_MS, **fields}
    return WaitingMessage(**given)  # type: ignore[arg-type]


class EntryLineTests(SynchronousTestCase):
    """Lines of a conversation."""

    def test_mine_others_and_the_programs_lines_differ(self) -> None:
        """Each has the time, and a tag of its own."""
        own, other = entry_line(message(1, sender="alice")), entry_line(message(2, sender="bob"))
        note = entry_line(Note("bob joined", AT_MS))
        self.assertEqual(plain(own), f"{CLOCK} <alice> hello ✓")
        self.assertEqual(plain(other), f"{CLOCK} <bob> hello")
        self.assertEqual(plain(note), f"{CLOCK} bob joined")
        self.assertEqual([line[1].tag for line in (own, other, note)], ["own", sender_tag("bob"), "notice"])

    def test_loud_notes_are_loud(self) -> None:
        """They have their own tag."""
        self.assertEqual(entry_line(Note("ALARM", AT_MS, LOUD))[1].tag, "loud")

    def test_nothing_foreign_breaks_the_line(self) -> None:
        """Names, texts, quotations and signs are cleaned."""
        evil = "a\nb\x1b]0;title\x07\u202e"
        quoted = message(1, evil, sender="eve")
        line = entry_line(
            message(2, evil, sender=evil, reply_to=quoted.message_id), quoted=quoted, signs={evil: [evil]}
        )
        self.assertFalse(set("\n\x1b\x07\u202e") & set(plain(line)))

    def test_a_message_tells_what_became_of_it(self) -> None:
        """Edited, answered, with signs, arrived."""
        quoted = message(1, "what?", sender="bob")
        line = entry_line(
            message(2, sender="alice", edited=True, reply_to=quoted.message_id),
            quoted=quoted, signs={"👍": ["bob"]}, arrived={"bob"},
        )  # fmt: skip
        self.assertEqual(plain(line), f"{CLOCK} <alice> (bob: what?) hello (edited) [👍 bob] ✓ arrived at bob")

    def test_an_answer_to_something_unknown_is_an_answer(self) -> None:
        """Though it is not at hand."""
        self.assertIn("(an answer)", plain(entry_line(message(2, reply_to=b"x" * 16))))

    def test_actions_mentions_and_what_is_gone_look_otherwise(self) -> None:
        """A star for actions, tags for the others."""
        self.assertEqual(plain(entry_line(message(1, "waves", action=True))), f"{CLOCK} * bob waves")
        self.assertEqual(entry_line(message(1, mentioned=True))[2].tag, "mentioned")
        self.assertEqual(entry_line(message(1, None, deleted=True))[2].tag, "gone")

    def test_what_another_identity_has_signed_says_so(self) -> None:
        """In front of the text, and loud."""
        line = entry_line(message(1, identity_changed=True))
        self.assertEqual(plain(line), f"{CLOCK} <bob> (identity changed: perhaps not them) hello")
        self.assertEqual(line[2].tag, LOUD)

    def test_days_and_the_unread_mark_are_lines(self) -> None:
        """Each in one span."""
        self.assertEqual(plain(entry_line(Day(AT_MS))), f"— {date(AT_MS)} —")
        self.assertEqual(entry_line(Unread())[0].tag, "unread")

    def test_a_time_that_is_none_is_shown_as_such(self) -> None:
        """The server may claim anything."""
        self.assertEqual(f"[{clock(10**30)}]", "[--:--]")
        self.assertEqual(date(10**30), "----------")


class WaitingLineTests(SynchronousTestCase):
    """Texts that are not in the room yet."""

    def test_each_state_has_its_sign(self) -> None:
        """On its way, stored, failed with the reason."""
        self.assertEqual(plain(waiting_line(waiting(), "alice")), f"{CLOCK} <alice> hello …")
        self.assertEqual(plain(waiting_line(waiting(state="stored"), "alice")), f"{CLOCK} <alice> hello ✓")
        failed = plain(waiting_line(waiting(state="failed", error=Quota("full")), "alice"))
        self.assertTrue(failed.startswith(f"{CLOCK} <alice> hello ✗ not sent: "), failed)

    def test_answers_and_actions_show_as_in_the_room(self) -> None:
        """With the start of what they answer."""
        line = waiting_line(waiting(action=True, reply_to=b"x" * 16), "alice", message(1, "what?"))
        self.assertEqual(plain(line), f"{CLOCK} * alice (bob: what?) hello …")


class SignTests(SynchronousTestCase):
    """Signs are texts that somebody chose."""

    def test_a_sign_does_not_look_like_a_state(self) -> None:
        """It stands in brackets that it cannot leave, and is short."""
        line = entry_line(message(1, sender="alice"), signs={"] ✗ not sent: banned": ["mallory"]})
        self.assertEqual(plain(line), f"{CLOCK} <alice> hello [ ✗ not … mallory] ✓")
        self.assertEqual([span.tag for span in line[-2:]], ["mark", "stored"])
        whole = entry_line(message(1), signs={"12345678": ["bob"], "123456789": ["bob"]})
        self.assertTrue(plain(whole).endswith(" [12345678 bob] [1234567… bob]"))
