"""What a start does about a profile that is sealed, or shall be, on a terminal and on a pipe."""

import getpass
import io
import sys
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

import chatserv.client.sealing
from chatserv.client import ChatError, PrivateFileError, Profile, ProfileError, ProfileLocked, seal_profile, unlock
from chatserv.client.account.system_keyring import SystemKeyring
from chatserv.testing.memory_server import CHEAP, keyring
from clients.shared import sealing
from clients.shared.arguments import parse_arguments
from clients.shared.exit_codes import PROFILE, USAGE, Exit, exit_for
from clients.shared.questions import TRIES
from clients.shared.sealing import Opening
from tests.client.sealing_victim import FileBackend
from tests.clients.shared.test_arguments import Terminal

PASSPHRASE = "maple river candle"


class OpeningTests(SynchronousTestCase):
    """`clients.shared.sealing.Opening`."""

    def setUp(self) -> None:
        """Alice's profile, which nobody has decided about; nobody at the terminal, and no keyring."""
        self.base = Path(self.mktemp()).absolute()
        self.profile = Profile.named("alice", self.base)
        self.profile.save_keyring(keyring("alice"))
        self.store: SystemKeyring | None = None
        self.patch(sealing, "seal_profile", partial(seal_profile, find=self.find, cost=CHEAP))
        self.patch(sealing, "unlock", partial(unlock, find=self.find))
        change = partial(chatserv.client.sealing.change_passphrase, find=self.find, cost=CHEAP)
        self.patch(sealing, "change_passphrase", change)
        self.typed: list[str] = []
        self.patch(getpass, "getpass", self.answer)
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)
        self.on_terminal(False)

    def on_terminal(self, there: bool) -> None:
        """Whether somebody can be asked."""
        self.patch(sys, "stdin", Terminal(terminal=there))
        self.patch(sys, "stdout", Terminal(terminal=there))

    def find(self) -> SystemKeyring | None:
        """The operating system's keyring."""
        return self.store

    def with_keyring(self) -> None:
        """There is one."""
        kept = self.base / "kept"
        kept.mkdir()
        self.store = SystemKeyring(FileBackend(kept))

    def answer(self, _question: str) -> str:
        """What a person answers."""
        if not self.typed:
            raise EOFError
        return self.typed.pop(0)

    def file(self, passphrase: str = PASSPHRASE) -> str:
        """A file with a passphrase."""
        path = self.base / "passphrase"
        path.touch(0o600)
        path.write_text(f"{passphrase}\nsecond line\n")
        return str(path)

    def start(self, *arguments: str, profile: Profile | None = None) -> Profile:
        """One start of a program."""
        opening = Opening(profile or self.profile, parse_arguments(list(arguments)), maybeDeferred)
        running: Deferred[Any] = Deferred.fromCoroutine(opening.run())
        result: Profile = self.successResultOf(running)
        return result

    def refused(self, kind: type[Exception], *arguments: str) -> Any:
        """A start that ends the program."""
        opening = Opening(self.profile, parse_arguments(list(arguments)), maybeDeferred)
        running: Deferred[Any] = Deferred.fromCoroutine(opening.run())
        return self.failureResultOf(running, kind).value

    def assert_open(self, profile: Profile, way: str) -> None:
        """It is sealed this way, and can be read."""
        self.assertEqual((profile.sealing, profile.keyring()), (way, keyring("alice")))

    def said(self) -> str:
        """What was printed since the last call."""
        text = self.errors.getvalue()
        self.errors.seek(0)
        self.errors.truncate()
        return text

    # -- an account that was there before ------------------------------------------------------------------------------

    def test_pipe(self) -> None:
        """Where nobody can be asked it runs on unsealed, with one warning each time, even where there is a keyring."""
        self.with_keyring()
        for _ in range(2):
            self.assert_open(self.start("--send"), "none")
            self.assertEqual(self.said().count("\n"), 1)
        self.assertIsNone(self.profile.seal)

    def test_pipe_told_to(self) -> None:
        """``--seal`` seals it there, by the keyring or the passphrase of a file."""
        self.with_keyring()
        self.assert_open(self.start("--send", "--seal"), "keyring")
        self.assert_open(self.start("--send"), "keyring")
        self.assertEqual(self.said(), "What this device keeps is sealed now.\n")

    def test_pipe_told_to_without_a_keyring(self) -> None:
        """Where there is none, that is said, and nothing is changed; a file with a passphrase does."""
        error = self.refused(ProfileLocked, "--send", "--seal")
        self.assertIn("it needs a passphrase", exit_for(error).message)
        self.assertEqual(exit_for(error).code, PROFILE)
        self.assert_open(self.profile, "none")
        self.assert_open(self.start("--send", "--passphrase-file", self.file()), "passphrase")
        self.assert_open(self.start("--send", "--passphrase-file", self.file()), "passphrase")

    def test_terminal_with_keyring(self) -> None:
        """On a terminal it is sealed by itself where there is a keyring."""
        self.with_keyring()
        self.on_terminal(True)
        self.assert_open(self.start(), "keyring")
        self.assertEqual(self.said(), "What this device keeps is sealed now.\n")
        self.on_terminal(False)
        self.assert_open(self.start("--send"), "keyring")
        self.assertEqual(self.said(), "")

    def test_terminal(self) -> None:
        """On a terminal without one a passphrase is chosen, twice the same, and asked for at the next start."""
        self.on_terminal(True)
        self.typed = ["short", PASSPHRASE, "maple river", PASSPHRASE, PASSPHRASE]
        self.assert_open(self.start(), "passphrase")
        said = self.said()
        for words in ("asked for it at each start", "at least 8 characters", "not the same", "sealed now", "--no-seal"):
            self.assertIn(words, said)
        self.typed = ["maple river", PASSPHRASE]
        self.assert_open(self.start(), "passphrase")
        self.assertEqual(self.said(), "That is not the passphrase.\n")

    def test_terminal_given_up(self) -> None:
        """Who enters nothing has everything as it was, and is asked again the next time."""
        self.on_terminal(True)
        self.assertEqual(self.refused(Exit).code, USAGE)
        self.assert_open(self.profile, "none")
        self.assertIsNone(self.profile.seal)

    def test_no_seal(self) -> None:
        """``--no-seal`` is remembered: no question, no warning any more; ``--seal`` seals it all the same."""
        self.assert_open(self.start("--send", "--no-seal"), "none")
        self.on_terminal(True)
        self.assert_open(self.start(), "none")
        self.assertEqual(self.said(), "")
        self.typed = [PASSPHRASE, PASSPHRASE]
        self.assert_open(self.start("--seal"), "passphrase")
        self.assertIsInstance(self.refused(ProfileError, "--no-seal"), ProfileError)

    def test_in_use(self) -> None:
        """While another program has it, it is not sealed, and nobody is asked."""
        self.on_terminal(True)
        self.addCleanup(self.profile.hold())
        self.assert_open(self.start(), "none")
        self.assertEqual(self.said(), "")

    def test_full(self) -> None:
        """Where there is no space for it, that is said and everything goes on as it was; not where it was asked for."""
        self.with_keyring()
        self.on_terminal(True)
        (self.profile.directory / "keyring.json.sealed.new").mkdir()
        self.assert_open(self.start(), "none")
        self.assertIn("keyring.json.sealed", self.said())
        self.refused(PrivateFileError, "--seal")
        self.assert_open(self.profile, "none")

    # -- a new one -----------------------------------------------------------------------------------------------------

    def test_new(self) -> None:
        """On a pipe a new profile is sealed before there is anything in it, where that takes no question."""
        new = Profile.named("new", self.base)
        self.assertEqual(self.start("--send", profile=new).sealing, "none")
        self.assertIn("not sealed", self.said())
        self.with_keyring()
        opened = self.start("--send", profile=new)
        opened.save_keyring(keyring("alice"))
        self.assert_open(opened, "keyring")
        self.assertEqual(sorted(file.name for file in new.directory.iterdir())[0], "keyring.json.sealed")

    # -- a sealed one --------------------------------------------------------------------------------------------------

    def test_locked(self) -> None:
        """Where nobody can be asked, it says what is missing; a wrong passphrase is said so; nothing is lost."""
        self.start("--passphrase-file", self.file())
        end = self.refused(Exit, "--send")
        self.assertEqual(end.code, PROFILE)
        self.assertIn("--passphrase-file", end.message)
        error = self.refused(ProfileLocked, "--send", "--passphrase-file", self.file("maple river"))
        self.assertTrue(error.wrong)
        self.assertIn("not its passphrase", exit_for(error).message)
        self.on_terminal(True)
        self.typed = ["wrong passphrase"] * TRIES
        self.assertTrue(self.refused(ProfileLocked).wrong)
        self.assertEqual(self.typed, [])
        self.typed = [PASSPHRASE]
        self.assert_open(self.start(), "passphrase")

    def test_file_open_to_others(self) -> None:
        """A file with a passphrase that others can read is refused."""
        path = Path(self.file())
        path.chmod(0o644)
        self.assertEqual(self.refused(Exit, "--passphrase-file", str(path)).code, USAGE)
        path.unlink()
        self.assertEqual(self.refused(Exit, "--passphrase-file", str(path)).code, USAGE)
        self.assertIsNone(self.profile.seal)

    # -- another passphrase --------------------------------------------------------------------------------------------

    def change(self, *typed: str) -> Deferred[Any]:
        """``--change-passphrase``."""
        self.typed = list(typed)
        opening = Opening(self.profile, parse_arguments(["--change-passphrase"]), maybeDeferred)
        return Deferred.fromCoroutine(opening.change())

    def test_change(self) -> None:
        """The old one, then the new one twice."""
        self.assertEqual(self.failureResultOf(self.change(), Exit).value.code, USAGE)  # nobody there
        self.on_terminal(True)
        self.assertEqual(self.failureResultOf(self.change(), Exit).value.code, PROFILE)  # not sealed
        self.start("--passphrase-file", self.file())
        self.assertEqual(self.successResultOf(self.change(PASSPHRASE, "another river", "another river")), 0)
        self.assertIn("another one now", self.said())
        self.typed = [PASSPHRASE, "another river"]
        self.assert_open(self.start(), "passphrase")

    def test_change_from_keyring(self) -> None:
        """From a keyring to a passphrase."""
        self.with_keyring()
        self.start("--seal")
        self.on_terminal(True)
        self.assertEqual(self.successResultOf(self.change("another river", "another river")), 0)
        self.store = None
        self.typed = ["another river"]
        self.assert_open(self.start(), "passphrase")

    # -- nothing shows it ----------------------------------------------------------------------------------------------

    def test_nothing_shows_it(self) -> None:
        """Neither profile nor key nor seal nor errors show what is secret."""
        opened = self.start("--passphrase-file", self.file())
        assert opened.key is not None
        shown = [repr(opened), str(opened.key), repr(opened.seal), self.said()]
        try:
            unlock(self.profile, "a wrong passphrase")
        except ChatError as error:
            shown += [repr(error), error.detail, error.explain()]
        for text in shown:
            for secret in (PASSPHRASE, "wrong passphrase", bytes(opened.key).hex(), repr(bytes(opened.key))[2:-1]):
                self.assertNotIn(secret, text)
