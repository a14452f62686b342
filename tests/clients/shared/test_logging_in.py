"""A machine of somebody who has an account: what is asked, and what a script needs; and the first recovery code."""

import builtins
import getpass
import io
import re
import stat
import sys
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, NewRecovery, Profile, ServerLink, format_link, log_in, terminal_qr
from chatserv.testing.memory_server import PASSWORD, server_id
from chatserv.testing.world import Person, World
from clients.shared import first_code, logging_in
from clients.shared.arguments import parse_arguments
from clients.shared.exit_codes import REFUSED, USAGE, Exit
from clients.shared.first_code import code_page, make_first_code, show_code
from clients.shared.logging_in import has_account
from clients.shared.registration import open_account
from tests.clients.shared.test_arguments import Terminal

SCREENS = (
    (120, 40, True), (80, 24, True), (79, 24, False), (40, 24, False), (40, 40, True), (30, 60, False),
)  # fmt: skip
_escapes = re.compile(r"\x1b\[[0-9;]*m")
LINK = format_link(ServerLink("chat.example", 5000, server_id()))


class LoggingInCase(SynchronousTestCase):
    """Alice has an account, and sits at another machine."""

    def setUp(self) -> None:
        """What she types is put down before it is asked for."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice", admin=True)
        self.stderr, self.typed, self.hidden = io.StringIO(), list[str](), list[str]()
        self.questions: list[str] = []
        self.patch(sys, "stderr", self.stderr)
        self.patch(sys, "stdin", Terminal(terminal=True))
        self.patch(builtins, "input", lambda: self.typed.pop(0))
        self.patch(getpass, "getpass", self.secret)
        around = {key: self.world.surroundings[key] for key in ("endpoint", "in_thread", "clock", "seconds")}
        self.patch(logging_in, "log_in", partial(log_in, **around))
        self.profile = Profile.named("machine", Path(self.world.directory))

    def secret(self, question: str) -> str:
        """What she enters where nobody sees it."""
        self.questions.append(question)
        return self.hidden.pop(0)

    def open(self, *argv: str) -> Any:
        """The program's start."""
        arguments = parse_arguments([LINK, *argv])
        reactor = self.world.reactor
        return self.world.do(open_account(reactor, arguments, self.profile, Client))

    def refused(self, *argv: str) -> Exit:
        """A start that ends the program."""
        end: Exit = self.assertRaises(Exit, self.open, *argv)
        return end

    def on_it(self) -> Person:
        """The new device at work."""
        person = Person(self.world, "alice", self.profile, None)
        self.world.people.append(person)
        self.world.settle(20)
        return person

    def file(self, text: str) -> Path:
        """A file that nobody else may read."""
        path = Path(self.mktemp()).absolute()
        path.touch(0o600)
        path.write_text(text)
        return path


class LoggingInTests(LoggingInCase):
    """By the code, the passphrase, or another device."""

    def test_code(self) -> None:
        """She is asked for her name, for a password once, told the backup's date, and asked for the code until it fits."""
        code = self.alice.recovery_code
        wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
        self.hidden = ["not the one", PASSWORD, wrong, code.lower()]  # neither of them is seen as it is typed
        self.typed = ["maybe", "a", "Alice", "alice"]
        self.open()
        said = self.stderr.getvalue()
        for words in ("password is another one", "backup of your account is from 2025-", "look at group 8", "rooms: 1"):
            self.assertIn(words, said)
        self.assertEqual(self.on_it().client.rooms, ["lobby"])

    def test_passphrase(self) -> None:
        """Words open it too."""
        self.alice.do(self.alice.client.account.new_recovery("anchor bread cellar dune engine"))
        self.hidden, self.typed = [PASSWORD, "Anchor bread cellar dune engine"], ["a", "alice"]
        self.open()
        self.assertTrue(self.on_it().online)

    def test_approval(self) -> None:
        """Without a backup, or by Return alone, another device is asked; the words are shown."""
        self.hidden, self.typed = [PASSWORD], ["a", "alice"]
        opening = Deferred.fromCoroutine(
            open_account(self.world.reactor, parse_arguments([LINK]), self.profile, Client)
        )
        self.world.settle(3)
        (request,) = self.alice.client.devices.waiting
        self.assertIn(request.words, self.stderr.getvalue())
        self.typed = ["y"]
        self.alice.do(self.alice.client.devices.approve(request.device_id))
        self.world.do(opening)
        self.assertIn("exactly these words: " + request.words, self.stderr.getvalue())
        self.assertTrue(self.on_it().online)

    def test_long_search(self) -> None:
        """Whoever looks for the code so long that the server has given them up goes on without typing anything again."""
        code = self.alice.recovery_code
        self.hidden, self.typed = [PASSWORD], ["a", "alice"]

        def enter(_question: str) -> str:
            if self.hidden:
                return self.hidden.pop(0)
            self.world.reactor.callLater(0, self.world.server.cut)
            return code

        self.patch(getpass, "getpass", enter)
        self.open()
        self.assertTrue(self.on_it().online)

    def test_other_words(self) -> None:
        """Who says that the device that approved shows other words is let in nowhere."""
        self.hidden, self.typed = [PASSWORD], ["a", "alice"]
        opening = Deferred.fromCoroutine(
            open_account(self.world.reactor, parse_arguments([LINK]), self.profile, Client)
        )
        self.world.settle(3)
        (request,) = self.alice.client.devices.waiting
        self.typed = ["n"]
        self.alice.do(self.alice.client.devices.approve(request.device_id))
        self.assertIn("refused", self.assertRaises(Exit, self.world.do, opening).message)
        self.assertIsNone(self.profile.keyring())

    def test_refused(self) -> None:
        """Who is refused there is told so."""
        self.hidden, self.typed = [PASSWORD], ["a", "alice"]
        opening = Deferred.fromCoroutine(
            open_account(self.world.reactor, parse_arguments([LINK]), self.profile, Client)
        )
        self.world.settle(3)
        (request,) = self.alice.client.devices.waiting
        self.alice.do(self.alice.client.devices.refuse(request.device_id))
        self.assertIn("refused", self.assertRaises(Exit, self.world.do, opening).message)

    def test_script(self) -> None:
        """A script needs name, password and the file with the code, as a program has written it; nothing is asked."""
        made = self.alice.do(self.alice.client.account.new_recovery())
        self.patch(sys, "stdin", Terminal(terminal=False))
        files = ("--password-file", str(self.file(PASSWORD + "\n")), "--recovery-file", str(self.file(made.text)))
        self.open("--user", "alice", *files)
        self.assertTrue(self.on_it().online)

    def test_script_refused(self) -> None:
        """What does not fit ends a script with words and a code."""
        self.patch(sys, "stdin", Terminal(terminal=False))
        code = self.alice.recovery_code
        good, files = str(self.file(PASSWORD)), (str(self.file(code)), str(self.file(code[:-1])))
        for password, recovery, exit_code in (
            (str(self.file("another one")), files[0], REFUSED),
            (good, files[1], REFUSED),
        ):
            end = self.refused("--user", "alice", "--password-file", password, "--recovery-file", recovery)
            self.assertEqual(end.code, exit_code, end.message)

    def test_asked(self) -> None:
        """Where nobody is there, or a name is given, an account is made; a file with a code says that there is one."""
        for argv, somebody, typed, expected in (
            ((), False, [], False),
            (("--user", "bob"), True, [], False),
            ((), True, [""], False),
            ((), True, ["N"], False),
            ((), True, ["alice", "A"], True),
            (("--recovery-file", "/nowhere"), True, [], False),
            (("--recovery-file", str(self.file("x"))), False, [], True),
        ):
            self.typed = list(typed)
            self.assertEqual(has_account(parse_arguments(list(argv)), somebody=somebody), expected, argv)
        self.typed = ["what?"] * 9
        self.assertRaises(Exit, has_account, parse_arguments([]), somebody=True)


class FirstCodeTests(LoggingInCase):
    """Right after a registration."""

    def setUp(self) -> None:
        """Alice has just registered."""
        super().setUp()
        self.alice.leave_the_machine()
        self.world.reactor.addSystemEventTrigger = lambda *_: None  # nothing ends this reactor
        self.patch(first_code, "terminal_qr", lambda text, **_: f"<{text}>")

    def make(self, *argv: str) -> None:
        """Makes the code."""
        make: Any = partial(Client, **self.world.surroundings)
        self.world.do(make_first_code(self.world.reactor, parse_arguments(list(argv)), self.alice.profile, make))

    def written(self, path: Path) -> str:
        """The code in a file that nobody else may read."""
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        return logging_in._code_in(path.read_text())

    def test_shown(self) -> None:
        """It is shown, saved where somebody wants that, and asked for once more; it opens the backup."""
        path, taken = Path(self.mktemp()).absolute(), self.file("")
        typed: list[str] = [str(taken), str(path)]
        self.patch(builtins, "input", lambda: typed.pop(0) if typed else self.written(path).lower())
        self.make()
        code, said = self.written(path), self.stderr.getvalue()
        for words in (code, "cannot be written: File exists", "That is right"):
            self.assertIn(words, said)
        self.assertTrue(self.world.new_device(self.alice, code).online)

    def test_wrong(self) -> None:
        """Another code, or none, is told; whoever skips it hears how to get a new one."""
        self.typed = ["", "JJ544-9N2FP-QKEXK-7WC57-8ZVWJ-H3254-89R9D-CQ28D", "JJ544", ""]
        self.make()
        for words in ("another code", "5 characters; 40", "/recovery makes a new one"):
            self.assertIn(words, self.stderr.getvalue())

    def made(self) -> NewRecovery:
        """A code."""
        self.alice.come_back()
        self.world.settle()
        return self.alice.do(self.alice.client.account.new_recovery())

    def test_page(self) -> None:
        """The code stands on every screen, and no row is wider; its QR code is there whole, or words say why not."""
        self.patch(first_code, "terminal_qr", terminal_qr)
        made = self.made()
        code = terminal_qr(made.qr, colour=True).splitlines()
        for columns, rows, drawn in (
            (120, 40, True),
            (80, 24, True),
            (79, 24, False),
            (40, 24, False),
            (40, 40, True),
            (30, 60, False),
        ):
            page = code_page(made, columns, rows)
            plain = [_escapes.sub("", row) for row in page]
            self.assertEqual(all(any(each in row for row in page) for each in code), drawn, (columns, rows))
            self.assertEqual(any("too small" in row for row in page), not drawn)
            self.assertLessEqual(max(map(len, plain)), columns)
            self.assertIn(made.code, "".join(row.strip() for row in plain))
            self.assertLessEqual(len(page), rows - 5 if drawn else rows)

    def test_apart(self) -> None:
        """On a terminal that draws, the code stands on a page that is gone when it has been typed once more."""
        typed: list[str] = ["", ""]
        self.patch(builtins, "input", lambda: typed.pop(0))
        self.stderr.isatty = lambda: True  # type: ignore[method-assign]
        made = self.made()
        show_code(made, drawn=True)
        before, page, behind = re.split(r"\x1b\[\?1049[hl]", self.stderr.getvalue())
        self.assertIn(made.code, page)
        self.assertNotIn(made.code, before + behind)
        self.assertIn("/recovery makes a new one", behind)

    def test_script(self) -> None:
        """A script gets it into a file; without one it is told that there is none, and goes on."""
        self.patch(sys, "stdin", Terminal(terminal=False))
        self.make()
        self.assertIn("--recovery-file FILE makes one", self.stderr.getvalue())
        path = Path(self.mktemp()).absolute()
        self.make("--recovery-file", str(path))
        self.assertTrue(self.world.new_device(self.alice, self.written(path)).online)
        end = self.assertRaises(Exit, self.make, "--recovery-file", str(path))
        self.assertEqual(end.code, USAGE)

    def test_server_away(self) -> None:
        """Without the server there is none yet; a script ends with the reason, a person goes on."""
        self.world.server.up = False
        self.make("--timeout", "5")
        self.assertIn("/recovery makes one", self.stderr.getvalue())
        end = self.assertRaises(Exit, self.make, "--timeout", "5", "--recovery-file", self.mktemp())
        self.assertEqual(end.code, 3)
