"""Tests of the terminal sanitiser."""

# mypy: allow-untyped-calls

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.sanitize import clean_line, isolate

ATTACKS = {
    "\x1b[2J": "\ufffd[2J",
    "\x1b]8;;http://x\x07click\x1b]8;;\x07": "\ufffd]8;;http://x\ufffdclick\ufffd]8;;\ufffd",
    "\x1b]52;c;QUJD\x1b\\": "\ufffd]52;c;QUJD\ufffd\\",
    "\x9b31m\x90q\x9c": "\ufffd31m\ufffdq\ufffd",
    "a\bb\rc\x7fd\x00": "a\ufffdb\ufffdc\ufffdd\ufffd",
    "one\ntwo\r\nthree\tfour": "one\u23cetwo\u23cethree four",
    "a\u202eb\u202cc\u2066d\u2069": "a\ufffdb\ufffdc\ufffdd\ufffd",
    "a\u200eb\u200fc\u061cd": "abcd",
    "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u034fh\u3164i": "abcdefghi",
    "x\U000e0001\U000e0041\U000e007f\U000e0100": "x",
    "a\u2028b\u2029c\x85d": "a\ufffdb\ufffdc\ufffdd",
    "a\ud800b\udcffc": "a\ufffdb\ufffdc",
    "\ue000\U000f0000\ufffe\ufdd0\U0010ffff": "\ufffd" * 5,
    "\u2764\ufe0f\ufe0f\ufe0e!": "\u2764\ufe0f!",
    "\ufe0fa": "a",
    "\u0301a": "\u25cc\u0301a",
    "a" + "\u0301" * 10_000: "a" + "\u0301" * 4,
    "a" + "\u1161" * 10_000: "a" + "\u1161" * 4,
    "a" + "\u0301\u200b" * 10_000: "a" + "\u0301" * 4,
    "al\u200dice al\u200cice \u200dbob\u200c": "alice alice bob",
    "\u0430\u200d\u043d \u5c71\u200d\u7530 \u05d0\u200c\u05d1": "\u0430\u043d \u5c71\u7530 \u05d0\u05d1",
    "\u0628\u200d\u0647 \u0628\u200c \u0627\u200c\u0628": "\u0628\u0647 \u0628 \u0627\u0628",
    "\u0628\u200c\u200c\u0647 \u0915\u094d\u200d\u200d\u0937": "\u0628\u200c\u0647 \u0915\u094d\u200d\u0937",
    "\U0001f469\u200d\u200d\U0001f467 \U0001f525\u200d": "\U0001f469\u200d\U0001f467 \U0001f525",
    "a\u200d\U0001f525 \u200d\U0001f525": "a\U0001f525 \U0001f525",
    "\u200d\u0301a": "\u25cc\u0301a",
    "\U0001f3f4\U000e0067\U000e007f \U0001f3f4" + "\U000e0061" * 99 + "\U000e007f": "\U0001f3f4 \U0001f3f4",
    "\U0001f525\U000e0067\U000e0062\U000e0073\U000e007f": "\U0001f525",
    "\U00010fff\u200c\U00010fff\u200d": "\U00010fff\U00010fff",
    "a\U000e0100\u8fbb\U000e0101\U000e0102": "a\u8fbb\U000e0101",
}
HARMLESS = [
    "",
    "hello, world",
    "\u00e9mile e\u0301mile",
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\u5c71\u7530 \U0001f600 \U0001f1eb\U0001f1ee \U0001f44d\U0001f3fd \u2764\ufe0f",
    "\ufffd\u23ce\u25cc\u0301",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u06a9\u062a\u0627\u0628\u200c\u0647\u0627",  # Persian
    "\u0627\u0644\u0644\u0651\u064e\u200c\u0647",  # behind marks
    "\u0915\u094d\u200d\u0937 \u0915\u094d\u200c\u0937",  # Hindi: half form, and virama that is seen
    "\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0dbd\u0d82\u0d9a\u0dcf",  # Sinhala
    "\u09b0\u200d\u09cd\u09af\u09be\u09ac",  # Bengali: ya behind ra
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\u2764\ufe0f\u200d\U0001f525 \U0001f469\U0001f3fd\u200d\U0001f680 \U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f43b\u200d\u2744\ufe0f \U0001f9d1\U0001f3fb\u200d\u2764\ufe0f\u200d\U0001f9d1\U0001f3ff",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland
    "1\ufe0f\u20e3",
    "\u8fbb\U000e0100",  # an ideograph in the form of a Japanese name
]
CONTROLS = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0x061C,
    0x200B,
    *range(0x200E, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
]
FORBIDDEN = frozenset(map(chr, [*CONTROLS, 0xFEFF, *range(0xE0000, 0xE0020), 0xE0080, *range(0xE01F0, 0xE1000)]))
SPECIAL = st.sampled_from(
    "a\n\r\t\x1b\x9b\u0301\u0302\u1161\u200b\u202e\u2068\u2069\u05d0\ufe0e\ufe0f\ud800\U000e0041\u25cc"
    "\u200c\u200d\u0628\u0627\u0915\u094d\u09b0\U0001f469\U0001f525\U0001f3fd\U0001f1ea\U0001f3f4\U000e0067\U000e007f\u8fbb\U000e0100"
)
TEXTS = st.text(st.characters() | SPECIAL) | st.text(SPECIAL)


class CleanLineTests(SynchronousTestCase):
    """`clean_line` leaves nothing that a terminal acts on."""

    def test_attacks(self) -> None:
        """Each attack of the corpus comes out as harmless text."""
        for text, expected in ATTACKS.items():
            self.assertEqual(clean_line(text), expected, ascii(text[:20]))

    def test_harmless(self) -> None:
        """Ordinary text in any script stays as it is."""
        for text in HARMLESS:
            self.assertEqual(clean_line(text), text)

    def test_marks(self) -> None:
        """The number of combining marks that one character keeps can be chosen, down to none."""
        self.assertEqual(clean_line("a\u0301\u0302b\u0301", max_marks=1), "a\u0301b\u0301")
        self.assertEqual(clean_line("\u0301a\u0301", max_marks=0), "a")

    @given(TEXTS, st.integers(0, 5))
    def test_any_text(self, text: str, max_marks: int) -> None:
        """Whatever comes in, nothing forbidden comes out, and no character carries more than it may."""
        cleaned = clean_line(text, max_marks)
        self.assertTrue(FORBIDDEN.isdisjoint(cleaned))
        self.assertLessEqual(len(cleaned), len(text) + 1)
        cleaned.encode()  # no lone surrogates
        marks = 0
        for character in cleaned:
            category = unicodedata.category(character)
            self.assertNotIn(category, {"Cc", "Cs", "Co", "Zl", "Zp"})
            marks = marks + 1 if category[0] == "M" else 0
            self.assertLessEqual(marks, max_marks + 1)  # and one variation selector
        if cleaned:
            self.assertNotEqual(unicodedata.category(cleaned[0])[0], "M")

    @given(TEXTS, st.integers(0, 5))
    def test_twice(self, text: str, max_marks: int) -> None:
        """Cleaning what is clean changes nothing."""
        once = clean_line(text, max_marks)
        self.assertEqual(clean_line(once, max_marks), once)


class IsolateTests(SynchronousTestCase):
    """`isolate` keeps text from reordering its surroundings."""

    def test_left_to_right(self) -> None:
        """Text without a character of a right-to-left script stays as it is."""
        for text in ("", "alice", "\u0430\u043d\u043d\u0430", "\u5c71"):
            self.assertEqual(isolate(text), text)

    def test_right_to_left(self) -> None:
        """Hebrew and Arabic, also in the middle and where still unassigned, are wrapped in FSI and PDI."""
        for text in ("\u05d0", "abc \u0627", "\U0001e900", "\U00010fff"):
            self.assertEqual(isolate(text), f"\u2068{text}\u2069")

    def test_breaking_out(self) -> None:
        """Isolate controls inside the text cannot end the isolation."""
        self.assertEqual(isolate("\u05d0\u2069\u2066b"), "\u2068\u05d0b\u2069")

    @given(TEXTS)
    def test_twice(self, text: str) -> None:
        """Isolating twice is isolating once, and the isolates are balanced."""
        once = isolate(clean_line(text))
        self.assertEqual(isolate(once), once)
        self.assertEqual(once.count("\u2068"), once.count("\u2069"))
