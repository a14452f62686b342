"""The line editor: the real program on a terminal of 80 columns and 24 rows, against a real server."""

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SkipTest

from chatserv.client import format_link, parse_link
from chatserv.testing.demo.stage import wait_until
from chatserv.testing.processes import CLIENT, PASSWORD, child_environment, client_command
from tests.integration.test_clients import SECONDS, ClientsTestCase, Terminal
from tests.support.bus import NotificationBus

COLUMNS = 80
KINDS = {"TERM": "xterm-256color", "NO_COLOR": "", "DISPLAY": "", "WAYLAND_DISPLAY": "", "DBUS_SESSION_BUS_ADDRESS": ""}
ALT_1, ALT_2, ALT_A, CTRL_C, CTRL_D, CTRL_Z = "\x1b1", "\x1b2", "\x1ba", "\x03", "\x04", "\x1a"
BRACKETED_PASTE = 2004 << 5  # as pyte counts private modes


class TerminalTests(ClientsTestCase):
    """`clients.terminal`, as people meet it."""

    settings: ClassVar[dict[str, dict[str, Any]]] = {"server": {"max_connections": 10}}

    def open(self, profile: str, *arguments: str, **environment: str) -> Terminal:
        """Somebody with an account sits down at a terminal."""
        command = client_command(self.directory, profile, *arguments)
        terminal = Terminal(self, command, COLUMNS, KINDS | environment)
        terminal.until("(connected)")
        return terminal

    def leave(self, *terminals: Terminal) -> None:
        """They leave with ``/quit``: exit code 0, nothing of the prompt is left, the terminal is as it was."""
        for terminal in terminals:
            terminal.type("/quit\r")
            self.assertEqual(terminal.finish(), 0, terminal.text)
            self.until_gone(terminal, "(connected)")
            self.assertNotIn("Traceback", terminal.text)
            self.check_given_back(terminal)

    def check_given_back(self, terminal: Terminal) -> None:
        """The terminal is as it was."""
        deadline = time.monotonic() + SECONDS
        while BRACKETED_PASTE in terminal.screen.mode and time.monotonic() < deadline:
            terminal.read()
        self.assertNotIn(BRACKETED_PASTE, terminal.screen.mode)
        self.assertFalse(terminal.screen.cursor.hidden)

    def until_gone(self, terminal: Terminal, words: str) -> None:
        """Waits until these words are not on the screen any more."""
        deadline = time.monotonic() + SECONDS
        while words in terminal.text:
            self.assertLess(time.monotonic(), deadline, f"{words!r} stays:\n{terminal.text}")
            terminal.read()

    def count(self, terminal: Terminal, pattern: str) -> int:
        """How many rows of the screen fit."""
        return sum(re.search(pattern, row) is not None for row in terminal.text.splitlines())

    def test_register_and_talk(self) -> None:
        """A newcomer answers the questions and stands in the lobby; two people talk; each line stands there once."""
        link = format_link(parse_link(self.invite()))
        alice = self.open("alice")
        dora = Terminal(self, [*CLIENT, "--no-seal", "--profile", "dora"], COLUMNS, KINDS)
        for question, answer in (
            ("Paste the chatserv:// link", f"<{link[:100]}\r\n  {link[100:]}>."),  # as a mail has broken it
            ("Are you new here", ""),
            ("User name:", "bob"),
            ("Password:", PASSWORD),
            ("Once more:", PASSWORD),
            ("This name is taken", "dora"),  # the password is kept
            ("To save it as a file", ""),
            ("Type the code once more", ""),
        ):
            dora.until(question)
            arguments = Path(f"/proc/{dora.process.pid}/cmdline").read_bytes()
            self.assertNotIn(b"chatserv://", arguments)  # every user of the machine can read them
            if answer == "dora":
                self.assertEqual(self.count(dora, "Once more:"), 1)
            dora.type(answer + "\r")
        dora.until("[1:#lobby]")
        dora.until("Connected as dora")
        self.assertNotIn(PASSWORD, dora.text)
        alice.until("dora joined")
        dora.type("hello ali\t")  # completed to the name of a member
        dora.until("hello alice")
        dora.type("\r")
        alice.until("] <dora> hello alice")
        dora.until("] <dora> hello alice")
        alice.type("wel\x17welcome\r")
        dora.until("] <alice> welcome")
        alice.until("] <alice> welcome")
        for terminal in (alice, dora):
            self.assertEqual(self.count(terminal, r"^\[\d\d:\d\d\] <dora> hello alice"), 1)
            self.assertEqual(self.count(terminal, r"^\[\d\d:\d\d\] <alice> welcome"), 1)
            self.assertEqual(self.count(terminal, "hello"), 1)
        day = r"^── \w+day, \d+ \w+ \d{4} ──$"
        self.assertEqual(self.count(dora, day), 1)
        self.assertLessEqual(self.count(alice, day), 1)  # behind much that was said before, it is off the screen
        alice.type("/kick dora\r")
        dora.until("alice removed you from #lobby")
        dora.type(CTRL_D)
        self.assertEqual(dora.finish(), 0)
        self.leave(alice)

    def test_interrupted_question(self) -> None:
        """Ctrl-C at a question ends the program before anything is drawn."""
        eve = Terminal(self, [*CLIENT, "--no-seal", "--profile", "eve", self.server.link()], COLUMNS, KINDS)
        eve.until("Are you new here")
        eve.type("n\r")
        eve.until("User name:")
        eve.type("eve\r")
        eve.until("Password:")
        eve.type(CTRL_C)
        self.assertEqual(eve.finish(), 130)
        self.assertIn("Interrupted.", eve.text)
        self.assertNotIn("Traceback", eve.text)

    def test_failed(self) -> None:
        """A message that the server does not take stands above the prompt, until it is sent again or given up."""
        alice, bob = self.open("alice"), self.open("bob")
        alice.type("/server-mute bob\r")
        alice.until("bob is muted on the server.")
        bob.type("not taken\r")
        bob.until("✗ <bob> not taken")
        bob.until("/resend or /discard: You are muted")
        bob.type("/discard\r")
        self.until_gone(bob, "not taken")
        bob.type("taken later\r")
        bob.until("✗ <bob> taken later")
        alice.type("/server-unmute bob\r")
        alice.until("bob is no longer muted on the server.")
        bob.type("/resend\r")
        alice.until("] <bob> taken later")
        bob.until("] <bob> taken later")
        self.until_gone(bob, "✗")
        self.assertEqual(self.count(bob, "taken later"), 1)
        self.leave(alice, bob)

    def test_rooms(self) -> None:
        """What is said elsewhere is counted and called out without its text; Alt and a digit go there; two people verify."""
        alice, bob = self.open("alice"), self.open("bob")
        alice.type("/create attic\r")
        alice.until(":#attic]")
        alice.type("/invite bo\t\r")
        bob.until("alice invites you")
        bob.type("/accept\r")
        bob.until("[2:#attic]")
        bob.type(ALT_1)
        bob.until("[1:#lobby]")
        alice.type("the first\r")
        bob.until("2:#attic (1)")
        alice.type("@bob in the attic\r")
        bob.until("2:#attic (2!)")
        bob.until("alice mentioned you in #attic: Alt+2")
        self.assertNotIn("in the attic", bob.text)
        bob.type(ALT_2)
        bob.until("<alice> @bob in the attic")
        bob.until("[2:#attic]")
        rows = bob.text.splitlines()
        first = next(at for at, row in enumerate(rows) if row.endswith("<alice> the first"))
        self.assertEqual(rows[first - 1], "── new ──")
        bob.type(ALT_1)
        bob.until("[1:#lobby] 2:#attic")
        bob.type("/verify alice\r")
        bob.until("/verify alice yes")
        self.assertEqual(self.count(bob, r"^  (\d{5} ){3}\d{5}$"), 3)  # all digits are on the screen, below the code
        bob.type("/verify alice yes\r")
        bob.until("alice is verified.")
        alice.type("/verify bob\r")
        alice.until("/verify bob yes")
        self.assertGreater(self.count(alice, "^█[█▀▄ ]+█$"), 10)  # the QR code
        alice.type("/verify bob yes\r")
        alice.until("bob is verified.")
        alice.type("/kick bob\r")
        bob.until("alice removed you from #attic.")
        self.until_gone(bob, "2:#attic")
        self.leave(alice, bob)

    def test_drafts(self) -> None:
        """A line that was begun in a room stays there while one looks elsewhere."""
        alice = self.open("alice")
        alice.type("/create den\r")
        alice.until("#den>")
        alice.type("only for the den")
        alice.until("#den> only for the den")
        alice.type(ALT_1)
        alice.until("[1:#lobby]")
        self.until_gone(alice, "only for the den")
        alice.type("anybody here\r")
        alice.until("] <alice> anybody here")
        alice.type("/room #den\r")
        alice.until("#den> only for the den")
        alice.type("\r")
        alice.until("] <alice> only for the den")
        self.assert_log("bob", "lobby", "anybody here", "only for the den")
        alice.type("/part yes\r")
        alice.until("[1:#lobby]")
        self.leave(alice)

    def assert_log(self, user: str, room: str, there: str, not_there: str) -> None:
        """What somebody reads in a room."""
        log = self.client(user, "--room", room, "--command", "/log").stdout
        self.assertIn(there, log)
        self.assertNotIn(not_there, log)

    def test_suspended(self) -> None:
        """Ctrl-Z gives the terminal to the shell, as it was; after ``fg`` the prompt stands there with what was typed."""
        command = shlex.join(client_command(self.directory, "bob"))
        shell = Terminal(
            self, ["/bin/bash", "--norc", "--noprofile", "--noediting"], COLUMNS, KINDS | {"PS1": "shell: "}
        )
        shell.until("shell:")
        shell.type(f"{command}\r")
        shell.until("(connected)")
        shell.type("half a li")
        shell.until("#lobby> half a li")
        shell.type(CTRL_Z)
        shell.until("Stopped")
        self.check_given_back(shell)
        shell.type("echo it is$((1+1))\r")
        shell.until("it is2")
        self.assertNotIn("(connected)", shell.text)
        shell.type("fg\r")
        shell.until("#lobby> half a li")
        shell.until("(connected)")
        shell.type("ne\r")
        shell.until("] <bob> half a line")
        shell.type("/quit\r")
        self.until_gone(shell, "(connected)")
        shell.until("shell: ", last=True)  # before, what is typed goes with the terminal's old settings
        shell.type("exit\r")
        self.assertEqual(shell.finish(), 0)
        self.assertNotIn("Traceback", shell.text)

    def test_resized(self) -> None:
        """A terminal that breaks its rows anew keeps one prompt and one bar, however often its width changes."""
        if shutil.which("tmux") is None:
            raise SkipTest("not installed: tmux")
        socket = str(self.directory / "tmux")

        def tmux(*arguments: str) -> str:
            command = ["tmux", "-S", socket, "-f", "/dev/null", *arguments]
            environment = child_environment(self.directory) | KINDS | {"LC_ALL": "C.UTF-8"}
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

        def until(width: int, rows: int) -> None:
            deadline = time.monotonic() + SECONDS
            while True:
                shown = [row for row in tmux("capture-pane", "-p", "-t", "talk").splitlines() if row]
                whole = tmux("capture-pane", "-p", "-S", "-", "-t", "talk")
                prompt = next((at for at, row in enumerate(shown) if row.startswith("#lobby>")), len(shown))
                once = all(sum(word in row for row in shown) == 1 for word in ("#lobby>", "(connected)"))
                if once and len(shown) - prompt == rows + 1 and whole.count("Connected as alice") == 1:
                    return
                self.assertLess(time.monotonic(), deadline, (width, shown))
                time.sleep(0.1)

        command = shlex.join(client_command(self.directory, "alice"))
        place = ["-x", "80", "-y", "24"]
        tmux("new-session", "-d", "-s", "talk", *place, command)
        self.addCleanup(tmux, "kill-server")
        until(80, 1)
        draft = "a line that goes on and on, " + "over the edge " * 4
        tmux("send-keys", "-t", "talk", "-l", draft)
        until(80, 2)
        drawn = self.directory / "drawn"
        drawn.touch()
        tmux("pipe-pane", "-O", "-t", "talk", f"cat >>{shlex.quote(str(drawn))}")
        for width in (100, 60, 40, 80, 50, 120, 44, 80):
            os.truncate(drawn, 0)
            tmux("resize-window", "-t", "talk", "-x", str(width), "-y", "24")
            self.assertTrue(wait_until(lambda: drawn.stat().st_size > 0), "not drawn anew")
            until(width, -(-len("#lobby> " + draft) // width))  # and nothing more was erased

    def test_connection(self) -> None:
        """A lost connection is told; what is typed meanwhile waits above the prompt, and comes once when it is back."""
        alice, bob = self.open("alice"), self.open("bob")
        self.server.kill()
        for terminal in (alice, bob):
            terminal.until("Connection lost. Trying again...")
            terminal.until("(no connection)")
        bob.type("typed meanwhile\r")
        bob.until("… <bob> typed meanwhile")
        self.assertEqual(self.count(bob, "typed meanwhile"), 1)
        self.server.start()
        alice.until("<bob> typed meanwhile")
        for terminal in (alice, bob):
            terminal.until("Connected again.")
            terminal.until("] <bob> typed meanwhile")
            self.assertEqual(self.count(terminal, r"^\[\d\d:\d\d\] <bob> typed meanwhile"), 1)
            self.assertEqual(self.count(terminal, "typed meanwhile"), 1)
        self.leave(alice, bob)

    def test_hostile(self) -> None:
        """What a peer sends moves no cursor, sets no title, forges no line."""
        alice = self.open("alice")
        title = alice.screen.title
        hostile = "\x1b]2;owned\x07\x1b[2J\x1b[H\x9b31m\x1b[?25l evil \u202e\x1b]52;c;eA==\x07"
        self.assert_exit(self.client("bob", "--send", typed=f"{hostile}\nharmless\n"), 0)
        alice.until("<bob> harmless")
        self.assertEqual((alice.screen.title, alice.screen.icon_name), (title, ""))
        self.assertEqual(self.count(alice, r"^\[\d\d:\d\d\] <bob> \ufffd\]2;owned\ufffd\ufffd\[2J\ufffd\[H.* evil"), 1)
        self.assertIn("Connected as alice", alice.text)  # nothing was cleared
        alice.type("typed")
        alice.until("#lobby> typed")
        row = next(at for at, text in enumerate(alice.screen.display) if text.startswith("#lobby> typed"))
        self.assertEqual((alice.screen.cursor.y, alice.screen.cursor.x), (row, len("#lobby> typed")))
        alice.type(CTRL_C)
        self.until_gone(alice, "#lobby> typed")
        self.leave(alice)

    def test_notifications(self) -> None:
        """A mention is shown on the desktop, without its text, and so is the next one; no program's arguments tell of it."""
        tool, told = self.directory / "tools" / "notify-send", self.directory / "told"
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f'#!/bin/sh\necho "$*" >> {shlex.quote(str(told))}\n')
        tool.chmod(0o755)
        there = {"PATH": f"{tool.parent}:{os.environ['PATH']}", "DISPLAY": ":nowhere"}
        with NotificationBus(self.directory / "bus") as bus:
            alice = self.open("alice", **there, DBUS_SESSION_BUS_ADDRESS=bus.address)
            bob = self.open("bob")
            self.mention(bob, lambda: len(bus.shown) > 1)
            self.leave(alice)
        self.assertEqual([call[3:5] for call in bus.shown[:2]], [("bob mentioned you", "#lobby")] * 2)
        self.assertFalse(told.exists())
        alice = self.open("alice", **there)  # without a bus
        # The tool makes it before it writes.
        self.mention(bob, lambda: told.exists() and told.read_text().endswith("\n"))
        self.assertEqual(
            set(told.read_text().splitlines()), {"--app-name=chatserv -- chatserv You have a new message or mention."}
        )
        self.leave(alice, bob)

    def mention(self, bob: Terminal, seen: Callable[[], bool]) -> None:
        """Bob calls alice until it was seen."""
        deadline = time.monotonic() + SECONDS
        while not seen():
            self.assertLess(time.monotonic(), deadline)
            bob.type("@alice a secret\r")
            bob.until("] <bob> @alice")
            time.sleep(1)

    def test_paste(self) -> None:
        """Several pasted lines are one message, and are shown as lines; what is long is folded, and shown whole."""
        alice = self.open("alice")
        alice.type("\x1b[200~pasted 1\rpasted 2\r/pasted 3\x1b[201~")
        alice.until("3 lines: Return sends them as one message")
        alice.type("\r")
        alice.until("        /pasted 3")
        rows = [row[8:] for row in alice.text.splitlines() if "pasted" in row]
        self.assertEqual(rows, ["pasted 1", "pasted 2", "/pasted 3"])
        alice.type("\x1b[200~" + "".join(f"line {number}\r" for number in range(20)) + "\x1b[201~\r")
        alice.until("… 8 more lines: /show ")
        alice.type(f"/show {alice.text.rpartition('/show ')[2].split()[0]}\r")
        alice.until("        line 19")
        self.leave(alice)

    def test_without_colours(self) -> None:
        """``NO_COLOR`` switches colours off, in QR codes too; Ctrl-C twice leaves; ``TERM=dumb`` gets plain lines."""
        alice = self.open("alice", NO_COLOR="1")
        alice.type("/verify bob\r")
        alice.until("/verify bob yes")
        colours = {cell.fg for row in alice.screen.buffer.values() for cell in row.values()}
        self.assertEqual(colours, {"default"})
        alice.type(CTRL_C)
        alice.until("Press Ctrl-C again to quit.")
        alice.type(CTRL_C)
        self.assertEqual(alice.finish(), 130)
        plain = Terminal(self, client_command(self.directory, "alice"), COLUMNS, KINDS | {"TERM": "dumb"})
        plain.until("Connected to #lobby as alice")
        self.assertNotIn("1:#lobby", plain.text)

    def test_terminated(self) -> None:
        """A second terminal of one profile shows the same; SIGTERM ends the first, gives it back, and the other goes on."""
        alice = self.open("alice")
        second = self.open("alice")
        second.type("from the second\r")
        alice.until("] <alice> from the second")
        os.kill(alice.process.pid, 15)
        self.assertEqual(alice.finish(), 130)
        self.check_given_back(alice)
        second.type("still here\r")
        second.until("] <alice> still here")
        self.leave(second)
