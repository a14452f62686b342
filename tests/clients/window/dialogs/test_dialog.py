"""Tests of the window's dialogs, lists and fields, on a screen, by the keys that a person presses."""

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import NameTaken, Profile
from chatserv.wire.link import ServerLink
from clients.window.settings import DARK, LIGHT
from clients.window.widgets.rows import Row
from tests.clients.window.screens import ScreenTestCase

if TYPE_CHECKING:
    import tkinter as tk

PASSWORD = "correct horse"


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


class RegistrationTests(ScreenTestCase):
    """The dialog of the first minute."""

    def setUp(self) -> None:
        """It is open."""
        super().setUp()
        from clients.window.dialogs import registration

        self.making: list[tuple[str, str]] = []
        self.made: Deferred[None] = Deferred()
        self.calls: list[str] = []

        async def prepare(profile: Profile, link: ServerLink, user: str, password: str) -> None:
            del profile, link
            self.making.append((user, password))
            await self.made

        self.patch(registration, "prepare_account", prepare)
        profile = cast(Profile, type("Fake", (), {"keyring": lambda _: None})())
        self.dialog_ = registration.Registration(
            self.root, profile, ServerLink("chat.example", 5000, bytes(32)),
            lambda: self.calls.append("ready"), lambda: self.calls.append("given up"),
        )  # fmt: skip
        self.dialog_.ask()

    def fill(self, *texts: str) -> None:
        """Fills the fields in and presses the button."""
        for value, text in zip(self.dialog_.values, texts, strict=True):
            value.set(text)
        self.dialog_.go()
        self.update()

    @property
    def error(self) -> str:
        """What is wrong."""
        return str(self.dialog_.error.cget("text"))

    def test_name_and_password_are_looked_at_before_keys_are_made(self) -> None:
        """Each with its own words."""
        self.fill("", PASSWORD, PASSWORD)
        self.assertTrue(self.error)
        self.fill("alice", "", "")
        self.assertTrue(self.error)
        self.fill("alice", PASSWORD, "other")
        self.assertEqual(self.error, "The two passwords differ.")
        self.assertEqual(self.making, [])

    def test_while_keys_are_made_a_bar_moves_and_nothing_can_be_changed(self) -> None:
        """Nor can the dialog be closed. Then the program connects, and the dialog goes when there is an account."""
        self.fill("alice", PASSWORD, PASSWORD)
        self.assertEqual(self.making, [("alice", PASSWORD)])
        self.assertTrue(self.dialog_._bar.winfo_ismapped())
        self.assertTrue(self.dialog_.entries[0].instate(["disabled"]))
        self.dialog_.close()
        self.dialog_.go()
        self.assertEqual((self.dialog_.is_open, len(self.making)), (True, 1))
        self.made.callback(None)
        self.assertEqual(self.calls, ["ready"])
        self.dialog_.succeed()
        self.assertEqual((self.dialog_.is_open, self.calls), (False, ["ready"]))

    def test_a_refusal_is_told_in_it_and_another_try_is_possible(self) -> None:
        """The server's, and that of making keys."""
        self.fill("alice", PASSWORD, PASSWORD)
        self.made.errback(Failure(NameTaken("alice")))
        self.assertTrue(self.error)
        self.assertTrue(self.dialog_.entries[0].instate(["!disabled"]))
        self.made = Deferred()
        self.fill("bob", PASSWORD, PASSWORD)
        self.made.callback(None)
        self.dialog_.refuse("This name is taken.")
        self.assertEqual((self.error, self.dialog_.busy), ("This name is taken.", False))

    def test_who_closes_it_has_given_up(self) -> None:
        """That is told once."""
        self.dialog_.close()
        self.dialog_.close()
        self.assertEqual(self.calls, ["given up"])


class RowListTests(ScreenTestCase):
    """A list of rooms, or members."""

    def setUp(self) -> None:
        """Two rows."""
        super().setUp()
        from clients.window.widgets.row_list import RowList
        from clients.window.widgets.theme import Theme

        self.calls: list[Any] = []
        self.theme = Theme(self.root)
        self.list = RowList(
            self.root, "Rooms", chosen=self.calls.append, menu=lambda key, *_: self.calls.append(("menu", key))
        )
        self.list.pack(fill="both", expand=True)
        self.list.dress(self.theme)
        self.list.show([Row("a", "#a"), Row("b", "#b", "3", ("unread",))], "a")
        self.update()

    def test_the_marked_row_is_seen(self) -> None:
        """However long the list is."""
        self.root.geometry("200x200")
        self.list.show([Row(f"r{number:03}", f"#r{number}") for number in range(200)], "r000")
        self.update()
        self.assertFalse(self.list.tree.bbox("r150"))
        self.list.show(self.list.rows, "r150")
        self.update()
        self.assertTrue(self.list.tree.bbox("r150"))

    def test_what_stands_behind_is_seen_whole(self) -> None:
        """As far as it leaves something to the texts, at every scale."""
        from tkinter import font

        self.root.geometry("260x200")
        self.list.show([Row("a", "alice", "you, owner"), Row("b", "bob", "verified, moderator, muted " * 5)])
        for scale in (1.0, 1.5):
            self.theme.apply(scale=scale)
            self.list.dress(self.theme)
            self.update()
            width = int(self.list.tree.column("facts", "width"))
            self.assertGreaterEqual(width, font.nametofont("TkDefaultFont", self.root).measure("you, owner"))
            self.assertLess(width, 0.7 * self.list.winfo_width())

    def test_rows_come_go_move_and_change(self) -> None:
        """What is marked stays so."""
        self.list.show([Row("c", "#c"), Row("b", "#b"), Row("a", "#a", "1")])
        tree = self.list.tree
        self.assertEqual(tree.get_children(), ("c", "b", "a"))
        self.assertEqual([tree.set(key, "facts") for key in ("c", "b", "a")], ["", "", "1"])
        self.assertEqual(self.list.selected, "a")
        self.list.show([Row("c", "#c")])
        self.assertEqual((tree.get_children(), self.list.selected), (("c",), ""))

    def test_nobody_is_pulled_back(self) -> None:
        """Who walks to another row stays there while the list changes; the mark follows when the room is another one."""
        self.list.tree.focus_force()
        self.update()
        self.list.tree.selection_set("b")
        self.list.show([Row("a", "#a", "1"), Row("b", "#b")], "a")
        self.assertEqual(self.list.selected, "b")
        self.list.show([Row("a", "#a"), Row("b", "#b"), Row("c", "#c")], "c")
        self.assertEqual(self.list.selected, "c")

    def test_the_keyboard_reaches_everything(self) -> None:
        """Down, Return, the menu key."""
        self.list.focus_in()
        self.list.tree.focus_force()
        self.update()
        for key in ("<Down>", "<Return>", "<Menu>", "<Shift-F10>"):
            self.list.tree.event_generate(key)
            self.update()
        self.assertEqual(self.calls, ["b", ("menu", "b"), ("menu", "b")])


class ThemeTests(ScreenTestCase):
    """Colours and sizes."""

    def test_fonts_grow_with_the_scale_and_keep_their_base(self) -> None:
        """Up and down again gives the same."""
        from tkinter import font

        from clients.window.widgets.theme import BOLD, FONTS, Theme

        theme = Theme(self.root)

        def sizes() -> list[int]:
            return [abs(int(font.nametofont(each, self.root).cget("size"))) for each in (*FONTS, BOLD)]

        before = sizes()
        theme.apply(scale=2.0)
        self.assertEqual(sizes(), [2 * size for size in before])
        theme.apply(scale=1.0)
        self.assertEqual(sizes(), before)

    def test_every_tag_has_a_look_in_both_themes(self) -> None:
        """Text and ground differ enough to be read (WCAG 2, 4.5 to 1)."""
        import tkinter as tk

        from clients.window.widgets.theme import PALETTES, Theme

        text = tk.Text(self.root)
        theme = Theme(self.root)
        for name in (LIGHT, DARK):
            theme.apply(name)
            theme.dress_text(text)
            ground = PALETTES[name].field
            for tag in text.tag_names():
                colour = str(text.tag_cget(tag, "foreground"))
                behind = str(text.tag_cget(tag, "background")) or ground
                if colour and tag != "sel":
                    self.assertGreaterEqual(contrast(colour, behind), 4.5, (name, tag))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.1)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
