"""The first time: from a link to an account."""

import builtins
import getpass
import io
import os
import sys
from pathlib import Path
from typing import Any, cast

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, Profile, ServerLink, format_link
from chatserv.client.errors import InviteInvalid, NameInvalid, NameTaken, Quota
from chatserv.client.events import Status, StatusChanged
from chatserv.testing.memory_server import keyring, server_id
from clients.shared import link_input, registration
from clients.shared.arguments import parse_arguments
from clients.shared.exit_codes import INVITE, NAME, PROFILE, REFUSED, SERVER_AWAY, USAGE, Exit
from clients.shared.questions import TRIES
from clients.shared.registration import open_account
from tests.clients.program_fakes import StartedClient
from tests.clients.shared.test_arguments import Terminal

TOKEN = b"t" * 32
LINK = ServerLink("chat.example", 5000, server_id(), TOKEN)
GOOD_PASSWORD = "correct horse"


class Registrar(StartedClient):
    """A client whose server takes the account, or refuses it as the test says."""

    def __init__(self, test: "RegisteringTests", *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._test = test

    def start(self, token: bytes | None = None) -> None:
        """Registers."""
        super().start(token)
        self._test.tokens.append(token)
        refusal = self._test.refusals.pop(0) if self._test.refusals else None
        if isinstance(refusal, ConnectionError):
            self.tell(StatusChanged(Status.OFFLINE, refusal))
        else:
            self.tell(StatusChanged(Status.FAILED if refusal else Status.SYNCING, refusal))


class RegisteringTests(SynchronousTestCase):
    """`clients.shared.registration.open_account`."""

    def setUp(self) -> None:
        """An empty profile, nobody at the terminal, and keys that are not really made."""
        self.profile = Profile.named("x", Path(self.mktemp()).absolute())
        self.prepared: list[tuple[str, str]] = []
        self.patch(registration, "prepare_account", self.prepare)
        self.patch(registration, "has_account", lambda *_args, **_options: False)
        self.patch(sys, "stderr", io.StringIO())
        self.patch(sys, "stdin", Terminal(terminal=False))
        self.password_file = self.private_file(GOOD_PASSWORD + "\nsecond line\n")
        self.refusals: list[Exception] = []
        self.tokens: list[bytes | None] = []
        self.clients: list[StartedClient] = []
        self.reactor = MemoryReactorClock()

    def private_file(self, text: str) -> Path:
        """A file that nobody else may read."""
        path = Path(self.mktemp()).absolute()
        path.touch(0o600)
        path.write_text(text)
        return path

    def connect(self, *args: Any, **options: Any) -> "Registrar":
        """A client that is taken at once, or refused as often as the test wants."""
        made = Registrar(self, *args, **options)
        self.clients.append(made)
        return made

    async def prepare(self, profile: Profile, link: ServerLink, user: str, password: str) -> None:
        """Notes what the keys would be made for."""
        self.assertEqual((profile, link), (self.profile, LINK))
        self.prepared.append((user, password))

    def answer(self, *answers: str) -> None:
        """Somebody sits at the terminal, and gives these answers in this order."""
        waiting = self.waiting = list(answers)
        self.patch(sys, "stdin", Terminal(terminal=True))
        self.patch(sys, "stdout", Terminal(terminal=True))
        self.patch(builtins, "input", lambda: waiting.pop(0))
        self.patch(getpass, "getpass", lambda _: waiting.pop(0))
        self.patch(link_input, "more_waits", lambda: False)

    def opening(self, *argv: str) -> "Deferred[Any]":
        """Registers."""
        return Deferred.fromCoroutine(
            open_account(self.reactor, parse_arguments(list(argv)), self.profile, cast(type[Client], self.connect))
        )

    def open(self, *argv: str) -> None:
        """There is an account now."""
        self.successResultOf(self.opening(*argv))
        self.assertFalse(any(client.running for client in self.clients))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def refused(self, *argv: str) -> Exit:
        """How it ends before keys are made."""
        end = self.failureResultOf(self.opening(*argv), Exit).value
        assert isinstance(end, Exit)
        self.assertEqual(self.prepared, [])
        return end

    def keep(self, **fields: Any) -> None:
        """The profile has keys already."""
        self.profile.save_keyring(msgspec.structs.replace(keyring("alice"), **fields))

    def test_asked(self) -> None:
        """At a terminal one is asked for link, name and password, the password twice; the name is made canonical."""
        self.answer(format_link(LINK), "Alice", GOOD_PASSWORD, GOOD_PASSWORD)
        self.open()
        self.assertEqual((self.prepared, self.tokens), ([("alice", GOOD_PASSWORD)], [TOKEN]))

    def test_link_given(self) -> None:
        """A link as an argument, in a file or on standard input is not asked for."""
        file = self.private_file(f"Dear alice,\n\n  {format_link(LINK)[:70]}\n  {format_link(LINK)[70:]}\n\nyours\n")
        for argv in ([format_link(LINK)], ["--link-file", str(file)]):
            self.answer("Alice", GOOD_PASSWORD, GOOD_PASSWORD)
            self.open(*argv)
        self.assertEqual(self.tokens, [TOKEN, TOKEN])

    def test_link_in_a_file_of_all(self) -> None:
        """A link that other users of the machine can read is not used, and the program says how to keep it."""
        file = self.private_file(format_link(LINK))
        for mode in (0o640, 0o604, 0o644):
            file.chmod(mode)
            end = self.refused("--link-file", str(file))
            self.assertEqual(end.code, USAGE)
            self.assertIn(f"chmod 600 {file}", end.message)

    def test_link_on_standard_input(self) -> None:
        """A link is read from a pipe, in one or several lines, and nothing behind it: lines to send may follow."""
        whole = format_link(LINK)
        for text in (f"{whole}\nhello\n", f"{whole[:50]}\r\n  {whole[50:]}\r\nhello\n"):
            reads, writes = os.pipe()
            os.write(writes, text.encode())
            os.close(writes)
            with os.fdopen(reads) as pipe:
                self.patch(sys, "stdin", pipe)
                self.open("-", "--user", "alice", "--password-file", str(self.password_file))
                self.assertEqual(pipe.read(), "hello\n")
        self.assertEqual(self.tokens, [TOKEN, TOKEN])

    def test_broken_link(self) -> None:
        """The lines of a pasted link that was broken are taken together, so that no part of it answers the next question."""
        whole = format_link(LINK)
        self.answer(whole[:50], whole[50:90], whole[90:], "alice", GOOD_PASSWORD, GOOD_PASSWORD)
        self.patch(link_input, "more_waits", lambda: len(self.waiting) > 3)
        self.open()
        self.assertEqual((self.prepared, self.tokens), ([("alice", GOOD_PASSWORD)], [TOKEN]))

    def test_broken_link_without_the_last_return(self) -> None:
        """What was copied over two rows of a screen ends without a Return: the rest is waited for, or a whole link."""
        whole = format_link(LINK)
        rest = ["alice", GOOD_PASSWORD, GOOD_PASSWORD]
        for pasted in (
            (whole[:80], whole[80:]),
            ("\u201c" + whole[:40], whole[40:80], whole[80:]),
            (whole[:70], whole),
        ):
            self.answer(*pasted, *rest)
            self.open()
            self.assertEqual(self.waiting, [])
        self.assertEqual(self.tokens, [TOKEN] * 3)
        self.answer(whole[:80], "", whole, *rest)
        self.open()
        self.assertIn("Copy the whole of it", cast(io.StringIO, sys.stderr).getvalue())

    def test_no_link(self) -> None:
        """What is no link is asked for again, not for ever."""
        self.answer("what?", "", format_link(LINK), "alice", GOOD_PASSWORD, GOOD_PASSWORD)
        self.open()
        self.assertEqual(self.tokens, [TOKEN])
        self.prepared.clear()
        self.answer(*["what?"] * TRIES)
        self.assertEqual(self.refused().code, USAGE)
        self.assertEqual(self.waiting, [])

    def test_name_taken(self) -> None:
        """A name that is taken is asked for again, and nothing else is: link and password stay."""
        self.answer(format_link(LINK), "alice", GOOD_PASSWORD, GOOD_PASSWORD, "ally", "alicia")
        self.refusals = [NameTaken(), NameInvalid()]
        self.open()
        self.assertEqual([user for user, _ in self.prepared], ["alice", "ally", "alicia"])
        self.assertEqual({password for _, password in self.prepared}, {GOOD_PASSWORD})
        self.assertEqual(self.tokens, [TOKEN] * 3)
        self.assertEqual(self.waiting, [])

    def test_invite_for_another_name(self) -> None:
        """A link that is good for one name asks for the name again, and says how to end; the password stays."""
        self.answer(format_link(LINK), "karol", GOOD_PASSWORD, GOOD_PASSWORD, "carol")
        self.refusals = [InviteInvalid("for another name")]
        self.open()
        self.assertEqual(self.prepared, [("karol", GOOD_PASSWORD), ("carol", GOOD_PASSWORD)])
        self.assertIn("enter that name", cast(io.StringIO, sys.stderr).getvalue())
        self.refusals = [InviteInvalid("for another name")]
        self.answer()
        argv = ["--user", "karol", "--password-file", str(self.password_file), format_link(LINK)]
        end = self.failureResultOf(self.opening(*argv), Exit).value
        assert isinstance(end, Exit)
        self.assertEqual(end.code, INVITE)

    def test_names_taken_for_ever(self) -> None:
        """It ends after some tries, and at once where the name was given on the command line."""
        for argv, answers, tries in (
            ([], [format_link(LINK), "alice", GOOD_PASSWORD, GOOD_PASSWORD, *["alice"] * (TRIES - 1)], TRIES),
            (["--user", "alice", "--password-file", str(self.password_file), format_link(LINK)], [], 1),
        ):
            self.prepared.clear()
            self.answer(*answers)
            self.refusals = [NameTaken()] * (TRIES + 1)
            end = self.failureResultOf(self.opening(*argv), Exit).value
            assert isinstance(end, Exit)
            self.assertEqual((end.code, len(self.prepared)), (NAME, tries))

    def test_refused_otherwise(self) -> None:
        """Other refusals end the program, with the code for them."""
        self.answer(format_link(LINK), "alice", GOOD_PASSWORD, GOOD_PASSWORD)
        self.refusals = [Quota()]
        end = self.failureResultOf(self.opening(), Exit).value
        assert isinstance(end, Exit)
        self.assertEqual(end.code, REFUSED)

    def test_server_away(self) -> None:
        """It says that the server is away, once, tries again, and gives up when the time is over."""
        self.answer(format_link(LINK), "alice", GOOD_PASSWORD, GOOD_PASSWORD)
        self.refusals = [ConnectionError()]
        opening = self.opening()
        self.clients[0].tell(StatusChanged(Status.OFFLINE, ConnectionError()))
        self.reactor.advance(29.9)
        self.assertNoResult(opening)
        self.reactor.advance(0.2)
        end = self.failureResultOf(opening, Exit).value
        assert isinstance(end, Exit)
        self.assertEqual((end.code, end.message), (SERVER_AWAY, ""))
        said = cast(io.StringIO, sys.stderr).getvalue()
        self.assertEqual(said.count("Trying again..."), 1)
        self.assertIn("Is it running", said)
        self.assertFalse(self.clients[0].running)

    def test_given(self) -> None:
        """Where nobody can be asked, name and password are given; the password is the file's first line."""
        argv = [format_link(LINK), "--user", "alice", "--password-file", str(self.password_file)]
        self.open(*argv)
        self.assertEqual(self.tokens, [TOKEN])
        self.assertEqual(self.prepared, [("alice", GOOD_PASSWORD)])

    def test_nobody_to_ask(self) -> None:
        """Without a terminal and without the options the program says which ones it needs."""
        for argv in ([], ["--user", "alice"]):
            end = self.refused(format_link(LINK), *argv)
            self.assertEqual(end.code, USAGE)
            self.assertIn("--user NAME and --password-file FILE", end.message)

    def test_no_account(self) -> None:
        """Without account, link and terminal the program says how to give the link."""
        end = self.refused()
        self.assertEqual(end.code, USAGE)
        self.assertIn("--link-file FILE", end.message)

    def test_unfinished(self) -> None:
        """A registration that was not finished needs the link once more, instead of failing as one without an invite."""
        self.keep(registered=False)
        end = self.refused()
        self.assertEqual(end.code, USAGE)
        self.assertIn("not finished", end.message)

    def test_account(self) -> None:
        """With an account there is nothing to do, with or without a link to the same server."""
        self.keep(registered=True)
        self.open()
        self.open(format_link(LINK))
        self.assertEqual((self.prepared, self.clients), ([], []))

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
        """A password file that is missing, or no text, is named."""
        self.password_file.write_bytes(b"\xff\xfe\n")
        for path in (self.password_file, self.password_file.with_name("missing")):
            end = self.refused(format_link(LINK), "--user", "alice", "--password-file", str(path))
            self.assertEqual(end.code, USAGE)
            self.assertIn(str(path), end.message)

    def test_password_file_of_all(self) -> None:
        """A password file that others can read is refused, with the command that closes it; it may be a pipe."""
        argv = [format_link(LINK), "--user", "alice", "--password-file"]
        for mode in (0o640, 0o604, 0o666):
            self.password_file.chmod(mode)
            end = self.refused(*argv, str(self.password_file))
            self.assertEqual(end.code, USAGE)
            self.assertIn(f"chmod 600 {self.password_file}", end.message)
        reads, writes = os.pipe()
        os.write(writes, f"{GOOD_PASSWORD}\n".encode())
        os.close(writes)
        self.open(*argv, f"/dev/fd/{reads}")
        os.close(reads)
        self.assertEqual(self.prepared, [("alice", GOOD_PASSWORD)])

    def test_damaged_profile(self) -> None:
        """Keys that cannot be read end the program with the name of the file."""
        self.keep(registered=True)
        (self.profile.directory / "keyring.json").write_bytes(b"{")
        end = self.refused()
        self.assertEqual(end.code, PROFILE)
        self.assertIn("keyring.json", end.message)
