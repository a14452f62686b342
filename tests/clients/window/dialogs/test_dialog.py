"""Tests of the window's dialogs, lists and fields, on a screen, by the keys that a person presses."""

from typing import TYPE_CHECKING

from chatserv.wire.link import ServerLink
from tests.clients.window.screens import ScreenTestCase

if TYPE_CHECKING:
    import tkinter as tk


class DialogTests(ScreenTestCase):
    """Dialogs that stop nothing."""

    def press(self, key: str, widget: "tk.Misc | None" = None) -> None:
        """A key in the newest dialog."""
        target = widget or self.dialog()
        assert target is not None
        target.focus_force()
        self.update()
        target.event_generate(key)
        self.update()

    def test_escape_closes_and_return_presses_the_first_button(self) -> None:
        """Of a question."""
        from clients.window.dialogs.dialog import confirm

        done: list[str] = []
        confirm(self.root, "Sure", "Really?", "Do it", lambda: done.append("done"))
        self.press("<Escape>")
        self.assertEqual((self.dialog_title, done), ("", []))
        confirm(self.root, "Sure", "Really?", "Do it", lambda: done.append("done"))
        self.press("<Return>")
        self.assertEqual((self.dialog_title, done), ("", ["done"]))

    def test_the_keyboard_goes_back_to_the_dialog_that_had_it(self) -> None:
        """Or to the main window, where that dialog has gone meanwhile."""
        from clients.window.dialogs.dialog import Dialog, tell

        first = Dialog(self.root, "First")
        (button,) = first.buttons(("Close", first.close))
        first.open()
        self.update()
        for again in (True, False):
            second = tell(self.root, "Second", "Something else.")
            self.update()
            if not again:
                first.top.destroy()
            second.close()
            self.update()
            self.assertIs(self.root.focus_get(), button if again else self.root)

    def test_rows_of_text_are_as_long_at_every_scale(self) -> None:
        """As many characters, however large."""
        from clients.window.dialogs.dialog import row_width
        from clients.window.widgets.theme import Theme

        theme, widths = Theme(self.root), []
        for scale in (1.0, 1.5, 2.0):
            theme.apply(scale=scale)
            widths.append(row_width(self.root))
        self.assertGreater(widths[1], 1.3 * widths[0])
        self.assertGreater(widths[2], 1.7 * widths[0])

    def test_a_second_one_of_the_same_title_takes_the_place(self) -> None:
        """There are never two."""
        from clients.window.dialogs.dialog import tell

        tell(self.root, "Bad port", "one")
        tell(self.root, "Bad port", "two")
        self.assertEqual(len([each for each in self.root.winfo_children() if each.winfo_class() == "Toplevel"]), 1)

    def test_a_form_stays_until_what_is_in_it_makes_sense(self) -> None:
        """It says what is wrong."""
        from clients.window.dialogs.dialog import Field, Form

        given: list[list[str]] = []

        def go(values: list[str]) -> str | None:
            given.append(values)
            return None if values[0] else "Something is missing."

        form = Form(self.root, "Form", "", [Field("Name"), Field("Kind", "b", ("a", "b"))], "Go", go).ask()
        self.press("<Return>", form.entries[0])
        self.assertEqual(str(form.error.cget("text")), "Something is missing.")
        form.values[0].set("plans")
        self.press("<Return>", form.entries[0])
        self.assertEqual((self.dialog_title, given[-1]), ("", ["plans", "b"]))

    def test_a_link_that_is_none_is_refused_in_the_dialog(self) -> None:
        """A good one is taken."""
        from clients.window.actions.linking import ask_for_link

        taken: list[ServerLink] = []

        def take(link: ServerLink) -> str | None:
            taken.append(link)
            return None

        form = ask_for_link(self.root, take, needed=True).ask()
        form.values[0].set("chatserv://chat.example")
        form.go()
        self.assertIn("not complete", str(form.error.cget("text")))
        form.values[0].set(f" chatserv://chat.example/#{'0' * 52}\n")
        form.go()
        self.assertEqual((self.dialog_title, taken), ("", [ServerLink("chat.example", 5000, bytes(32))]))
