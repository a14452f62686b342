"""The table of slash commands, and what is the same for all of them."""

import gettext
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

import chatserv.i18n
from chatserv.client.client import Client
from chatserv.client.outbound.pending import WaitingMessage
from chatserv.client.slash.command import SlashError, explained
from chatserv.client.slash.dispatcher import COMMANDS, Slash
from chatserv.client.slash.talk import MAX_LOG_MESSAGES
from chatserv.domain.texts import TextInvalid
from chatserv.errors import ChatError, Forbidden, Muted, RateLimited, Reject
from tests.client.slash_fakes import QR, FakeClient, member, message
from tests.clients.shared.test_event_text import HOSTILE
from tests.support import catalogues

EXPECTED = {
    "help",
    "quit",
    "room",
    "rooms",
    "list",
    "create",
    "create-public",
    "join",
    "part",
    "msg",
    "accept",
    "refuse",
    "ignore",
    "unignore",
    "who",
    "me",
    "reply",
    "edit",
    "delete",
    "react",
    "unreact",
    "log",
    "show",
    "search",
    "file",
    "files",
    "save",
    "pause",
    "keep",
    "export",
    "import",
    "share-history",
    "resend",
    "discard",
    "read",
    "typing",
    "away",
    "back",
    "invite",
    "kick",
    "ban",
    "unban",
    "mute",
    "unmute",
    "role",
    "topic",
    "name",
    "slow",
    "open",
    "history",
    "verify",
    "trust",
    "accept-restored",
    "audit",
    "devices",
    "revoke",
    "recovery",
    "approve",
    "password",
    "delete-account",
    "invite-link",
    "reset-identity",
    "delete-user",
    "accounts",
    "suspend",
    "unsuspend",
    "server-mute",
    "server-unmute",
    "server-ban",
    "server-unban",
    "bans",
    "grant",
    "revoke-admin",
    "server",
    "announce",
}


HEADINGS = ["Rooms:", "Messages:", "People:", "You:", "Program:", "Administration:"]


class SlashTestCase(SynchronousTestCase):
    """Alice types in the lobby."""

    def setUp(self) -> None:
        """A client that does nothing but note."""
        self.client = FakeClient()
        self.quits: list[str] = []
        self.slash = Slash(cast(Client, self.client), quit=lambda: self.quits.append("quit"))
        self.slash.ask_secret = self.secret

    async def secret(self, question: str) -> str:
        """What is entered where nobody sees it."""
        del question
        return "secret"

    def run_line(self, line: str) -> list[str]:
        """What is shown."""
        shown: list[str] = self.successResultOf(Deferred.fromCoroutine(self.slash.run(line)))
        return shown

    def refusal(self, line: str, kind: type[ChatError] = SlashError) -> str:
        """The words with which it is refused."""
        error = self.failureResultOf(Deferred.fromCoroutine(self.slash.run(line)), kind).value
        return explained(cast(ChatError, error))


class TableTests(SlashTestCase):
    """The table."""

    def test_names(self) -> None:
        """These commands there are, and no others."""
        self.assertEqual(set(COMMANDS), EXPECTED)

    def test_texts(self) -> None:
        """Every command has a name as people type it, a help, and a role that somebody can have."""
        for name, command in COMMANDS.items():
            self.assertEqual(name, command.name)
            self.assertRegex(name, r"^[a-z]+(-[a-z]+)?$")
            self.assertRegex(command.help, r"^[a-z][^\n]{8,80}[^.]$", name)
            self.assertIn(command.role, {"", "moderator", "owner", "admin"}, name)

    def test_usage(self) -> None:
        """What may be left out comes last in every usage."""
        for command in COMMANDS.values():
            optional = [word.startswith("[") for word in command.usage.split()]
            self.assertEqual(optional, sorted(optional), command.line)

    def test_help_lists_all(self) -> None:
        """``/help`` has a line for every command under its heading, with its usage and what it does."""
        self.client.is_admin = True
        shown = self.run_line("/help")
        self.assertEqual([line for line in shown[1:] if not line.startswith("  /")], HEADINGS)
        self.assertEqual(len(shown), 1 + len(HEADINGS) + len(COMMANDS))
        for command in COMMANDS.values():
            self.assertTrue(any(line.startswith(f"  {command.line} - {command.help}") for line in shown), command.name)

    def test_help_of_administrators(self) -> None:
        """Whoever is none does not see what administrators alone can do."""
        self.client.is_admin = False
        shown = self.run_line("/help")
        self.assertEqual([line for line in shown[1:] if not line.startswith("  /")], HEADINGS[:-1])
        self.assertEqual([line for line in shown if "/grant" in line or "administrators" in line], [])

    def test_spanish(self) -> None:
        """What stands for an argument is Spanish in a Spanish help and where something is typed wrongly; typing stays."""
        self.patch(chatserv.i18n, "_translations", gettext.translation("chatserv", catalogues.LOCALE, ["es"]))
        self.assertEqual(COMMANDS["verify"].line, "/verify USUARIO [NÚMERO|yes]")
        self.assertEqual(self.refusal("/kick"), "Uso: /kick USUARIO")
        self.assertEqual(self.run_line("/help")[1], "Salas:")

    def test_help_of_each(self) -> None:
        """``/help COMMAND`` tells usage, help, who may, and what is not encrypted, of every command."""
        for name, command in COMMANDS.items():
            shown = "\n".join(self.run_line(f"/help /{name}"))
            self.assertTrue(shown.startswith(command.line))
            self.assertIn(command.help, shown)
            self.assertEqual("for " in shown.partition(command.help)[2], bool(command.role), name)
            self.assertEqual("not end-to-end encrypted" in shown, command.warns_clear, name)

    def test_in_the_clear(self) -> None:
        """What the server gets to know is marked."""
        marked = {name for name, command in COMMANDS.items() if command.warns_clear}
        self.assertEqual(marked, {"create-public", "topic", "name", "announce", "away", "back", "read", "typing"})

    def test_wrong_usage(self) -> None:
        """Too few words, or too many, show the usage; nothing is done."""
        for command in COMMANDS.values():
            wanted = command.usage.split()
            wrong = []
            if wanted and not wanted[0].startswith("["):
                wrong.append(f"/{command.name}")
            if not wanted or not any(
                word in wanted[-1] for word in ("TEXT", "TOPIC", "FILE", "DIRECTORY", "NUMBER", "WORDS")
            ):
                wrong.append(f"/{command.name} " + "x " * (len(wanted) + 1))
            for line in wrong:
                self.assertIn(command.line, self.refusal(line), line)
        self.assertEqual(self.client.calls, [])

    def test_wrong_words(self) -> None:
        """Words that a command does not know show its usage."""
        lines = (
            "/role bob king", "/open maybe", "/server-ban user bob", "/server-unban x y", "/revoke aa11 no",
            "/devices bob x", "/reset-identity bob no", "/delete-user bob perhaps",
            "/invite-link bob boss",
        )  # fmt: skip
        for line in lines:
            self.assertIn("Usage: /", self.refusal(line))
        self.assertEqual(self.client.calls, [])


class RunTests(SlashTestCase):
    """What is the same for all commands."""

    def test_text(self) -> None:
        """A line goes to the current room; ``//`` is a text with one slash; an empty line is nothing."""
        for line in ("hello there ", "//me", "///", " /indented", "", "  "):
            self.assertEqual(self.run_line(line), [])
        said = [call[2] for call in self.client.calls]
        self.assertEqual(said, ["hello there ", "/me", "//", " /indented"])

    def test_spaces(self) -> None:
        """Spaces between words do not count; in the last argument they stay."""
        self.run_line("/me   looks   around  ")
        self.run_line("/ROLE\tbob   moderator ")
        self.assertEqual(self.client.calls[0][2], "looks   around")
        self.assertEqual(self.client.calls[1], ("lobby", "role", "bob", "moderator"))

    def test_unknown(self) -> None:
        """An unknown command says so, with the nearest one where there is one."""
        self.assertIn("There is no command /nonsense", self.refusal("/nonsense"))
        self.assertIn("Did you mean /invite?", self.refusal("/invit bob"))
        self.assertNotIn("mean", self.refusal("/"))
        self.assertIn("/verify", self.refusal("/help verifi"))

    def test_library_refuses(self) -> None:
        """What the library refuses comes through, as an error with words."""
        self.client.there["lobby"].refusal = Forbidden("x")
        self.assertEqual(self.refusal("/invite carol", Forbidden), "You are not allowed to do that.")
        self.assertIn("You already have a room #plans", self.refusal("/create plans"))
        self.assertIn("You already have a room #plans", self.refusal("/create-public #plans"))

    def test_last_line_on_its_way(self) -> None:
        """While a line of one's own is on its way, the last one in the room is not taken for it."""
        lobby = self.client.there["lobby"]
        lobby.kept = [message(1, "long ago", "alice")]
        lobby.texts = [WaitingMessage(b"w" * 16, "just now", action=False, reply_to=None, at_ms=0)]
        for line in ("/edit -1 another", "/delete -1"):
            self.assertIn("not in this room yet", self.refusal(line))
        self.run_line("/edit 1 another")
        self.assertEqual(self.client.calls, [("lobby", "edit", bytes([1]) * 16, "another")])

    def test_room_for_a_person(self) -> None:
        """A room where a person is meant is called a room, instead of a name that cannot be used."""
        for line in ("/msg #plans hello", "/invite #plans", "/ignore #plans", "/verify #plans"):
            self.assertIn("#plans is a room", self.refusal(line))

    def test_impossible_text(self) -> None:
        """A text that no message can hold is refused in words that fit."""
        self.client.there["lobby"].refusal = Reject("text: not UTF-8")
        self.assertIn("This text cannot be used", self.refusal("/me x"))

    def test_no_text(self) -> None:
        """What is no text is refused before anything is done, in words about it, whatever the command."""
        for command in COMMANDS.values():
            words = ["x"] * len(command.usage.split())
            for at in range(len(words)):
                typed = " ".join([*words[:at], "x\udcff", *words[at + 1 :]])
                said = self.refusal(f"/{command.name} {typed}", TextInvalid)
                self.assertIn("it is not valid UTF-8", said)
        for line in ("hello \udcff", "\ud83d", "/\udcff", "//\udcff"):
            self.refusal(line, TextInvalid)
        self.assertEqual(self.client.calls, [])

    def test_no_room(self) -> None:
        """Without a current room the commands about one are refused, and so are texts."""
        del self.client.there["lobby"]
        for line in ("hello", "/who", "/log", "/me x", "/invite bob", "/topic"):
            self.assertIn("You are not in a room #lobby", self.refusal(line))
        self.assertEqual(self.slash.room, "lobby")

    def test_room_comes_later(self) -> None:
        """The room to begin in may come later."""
        slash = Slash(cast(Client, self.client), "#late")
        self.assertEqual(slash.room, "late")
        self.client.add("late")
        self.successResultOf(Deferred.fromCoroutine(slash.run("x")))
        self.assertEqual(self.client.calls, [("late", "send", "x", False, None)])

    def test_renamed(self) -> None:
        """A room that is renamed stays the current one."""
        self.run_line("/room plans")
        room = self.client.there.pop("plans")
        room.name = "ideas"
        self.client.there["ideas"] = room
        self.assertEqual(self.slash.room, "ideas")
        self.run_line("x")
        self.assertEqual(self.client.calls[-1][0], "ideas")

    def test_not_agreed(self) -> None:
        """A room that waits for consent shows nothing and takes nothing."""
        slash = Slash(cast(Client, self.client), "offer")
        for line in ("hello", "/log", "/who", "/topic"):
            error = self.failureResultOf(Deferred.fromCoroutine(slash.run(line)), SlashError).value
            self.assertIn("/accept #offer", cast(SlashError, error).explain())
        self.assertIn("/accept #offer", self.refusal("/room offer"))
        self.assertEqual(self.client.calls, [])

    def test_sent(self) -> None:
        """Whoever wants to know when a message is stored gets what fires; without, a failure is left to the events."""
        fired: list[Any] = []
        slash = Slash(cast(Client, self.client), sent=fired.append)
        self.successResultOf(Deferred.fromCoroutine(slash.run("/me waves")))
        self.assertEqual(self.successResultOf(fired[0]), 1)
        self.client.stored = Deferred()
        self.run_line("x")
        self.client.stored.errback(Muted())

    def test_switching(self) -> None:
        """A command that goes to another room tells that it is under way; others do not."""
        waiting: Deferred[Any] = Deferred()

        async def wait(*_: object, **__: object) -> Any:
            return await waiting

        self.patch(self.client, "direct", wait)
        self.patch(self.client, "public_rooms", wait)
        self.assertFalse(self.slash.switching)
        going = Deferred.fromCoroutine(self.slash.run("/msg bob"))
        self.assertTrue(self.slash.switching)
        waiting.callback(self.client.there["@bob"])
        self.successResultOf(going)
        self.assertFalse(self.slash.switching)
        waiting = Deferred()
        Deferred.fromCoroutine(self.slash.run("/rooms"))
        self.assertFalse(self.slash.switching)
        self.assertEqual(self.slash.room, "@bob")

    def test_switching_fails(self) -> None:
        """Nor is it under way any more when it has failed."""
        self.refusal("/msg zoe")
        self.assertFalse(self.slash.switching)
        self.assertEqual(self.slash.room, "lobby")

    @settings(max_examples=300, deadline=None)
    @given(
        st.one_of(
            st.text(max_size=60), st.builds("/{} {}".format, st.sampled_from(sorted(COMMANDS)), st.text(max_size=40))
        )
    )
    def test_any_line(self, line: str) -> None:
        """Any line at all is carried out or refused in words; every line that is shown is one line."""
        self.setUp()
        results: list[Any] = []
        Deferred.fromCoroutine(self.slash.run(line)).addBoth(results.append)
        if isinstance(results[0], list):
            shown = results[0]
        else:
            self.assertTrue(results[0].check(ChatError), results[0])
            shown = [explained(results[0].value)]
        for each in shown:
            self.assertTrue(each.isascii() or not any(ord(character) < 32 for character in each), each)
            self.assertEqual(len(each.splitlines()), 1, each)


class ExplainedTests(SynchronousTestCase):
    """`explained`."""

    def test_who_refuses(self) -> None:
        """Where both could refuse, it is told whether the room or the server does."""
        self.assertIn("rule of the room", explained(Muted(by="room")))
        self.assertIn("administrators", explained(Muted(by="server")))
        self.assertEqual(explained(Muted()), "You are muted and cannot write here.")

    def test_when(self) -> None:
        """When to try again is told, if it is any time soon."""
        self.assertIn("Try again in 5 s.", explained(RateLimited(after_seconds=4.2)))
        for nonsense in (-1.0, 1e12, float("nan"), float("inf")):
            self.assertNotIn("Again", explained(RateLimited(after_seconds=nonsense)))


class CompletionTests(SlashTestCase):
    """`Slash.complete`."""

    def test_commands(self) -> None:
        """A beginning of a command becomes all that begin so, with a space where arguments follow."""
        self.assertEqual(self.slash.complete("/inv"), ["/invite ", "/invite-link "])
        self.assertEqual(self.slash.complete("/who"), ["/who"])
        self.assertEqual(self.slash.complete("/zz"), [])

    def test_text(self) -> None:
        """Texts are not completed."""
        for line in ("", "hello", "//he", "/nonsense x"):
            self.assertEqual(self.slash.complete(line), [])

    def test_rooms(self) -> None:
        """Where a room is wanted, ours are offered, those that wait included."""
        self.assertEqual(self.slash.complete("/room "), ["/room #lobby", "/room #offer", "/room #plans", "/room @bob"])
        self.assertEqual(self.slash.complete("/accept #o"), ["/accept #offer"])

    def test_users(self) -> None:
        """Where a user is wanted, those in the room and in direct messages are offered, but not ourselves."""
        self.client.there["lobby"].people.append(member("bella"))
        self.assertEqual(self.slash.complete("/kick b"), ["/kick bella", "/kick bob"])
        self.client.there["plans"].people.append(member("brigitte"))
        self.assertEqual(self.slash.complete("/kick br"), [], "not in this room")
        self.assertEqual(self.slash.complete("/invite br"), ["/invite brigitte"])
        self.assertEqual(self.slash.complete("/verify br"), ["/verify brigitte"])
        self.assertEqual(self.slash.complete("/verify a"), [])
        del self.client.there["lobby"]
        self.assertEqual(self.slash.complete("/msg "), ["/msg bob", "/msg brigitte"])

    def test_words(self) -> None:
        """Where certain words are wanted, those; behind the last argument nothing."""
        self.assertEqual(self.slash.complete("/role bob m"), ["/role bob moderator", "/role bob member"])
        self.assertEqual(self.slash.complete("/open o"), ["/open on", "/open off"])
        self.assertEqual(self.slash.complete("/devices r"), ["/devices rename", "/devices revoke"])
        self.assertEqual(self.slash.complete("/devices bo"), ["/devices bob"])
        self.assertEqual(self.slash.complete("/approve "), ["/approve no", "/approve with-identity"])  # never the words
        self.assertEqual(self.slash.complete("/revoke "), [], "none was shown yet")
        self.slash.device_ids = ["aa110000", "bb220000"]
        self.assertEqual(self.slash.complete("/revoke b"), ["/revoke bb220000"])
        self.assertEqual(self.slash.complete("/devices revoke a"), ["/devices revoke aa110000"])
        self.assertEqual(self.slash.complete("/server-ban ac"), ["/server-ban account"])
        self.assertEqual(self.slash.complete("/help ver"), ["/help verify"])
        self.assertEqual(self.slash.complete("/kick bob b"), [])
        self.assertEqual(self.slash.complete("/create "), [])

    def test_permissions(self) -> None:
        """Commands that our role does not allow are not offered."""

        def offered(role: str, room: str = "lobby", *, admin: bool = False) -> set[str]:
            self.client.is_admin = admin
            self.client.there[room].role = role
            slash = Slash(cast(Client, self.client), room)
            return {line.strip().removeprefix("/") for line in slash.complete("/")}

        of = {
            role: {each.name for each in COMMANDS.values() if each.role == role}
            for role in ("moderator", "owner", "admin")
        }
        self.assertTrue(all(of.values()))
        everybody = set(COMMANDS) - of["moderator"] - of["owner"] - of["admin"]
        self.assertEqual(offered("member"), everybody)
        self.assertEqual(offered("moderator"), everybody | of["moderator"])
        self.assertEqual(offered("owner"), everybody | of["moderator"] | of["owner"])
        self.assertEqual(offered("member", admin=True), everybody | of["admin"])
        self.assertEqual(offered("owner", "@bob"), everybody)
        del self.client.there["lobby"]
        self.assertEqual({line.strip("/ ") for line in self.slash.complete("/")}, everybody)


class HostileTests(SlashTestCase):
    """Names, texts, topics and emoji of others."""

    def assert_safe(self, lines: list[str]) -> None:
        """Every line is one line, and no terminal obeys it."""
        for line in lines:
            self.assertEqual(len(line.splitlines()), 1, repr(line))
            for character in line:
                self.assertFalse(ord(character) < 32 or 0x7F <= ord(character) < 0xA0, repr(line))
                self.assertNotIn(character, "\u202a\u202b\u202c\u202d\u202e\u2028\u2029\u200b\ud800", repr(line))

    def test_hostile(self) -> None:
        """Nothing that others choose breaks a line, in any command that shows it."""
        for name, text in HOSTILE.items():
            with self.subTest(name):
                self.setUp()
                lobby = self.client.there["lobby"]
                quoted = message(1, text, text, reactions=((text, (text, "bob")),))
                answer = message(2, text, "bob", reply_to=b"\1" * 16, action=True)
                lobby.kept = [quoted, answer, message(3, text, "alice")]
                lobby.topic = text
                lobby.people = [member(text), member(text, "banned"), member("x", text, presence=text, trust=text)]
                self.client.add(text, topic=text)
                self.client.add(text + "2", topic=text).offered = True
                shown = [
                    line
                    for each in ("/log", "/who", "/topic", "/list", "/accept offer")
                    for line in self.run_line(each)
                ]
                self.assert_safe(shown)
                self.assertGreater(len(shown), 10)

    def test_hostile_refusals(self) -> None:
        """Nor does what is said about what somebody pasted."""
        for text in HOSTILE.values():
            for line in (
                f"/{text}",
                f"/help {text}",
                f"/room {text}",
                f"/join {text}",
                f"/msg {text}",
                f"/reply {text} x",
            ):
                result: list[Any] = []
                Deferred.fromCoroutine(self.slash.run(line)).addBoth(result.append)
                self.assert_safe([explained(result[0].value)] if not isinstance(result[0], list) else result[0])


class BoundsTests(SlashTestCase):
    """Numbers and lengths."""

    def test_log(self) -> None:
        """``/log`` shows as many as it is asked for, within bounds."""
        self.client.there["lobby"].kept = [message(seq) for seq in range(1, 41)]
        self.assertEqual(len(self.run_line("/log")), 20)
        self.assertEqual(len(self.run_line("/log 3")), 3)
        self.assertEqual(len(self.run_line(f"/log {MAX_LOG_MESSAGES}")), 40)
        for wrong in ("0", str(MAX_LOG_MESSAGES + 1), "-1", "x", "9" * 40, "\u0663"):
            self.assertIn("1 to 1000", self.refusal(f"/log {wrong}"))

    def test_slow(self) -> None:
        """Slow mode has 0 to 65,535 seconds."""
        self.run_line("/slow 65535")
        for wrong in ("65536", "-1", "1.5", "x", "9" * 40):
            self.assertIn("65535", self.refusal(f"/slow {wrong}"))
        self.assertEqual(len(self.client.calls), 1)

    def test_topic(self) -> None:
        """A topic has at most 1024 bytes, wherever it is given."""
        for line in ("/topic ", "/create new ", "/create-public newer "):
            self.assertIn("1024", self.refusal(line + "x" * 1025))
            self.assertIn("1024", self.refusal(line + "\u00e9" * 513))
            self.run_line(line + "x" * 1024)

    def test_emoji(self) -> None:
        """A reaction has at most 32 bytes."""
        self.client.there["lobby"].kept = [message(1)]
        for command in ("react", "unreact"):
            self.run_line(f"/{command} 1 " + "x" * 32)
            self.assertIn("32", self.refusal(f"/{command} 1 " + "x" * 33))

    def test_announcement(self) -> None:
        """An announcement has at most 1000 characters."""
        self.run_line("/announce " + "x" * 1000)
        self.assertIn("1000", self.refusal("/announce " + "x" * 1001))

    def test_references(self) -> None:
        """A message is meant by its number, or by -1; anything else is refused before it is looked for."""
        for wrong in ("x", "-2", "1.0", "9" * 16, "\u0661", "+1"):
            for command in ("/reply {} x", "/edit {} x", "/delete {}", "/react {} x", "/unreact {} x"):
                self.assertIn("Which message?", self.refusal(command.format(wrong)))
        self.assertIn("no message 9", self.refusal("/delete 9"))
        self.assertIn("no such message here yet", self.refusal("/delete -1"))

    def test_qr(self) -> None:
        """The QR text fits into a code that a terminal of 80 columns shows; colours come with escape sequences only."""
        plain = self.run_line("/verify bob")
        self.assertIn(QR, plain)
        self.assertFalse(any("\x1b" in line for line in plain))
        self.slash.colour = True
        self.assertTrue(any("\x1b" in line for line in self.run_line("/verify bob")))
