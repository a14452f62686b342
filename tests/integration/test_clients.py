"""The real programs, each a process of its own: the stdio client against the server under twistd."""

import atexit
import contextlib
import dataclasses
import json
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any, ClassVar

import pyte
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import format_link, parse_link
from chatserv.testing.processes import (
    CLIENT,
    PASSWORD,
    ProgramError,
    ServerProgram,
    child_environment,
    client_command,
    free_port,
    register_two,
    run_client,
)
from chatserv.testing.pseudo_terminal import ROWS, PseudoTerminal
from chatserv.testing.unlimited import unlimited

SECONDS = 120.0


class Stage:
    """A server with alice, its administrator, and bob. Trial has no fixtures of a class, so the last one is kept here.

    Args:
        settings: Of the server.
    """

    current: ClassVar["Stage | None"] = None

    def __init__(self, settings: dict[str, dict[str, Any]]) -> None:
        self.settings = settings
        self.directory = Path(tempfile.mkdtemp())
        self.server = ServerProgram(self.directory, settings)

    def stop(self) -> None:
        """Ends the server and forgets everything."""
        self.server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @classmethod
    def change(cls, wanted: "Stage | None") -> None:
        """Ends what stands, and starts what is wanted: alice registers with the server's link, bob with hers."""
        standing, cls.current = cls.current, wanted
        if standing is not None:
            standing.stop()
        if wanted is not None:
            wanted.server.start()
            register_two(wanted.server, "alice", "bob")


atexit.register(Stage.change, None)


class ClientsTestCase(SynchronousTestCase):
    """Tests that share a server, as long as they come one after the other and want the same settings."""

    settings: ClassVar[dict[str, dict[str, Any]]] = {"server": {"max_connections": 2}}

    def setUp(self) -> None:
        """The stage of this class, set up where it does not stand."""
        stage = Stage.current
        if stage is None or stage.settings != self.settings:
            stage = Stage(self.settings)
            Stage.change(stage)
        self.directory, self.server = stage.directory, stage.server

    def client(self, profile: str, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a client to its end."""
        return subprocess.run(
            client_command(self.directory, profile, *arguments),
            cwd=self.directory,
            env=child_environment(self.directory),
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def start(self, profile: str, *arguments: str) -> subprocess.Popen[str]:
        """Starts a client with pipes on all sides; it is ended with the test."""
        process = subprocess.Popen(
            client_command(self.directory, profile, *arguments),
            cwd=self.directory,
            env=child_environment(self.directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    def read_until(self, profile: str, last: str) -> list[dict[str, Any]]:
        """What somebody has not read yet, up to the message with this text."""
        process = self.start(profile, "--follow", "--json")
        patience = threading.Timer(SECONDS, process.kill)
        patience.start()
        records: list[dict[str, Any]] = []
        for line in process.stdout or ():
            records.append(json.loads(line))
            if records[-1]["text"] == last:
                process.terminate()
        patience.cancel()
        self.assertEqual(process.wait(SECONDS), 130)
        return records

    def end(self, process: subprocess.Popen[Any]) -> None:
        """Ends a program that was started here."""
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def invite(self) -> str:
        """A link by alice."""
        made = self.client("alice", "--invite")
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        return made.stdout.strip()

    def assert_exit(self, done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
        """The program ended with this code; what it said on standard error has these words and no traceback."""
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


def write_all(pipe: IO[str], text: str) -> None:
    """Writes to a pipe and ends it; harmless where nobody reads any more."""
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(text)


class FullServerTests(ClientsTestCase):
    """A server with no place left."""

    def test_full(self) -> None:
        """One person too many is told that the server is full, not that it is away."""
        link = self.invite()
        for name in ("alice", "bob"):
            seen = self.server.output.count(f"{name} connected")
            self.start(name, "--follow")
            deadline = time.monotonic() + SECONDS
            while self.server.output.count(f"{name} connected") == seen and time.monotonic() < deadline:
                time.sleep(0.05)
        self.assert_exit(self.client("frank", link, "--timeout", "8"), 3, "server is full")


class PipeTests(ClientsTestCase):
    """Scripts."""

    def test_send_and_follow(self) -> None:
        """Lines that were sent are stored, in order, and shown to who follows; no link is needed any more."""
        sent = self.client("alice", "--send", typed="one\ntwo\n\nthree")
        self.assertEqual((sent.returncode, sent.stdout, sent.stderr), (0, "", ""))
        records = self.read_until("bob", "three")[-3:]
        self.assertEqual([record["text"] for record in records], ["one", "two", "three"])
        self.assertEqual([(record["sender"], record["own"]) for record in records], [("alice", False)] * 3)
        self.client("bob", "--send", typed="four\nfive\n")
        plain = self.client("bob", "--follow", "--count", "1")
        self.assertEqual(plain.returncode, 0)
        self.assertRegex(plain.stdout, r"^\[\d\d:\d\d\] <bob> four\n$")
        (record,) = self.read_until("bob", "five")
        self.assertTrue(record["own"])

    def test_plain_pipe(self) -> None:
        """``echo hello | chatserv-client`` needs no option."""
        self.assert_exit(self.client("alice", typed="hello\n"), 0)

    def test_not_text(self) -> None:
        """A line that is not UTF-8 is not sent, not even changed into something that is."""
        done = subprocess.run(
            client_command(self.directory, "alice", "--send"),
            cwd=self.directory,
            env=child_environment(self.directory),
            input=b"bad \xff\xfe\n",
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual((done.returncode, b"not UTF-8" in done.stderr), (1, True), done.stderr)

    def test_line_too_long(self) -> None:
        """A line that no message can hold is refused before it is sent."""
        self.assert_exit(self.client("alice", "--send", typed="x" * 9000 + "\n"), 1, "too long", "8192")

    def test_no_such_room(self) -> None:
        """A room that does not exist ends the program: at once where it sends, and where it follows after a while."""
        self.assert_exit(self.client("alice", "--send", "--room", "attic", typed="x\n"), 1, "#attic")
        self.assert_exit(self.client("alice", "--follow", "--room", "attic", "--timeout", "8"), 5, "#attic")

    def test_not_an_administrator(self) -> None:
        """Only administrators make invites."""
        self.assert_exit(self.client("bob", "--invite"), 5, "not allowed")

    def test_reader_leaves(self) -> None:
        """``| head -1`` ends the program quietly."""
        bob = self.start("bob", "--follow")
        assert bob.stdout is not None
        assert bob.stderr is not None
        self.client("alice", "--send", typed="first\n")
        self.assertIn("<alice>", bob.stdout.readline())
        bob.stdout.close()
        self.client("alice", "--send", typed="second\n")
        self.assertEqual((bob.wait(SECONDS), bob.stderr.read()), (0, ""))


class SlowReaderTests(ClientsTestCase):
    """Where more is said than an account may say at once."""

    settings = {"server": {"max_connections": 2}, "limits": unlimited()}  # noqa: RUF012 - as those of the class above

    def test_slow_reader(self) -> None:
        """A reader that takes its time loses nothing, even where the program also has standard input."""
        self.client("alice", "--send", typed="caught up\n")
        self.read_until("alice", "caught up")
        lines = [f"{number} {'x' * 300}" for number in range(600)]
        both = self.start("alice", "--send", "--follow", "--json", "--count", "600")
        assert both.stdin is not None
        assert both.stdout is not None
        assert both.stderr is not None
        # The program may stop reading while the pipe to us is full, so who writes must not be who reads.
        writer = threading.Thread(target=write_all, args=(both.stdin, "\n".join(lines) + "\n"))
        patience = threading.Timer(SECONDS, both.kill)
        patience.start()
        writer.start()
        time.sleep(1)  # while the pipe to us is full
        shown = [json.loads(line)["text"] for line in both.stdout]
        writer.join(SECONDS)
        patience.cancel()
        self.assertEqual((both.wait(SECONDS), both.stderr.read()), (0, ""))
        self.assertEqual(shown, lines)


class RegistrationTests(ClientsTestCase):
    """Links, names and pins."""

    def test_wrong_pin(self) -> None:
        """A server with another identity than the link's ends the program before anything is sent."""
        link = parse_link(self.invite())
        other = format_link(dataclasses.replace(link, fingerprint=bytes(32)))
        self.assert_exit(self.client("wendy", other), 4, "not the server")
        self.assertNotIn("wendy", self.server.output)

    def test_names_and_invites(self) -> None:
        """A name that looks like another costs no invite; a used invite lets nobody in; a lost server is told as such."""
        link = self.invite()
        self.assert_exit(self.client("alice2", "--user", "a1ice", link), 7, "looks too much like")
        self.assert_exit(self.client("alice2"), 2, "not finished")
        self.assert_exit(self.client("alice2", "--user", "a1ice", self.server.link()), 6, "already used")
        away = format_link(dataclasses.replace(parse_link(link), port=free_port()))
        self.assert_exit(self.client("alice2", "--user", "a1ice", away, "--timeout", "1"), 3, "cannot be reached")
        self.assert_exit(self.client("alice2", "--user", "alice", link), 7, "taken")

    def test_no_account(self) -> None:
        """Without account and link the program asks for the link; profiles are apart."""
        self.assert_exit(self.client("nobody"), 2, "chatserv:// link")

    def test_other_server(self) -> None:
        """A link to another server is no use to a profile that has an account."""
        link = format_link(dataclasses.replace(parse_link(self.server.link()), fingerprint=bytes(32)))
        self.assert_exit(self.client("alice", link), 8, "another server", "--profile")

    def test_used_link_again(self) -> None:
        """Who gives the same link once more is simply connected."""
        self.assert_exit(self.client("alice", self.server.link(), typed="hello\n"), 0)

    def test_profile_open_to_others(self) -> None:
        """Keys that others may read are not used, and the program says how to close them."""
        path = self.directory / "profiles" / "bob" / "keyring.json"
        path.chmod(0o644)
        self.assert_exit(self.client("bob", typed="x\n"), 8, "chmod 600")
        path.chmod(0o600)


class KilledServerTests(ClientsTestCase):
    """A server that dies."""

    def test_send_across_a_kill(self) -> None:
        """``--send`` of 200 lines ends with 0 although the server is killed in between, and each line is stored once."""
        lines = [f"line {number}" for number in range(200)]
        alice = self.start("alice", "--send", "--timeout", str(SECONDS))
        assert alice.stdin is not None
        for number, line in enumerate(lines):
            alice.stdin.write(line + "\n")
            alice.stdin.flush()
            if number == 120:
                time.sleep(1.2)
                self.server.kill()
            if number == 150:
                self.server.start()
        alice.stdin.close()
        self.assertEqual(alice.wait(SECONDS), 0)
        for reader in ("alice", "bob"):
            texts = [record["text"] for record in self.read_until(reader, lines[-1])]
            self.assertEqual([text for text in texts if text.startswith("line ")], lines)


class Terminal(PseudoTerminal):
    """A program on a pseudo-terminal of its own, and what stands on its screen.

    Args:
        test: Ends the program with itself.
        command: The program.
        columns: How wide the terminal is; it has 24 rows.
        environment: Further variables.
    """

    def __init__(
        self, test: ClientsTestCase, command: list[str], columns: int = 150, environment: dict[str, str] | None = None
    ) -> None:
        self.screen = pyte.Screen(columns, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        super().__init__(test.directory, command, columns, environment)
        test.addCleanup(self.close)
        self._test = test

    @property
    def text(self) -> str:
        """The screen, without empty lines."""
        return "\n".join(line.rstrip() for line in self.screen.display if line.strip())

    def until(self, words: str, *, last: bool = False) -> None:
        """Waits until these words are on the screen; ``last``: in its last row."""
        deadline = time.monotonic() + SECONDS
        while words not in (f"{self.text.rstrip()} ".rpartition("\n")[2] if last else self.text):
            self._test.assertLess(time.monotonic(), deadline, f"{words!r} does not come:\n{self.text}")
            self.read()

    def finish(self, seconds: float = SECONDS) -> int:
        """Waits for the end. Returns the exit code."""
        return super().finish(seconds)

    def take(self, data: bytes) -> None:
        """Something came."""
        self._stream.feed(data)


class TalkTests(ClientsTestCase):
    """People at terminals."""

    def test_talk(self) -> None:
        """A newcomer is asked for name and password, which is not shown; two people talk; ``/quit`` and Ctrl-C end it."""
        link = format_link(parse_link(self.invite()))  # made before alice's own talk holds her profile
        alice = Terminal(self, client_command(self.directory, "alice", "--plain"))
        carol = Terminal(self, [*CLIENT, "--no-seal", "--plain", "--profile", "carol", link])
        carol.until("Are you new here")
        carol.type("n\n")
        carol.until("User name:")
        carol.type("carol\n")
        carol.until("Password:")
        carol.type(PASSWORD + "\n")
        carol.until("Once more:")
        carol.type(PASSWORD + "\n")
        carol.until("To save it as a file")
        carol.type("\n")
        carol.until("Type the code once more")
        carol.type("\n")
        carol.until("Connected to #lobby")
        self.assertNotIn(PASSWORD, carol.text)
        alice.until("Connected")
        carol.type("hello alice\n")
        alice.until("<carol> hello alice")
        alice.type("hello carol\n")
        carol.until("<alice> hello carol")
        self.assertEqual(carol.text.count("hello alice"), 1)
        self.assertRegex(alice.text, r"\[\d\d:\d\d\] <carol> hello alice")
        carol.type("/nonsense\n//slash\n")
        carol.until("There is no command /nonsense")
        alice.until("<carol> /slash")
        self.assertNotIn("nonsense", alice.text)
        carol.type("/quit\n")
        self.assertEqual(carol.finish(), 0)
        alice.type("\x03")
        self.assertEqual(alice.finish(), 130)
        for terminal in (alice, carol):
            self.assertNotIn("Traceback", terminal.text)

    def test_secrets(self) -> None:
        """A new password is asked for twice, and stands nowhere on the screen; the next line is said again."""
        alice = Terminal(self, client_command(self.directory, "alice", "--plain"))
        alice.until("Connected")
        for wanted, typed in (
            ("Connected", "/password"), ("New password:", "river maple candle"), ("Once more:", "river maple candle"),
            ("Your password is changed", "hello again"), ("hello again", "/password"),
        ):  # fmt: skip
            alice.until(wanted)
            alice.type(typed + "\n")
        for secret in ("river", "maple"):
            self.assertNotIn(secret, alice.text)
        alice.type("\x03")  # at the question
        self.assertEqual(alice.finish(), 130)

    def test_interrupted_question(self) -> None:
        """Ctrl-C at the password ends the program without a traceback, and leaves no account."""
        eve = Terminal(self, [*CLIENT, "--no-seal", "--profile", "eve", self.server.link()])
        eve.until("Are you new here")
        eve.type("n\n")
        eve.until("User name:")
        eve.type("eve\n")
        eve.until("Password:")
        eve.type("\x03")
        self.assertEqual(eve.finish(), 130)
        self.assertIn("Interrupted.", eve.text)
        self.assertNotIn("Traceback", eve.text)


class PlainTests(SynchronousTestCase):
    """Plain TCP on loopback."""

    def test_plain(self) -> None:
        """With ``listen_plain`` and ``--no-tls`` one registers and talks without TLS; without the flag nothing is said."""
        port = free_port()
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            with ServerProgram(directory, {"server": {"listen_plain": f"127.0.0.1:{port}"}}) as server:
                link = server.link().replace(f":{server.port}/", f":{port}/")
                run_client(directory, "ann", link, "--send", "--no-tls", typed="in the clear\n")
                self.assertIn("in the clear", run_client(directory, "ann", "--follow", "--count", "1", "--no-tls"))
                with self.assertRaises(ProgramError) as caught:
                    run_client(directory, "ann", "--send", "--timeout", "2", typed="secret\n")
                self.assertIn("exit 3", str(caught.exception))
