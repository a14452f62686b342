"""What a person asks for is done in the room where they asked for it, or not at all."""

import sqlite3
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail

from chatserv.client import MessageReceived, Quota, RoomLeft, RoomTitled, WaitingMessage
from chatserv.errors import ChatError, NotFound
from tests.client.slash_fakes import AT_MS, FakeRoom, message
from tests.clients.window.test_application import ApplicationTestCase

if TYPE_CHECKING:
    import tkinter as tk
    from collections.abc import Iterator

QUESTION = message(1, "what is the password?", room="plans")
MINE = message(2, "mine", room="plans", sender="alice")


class BoundTestCase(ApplicationTestCase):
    """Alice is in #plans, where bob has asked something and she has said something."""

    def setUp(self) -> None:
        """She is there."""
        super().setUp()
        self.online()
        self.plans = self.room("plans")
        self.plans.kept = [QUESTION, MINE]
        self.go("plans")
        self.client.calls.clear()

    def go(self, room: str) -> None:
        """Another room is chosen in the list."""
        self.application.actions.rooms.go(room)
        self.pass_time()

    def led(self, room: str) -> None:
        """A command has led to another room."""
        self.application.actions.doing.command(f"/room {room}")
        self.pass_time()

    def take_name(self) -> FakeRoom:
        """Whoever owns #plans calls it #ours, and another room is #plans now."""
        other = self.client.add("plans~b00000")
        del self.client.there["plans"], self.client.there["plans~b00000"]
        self.plans.name, other.name = "ours", "plans"
        self.client.there |= {"ours": self.plans, "plans": other}
        self.tell(RoomTitled("ours", "plans", "", "mallory"))
        return other

    def widgets(self, parent: "tk.Misc") -> "Iterator[tk.Misc]":
        """All in it."""
        for each in parent.winfo_children():
            yield each
            yield from self.widgets(each)

    def press(self, label: str) -> None:
        """A button of the newest dialog."""
        dialog = self.dialog()
        assert dialog is not None
        found = [each for each in self.widgets(dialog) if each.winfo_class() == "TButton"]
        next(each for each in found if str(each.cget("text")) == label).invoke()  # type: ignore[attr-defined]
        self.pass_time()

    @property
    def dialog_text(self) -> str:
        """What the newest dialog says."""
        dialog = self.dialog()
        assert dialog is not None
        return "\n".join(str(each.cget("text")) for each in self.widgets(dialog) if each.winfo_class() == "TLabel")

    def calls_of(self, *names: str) -> list[Any]:
        """What was done in rooms."""
        return [call for call in self.client.calls if len(call) > 1 and call[1] in names]

    def choose(self, chosen: MessageReceived) -> None:
        """Marks a message."""
        layout = self.context.layout
        number = self.context.conversations.here.number(chosen.message_id)
        assert number is not None
        layout.chat._choose_line(number - layout.chat._first + 1)

    def begin(self, what: str, text: str = "") -> None:
        """Answers the question, or changes what was said."""
        self.choose(MINE if what == "edit" else QUESTION)
        self.application.actions.messages.act(what)
        if text:
            self.context.layout.entry.put(text)

    @property
    def explained(self) -> bool:
        """Whether it is said that the field is for an answer or a change."""
        return bool(self.context.layout.entry.about.winfo_manager())

    def take(self) -> str:
        """Return; gives what is left in the field."""
        self.context.layout.entry.take()
        self.pass_time()
        return self.context.layout.entry.text


def line_of_menu(menu: "tk.Menu", label: str) -> int:
    """Where a line of a menu is."""
    lines = range((menu.index("end") or 0) + 1)
    return next(at for at in lines if menu.type(at) == "command" and menu.entrycget(at, "label") == label)


class ModerationTests(BoundTestCase):
    """Dialogs and menus about a room."""

    def test_a_ban_that_is_confirmed_in_another_room_is_refused(self) -> None:
        """The question names the room; in the same room it is done."""
        for room, done in (("lobby", []), ("plans", [("plans", "ban", "bob")])):
            self.go("plans")
            here = self.context.here()
            self.application.menus.of_member._ask_to_put_out("bob", "ban", here)
            self.assertIn("#plans", self.dialog_text)
            self.go(room)
            self.press("Ban")
            self.assertEqual(self.calls_of("ban"), done)
            if not done:
                self.assertIn("switched rooms meanwhile", self.dialog_text)
                self.press("OK")

    def test_a_form_that_is_filled_in_in_another_room_is_refused(self) -> None:
        """Topic, name and invitation; each says which room it is about."""
        import tkinter as tk

        for label, button, command in (
            ("Topic…", "Set", "topic"), ("Rename…", "Rename", "rename"), ("Invite…", "Invite", "invite"),
        ):  # fmt: skip
            for room, count in (("lobby", 0), ("plans", 1)):
                self.go("plans")
                menu = tk.Menu(self.root, tearoff=False)
                self.application.menus._rooms(menu)
                menu.invoke(line_of_menu(menu, label))
                self.update()
                self.assertIn("#plans", self.dialog_text)
                entry = next(
                    each for each in self.widgets(self.root) if str(each).endswith("!entry") and self.inside(each)
                )
                entry.insert(0, "carol")  # type: ignore[attr-defined]
                self.go(room)
                self.press(button)
                self.assertEqual(len(self.calls_of(command)), count, label)
                if not count:
                    self.assertIn("switched rooms meanwhile", self.dialog_text)
                    self.press("Cancel")

    def inside(self, widget: "tk.Misc") -> bool:
        """Whether it belongs to the newest dialog."""
        return widget.winfo_toplevel() is self.dialog()

    def test_a_menu_that_was_open_when_the_room_changed_does_nothing(self) -> None:
        """It mutes in its own room."""
        import tkinter as tk

        for room, done in (("lobby", []), ("plans", [("plans", "mute", "bob", True)])):
            self.go("plans")
            menu = tk.Menu(self.root, tearoff=False)
            self.application.menus.of_member.fill(menu, "bob")
            self.led(room) if room != "plans" else None
            menu.invoke(line_of_menu(menu, "Mute"))
            self.pass_time()
            self.assertEqual(self.calls_of("mute"), done)

    def test_the_room_that_is_left_is_the_one_that_was_asked_about(self) -> None:
        """Whatever has its name by now. Who owns it is told what that costs."""
        self.application.actions.rooms.ask_to_leave(self.context.here())
        self.assertIn("You are the only owner of #plans. When you leave, it goes to bob", self.dialog_text)
        self.take_name()
        self.press("Leave")
        self.assertEqual(self.calls_of("leave"), [("ours", "leave")])

    def test_the_invitation_that_is_accepted_is_the_one_that_was_shown(self) -> None:
        """Whatever has its name by now."""
        offer, other = self.room("offer"), self.client.add("other")
        self.application.actions.rooms.go("offer")
        self.update()
        offer.name, other.name, other.offered = "other", "offer", True
        self.client.there |= {"other": offer, "offer": other}
        self.press("Accept")
        self.assertEqual(self.calls_of("accept"), [("other", "accept")])
        self.assertTrue(other.offered)

    def test_a_room_with_our_name_for_another_is_not_taken_for_it(self) -> None:
        """A sign and a text that failed stay with their room, too."""
        menu_room = self.context.here()
        self.go("lobby")
        failed = WaitingMessage(b"u" * 16, "secret", False, None, AT_MS, "failed", Quota("full"))
        self.application.actions.messages.resend(failed, menu_room)
        self.application.actions.messages.react(QUESTION, "👍", menu_room)
        self.assertEqual([call[:2] for call in self.client.calls], [("plans", "resend"), ("plans", "react")])


class AnsweringTests(BoundTestCase):
    """Answers, and changes, whose room is not there any more."""

    def test_an_answer_follows_its_room_and_not_its_name(self) -> None:
        """The room was renamed, and another one has its name: the answer goes to the first one."""
        self.begin("reply", "hunter2")
        self.take_name()
        self.take()
        self.assertEqual(self.calls_of("send"), [("ours", "send", "hunter2", False, QUESTION.message_id)])

    def test_a_message_from_before_the_room_was_renamed_is_answered_in_it(self) -> None:
        """Although the message still names the room as it was."""
        self.take_name()
        self.begin("reply", "hunter2")
        self.take()
        self.assertEqual(self.calls_of("send"), [("ours", "send", "hunter2", False, QUESTION.message_id)])

    def test_an_answer_goes_nowhere_once_its_room_is_gone(self) -> None:
        """It is not in the field of another room, and is there again in its own; the same of a change."""
        for what in ("reply", "edit"):
            self.begin(what, "carol earns 5000")
            del self.client.there["plans"]
            self.tell(RoomLeft("plans", "alice"))
            self.assertEqual((self.context.conversations.current, self.explained), ("lobby", False))
            self.assertEqual(self.take(), "")
            self.assertEqual(self.calls_of("send", "edit"), [])
            self.client.there["plans"] = self.plans
            self.go("plans")
            self.assertEqual((self.context.layout.entry.text, self.explained), ("carol earns 5000", True))
            self.application.actions.messages.give_up()

    def test_a_command_that_leads_elsewhere_takes_no_answer_along(self) -> None:
        """It is there again, and an answer, when one comes back."""
        self.begin("reply", "hunter2")
        self.led("lobby")
        self.assertFalse(self.explained)
        self.assertEqual(self.take(), "")
        self.assertEqual(self.calls_of("send"), [])
        self.go("plans")
        self.take()
        self.assertEqual(self.calls_of("send"), [("plans", "send", "hunter2", False, QUESTION.message_id)])

    def test_who_is_put_out_sends_no_answer(self) -> None:
        """Not even to a room that has the name."""
        self.begin("reply", "hunter2")
        del self.client.there["plans"]
        self.plans.name = "plans~a00000"
        self.client.add("plans")
        self.tell(RoomLeft("plans", "bob"))
        self.assertEqual(self.take(), "")
        self.go("plans")
        self.assertEqual(self.take(), "")
        self.assertEqual(self.calls_of("send"), [])

    def test_an_answer_that_is_refused_stays_in_the_field(self) -> None:
        """And is still an answer."""
        self.begin("reply", "hunter2")
        self.plans.refusal = Quota("full")
        self.assertEqual((self.take(), self.explained), ("hunter2", True))
        self.plans.refusal = None
        self.assertEqual((self.take(), self.explained), ("", False))
        self.assertEqual(self.calls_of("send"), [("plans", "send", "hunter2", False, QUESTION.message_id)])

    def test_a_command_in_an_answer_is_a_command(self) -> None:
        """It leaves the answer as it is; two slashes begin a text with one."""
        self.begin("reply")
        self.type("/kick bob")
        self.assertEqual(self.calls_of("kick", "send"), [("plans", "kick", "bob")])
        self.assertTrue(self.explained)
        self.type("//etc")
        self.assertEqual(self.calls_of("send"), [("plans", "send", "/etc", False, QUESTION.message_id)])

    def test_a_command_that_leads_elsewhere_is_no_answer_that_was_lost(self) -> None:
        """The next line is an ordinary one there."""
        self.begin("reply")
        self.type("/room lobby")
        self.type("hello")
        self.assertEqual(self.calls_of("send"), [("lobby", "send", "hello", False, None)])

    def test_a_command_is_obeyed_although_an_answer_was_lost(self) -> None:
        """It was not meant for the room."""
        self.begin("reply", "hunter2")
        self.led("lobby")
        self.type("/me waves")
        self.assertEqual(self.calls_of("send"), [("lobby", "send", "waves", True, None)])

    def test_a_change_may_have_several_lines(self) -> None:
        """Those that stand there, and those that are pasted."""
        self.begin("edit")
        entry = self.context.layout.entry
        entry.put("one\ntwo")
        self.root.clipboard_clear()
        self.root.clipboard_append("\nthree\nfour\n")
        entry._pasted("CLIPBOARD")
        self.assertEqual(self.calls_of("edit"), [])
        entry.take()
        self.pass_time()
        self.assertEqual([call[3] for call in self.calls_of("edit")], ["one\ntwothree\nfour"])
        self.assertFalse(self.explained)


class DraftTests(BoundTestCase):
    """What is typed and not sent."""

    def field(self) -> str:
        """What stands in it."""
        return self.context.layout.entry.text

    def test_it_stays_in_its_room(self) -> None:
        """Whichever way another one is gone to; Return sends nothing there."""
        ways = (
            self.go, self.led, lambda room: self.application.actions.messages._go_to_message(message(1, "x", room=room)),
        )  # fmt: skip
        for go in ways:
            self.context.layout.entry.put("the password is hunter2")
            go("lobby")
            self.assertEqual((self.take(), self.calls_of("send")), ("", []))
            self.context.layout.entry.put("for the lobby")
            go("plans")
            self.assertEqual(self.field(), "the password is hunter2")
            go("lobby")
            self.assertEqual(self.field(), "for the lobby")
            self.context.layout.entry.put("")
            go("plans")
            self.context.layout.entry.put("")

    def test_a_line_that_is_walked_away_from_stays_in_its_room(self) -> None:
        """Up brings back what was sent from here alone, and Down what was begun here."""
        entry = self.context.layout.entry
        self.type("hello plans")
        entry.put("hunter2")
        for key in ("<Up>", "<Down>"):
            entry.field.focus_force()
            self.update()
            entry.field.event_generate("<Up>")
            self.go("lobby")
            self.assertEqual(self.field(), "")
            entry.field.event_generate(key)
            self.assertEqual(self.field(), "")
            self.go("plans")
            self.assertEqual(self.field(), "hello plans")

    def test_a_command_that_goes_elsewhere_does_not_empty_the_field_there(self) -> None:
        """What was being written there is there still."""
        self.context.layout.entry.put("for plans")
        self.go("lobby")
        self.type("/room plans")
        self.assertEqual((self.context.conversations.current, self.field()), ("plans", "for plans"))

    def test_it_stays_with_its_room_and_not_with_the_name(self) -> None:
        """Another room that has the name does not get it."""
        self.context.layout.entry.put("hunter2")
        self.go("lobby")
        other = self.take_name()
        self.go("plans")
        self.assertEqual((self.context.here(), self.field()), (other, ""))
        self.go("ours")
        self.assertEqual(self.field(), "hunter2")


class UnderWayTests(BoundTestCase):
    """A menu's command that leads to another room, when the server gets round to it."""

    def setUp(self) -> None:
        """It is under way."""
        super().setUp()
        self.opened: Deferred[None] = Deferred()

        async def direct(user: str) -> Any:
            await self.opened
            return self.client.there[f"@{user}"]

        self.patch(self.client, "direct", direct)
        self.application.actions.doing.command("/msg bob")

    def test_a_line_that_is_typed_meanwhile_stays_in_the_field(self) -> None:
        """It is sent to no room, now or later."""
        self.type("good night all")
        self.assertEqual(self.context.layout.entry.text, "good night all")
        self.assertIn("nothing was sent", self.chat)
        self.opened.callback(None)
        self.pass_time()
        self.assertEqual(self.context.conversations.current, "@bob")
        self.go("lobby")
        self.assertEqual(self.calls_of("send"), [])
        assert self.context.talk is not None
        self.assertFalse(self.context.talk.waits)
        self.assertEqual(self.take(), "")
        self.assertEqual(self.calls_of("send"), [])
        self.go("plans")
        self.assertEqual(self.take(), "")
        self.assertEqual(self.calls_of("send"), [("plans", "send", "good night all", False, None)])

    def test_a_room_that_is_chosen_meanwhile_is_gone_to(self) -> None:
        """By the list, or by something that was found there; afterwards."""
        self.go("lobby")
        self.application.actions.messages._go_to_message(message(7, "x"))
        self.assertEqual(self.context.conversations.current, "plans")
        self.opened.callback(None)
        self.pass_time()
        self.assertEqual(self.context.conversations.current, "lobby")

    def test_it_fails(self) -> None:
        """That is told, and lines go on."""
        self.opened.errback(NotFound("bob"))
        self.pass_time()
        self.assertEqual(self.dialog_title, "Not done")
        self.type("hello")
        self.assertEqual(self.calls_of("send"), [("plans", "send", "hello", False, None)])


class KeyboardTests(BoundTestCase):
    """Dialogs that come late."""

    def late(self, *, types: bool, error: ChatError | None = None) -> "tk.Misc | None":
        """Asks for the public rooms, types or does not until they are there; gives what has the keyboard then."""
        asked: Deferred[None] = Deferred()

        async def public_rooms() -> Any:
            await asked
            return self.client.public

        self.patch(self.client, "public_rooms", public_rooms)
        field = self.context.layout.entry.field
        field.focus_force()
        self.update()
        self.application.actions.rooms.join_room()
        if types:
            field.event_generate("<Key-m>")
        if error is None:
            asked.callback(None)
        else:
            asked.errback(error)
        self.update()
        return self.root.focus_get()

    def test_it_leaves_the_keyboard_to_whoever_types(self) -> None:
        """Also with bad news."""
        field = self.context.layout.entry.field
        self.assertIs(self.late(types=True), field)
        self.assertEqual(self.dialog_title, "Join a room")
        self.assertIs(self.late(types=True, error=NotFound("x")), field)
        self.assertEqual(self.dialog_title, "Not done")

    def test_it_takes_the_keyboard_of_whoever_waits(self) -> None:
        """Nothing was typed."""
        focus = self.late(types=False)
        assert focus is not None
        self.assertIs(focus.winfo_toplevel(), self.dialog())

    def test_return_that_was_typed_for_the_field_presses_nothing(self) -> None:
        """Where a window manager gives a new window the keyboard."""
        self.late(types=True)
        dialog = self.dialog()
        assert dialog is not None
        dialog.focus_force()
        self.update()
        dialog.event_generate("<Return>")
        self.pass_time()
        self.assertEqual((self.dialog_title, self.client.calls), ("Join a room", []))


class BugTests(BoundTestCase):
    """What goes wrong inside the program."""

    def test_it_is_told_and_logged(self) -> None:
        """When something is sent, at once or later, and when something is done."""
        error = sqlite3.ProgrammingError("Cannot operate on a closed database.")
        doing = self.application.actions.doing
        self.plans.refusal = error

        async def work() -> None:
            raise error

        def begin() -> "Deferred[int]":
            return self.plans.delete(MINE.message_id)

        for act in (lambda: doing.sent(begin), lambda: doing.sent(lambda: fail(error)), lambda: doing.run(work())):
            act()
            self.assertEqual((self.dialog_title, "Something went wrong" in self.dialog_text), ("Not done", True))
            self.assertEqual(len(self.flushLoggedErrors(sqlite3.ProgrammingError)), 1)
            self.press("OK")
