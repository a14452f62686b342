"""Dialogs take what is typed, and say what is wrong with it."""

from typing import Any

from twisted.internet.defer import Deferred

from chatserv.domain.names import room_name, user_name
from chatserv.errors import NotFound
from tests.client.slash_fakes import FakeRoom
from tests.clients.window.actions.test_bound_actions import BoundTestCase, line_of_menu


class FormTests(BoundTestCase):
    """Dialogs that do what commands do."""

    def setUp(self) -> None:
        """A client that looks at names as the real one does."""
        super().setUp()
        self.root.focus_force()

        async def create_room(name: str, *, public: bool = False, topic: str = "") -> FakeRoom:
            self.client.calls.append(("create", room_name(name), public, topic))
            return self.client.add(room_name(name))

        async def join(name: str) -> FakeRoom:
            raise NotFound(room_name(name))

        async def direct(user: str) -> FakeRoom:
            return self.client.there[f"@{user_name(user)}"]

        for name, act in (("create_room", create_room), ("join", join), ("direct", direct)):
            self.patch(self.client, name, act)

    def fill(self, *texts: str) -> None:
        """Types into the fields of the newest dialog."""
        dialog = self.dialog()
        entries = [
            each
            for each in self.widgets(self.root)
            if each.winfo_class() in {"TEntry", "TCombobox"} and each.winfo_toplevel() is dialog
        ]
        for entry, text in zip(entries, texts, strict=False):
            entry.delete(0, "end")  # type: ignore[attr-defined]
            entry.insert(0, text)  # type: ignore[attr-defined]

    def menu_line(self, label: str) -> None:
        """Chooses a line of a menu of the bar."""
        import tkinter as tk

        for fill in (self.application.menus._rooms, self.application.menus._server):
            menu = tk.Menu(self.root, tearoff=False)
            fill(menu)
            try:
                menu.invoke(line_of_menu(menu, label))
            except StopIteration:
                continue
            self.pass_time()
            return
        raise AssertionError(label)

    def test_a_name_with_a_space_is_no_name_and_a_topic(self) -> None:
        """It is refused in the dialog, which stays as it is for another try, and then leads to the field."""
        self.menu_line("New room…")
        for name in ("garden party", "/kick bob", "a~b", "x" * 33, "\u202e"):
            self.fill(name, "who brings what")
            self.press("Create")
            self.assertEqual(self.dialog_title, "New room")
            self.assertRegex(self.dialog_text, "This name cannot be used|What is typed here holds")
            self.assertNotIn("/create", self.dialog_text)
            self.assertEqual(self.client.calls, [])
        self.fill("#garden-party")
        self.press("Create")
        self.assertEqual(self.client.calls, [("create", "garden-party", False, "who brings what")])
        self.assertIsNone(self.dialog())
        self.assertEqual(self.context.conversations.current, "garden-party")
        self.assertIs(self.root.focus_get(), self.context.layout.entry.field)

    def test_each_dialog_takes_or_refuses_what_is_typed(self) -> None:
        """As one text, whatever stands in it."""
        cases: list[tuple[str, str, str, list[Any] | str]] = [
            ("Topic…", "Set", "/kick bob  and   more", [("plans", "topic", "/kick bob  and   more")]),
            ("Invite…", "Invite", "carol dora", "name cannot be used"),
            ("Invite…", "Invite", "@carol", [("plans", "invite", "carol")]),
            ("Join a public room…", "Join", "garden party", "name cannot be used"),
            ("Join a public room…", "Join", "nowhere", "There is no public room #nowhere"),
            ("Direct messages…", "Start", "bob hello there", "name cannot be used"),
            ("Announce…", "Announce", "//tonight  at 8", [("announce", "//tonight  at 8")]),
        ]
        for label, button, text, wanted in cases:
            self.client.calls.clear()
            self.menu_line(label)
            self.fill(text)
            self.press(button)
            if isinstance(wanted, str):
                self.assertIn(wanted, self.dialog_text)
                self.assertNotIn("Usage:", self.dialog_text)
                self.assertEqual(self.client.calls, [], label)
                self.press("Cancel")
            else:
                self.assertEqual(self.client.calls, wanted, label)
                self.assertIsNone(self.dialog())

    def test_while_it_is_done_nothing_can_be_pressed_twice(self) -> None:
        """Who closes the dialog meanwhile is told all the same."""
        asked: Deferred[None] = Deferred()

        async def join(name: str) -> FakeRoom:
            await asked
            raise NotFound(name)

        self.patch(self.client, "join", join)
        self.menu_line("Join a public room…")
        self.fill("nowhere")
        self.press("Join")
        dialog = self.dialog()
        assert dialog is not None
        button = next(
            each
            for each in self.widgets(dialog)
            if each.winfo_class() == "TButton" and str(each.cget("text")) == "Join"
        )
        self.assertTrue(button.instate(["disabled"]))  # type: ignore[attr-defined]
        dialog.destroy()
        asked.callback(None)
        self.pass_time()
        self.assertEqual(self.dialog_title, "Not done")

    def test_who_accepts_an_invitation_writes(self) -> None:
        """The keyboard is in the field, from the dialog and from the list."""
        field = self.context.layout.entry.field
        self.context.layout.rooms.focus_in()
        self.application.actions.rooms.go("offer")
        self.update()
        self.press("Accept")
        self.assertEqual(self.context.conversations.current, "offer")
        self.assertIs(self.root.focus_get(), field)
