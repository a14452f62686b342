"""Whom we do not want to hear, what we refuse, and what became of messages that are read again."""

from dataclasses import replace

from chatserv.client import MessageDeleted, MessageEdited, Reacted, RoomOffered
from tests.client.slash_fakes import message
from tests.clients.window.actions.test_bound_actions import MINE, QUESTION, BoundTestCase, line_of_menu


class IgnoringTests(BoundTestCase):
    """By the menus of members, and of invitations."""

    def member_menu(self, user: str, label: str) -> None:
        """Chooses a line of a member's menu."""
        import tkinter as tk

        menu = tk.Menu(self.root, tearoff=False)
        self.application.menus.of_member.fill(menu, user)
        menu.invoke(line_of_menu(menu, label))
        self.pass_time()

    def facts(self, user: str) -> str:
        """What the list of members says of somebody."""
        return next(row.facts for row in self.context.layout.members.rows if row.key == user)

    def test_somebody_is_ignored_and_heard_again(self) -> None:
        """It is asked about; the list says so, and what they said is gone from the screen, and there again."""
        self.member_menu("bob", "Ignore…")
        self.assertIn("They are not told", self.dialog_text)
        self.press("Cancel")
        self.assertEqual(self.client.calls, [])
        self.member_menu("bob", "Ignore…")
        self.plans.kept = [MINE]
        self.press("Ignore")
        self.assertEqual(self.client.calls, [("ignore", "bob")])
        self.assertEqual((self.facts("bob"), "password" in self.chat), ("ignored", False))
        self.plans.kept = [QUESTION, MINE]
        self.member_menu("bob", "Stop ignoring")
        self.assertEqual(self.client.calls[1:], [("unignore", "bob")])
        self.assertEqual((self.facts("bob"), "password" in self.chat), ("", True))

    def test_we_do_not_ignore_ourselves(self) -> None:
        """The menu does not offer it."""
        import tkinter as tk

        menu = tk.Menu(self.root, tearoff=False)
        self.application.menus.of_member.fill(menu, "alice")
        self.assertEqual(menu.entrycget(line_of_menu(menu, "Ignore…"), "state"), "disabled")

    def test_direct_messages_are_refused(self) -> None:
        """In the dialog and by the list's menu, with or without hearing more of somebody."""
        room = self.client.add("@dora")
        for label, calls in (
            ("Refuse", [("@dora", "refuse")]),
            ("Refuse, and ignore", [("ignore", "dora")]),
        ):
            self.client.calls.clear()
            room.offered = True
            self.client.there["@dora"] = room
            self.tell(RoomOffered("@dora", "dora"))
            self.go("@dora")
            self.assertIn("cannot ask again", self.dialog_text)
            self.press(label)
            self.assertEqual(self.client.calls, calls)

    def test_an_invitation_to_a_room_is_refused(self) -> None:
        """As before."""
        self.go("offer")
        self.press("Refuse")
        self.assertEqual(self.client.calls, [("offer", "refuse")])


class HistoryTests(BoundTestCase):
    """What became of messages."""

    def test_what_became_of_a_message_is_seen_when_it_is_read_again(self) -> None:
        """It was changed, has signs, and answers something still."""
        answer = message(3, "yes, hunter3", room="plans", edited=True, reply_to=QUESTION.message_id)
        self.plans.kept = [QUESTION, MINE, answer]
        self.plans.signs[answer.message_id] = {"👍": ["alice", "bob"]}
        self.go("lobby")
        self.go("plans")
        self.assertRegex(self.chat, r"│ bob: what is the password\?\tyes, hunter3 \(edited\)\t 👍 alice, bob ")

    def test_what_becomes_of_a_message_is_seen_at_once(self) -> None:
        """An answer that is changed answers still."""
        answer = message(3, "yes", room="plans", reply_to=QUESTION.message_id)
        self.tell(answer, MessageEdited("plans", answer.message_id, "bob", "no"))
        self.assertRegex(self.chat, r"│ bob: what is the password\?\tno \(edited\)")
        self.plans.signs[answer.message_id] = {"🎉": ["bob"]}
        self.tell(Reacted("plans", answer.message_id, "bob", "🎉", True))
        self.assertRegex(self.chat, r"no \(edited\)\t 🎉 bob ")
        self.plans.kept = [replace(QUESTION, text=None, deleted=True)]
        self.tell(MessageDeleted("plans", QUESTION.message_id, "bob"))
        self.assertIn("(deleted)", self.chat)
