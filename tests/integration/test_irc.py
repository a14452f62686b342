"""``chatserv-irc`` as a real program, and real IRC clients that talk through it, end-to-end encrypted."""

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from chatserv.testing.irssi import IRSSI
from chatserv.testing.processes import child_environment, client_command, free_port, listens
from tests.integration.test_clients import SECONDS, ClientsTestCase, Terminal
from tests.support import irc_programs

IRC = (sys.executable, "-m", "clients.irc.main")
COLUMNS = 150
DOCUMENT = Path(__file__).parents[2] / "docs" / "irc.rst"
KINDS = {"TERM": "xterm-256color", "DISPLAY": "", "WAYLAND_DISPLAY": ""}


class IrcTestCase(ClientsTestCase):
    """Alice, an administrator, and bob, each with a ``chatserv-irc`` where a test starts it."""

    settings: ClassVar[dict[str, dict[str, Any]]] = {"server": {"max_connections": 12}}

    def serve(self, profile: str) -> tuple[int, str]:
        """Starts the program. Gives its port, and the password that it shows."""
        port = free_port()
        terminal = Terminal(
            self, client_command(self.directory, profile, "--port", str(port), program=IRC), COLUMNS, {"LANGUAGE": "en"}
        )
        terminal.until(f"Connected as {profile}")
        self.assertTrue(listens(port))
        shown = re.search(r"^ {2}([a-z2-7]{26})\s*$", terminal.text, re.MULTILINE)
        assert shown is not None, terminal.text
        return port, shown[1]


class Peer:
    """A connection that speaks IRC by hand."""

    def __init__(self, case: IrcTestCase, port: int, password: str, address: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection((address, port), SECONDS)
        case.addCleanup(self._socket.close)
        self._socket.settimeout(0.1)
        self.text = ""
        self.case = case
        self.say(f"PASS {password}", "NICK x", "USER x 0 * :x")

    def say(self, *lines: str) -> None:
        """Sends lines."""
        self._socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def until(self, words: str) -> None:
        """Waits until these words have come."""
        deadline = time.monotonic() + SECONDS
        while words not in self.text:
            self.case.assertLess(time.monotonic(), deadline, f"{words!r} does not come:\n{self.text}")
            with contextlib.suppress(TimeoutError):
                data = self._socket.recv(65_536)
                self.text += data.decode() if data else "<closed>"


class ProgramTests(IrcTestCase):
    """The program itself."""

    def test_talk(self) -> None:
        """Two people talk over two gateways, by either loopback address; what the terminal says arrives too."""
        alice = Peer(self, *self.serve("alice"))
        bob = Peer(self, *self.serve("bob"))
        for peer in (alice, bob):
            peer.until(" 366 ")
        alice.say("PRIVMSG #lobby :hello over irc")
        bob.until(":alice!alice@chat PRIVMSG #lobby :hello over irc\r\n")
        bob.say("PRIVMSG alice :only you")
        alice.until(" 718 alice bob ")
        alice.say("PRIVMSG bob :yes")
        bob.until(":alice!alice@chat PRIVMSG bob :yes\r\n")
        alice.until(":bob!bob@chat PRIVMSG alice :only you\r\n")
        self.assertEqual(self.client("bob", "--send", typed="from a script\n").returncode, 0)
        alice.until(":bob!bob@chat PRIVMSG #lobby :from a script\r\n")
        bob.until(":bob!bob@chat PRIVMSG #lobby :from a script\r\n")

    def test_joins(self) -> None:
        """It joins a program of the same account that runs already, and goes on alone when that one ends."""
        follower = self.start("alice", "--follow")
        assert follower.stdout is not None
        patience = threading.Timer(SECONDS, follower.kill)  # then what is waited for does not come
        patience.start()
        self.addCleanup(patience.cancel)
        self.client("bob", "--send", typed="are you there\n")
        self.assertIn("are you there", next(line for line in follower.stdout if "are you there" in line))
        alice = Peer(self, *self.serve("alice"))
        alice.until(" 366 ")
        alice.say("PRIVMSG #lobby :beside another program", "WHO #lobby", "CHATHISTORY LATEST #lobby * 5")
        self.assertIn("beside", next(line for line in follower.stdout if "beside another program" in line))
        alice.until(" 315 ")
        alice.until("are you there")
        follower.terminate()
        follower.wait(SECONDS)
        alice.say("PRIVMSG #lobby :alone now")
        self.assertEqual(self.read_until("bob", "alone now")[-1]["sender"], "alice")
        alice.say("PING end")
        alice.until("PONG chatserv :end")

    def test_password(self) -> None:
        """Without the password nobody comes in; ``--password`` shows it to whoever owns the profile."""
        port, password = self.serve("alice")
        wrong = Peer(self, port, "a" * 26)
        wrong.until("<closed>")
        self.assertIn(" 464 ", wrong.text)
        self.assertNotIn("001", wrong.text)
        shown = subprocess.run(
            client_command(self.directory, "alice", "--password", program=IRC),
            cwd=self.directory,
            env=child_environment(self.directory),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual((shown.returncode, shown.stdout.strip()), (0, password))
        kept = self.directory / "profiles" / "alice" / "irc.json"
        self.assertEqual(kept.stat().st_mode & 0o777, 0o600)

    def test_profiles(self) -> None:
        """Two profiles in one program: each password opens its own account, and the other one's is refused."""
        port, shown = free_port(), re.compile(r"^ {2}(alice|bob):([a-z2-7]{26})\s*$", re.MULTILINE)
        command = [*IRC, "--no-seal", "--profile", "alice", "--profile", "bob", "--port", str(port)]
        terminal = Terminal(self, command, COLUMNS, {"LANGUAGE": "en"})
        for name in ("alice", "bob"):
            terminal.until(f"{name}: Connected as {name}.")
        words = dict(shown.findall(terminal.text))
        alice, bob = (Peer(self, port, f"{name}:{words[name]}") for name in ("alice", "bob"))
        for peer in (alice, bob):
            peer.until(" 366 ")
        alice.say("PRIVMSG #lobby :one program, two people")
        bob.until(":alice!alice@chat PRIVMSG #lobby :one program, two people\r\n")
        wrong = Peer(self, port, f"alice:{words['bob']}")
        wrong.until("<closed>")
        self.assertIn(" 464 ", wrong.text)
        self.assertNotIn("#lobby", wrong.text)
        terminal.type("\x03")
        self.assertEqual(terminal.finish(), 130)

    def test_port_taken(self) -> None:
        """A port that somebody has ends the program, with the reason and 2."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            terminal = Terminal(self, client_command(self.directory, "bob", "--port", str(port), program=IRC), COLUMNS)
            self.assertEqual(terminal.finish(), 2)
        self.assertIn(f"Port {port}", terminal.text)

    def test_beside_terminal(self) -> None:
        """The terminal serves IRC clients too; where the port is taken, it ends with the reason and 2."""
        port, kinds = free_port(), {"LANGUAGE": "en", **KINDS}
        terminal = Terminal(self, client_command(self.directory, "bob", "--irc", str(port)), COLUMNS, kinds)
        terminal.until("Connected as bob")
        shown = re.search(r"\b[a-z2-7]{26}\b", terminal.text)
        assert shown is not None, terminal.text
        peer = Peer(self, port, shown[0])
        peer.until(" 366 ")
        peer.say("PRIVMSG #lobby :over irc")
        terminal.until("<bob> over irc")
        second = Terminal(self, client_command(self.directory, "alice", "--irc", str(port)), COLUMNS, kinds)
        self.assertEqual(second.finish(), 2)
        self.assertIn(f"Port {port}", second.text)


class ClientTests(IrcTestCase):
    """Programs that people use."""

    def open(self, command: Callable[[Path, int, str], list[str]], there: str) -> tuple[Terminal, Peer]:
        """Alice with that client, which shows these words when it is there, and bob, who speaks by hand."""
        port, password = self.serve("alice")
        place = Path(tempfile.mkdtemp(dir=self.directory))
        self.beside = Peer(self, port, password)  # a second client of hers, which sees what comes
        terminal = Terminal(self, command(place, port, password), COLUMNS, KINDS)
        bob = Peer(self, *self.serve("bob"))
        bob.until(" 366 ")
        terminal.until(there)
        return terminal, bob

    def play(self, terminal: Terminal, bob: Peer) -> None:
        """They talk in the lobby, in a private room, directly; hostile texts are inert; a topic, a kick."""
        bob.say("PRIVMSG #lobby :hello from bob")
        terminal.until("hello from bob")
        terminal.type("good day to you\r")
        bob.until(":alice!alice@chat PRIVMSG #lobby :good day to you\r\n")
        terminal.type("/me waves\r")
        bob.until("PRIVMSG #lobby :\x01ACTION waves\x01\r\n")
        hostile = "QUIT :x\u2028:alice!a@b PRIVMSG #lobby :forged\x1b]0;title\x07"
        bob.say(f"PRIVMSG #lobby :{hostile}")
        terminal.until("forged")
        self.assertIn("QUIT :x", terminal.text)
        terminal.type(f"/topic #lobby what {terminal.process.pid} talks about\r")  # not what the test before has set
        bob.until(f"TOPIC #lobby :what {terminal.process.pid} talks about\r\n")
        bob.say(f"PRIVMSG *chatserv :create plans-{terminal.process.pid}")
        bob.until(f"JOIN #plans-{terminal.process.pid}")
        bob.say(f"INVITE alice #plans-{terminal.process.pid}")
        self.beside.until(" INVITE alice ")
        terminal.type(f"/join #plans-{terminal.process.pid}\r")
        terminal.until(f"#plans-{terminal.process.pid}")
        bob.say(f"PRIVMSG #plans-{terminal.process.pid} :a private room")
        terminal.until("a private room")
        bob.say(f"KICK #plans-{terminal.process.pid} alice")
        terminal.until("kicked")
        terminal.type("/query *chatserv rooms\r")
        terminal.until("members: 2")
        self.assertIn(":alice!alice@chat PRIVMSG #lobby :good day to you\r\n", self.beside.text)

    def type_document(self, title: str, command: list[str], ready: str, there: str) -> None:
        """Types what docs/irc.rst has under a title into a program that knows nothing yet, until alice is in a room."""
        port, password = self.serve("alice")
        terminal = Terminal(self, command, COLUMNS, KINDS)
        terminal.until(ready)
        section = DOCUMENT.read_text(encoding="utf-8").partition(f"\n{title}\n---")[2].partition("\n---")[0]
        lines = [line.strip() for line in section.splitlines() if line.startswith("    /")]
        self.assertGreater(len(lines), 2)
        for line in lines:
            typed = line.replace("6667", str(port)).replace("PASSWORD", password)
            terminal.type(typed)
            terminal.until(typed)  # what comes at once with the next line is taken for a paste
            terminal.type("\r")
            terminal.read()
        terminal.until(there)
        terminal.type("/quit\r")
        self.assertEqual(terminal.finish(), 0)

    def test_irssi_document(self) -> None:
        """The lines of the document connect a new irssi."""
        home = tempfile.mkdtemp(dir=self.directory)
        command = [irc_programs.program(IRSSI), f"--home={home}/irssi"]
        self.type_document("irssi", command, "[(status)]", "[Act: 2]")

    def test_weechat_document(self) -> None:
        """And a new WeeChat."""
        home = tempfile.mkdtemp(dir=self.directory)
        command = [irc_programs.program(irc_programs.WEECHAT), "--dir", f"{home}/weechat"]
        self.type_document("WeeChat", command, "Plugins loaded", "#lobby")

    def test_irssi(self) -> None:
        """Irssi."""
        terminal, bob = self.open(irc_programs.irssi, "[Act: 2]")
        terminal.type("/window 2\r")
        terminal.until("[2:chat/#lobby")
        self.play(terminal, bob)
        terminal.type("/quit\r")
        self.assertEqual(terminal.finish(), 0)

    def test_weechat(self) -> None:
        """WeeChat."""
        terminal, bob = self.open(irc_programs.weechat, "#lobby")
        terminal.type("/buffer #lobby\r")
        self.play(terminal, bob)
        terminal.type("/quit\r")
        self.assertEqual(terminal.finish(), 0)
