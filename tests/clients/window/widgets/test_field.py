"""Tests of `clients.window.widgets.field` and what `clients.window.widgets.entry_bar` makes of it."""

from typing import TYPE_CHECKING

from tests.clients.window.screens import ScreenTestCase

if TYPE_CHECKING:
    from clients.window.widgets.entry_bar import EntryBar


class FieldTests(ScreenTestCase):
    """The field of a bar that takes everything."""

    bar: "EntryBar"

    def setUp(self) -> None:
        """It has the keyboard."""
        super().setUp()
        from clients.window.widgets.entry_bar import EntryBar

        self.sent: list[str] = []
        self.file = False

        def send(line: str) -> bool:
            self.sent.append(line)
            return True

        self.bar = EntryBar(
            self.root, send=send, complete=lambda _: (), gave_up=lambda: None,
            pasted=lambda data, _before, _after: data, attach=lambda: self.sent.append("file"), pasted_file=self.paste_file,
        )  # fmt: skip
        self.bar.pack(fill="x")
        self.root.geometry("400x300")
        self.root.update()
        self.bar.field.focus_force()
        self.root.update()

    def paste_file(self) -> bool:
        """Whether a file lies on the clipboard."""
        return self.file

    def keys(self, *names: str) -> None:
        """Presses them."""
        for name in names:
            self.bar.field.event_generate(f"<{name}>")
        self.root.update()

    def test_shift_and_return_go_on_in_another_line(self) -> None:
        """Return alone sends all of them, as one message."""
        self.keys("a", "Shift-Return", "b", "Shift-KP_Enter", "c")
        self.assertEqual((self.bar.text, self.sent), ("a\nb\nc", []))
        self.keys("Return")
        self.assertEqual((self.bar.text, self.sent), ("", ["a\nb\nc"]))

    def test_it_is_as_high_as_its_rows(self) -> None:
        """Of lines, and of a line that is too long for one; up to some, and one again when it is empty."""
        from clients.window.widgets.field import MOST_ROWS

        def height(text: str) -> int:
            self.bar.put(text)
            self.root.update()
            return int(self.bar.field.cget("height"))

        self.assertEqual([height(text) for text in ("", "x", "x\ny", "x\n" * 20)], [1, 1, 2, MOST_ROWS])
        self.assertGreater(height("word " * 40), 1)
        self.assertEqual(height(""), 1)

    def test_the_arrows_go_through_the_lines_first(self) -> None:
        """Beyond the first and the last one there is what was sent before, and what was being written."""
        self.bar.put("one\ntwo")
        self.keys("Return", "n", "Shift-Return", "m")
        self.keys("Up")
        self.assertEqual(self.bar.text, "n\nm")
        self.keys("Up")
        self.assertEqual(self.bar.text, "one\ntwo")
        self.keys("Down")
        self.assertEqual(self.bar.text, "n\nm")

    def test_the_middle_button_pastes(self) -> None:
        """What is selected in another program, where it was pressed."""
        self.bar.put("ab")
        self.root.selection_handle(lambda _offset, _length: "one\ntwo")
        self.root.selection_own()
        self.bar.field.event_generate("<<PasteSelection>>", x=399, y=5)
        self.root.update()
        self.assertEqual(self.bar.text, "abone\ntwo")
