"""Lines of IRC, both ways."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from clients.irc.lines import MAX_LINE_BYTES, MAX_TAG_BYTES, MAX_TAGS, Line, LineInvalid, format_line, parse_line

KEYS = st.text("abcdefghij/+-", min_size=1, max_size=8)
VALUES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


class ParseTests(SynchronousTestCase):
    """What comes in."""

    def test_parts(self) -> None:
        """Tags, a source that is not believed, a verb in any case, words and a last one with spaces."""
        line = parse_line(b"@a=1\\s2;+b :who@there privmsg #x,#y :hello  :you")
        self.assertEqual(line, Line("PRIVMSG", ("#x,#y", "hello  :you"), tags={"a": "1 2", "+b": ""}))
        self.assertEqual(parse_line(b"PING"), Line("PING"))
        self.assertEqual(parse_line(b"TOPIC #x :"), Line("TOPIC", ("#x", "")))
        self.assertIsNone(parse_line(b"   "))

    def test_refused(self) -> None:
        """A line that holds what no line may, is no UTF-8, or names nothing."""
        for data, code in (
            (b"A b\0c", "INVALID_LINE"),
            (b"A b\rc", "INVALID_LINE"),
            (b"A \xff", "INVALID_UTF8"),
            ("é".encode(), "INVALID_LINE"),
        ):
            self.assertEqual(self.assertRaises(LineInvalid, parse_line, data).code, code)

    def test_bounds(self) -> None:
        """Line and tags: as long as they may be, and one byte more."""
        self.assertIsNotNone(parse_line(b"A " + b"x" * (MAX_LINE_BYTES - 2)))
        self.assertRaises(LineInvalid, parse_line, b"A " + b"x" * (MAX_LINE_BYTES - 1))
        self.assertIsNotNone(parse_line(b"@" + b"x" * MAX_TAG_BYTES + b" A"))
        self.assertRaises(LineInvalid, parse_line, b"@" + b"x" * (MAX_TAG_BYTES + 1) + b" A")
        many = parse_line(("@" + ";".join(f"t{n}" for n in range(MAX_TAGS + 1)) + " A").encode())
        assert many is not None
        self.assertEqual(len(many.tags), MAX_TAGS)

    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """Whatever comes, it is a line, nothing, or refused."""
        try:
            line = parse_line(data)
        except LineInvalid:
            return
        self.assertTrue(line is None or line.verb)


class FormatTests(SynchronousTestCase):
    """What goes out."""

    def test_parts(self) -> None:
        """A last parameter that could be read as another thing has its colon."""
        self.assertEqual(
            format_line(Line("PRIVMSG", ("#x", "hi"), "a!a@b", {"t": "a;b"})), b"@t=a\\:b :a!a@b PRIVMSG #x :hi\r\n"
        )
        self.assertEqual(format_line(Line("JOIN", ("#x",), "a")), b":a JOIN #x\r\n")
        self.assertEqual(format_line(Line("ERROR", ("by e",))), b"ERROR :by e\r\n")

    def test_one_line(self) -> None:
        """Nothing can end the line, or become another part of it."""
        for line in (
            Line("A", ("x\r\nB",)),
            Line("A", ("x\0",)),
            Line("A", ("two words", "x")),
            Line("A", (":x", "y")),
            Line("A", ("", "y")),
            Line("A", ("y",), "who is"),
            Line("A", ("y",), "who\n"),
            Line("A", ("y",), "", {"k k": "v"}),
        ):
            self.assertRaises(ValueError, format_line, line)

    @given(st.dictionaries(KEYS, VALUES, max_size=5), st.text(max_size=50))
    def test_round_trip(self, tags: dict[str, str], text: str) -> None:
        """What was written is read again; or it was not written."""
        line = Line("PRIVMSG", ("#x", text), "", tags)
        try:
            written = format_line(line)
        except ValueError:
            self.assertTrue(any(each in text for each in "\r\n\0"))
            return
        self.assertEqual(written.count(b"\n"), 1)
        if text.encode(errors="replace").decode() == text:
            self.assertEqual(parse_line(written.removesuffix(b"\r\n")), line)
