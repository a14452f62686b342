"""Tests of user and room names."""

# mypy: allow-untyped-calls

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.names import MAX_BYTES, MAX_CHARACTERS, new_room_name, room_name, skeleton, user_name
from chatserv.errors import NameInvalid

REFUSED = {
    "empty": "",
    "right-to-left override": "ali\u202ece",
    "zero-width joiner": "ali\u200dce",
    "zero-width space": "ali\u200bce",
    "byte order mark": "\ufeffalice",
    "escape": "\x1b[31malice",
    "null": "alice\x00",
    "newline": "alice\n",
    "C1 control": "alice\x9b",
    "ligature fi": "\ufb01sh",
    "33 characters": "a" * 33,
    "33 characters of two bytes": "\u00e9" * 33,
    "66 bytes in 22 characters": "\u5c71" * 22,
    "65 bytes in 32 characters": "\u00e9" * 31 + "\u5c71",
    "a megabyte": "a" * 1_000_000,
    "lone high surrogate": "ali\ud800ce",
    "lone low surrogate": "\udcffalice",
    "space inside": "alice smith",
    "space before": " alice",
    "no-break space": "alice\u00a0smith",
    "ideographic space": "alice\u3000",
    "at sign": "@alice",
    "fullwidth at sign": "\uff20alice",
    "slash": "/quit",
    "two number signs": "##alice",
    "tag character": "alice\U000e0041",
    "private use": "\ue000",
    "noncharacter": "\ufffe",
    "emoji": "\U0001f600",
    "Cyrillic a in Latin": "\u0430lice",
    "mixed paypal": "\u0440\u0430\u0443\u0440\u0430l",
    "Greek in Latin": "p\u03b1ypal",
    "Latin with Hebrew": "a\u05d0",
    "Bengali digit in Latin": "a\u09e7",
    "digits of two systems": "\u0e011\u0e51",
    "mark without base": "\u0301alice",
}
ACCEPTED = {
    "Alice": "alice",
    "ALICE": "alice",
    "\uff21\uff22\uff23": "abc",
    "e\u0301mile": "\u00e9mile",
    "Stra\u00dfe": "stra\u00dfe",
    "a" * 32: "a" * 32,
    "\u00e9" * 32: "\u00e9" * 32,
    "o'neil-2_b.c++": "o'neil-2_b.c++",
    "\u0410\u041d\u041d\u0410": "\u0430\u043d\u043d\u0430",
    "\u05d3\u05d5\u05d3": "\u05d3\u05d5\u05d3",
    "\u5c71\u7530\u30bf\u30ed\u3046": "\u5c71\u7530\u30bf\u30ed\u3046",
    "\uae40\ucca0\uc218": "\uae40\ucca0\uc218",
    "\u0e01\u0e34": "\u0e01\u0e34",
}
CONFUSABLE = [
    ("alice", "\u0430lice"),
    ("paypal", "\u0440\u0430\u0443\u0440\u0430l"),
    ("scope", "\u0455\u0441\u043e\u0440\u0435"),
    ("SCOPE", "\u0405\u0421\u041e\u0420\u0415"),
    ("scope", "\u0405\u0421\u041e\u0420\u0415"),
    ("modern", "modem"),
    ("l", "1"),
    ("l", "I"),
    ("l", "|"),
    ("b0b", "bob"),
    ("B0B", "bob"),
    ("\u03bf", "o"),
    ("\u00e9mile", "e\u0301mile"),
    ("Bob", "bob"),
]
TEXTS = st.text(
    st.characters() | st.sampled_from("aIl1\u0430\u05d0\u202e\u200d\x1b\ufb01\ud800 @#\u0301\u0130\u03a3\u1e9e"),
    max_size=40,
)
WORDS = st.text(st.characters(categories=["Ll", "Lo", "Nd"]), min_size=1, max_size=8)


class UserNameTests(SynchronousTestCase):
    """`user_name` has one form for each name, and refuses what could deceive."""

    def test_refused(self) -> None:
        """Each text of the corpus is refused, with a detail that does not repeat the text."""
        for what, text in REFUSED.items():
            error = self.assertRaises(NameInvalid, user_name, text)
            self.assertTrue(error.detail, what)
            if len(text) > 2:
                self.assertNotIn(text, error.detail, what)

    def test_accepted(self) -> None:
        """Names of one script are folded to lower case, normal width and NFC."""
        for text, expected in ACCEPTED.items():
            self.assertEqual(user_name(text), expected)

    def test_limits(self) -> None:
        """32 characters and 64 bytes are allowed, one more of either is not."""
        self.assertEqual(len(user_name("\u00e9" * 32).encode()), MAX_BYTES)
        self.assertEqual(len(user_name("a" * 32)), MAX_CHARACTERS)
        self.assertIn("65 bytes", self.assertRaises(NameInvalid, user_name, "\u00e9" * 31 + "\u5c71").detail)

    @settings(deadline=None)
    @given(TEXTS)
    def test_any_text(self, text: str) -> None:
        """Any text is either refused or has a form within the limits that is its own form."""
        try:
            name = user_name(text)
        except NameInvalid:
            return
        self.assertEqual(user_name(name), name)
        self.assertLessEqual(len(name), MAX_CHARACTERS)
        self.assertLessEqual(len(name.encode()), MAX_BYTES)

    @settings(deadline=None)
    @given(WORDS)
    def test_case(self, text: str) -> None:
        """An accepted name in upper case is refused or looks the same once it is canonical."""
        try:
            name, upper = user_name(text), user_name(text.upper())
        except NameInvalid:
            return
        if text.upper().lower() == text:
            self.assertEqual(skeleton(upper), skeleton(name))


class RoomNameTests(SynchronousTestCase):
    """`room_name` follows the rules of user names."""

    def test_number_sign(self) -> None:
        """One leading number sign is dropped, a second one refused, as is a sign alone."""
        self.assertEqual(room_name("#Lobby"), "lobby")
        self.assertEqual(room_name("lobby"), "lobby")
        for text in ("##lobby", "#", "lob#by", "\uff03lobby"):
            self.assertRaises(NameInvalid, room_name, text)

    def test_beginning(self) -> None:
        """A new room's name begins with a letter or a digit; one from before stays what it is."""
        self.assertEqual((room_name("-plans"), new_room_name("#7-plans")), ("-plans", "7-plans"))
        self.assertRaises(NameInvalid, new_room_name, "-plans")

    def test_refused(self) -> None:
        """What no user may be called, no room may be called."""
        for text in REFUSED.values():
            self.assertRaises(NameInvalid, room_name, text)

    @settings(deadline=None)
    @given(TEXTS)
    def test_any_text(self, text: str) -> None:
        """Any text is either refused or has a form that is its own form."""
        try:
            name = room_name(text)
        except NameInvalid:
            return
        self.assertEqual(room_name(name), name)


class SkeletonTests(SynchronousTestCase):
    """`skeleton` is equal for names that look alike."""

    def test_collisions(self) -> None:
        """Names that can be taken for each other have one skeleton."""
        for left, right in CONFUSABLE:
            self.assertEqual(skeleton(left), skeleton(right), (left, right))

    def test_canonical_collisions(self) -> None:
        """A name of another script that passes the rules by itself still collides with the Latin one."""
        self.assertEqual(skeleton(user_name("\u0420\u0410\u0423")), skeleton(user_name("PAY")))

    def test_different(self) -> None:
        """Names that differ to the eye keep different skeletons."""
        names = ["alice", "bob", "carol", "ian", "lan", "\u00e9mile", "emile", "\u5c71\u7530"]
        self.assertEqual(len({skeleton(name) for name in names}), len(names))

    @settings(deadline=None)
    @given(TEXTS)
    def test_fixed_point(self, text: str) -> None:
        """The skeleton of a skeleton is itself."""
        self.assertEqual(skeleton(skeleton(text)), skeleton(text))
