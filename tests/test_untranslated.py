"""Everything that people read comes through a catalogue: in programs that run, and in their sources."""

import io
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import chatserv.i18n
import chatserv.tap
from chatserv.client import ChatError, SlashError, explained
from chatserv.client.outbound.pending import FAILED, WaitingMessage
from chatserv.client.slash.dispatcher import COMMANDS
from chatserv.errors import Muted
from clients.shared.arguments import parse_arguments
from clients.shared.event_text import news
from clients.shared.exit_codes import exit_for, why_offline
from clients.window.pictures.decoder import BEGIN
from tests.client.file_fakes import attachment
from tests.client.slash.test_dispatcher import SlashTestCase
from tests.client.slash_fakes import AT_MS, NUMBER, member, message
from tests.client.test_slash_effects import EFFECTS
from tests.clients.test_news import BEGINNINGS, TOLD, find
from tests.support.bypassing import bypassing

ROOT: Final = Path(__file__).parents[1]
MARKED: Final = re.compile(r"⟦[^⟦⟧]*⟧")
WORD: Final = re.compile(r"[^\W\d_]{2,}")
NAMES: Final = {
    "alice",
    "bob",
    "carol",
    "dora",
    "eve",
    "zoe",
    "lobby",
    "plans",
    "ideas",
    "news",
    "new",
    "offer",
    "nowhere",
    "report",
    "pdf",
    "PDF",
    "tmp",
    "null",
    "kB",
    "MB",
    "GB",
}
SAID: Final = {
    "hello",
    "how",
    "are",
    "you",
    "so",
    "what",
    "is",
    "early",
    "we",
    "move",
    "topic",
    "well",
    "why",
    "trouble",
}
TYPED: Final = {command.usage for command in COMMANDS.values()} | {
    "python -m clients.examples.bridge PROFILE ROOM PROFILE ROOM",
    "http://127.0.0.1:",
    "webhook",
    BEGIN,
}


REFUSED: Final = (
    "/nothing", "/hepl", "/kick", "/kick carol", "/unban carol", "/invite bob", "/invite zoe", "/role bob x",
    "/room nowhere", "/room offer", "/join nowhere", "/join @bob", "/part @bob", "/msg alice", "/msg zoe", "/msg dora",
    "/accept plans", "/refuse nowhere", "/slow x", "/open x", "/history x", "/edit 2 x", "/delete 2", "/reply x y",
    "/reply 99 y", "/react 2 " + "x" * 99, "/log 0", "/verify alice", "/verify zoe", "/verify dora", "/verify bob 1",
    "/verify bob yes", "/trust bob", "/devices zoe", "/revoke aa", "/revoke ff", "/revoke aa22 no", "/suspend zoe",
    "/server-ban address x", "/announce " + "x" * 2000, "/topic " + "x" * 2000,
)  # fmt: skip


class Marking:
    """A catalogue that marks what went through it."""

    def gettext(self, text: str) -> str:
        """The text between brackets that nobody writes."""
        return f"⟦{text}⟧"


def bare(text: str) -> list[str]:
    """The words of a text that did not go through the catalogue, and that nobody made up here."""
    while MARKED.search(text):
        text = MARKED.sub("", text)
    return [word for word in WORD.findall(text) if word not in NAMES | SAID]


def all_errors(kind: type[ChatError] = ChatError) -> list[type[ChatError]]:
    """Every class of errors."""
    return [kind, *(found for each in kind.__subclasses__() for found in all_errors(each))]


WORDS_TO_COMPARE = "ice turkey dish hundred butter until"  # of the standard's list, English for everybody


class RunningTests(SlashTestCase):
    """Programs with a catalogue that marks every text."""

    def setUp(self) -> None:
        """Something was said in the lobby, and something could not be."""
        super().setUp()
        self.patch(chatserv.i18n, "_translations", Marking())
        lobby = self.client.there["lobby"]
        lobby.kept = [message(1, sender="alice"), message(2)]
        waits = WaitingMessage(b"\1" * 16, "so", False, None, AT_MS)
        lobby.texts = [replace(waits, state=FAILED, error=Muted())]

    def assert_marked(self, text: str, *known: str) -> None:
        """Nothing is left of the text but signs, numbers and what somebody chose."""
        for each in known:
            text = text.replace(each, "")
        self.assertEqual(bare(text), [], text)

    def printed(self, stream: str, *argv: str) -> str:
        """What a command line prints, each paragraph on one line."""
        self.patch(sys, stream, output := io.StringIO())
        with self.assertRaises(SystemExit):
            parse_arguments(list(argv))
        return re.sub(r"--?[a-z-]+|\b[A-Z]+\b|chatserv-client", "", " ".join(output.getvalue().split()))

    def test_bare(self) -> None:
        """This test's own eyes: words in brackets are marked, those beside them are not."""
        self.assertEqual(bare("bob: ⟦is ⟦away⟧ now⟧ and 7 ⟦more⟧ #plans"), ["and"])

    def test_help(self) -> None:
        """``/help`` is marked but for the commands themselves, in the list and one by one."""
        self.client.is_admin = True
        lines = self.run_line("/help")
        listed = [line for line in lines if line.startswith("  /")]
        for line, command in zip(listed, COMMANDS.values(), strict=True):
            self.assertTrue(line.startswith(f"  {command.line} - ⟦"), line)
        lines += [each for name in COMMANDS for each in self.run_line(f"/help {name}")]
        usages = sorted((command.line for command in COMMANDS.values()), key=len, reverse=True)
        for line in lines:
            self.assert_marked(line, *usages)

    def test_commands(self) -> None:
        """What commands answer is marked but for what people chose."""
        for name, cases in EFFECTS.items():
            for line, _, _ in cases:
                self.setUp()
                self.client.people.trust = "changed" if name == "trust" else "unverified"
                if "-1" in line.split():  # means one's last message where nothing waits
                    self.client.there["lobby"].texts = []
                if name in {"save", "pause"}:
                    self.client.there["lobby"].kept[1] = message(2, file=attachment(2, state="moving"))
                if name != "help":
                    for answer in self.run_line(line):
                        self.assert_marked(
                            re.sub(r"CHATSERV-VERIFY:\w+|chatserv://\S+|\baa\d+|(\w{5}-){7}\w{5}", "", answer)
                        )

    def test_refused(self) -> None:
        """Why a command is refused is marked too."""
        for line in REFUSED:
            self.setUp()
            answer = self.refusal(line)
            self.assertTrue(answer.startswith("⟦") and answer.endswith("⟧"), answer)
            self.assert_marked(answer)

    def test_states(self) -> None:
        """So are the states of people, rooms and messages."""
        people = [member("bob", muted=True, presence=presence, trust=trust, devices=0, read=7)
                  for presence in ("online", "away", "offline") for trust in ("verified", "changed", "unknown")]  # fmt: skip
        self.client.there["lobby"].people = [member("alice", "owner"), *people, member("eve", "banned")]
        self.client.there["lobby"].kept = [
            message(1, None, deleted=True), message(2, None, unreadable=True), message(3, None), message(4, edited=True),
            message(5, reply_to=b"\x63" * 16),
        ]  # fmt: skip
        self.client.there["plans"].unread = 3
        self.client.public = []
        typed = ("/who", "/log", "/list", "/rooms", "/bans", "/invite dora", "/search nowhere")
        lines = [each for line in typed for each in self.run_line(line)]
        for trust in ("verified", "changed", "unknown"):
            self.client.people.trust = trust
            lines += [each for each in self.run_line("/verify bob") if "CHATSERV" not in each]
        self.run_line("/verify bob")
        self.client.people.number = NUMBER[::-1]
        lines.append(self.refusal("/verify bob yes"))
        self.assertGreater(len(lines), 25)
        for line in lines:
            self.assert_marked(line)

    def test_news(self) -> None:
        """Every kind of news is marked."""
        for event in [event for event, _ in (*TOLD, *BEGINNINGS)]:
            lines = news(event, find, "carol")
            for line in lines:
                if line.strip() != WORDS_TO_COMPARE:
                    self.assertIn("⟦", line)
                    self.assert_marked(line)

    def test_errors(self) -> None:
        """What is said of every error is marked, when it is explained and when a program ends with it."""
        self.assertTrue(chatserv.tap)  # brings the errors of the server along
        kinds = all_errors()
        self.assertGreater(len(kinds), 40)
        for kind in kinds:
            error = kind.__new__(kind)
            ChatError.__init__(error, "", after_seconds=3, by="server")
            if isinstance(error, SlashError):
                error = SlashError()
            for text in (
                error.explain(),
                explained(error),
                exit_for(error).message,
                why_offline(error, was_online=True),
            ):
                self.assertTrue(text.startswith("⟦") and text.endswith("⟧"), (kind, text))
                self.assert_marked(text)
        for online in (True, False):
            self.assert_marked(why_offline(None, was_online=online) + exit_for(None).message)

    def test_command_line(self) -> None:
        """Help is marked but for options and what stands for their values; so is what is wrong with a command line."""
        self.patch_width()
        self.assert_marked(self.printed("stdout", "--help"))
        for argv in (
            ["--sned"], ["a", "b"], ["--room"], ["--count", "x", "--follow"], ["--count", "0"], ["--json"],
            ["--accept-invites"], ["--command", "/who", "--send"], ["--timeout", "0"], ["--send=1"],
        ):  # fmt: skip
            text = self.printed("stderr", *argv)
            self.assertTrue(text.startswith("⟦"), text)
            self.assertTrue(text.endswith("⟧"), text)
            self.assert_marked(text)

    def patch_width(self) -> None:
        """A terminal so wide that no text is broken inside a word."""
        before = os.environ.get("COLUMNS")
        os.environ["COLUMNS"] = "9999"
        self.addCleanup(lambda: os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before))


class SourcesTests(SlashTestCase):
    """Sources of programs, and of what programs show."""

    def test_sources(self) -> None:
        """No literal of them reaches people but through a catalogue."""
        paths = [*(ROOT / "clients").rglob("*.py"), *(ROOT / "chatserv" / "client").glob("slash*.py")]
        wrong = []
        for path in sorted(paths):
            name = path.relative_to(ROOT).as_posix()
            for line, text in bypassing(path.read_text(encoding="utf-8")):
                if text not in TYPED:
                    wrong.append(f"{name}:{line}: {text!r}")
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_found(self) -> None:
        """The search finds what bypasses the catalogue, and nothing else."""
        source = '''
"""Documentation of a module."""
from __future__ import annotations
NAMES = {"a key": 1}
def function(given: "Some Type") -> "Another Type":
    """More of it."""
    print("alone")
    print(f"{given} waits", end="", file=given)
    parser.error("--count is wrong")
    self._showing.say("x" if given else "Yes")
    Button(given, text="Send", command=given)
    Exit(1, "gone: {x}".format(x=1))
    return "whole sentences anywhere"
    x = [given + " and more words"]
    print(translate("fine"), _("fine").format(a="fine"), "%s: --count", "\\x1b[2J", get("fine"), "/who")
    raise ValueError("for developers only")
    assert given, "for developers only"
    Exit(1, f"{translate('fine here')}: {given['a key']} ({given})")
    Style(text="#ffffff bg:#000000", style="bold underline")
    match given:
        case "two words":
            pass
'''
        found = [text for _, text in bypassing(source)]
        expected = [
            "alone", " waits", "--count is wrong", "Yes", "Send", "gone: {x}", "whole sentences anywhere",
            " and more words",
        ]  # fmt: skip
        self.assertEqual(found, expected)
