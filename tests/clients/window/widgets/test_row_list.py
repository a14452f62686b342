"""Tests of `clients.window.widgets.row_list`, on a screen, by the keys that a person presses."""

from typing import Any

from clients.window.widgets.rows import Row
from tests.clients.window.screens import ScreenTestCase


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

    def test_names_come_before_roles(self) -> None:
        """On a dense screen, in a narrow list: a name is read whole, as far as roles keep a third of the width."""
        from tkinter import font

        from clients.window.widgets.row_list import LEAST_FACTS
        from clients.window.widgets.theme import BOLD

        self.dense()
        self.theme.apply()
        self.list.dress(self.theme)
        self.root.geometry("330x300")
        tree, measure = self.list.tree, font.nametofont(BOLD, self.root).measure
        whole = []
        for name in ("● alice", "● wilhelm", "● bartholomew-longname"):
            self.list.show([Row("a", name, "you, owner"), Row("b", "● bob", "moderator, muted")])
            self.update()
            self.assertGreaterEqual(int(tree.column("facts", "width")), int(self.list.winfo_width() * LEAST_FACTS))
            whole.append(int(tree.column("#0", "width")) > measure(name))
        self.assertEqual(whole, [True, True, False])

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
