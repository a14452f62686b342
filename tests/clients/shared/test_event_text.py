"""Messages on a line: whatever they hold, they stay in their place on a terminal (pyte shows which that is)."""

import json
from dataclasses import replace
from typing import Any

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import MessageReceived, clock, date
from clients.shared.event_text import as_json, readable
from tests.client.file_fakes import attachment

COLUMNS, ROWS = 200, 12
AT_MS = 1_760_000_000_000
TITLE = "the user's own title"

# Control sequences of every kind, each with something behind it that would show where the cursor went.
HOSTILE = {
    "clear": "\x1b[2Jx",
    "home": "\x1b[Hx",
    "up": "\x1b[5Ax",
    "colour": "\x1b[31;5mx",
    "title": "\x1b]0;owned\x07x",
    "title, ended by ST": "\x1b]2;owned\x1b\\x",
    "link (OSC 8)": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\x",
    "clipboard (OSC 52)": "\x1b]52;c;cm0gLXJmIH4=\x07x",
    "DCS": "\x1bP1$r0m\x1b\\x",
    "APC": "\x1b_G\x1b\\x",
    "reset": "\x1bcx",
    "screen of E": "\x1b#8x",
    "other screen": "\x1b[?1049hx",
    "no cursor": "\x1b[?25lx",
    "mouse": "\x1b[?1000hx",
    "insert mode": "\x1b[4hx",
    "scroll region": "\x1b[2;4rx",
    "who are you": "\x1b[cx",
    "where is the cursor": "\x1b[6nx",
    "drawing characters": "\x1b(0qqq\x0eqqqx",
    "unfinished": "x\x1b[",
    "unfinished title": "x\x1b]0;owned",
    "CSI in C1": "\x9b2Jx",
    "OSC in C1": "\x9d0;owned\x9cx",
    "next line in C1": "one\x85two",
    "bell": "\x07x",
    "backspaces": "\b" * 60 + "x",
    "carriage return": "nice\rrm -rf",
    "new lines": "one\n[12:00] <admin> two\r\nthree\vfour\ffive",
    "separators": "one\u2028two\u2029three",
    "tab": "a\tb",
    "delete": "a\x7fb",
    "NUL": "a\0b",
    "right to left override": "\u202eterces",
    "left to right override": "\u202dx",
    "embeddings": "\u202a\u202bx\u202c",
    "isolates": "\u2066\u2067\u2068x",
    "ended isolates": "\u2069\u2069x\u2069",
    "bidi marks": "\u200e\u200f\u061cx",
    "zero width": "a\u200b\u200c\u200d\u2060\ufeffb",
    "tags": "x" + "".join(chr(0xE0000 + ord(letter)) for letter in "hidden"),
    "selectors": "x\ufe0f\ufe0f\ufe0e\U000e0100" * 3,
    "Zalgo": "Z" + "\u0301" * 10_000 + "algo",
    "marks at the beginning": "\u0301\u0302\u20e3x",
    "fillers": "\u3164\u115f\uffa0x",
    "private use": "\ue000\U000f0000x",
    "noncharacters": "\uffff\ufdd0x",
    "surrogate": "\ud800x",
    "Hebrew": "\u05e9\u05dc\u05d5\u05dd",
    "wide": "\u4f60\u597d",
    "emoji": "\U0001f469\u200d\U0001f4bb\U0001f1e9\U0001f1ea",
}


class WatchedScreen(pyte.Screen):
    """A terminal that writes down when it is made to answer or to ring."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, ROWS)
        self.noticed: list[str] = []

    def write_process_input(self, data: str) -> None:
        """Something is typed for the user."""
        self.noticed.append(data)

    def bell(self, *args: Any) -> None:  # noqa: ARG002 - pyte's signature
        """The bell rings."""
        self.noticed.append("bell")


def message(
    text: str | None = "hello", sender: str = "bob", room: str = "lobby", at_ms: int = AT_MS
) -> MessageReceived:
    """A message that was received."""
    return MessageReceived(room, 1, at_ms, sender, b"i" * 16, text, own=False)


def screen_around(line: str) -> WatchedScreen:
    """A terminal on which the line stands in the third row, between others, and a prompt waits below."""
    screen = WatchedScreen()
    stream = pyte.Stream(screen)
    stream.feed(f"\x1b]0;{TITLE}\x07first\r\nsecond\r\n")
    stream.feed(line)
    stream.feed("\r\nfourth\r\n$ ")
    return screen


def outside(screen: WatchedScreen) -> list[object]:
    """Everything but the third row: cells with their attributes, cursor, modes, title."""
    cells = [[screen.buffer[row][column] for column in range(COLUMNS)] for row in range(ROWS) if row != 2]
    cursor = (screen.cursor.x, screen.cursor.y, screen.cursor.hidden, screen.cursor.attrs)
    state = (screen.mode, screen.margins, screen.charset, screen.g0_charset, screen.title, screen.icon_name)
    return [cells, cursor, state, screen.noticed]


EXPECTED = outside(screen_around("[12:00] <bob> hello"))


class LinesTests(SynchronousTestCase):
    """For people, and for programs."""

    def assert_stays_in_its_place(self, shown: MessageReceived) -> None:
        """The message changes its own row only."""
        line = readable(shown, room=True)
        screen = screen_around(line)
        self.assertEqual(outside(screen), EXPECTED, repr(line))
        self.assertRegex(screen.display[2], r"^\[\d\d:\d\d\] #")

    def test_plain(self) -> None:
        """A message shows time, sender and text; the room only where it is asked for."""
        self.assertRegex(readable(message()), r"^\[\d\d:\d\d\] <bob> hello$")
        self.assertRegex(readable(message(), room=True), r"^\[\d\d:\d\d\] #lobby <bob> hello$")

    def test_hostile_text(self) -> None:
        """No text reaches beyond its own row, changes the terminal, or makes it answer."""
        for name, text in HOSTILE.items():
            with self.subTest(name):
                self.assert_stays_in_its_place(message(text))

    def test_hostile_sender(self) -> None:
        """Nor does a name."""
        for name, text in HOSTILE.items():
            with self.subTest(name):
                self.assert_stays_in_its_place(message(sender=text))

    def test_hostile_room(self) -> None:
        """Nor does a room."""
        for name, text in HOSTILE.items():
            with self.subTest(name):
                self.assert_stays_in_its_place(message(room=text))

    @settings(max_examples=150, deadline=None)
    @given(
        st.text(
            st.sampled_from("\x1b[]()#;?0123ABHJKPmhlrcn\\\x07\x08\r\n\t\x9b\x9d\x9c\u202e\u2066\u0301xy"), max_size=40
        )
    )
    def test_any_text(self, text: str) -> None:
        """Nor does any mixture of what terminals obey."""
        self.assert_stays_in_its_place(message(text, sender=text[:10]))

    def test_right_to_left(self) -> None:
        """A text from right to left is isolated, so that it does not move what stands before it."""
        self.assertTrue(readable(message("\u05e9\u05dc")).endswith("> \u2068\u05e9\u05dc\u2069"))
        self.assertIn("<\u2068\u05e9\u05dc\u2069>", readable(message(sender="\u05e9\u05dc")))

    def test_unknown_kind(self) -> None:
        """A message of a kind that this version does not know is shown as such."""
        self.assertIn("(a kind of message that this version does not know)", readable(message(None)))

    def test_impossible_time(self) -> None:
        """A time that no calendar has is shown as none; the message is shown."""
        for at_ms in (2**63, -(2**63), 10**17, -(10**17)):
            self.assertEqual(readable(message(at_ms=at_ms)), "[--:--] <bob> hello")

    def test_doubtful_time(self) -> None:
        """Where the server's time is far from the one that the sender has signed, the line has both; else the server's."""
        for sent_ms in (0, AT_MS, AT_MS - 600_000, AT_MS + 600_000):
            self.assertNotIn("clock", readable(replace(message(), sent_ms=sent_ms)))
        for sent_ms in (AT_MS - 600_001, AT_MS + 600_001, 1, 2**63):
            line = readable(replace(message(), sent_ms=sent_ms), room=True)
            self.assertRegex(
                line, r"^\[\d\d:\d\d\] #lobby <bob> \(by the sender's clock: [-0-9 ]*[-0-9]{2}:[-0-9]{2}\) hello$"
            )
        day = replace(message(), sent_ms=AT_MS - 86_400_000)
        self.assertIn(f"clock: {date(day.sent_ms)} {clock(day.sent_ms)})", readable(day))
        self.assertEqual(json.loads(as_json(day))["sent"], day.sent_ms)

    def test_json(self) -> None:
        """JSON has every field, with the id in hexadecimal."""
        expected = {
            "room": "lobby", "seq": 1, "at": AT_MS, "sent": 0, "sender": "bob", "id": "69" * 16, "own": False,
            "text": "hello", "action": False, "reply_to": None, "mentioned": False, "identity_changed": False,
        }  # fmt: skip
        self.assertEqual(json.loads(as_json(message())), expected)
        file = {"name": "report.pdf", "type": "application/pdf", "size": 2_100_000}
        self.assertEqual(json.loads(as_json(replace(message(), file=attachment()))), expected | {"file": file})

    def test_json_of_an_answer(self) -> None:
        """JSON says what is answered, and whether it is an action that calls us."""
        shown = message()
        said = MessageReceived(
            shown.room, 2, AT_MS, "bob", b"j" * 16, "x", own=False, action=True, reply_to=b"i" * 16, mentioned=True
        )
        record = json.loads(as_json(said))
        self.assertEqual((record["action"], record["reply_to"], record["mentioned"]), (True, "69" * 16, True))

    @settings(deadline=None)
    @given(st.one_of(st.none(), st.text()), st.text())
    def test_json_is_ascii(self, text: str | None, sender: str) -> None:
        """JSON is one line of printable ASCII, from which text and sender come back as they were."""
        line = as_json(message(text, sender))
        self.assertTrue(line.isascii() and line.isprintable())
        back = json.loads(line)
        self.assertEqual((back["text"], back["sender"]), (text, sender))

    def test_hostile_json(self) -> None:
        """The same for the hostile ones."""
        for text in HOSTILE.values():
            line = as_json(message(text, text, text))
            self.assertTrue(line.isascii() and line.isprintable())
            self.assertEqual(json.loads(line)["text"], text)
