"""Where lines are broken."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wcwidth import wcswidth

from chatserv.client import clean_line
from clients.shared.wrapping import folded, indent_for, rows, wrapped


class WrappingTests(SynchronousTestCase):
    """`clients.shared.wrapping`."""

    def test_words(self) -> None:
        """A line is broken between words; rows that go on are indented."""
        self.assertEqual(wrapped("a line of words that is long", 12), ["a line of", "  words that", "  is long"])
        self.assertEqual(wrapped("short", 12), ["short"])
        # The program's own.
        self.assertEqual(folded("a line of words that is long", 12), "a line of\nwords that\nis long")
        self.assertEqual(wrapped("", 12), [""])

    def test_line_breaks(self) -> None:
        """A line break begins a row, indented as those that go on are, and links behind one are broken nowhere."""
        self.assertEqual(wrapped("one\n\n [12:00] <bob> x", 12), ["one", "  ", "   [12:00]", "  <bob> x"])
        link = "https://example.org/" + "x" * 20
        self.assertEqual(wrapped(f"{link}\nb {link}\nc", 30), [link, "  b", f"  {link}", "  c"])

    def test_long_word(self) -> None:
        """A word that fits into no row is broken where the row ends."""
        self.assertEqual(wrapped("x" * 25, 10), ["x" * 10, "  " + "x" * 8, "  " + "x" * 7])

    def test_wide(self) -> None:
        """Characters of two columns count as two."""
        self.assertEqual(wrapped("漢" * 6, 6), ["漢漢漢", "  漢漢", "  漢"])

    def test_links(self) -> None:
        """They are broken nowhere, wherever they stand and however long they are; what is around them is."""
        for link in (
            "https://example.org/a/path?with=words",
            "mailto:somebody@example.org",
            "https://example.org/" + "x" * 90,
        ):
            for before in range(30):
                text = f"[08:53] <bob> {'word ' * before}({link}), and more words behind it that go on for a while"
                found = wrapped(text, 40)
                self.assertEqual(len([row for row in found if link in row]), 1, found)
                self.assertEqual(" ".join(row.strip() for row in found), text)
                self.assertTrue(all(len(row) <= 40 for row in found if link not in row), found)
                self.assertTrue(all(row.startswith(" " * indent_for(40)) for row in found[1:]))

    def test_links_that_forge(self) -> None:
        """One in which a time could stand at the left edge is broken as other texts are."""
        text = "[08:53] <bob> https://example.org/" + "[12:00]" * 20
        self.assertTrue(all(len(row) <= 40 for row in wrapped(text, 40)))

    def test_padded(self) -> None:
        """However a text is padded, nothing of it stands at the left edge but its beginning."""
        for filler in (" ", ".", "\u00a0", "\u2003"):
            for padding in range(60, 90):
                text = f"[08:53] <bob> ok{filler * padding}[12:00]{filler}<alice>{filler}yes"
                self.assertTrue(all(row.startswith(" " * indent_for(80)) for row in wrapped(text, 80)[1:]))

    @given(st.text(max_size=300), st.integers(10, 100))
    @example("0 000000000", 10)
    def test_complete(self, text: str, width: int) -> None:
        """Nothing is lost but spaces where a row ends, and no row is wider than the screen."""
        line = clean_line(text)
        parts = rows(line, width)
        self.assertEqual((parts[0][0], parts[-1][1]), (0, len(line)))
        for (_, end), (begin, _) in pairwise(parts):
            self.assertIn(line[end:begin], ("", " "))
        for row in wrapped(line, width):
            self.assertLessEqual(max(wcswidth(row), 0), width)
