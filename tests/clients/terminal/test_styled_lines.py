"""Lines of styled text."""

import datetime
import time
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import FileState
from clients.shared.long_texts import FOLDED_ABOVE, SHOWN_LINES
from clients.shared.separators import Day, Separators
from clients.terminal.styled_lines import (
    PALETTE,
    REPLACEMENT,
    Line,
    conversation,
    fitted,
    header,
    message_fragments,
    news_line,
    output_line,
    safe,
    sender_style,
    separator_line,
    text_of,
)
from tests.client.file_fakes import attachment
from tests.client.slash_fakes import message

DAY_MS = 86_400_000


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1) of ``#rrggbb``."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class RenderingTests(SynchronousTestCase):
    """`clients.terminal.styled_lines`."""

    def test_files(self) -> None:
        """A file that came: what it is, until when, how it is saved; what is said beside it stands below."""
        file = attachment(expires_ms=DAY_MS * 20_000)
        day = datetime.datetime.fromtimestamp(file.expires_ms / 1000).astimezone().strftime("%Y-%m-%d")
        for text, given, expected in (
            ("", file, f"report.pdf (2.1 MB, PDF)  until {day}: /save 7"),
            ("look", file, f"\nreport.pdf (2.1 MB, PDF)  until {day}: /save 7\nlook"),
            ("", replace(file, expires_ms=0), "report.pdf (2.1 MB, PDF)  /save 7"),
            ("", replace(file, state=FileState.GONE), "report.pdf (2.1 MB, PDF)  no longer there"),
        ):
            line = text_of(message_fragments(message(7, text, file=given)))
            self.assertTrue(line.endswith(f"<bob> {expected}"), line)

    def test_message(self) -> None:
        """Time, name and text have styles of their own, and together are the line that every client shows."""
        (time_, who, text) = message_fragments(message(1, "<bob> says"))
        self.assertEqual(time_[0], "class:time")
        self.assertRegex(time_[1], r"^\[\d\d:\d\d\] $")
        self.assertEqual(who, (sender_style("bob"), "<bob>"))
        self.assertEqual(text, ("", " <bob> says"))

    def test_own_and_mentioned(self) -> None:
        """One's own name and mentions of oneself stand out; an action names who acts."""
        self.assertEqual(message_fragments(message(1, "x", "alice"))[1], ("class:own", "<alice>"))
        self.assertEqual(message_fragments(message(1, "@alice", mentioned=True))[2][0], "class:mention")
        self.assertEqual(message_fragments(message(1, "@alice", "alice", mentioned=True))[2][0], "")
        self.assertEqual(
            message_fragments(message(1, "waves", action=True))[1:], [(sender_style("bob"), "* bob"), ("", " waves")]
        )

    def test_answer(self) -> None:
        """An answer shows the start of what it answers."""
        line = message_fragments(message(2, "well", reply_to=b"x" * 16), message(1, "how are you", "eve"))
        self.assertEqual(text_of(line)[8:], "<bob> (eve: how are you) well")

    def test_several_lines(self) -> None:
        """They begin below the name, and each is clean and indented, whatever it says; on a narrow screen less."""
        line = message_fragments(message(1, "one\r\n[00:00] <admin> \x1b[2Jtwo\n\n\tthree"))
        for width, indent in ((80, " " * 8), (30, "  ")):
            first, *others = ["".join(text for _style, text in row).rstrip() for row in fitted(line, width)]
            self.assertEqual(first[8:], "<bob>")
            expected = ["one", f"[00:00] <admin> {REPLACEMENT}[2Jtwo", "", "    three"]
            self.assertEqual(others, [f"{indent}{each}".rstrip() for each in expected])

    def test_folded(self) -> None:
        """Of a long text the beginning is shown, how much more there is, and how to see it; of a shorter one all."""
        for text in ("x\n" * 99 + "x", "word " * 1600):
            rows = [text_of(row) for row in fitted(message_fragments(message(7, text)), 100)]
            self.assertEqual(rows[-1], " " * 8 + "… 88 more lines: /show 7")
            self.assertLessEqual(len(rows), SHOWN_LINES + 2)
        self.assertEqual(text_of(message_fragments(message(-7, "x\n" * 99))).rpartition("\n")[2], "… 88 more lines")
        whole = text_of(message_fragments(message(7, "x\n" * (FOLDED_ABOVE - 2) + "last")))
        self.assertTrue(whole.endswith("\nlast"))

    def test_senders(self) -> None:
        """A name has one colour of the palette, whatever it holds; the palette is used."""
        self.assertEqual(sender_style("bob"), sender_style("bob"))
        styles = {sender_style(f"user{number}") for number in range(500)}
        self.assertEqual(len(styles), len(PALETTE))
        sender_style("\ud800")

    def test_palette(self) -> None:
        """Each colour has a contrast of at least 3 to 1 (WCAG 2.1, 1.4.11) against black and against white."""
        for colour in PALETTE:
            self.assertGreaterEqual((luminance(colour) + 0.05) / 0.05, 3, colour)
            self.assertGreaterEqual(1.05 / (luminance(colour) + 0.05), 3, colour)
        self.assertEqual(len(set(PALETTE)), len(PALETTE))

    def test_gate(self) -> None:
        """Control characters that come to the last gate do not pass it."""
        line: Line = [("", "a\x1b]0;x\x07\x9b1m\r\n\x7fé")]
        self.assertEqual(text_of(safe(line)), f"a{REPLACEMENT}]0;x{REPLACEMENT}{REPLACEMENT}1m{REPLACEMENT * 3}é")

    def test_begins_anew(self) -> None:
        """Where direct messages go on in another room, a line stands between."""
        kept = [
            replace(message(seq, text), room_id=room * 16) for seq, text, room in ((-1, "one", b"o"), (1, "two", b"n"))
        ]
        texts = [
            text_of(line)[8:] if "<" in text_of(line) else text_of(line) for line in conversation(kept, Separators(), 9)
        ]
        self.assertEqual(texts[1:], ["<bob> one", "── new identity: the conversation begins anew ──", "<bob> two"])

    def test_local_days(self) -> None:
        """The day is that of the person's own time."""
        self.addCleanup(time.tzset)
        midnight = int(datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC).timestamp() * 1000)
        for zone, expected in (("UTC", "25 November"), ("EST5", "24 November")):
            self.patch_zone(zone)
            self.assertIn(expected, text_of(separator_line(Day(midnight))))

    def patch_zone(self, zone: str) -> None:
        """Lives elsewhere."""
        import os

        self.patch(os, "environ", {**os.environ, "TZ": zone})
        os.putenv("TZ", zone)
        time.tzset()
        self.addCleanup(os.unsetenv, "TZ")

    def test_read_marker(self) -> None:
        """One line stands before the first message of others that was not read; one's own do not count."""
        kept = [message(1), message(2), message(3, "x", "alice"), message(4), message(5)]
        texts = [text_of(line) for line in conversation(kept, Separators(), read=2)]
        self.assertEqual([texts.index("── new ──"), texts.count("── new ──")], [4, 1])
        self.assertNotIn("── new ──", [text_of(line) for line in conversation(kept, Separators(), read=5)])

    def test_headers(self) -> None:
        """A room is headed by its name, and its topic if it has one."""
        self.assertEqual(text_of(header("plans", "")), "── #plans ──")
        self.assertEqual(text_of(header("@bob", "a\x1b[2Jb")), f"── @bob: a{REPLACEMENT}[2Jb ──")

    def test_output(self) -> None:
        """Rows of a QR code are dark on light; other lines are as they are; news say that they are."""
        self.assertEqual(output_line("█▀▀▀█ ▄█"), [("class:code", "█▀▀▀█ ▄█")])
        self.assertEqual(output_line("█▀▀▀█ a"), [("", "█▀▀▀█ a")])
        self.assertEqual(output_line(""), [("", "")])
        self.assertEqual(text_of(news_line("x")), "-- x")
