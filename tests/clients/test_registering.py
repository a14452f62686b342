"""The first time: from a link to an account."""

import getpass
import io
import sys
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Profile, ServerLink, format_link
from chatserv.testing.memory_server import keyring, server_id
from clients import registering
from clients.arguments import parse_arguments
from clients.exits import NAME, PROFILE, USAGE, Exit
from clients.registering import TRIES, open_account
from tests.clients.test_arguments import Terminal

TOKEN = b"t" * 32
LINK = ServerLink("chat.example", 5000, server_id(), TOKEN)
GOOD_PASSWORD = "correct horse"


class RegisteringTests(SynchronousTestCase):
    """`clients.registering.open_account`."""

    def setUp(self) -> None:
        """An empty profile, nobody at the terminal, and keys that are not really made."""
        self.profile = Profile.named("x", Path(self.mktemp()).absolute())
        self.prepared: list[tuple[str, str]] = []
        self.patch(registering, "prepare_account", self.prepare)
        self.patch(sys, "stderr", io.StringIO())
        self.patch(sys, "stdin", Terminal(terminal=False))
        self.password_file = Path(self.mktemp()).absolute()
        self.password_file.write_text(GOOD_PASSWORD + "\nsecond line\n")

    async def prepare(self, profile: Profile, link: ServerLink, user: str, password: str) -> None:
        """Notes what the keys would be made for."""
        self.assertEqual((profile, link), (self.profile, LINK))
        self.prepared.append((user, password))

    def answer(self, *answers: str) -> None:
        """Somebody sits at the terminal: the first answer is the name, the others are what is typed unseen."""
        waiting = list(answers)
        self.patch(sys, "stdin", Terminal(terminal=True))
        self.patch(registering, "_ask", lambda _: waiting.pop(0))
        self.patch(getpass, "getpass", lambda _: waiting.pop(0))

    def open(self, *argv: str) -> bytes | None:
        """The invite's token."""
        opening: Deferred[Any] = Deferred.fromCoroutine(open_account(parse_arguments(list(argv)), self.profile))
        result: bytes | None = self.successResultOf(opening)
        return result

    def refused(self, *argv: str) -> Exit:
        """How it ends."""
        opening: Deferred[Any] = Deferred.fromCoroutine(open_account(parse_arguments(list(argv)), self.profile))
        end = self.failureResultOf(opening, Exit).value
        assert isinstance(end, Exit)
        self.assertEqual(self.prepared, [])
        return end

    def keep(self, **fields: Any) -> None:
        """The profile has keys already."""
        self.profile.save_keyring(msgspec.structs.replace(keyring("alice"), **fields))

    def test_asked(self) -> None:
        """At a terminal one is asked for name and password, the password twice; the name is made canonical."""
        self.answer("Alice", GOOD_PASSWORD, GOOD_PASSWORD)
        self.assertEqual(self.open(format_link(LINK)), TOKEN)
        self.assertEqual(self.prepared, [("alice", GOOD_PASSWORD)])

    def test_given(self) -> None:
        """Where nobody can be asked, name and password are given; the password is the file's first line."""
        argv = [format_link(LINK), "--user", "alice", "--password-file", str(self.password_file)]
        self.assertEqual(self.open(*argv), TOKEN)
        self.assertEqual(self.prepared, [("alice", GOOD_PASSWORD)])

    def test_nobody_to_ask(self) -> None:
        """Without a terminal and without the options the program says which ones it needs."""
        for argv in ([], ["--user", "alice"]):
            end = self.refused(format_link(LINK), *argv)
            self.assertEqual(end.code, USAGE)
            self.assertIn("--user NAME and --password-file FILE", end.message)

    def test_no_account(self) -> None:
        """Without account and link the program asks for the link."""
        end = self.refused()
        self.assertEqual(end.code, USAGE)
        self.assertIn("chatserv:// link", end.message)

    def test_unfinished(self) -> None:
        """A registration that was not finished needs the link once more, instead of failing as one without an invite."""
        self.keep(registered=False)
        end = self.refused()
        self.assertEqual(end.code, USAGE)
        self.assertIn("not finished", end.message)

    def test_account(self) -> None:
        """With an account there is nothing to do, with or without a link to the same server."""
        self.keep(registered=True)
        self.assertIsNone(self.open())
        self.assertIsNone(self.open(format_link(LINK)))
        self.assertEqual(self.prepared, [])

    def test_other_server(self) -> None:
        """A profile of another server is not used: the person is told how to keep the two apart."""
        self.keep(registered=True, server_id=b"o" * 32)
        end = self.refused(format_link(LINK))
        self.assertEqual(end.code, PROFILE)
        self.assertIn("--profile NAME", end.message)
        self.assertIn(str(self.profile.directory), end.message)

    def test_bad_link(self) -> None:
        """A link that was not copied whole is refused, and not repeated: it may hold a secret."""
        link = format_link(LINK)
        end = self.refused(link[:-3])
        self.assertEqual(end.code, USAGE)
        self.assertIn("Copy the whole of it", end.message)
        self.assertNotIn(link[30:60], end.message)

    def test_bad_name(self) -> None:
        """A name that cannot be used is asked for again, before a password is; not for ever, and never a given one."""
        self.answer("two words", "alice", GOOD_PASSWORD, GOOD_PASSWORD)
        self.open(format_link(LINK))
        self.assertEqual([user for user, _ in self.prepared], ["alice"])
        self.prepared.clear()
        self.answer(*["two words"] * TRIES)
        self.assertEqual(self.refused(format_link(LINK)).code, NAME)
        self.assertEqual(self.refused(format_link(LINK), "--user", "two words").code, NAME)

    def test_bad_password(self) -> None:
        """So is a password that is too short, before it is asked for once more; the two entries have to be the same."""
        self.answer("alice", "short", GOOD_PASSWORD, GOOD_PASSWORD + "x", GOOD_PASSWORD, GOOD_PASSWORD)
        self.open(format_link(LINK))
        self.assertEqual(self.prepared, [("alice", GOOD_PASSWORD)])
        self.prepared.clear()
        self.answer("alice", *[GOOD_PASSWORD, GOOD_PASSWORD + "x"] * TRIES)
        end = self.refused(format_link(LINK))
        self.assertEqual(end.code, USAGE)
        self.assertNotIn(GOOD_PASSWORD, end.message)

    def test_bad_password_file(self) -> None:
        """A password file that is missing or no text is named."""
        self.password_file.write_bytes(b"\xff\xfe\n")
        for path in (self.password_file, self.password_file.with_name("missing")):
            end = self.refused(format_link(LINK), "--user", "alice", "--password-file", str(path))
            self.assertEqual(end.code, USAGE)
            self.assertIn(str(path), end.message)

    def test_damaged_profile(self) -> None:
        """Keys that cannot be read end the program with the name of the file."""
        self.keep(registered=True)
        (self.profile.directory / "keyring.json").write_bytes(b"{")
        end = self.refused()
        self.assertEqual(end.code, PROFILE)
        self.assertIn("keyring.json", end.message)
