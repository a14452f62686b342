"""Names and texts between the two sides."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import NameInvalid
from clients.irc.names import TAKEN, channel_of, escaped, room_of, target_of, unescaped, user_of
from clients.irc.texts import cut, first_words, incoming, outgoing


class NameTests(SynchronousTestCase):
    """Names."""

    def test_escaped(self) -> None:
        """What IRC reads as a rank or an option is marked, and loses the mark on the way in."""
        for sign in TAKEN:
            name = f"{sign}ann"
            self.assertEqual(escaped(name), f"?{name}")
            self.assertEqual(unescaped(escaped(name)), name)
            self.assertEqual(user_of(escaped(name)), name)
        self.assertEqual(escaped("ann"), "ann")

    def test_rooms(self) -> None:
        """Channels and queries, in any case; a name that two rooms have keeps its mark."""
        self.assertEqual((channel_of("lobby"), target_of("lobby"), target_of("@bob")), ("#lobby", "#lobby", "bob"))
        self.assertEqual((room_of("#Lobby"), room_of("BOB")), ("lobby", "@bob"))
        self.assertEqual(room_of("#plans~3FA9C1"), "plans~3fa9c1")
        for target in ("#", "", "#a b", "#a,b", "a!b@c"):
            self.assertRaises((NameInvalid, ValueError), room_of, target)


class TextTests(SynchronousTestCase):
    """Texts."""

    def test_breaks(self) -> None:
        """Each kind of line break parts; an empty piece is a space."""
        self.assertEqual(outgoing("a\r\nb\rc\nd\ve\ff\x85g\u2028h\u2029i", 400), list("abcdefghi"))
        self.assertEqual(outgoing("a\n\nb", 400), ["a", " ", "b"])
        self.assertEqual(outgoing("", 400), [" "])

    def test_cut(self) -> None:
        """A long piece is cut at a space, else between characters, and a mark stays with its letter."""
        self.assertEqual(cut("aaaa bbbb cccc", 10), ["aaaa bbbb", "cccc"])
        self.assertEqual(cut("x" * 11, 5), ["xxxxx", "xxxxx", "x"])
        self.assertEqual(cut("é" * 5, 5), ["éé", "éé", "é"])
        self.assertEqual(cut("abcde\u0301f", 5), ["abcd", "e\u0301f"])

    @given(st.text(max_size=200), st.integers(40, 80))
    def test_bounds(self, text: str, size: int) -> None:
        """No piece is longer, or holds what would end a line."""
        for piece in outgoing(text, size):
            self.assertLessEqual(len(piece.encode(errors="replace")), size)
            self.assertTrue(piece and not set(piece) & set("\r\n\0"))

    def test_incoming(self) -> None:
        """Formatting goes; other control characters are seen."""
        self.assertEqual(incoming("\x02b\x0f \x0304,12red\x03 \x04ff0000hex \x1ei\x1f"), "b red hex i")
        self.assertEqual(incoming("a\x1bb\x07\x7f\x9b"), "a\ufffdb\ufffd\ufffd\ufffd")

    def test_first_words(self) -> None:
        """The beginning, on one line."""
        self.assertEqual(first_words("a\nb"), "a⏎b")
        self.assertEqual(first_words("x" * 41), "x" * 40 + "…")
