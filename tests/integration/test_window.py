"""The real window on a screen of its own, driven by keys, against a real server; its peer is the real stdio client."""

import atexit
import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatserv.testing.demo.stage import wait_until
from chatserv.testing.display import Display
from chatserv.testing.processes import (
    PASSWORD,
    ServerProgram,
    child_environment,
    client_command,
    free_port,
    register_two,
    run_client,
)
from clients.window.dialogs.approval import HOLD_SECONDS
from tests.integration.window_driver import SECONDS, TO_CHAT, TO_MEMBERS, Clipboard, WindowDriver, why_not

LOOK_SECONDS = 3.0  # before a menu is opened once more


class Stage:
    """A screen, and a server with alice, its administrator, and bob. Made once, for all tests."""

    current: ClassVar["Stage | None"] = None

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.server = ServerProgram(self.directory)
        self.display = Display(manager=True)

    def start(self) -> None:
        """Starts everything."""
        self.display.start()
        self.clipboard = Clipboard(self.display)
        self.server.start()
        register_two(self.server, "alice", "bob")

    def stop(self) -> None:
        """Ends everything and forgets it."""
        self.server.stop()
        self.display.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @classmethod
    def get(cls) -> "Stage":
        """The one that there is."""
        if cls.current is None:
            cls.current = cls()
            atexit.register(cls.current.stop)
            cls.current.start()
        return cls.current


class WindowTestCase(SynchronousTestCase):
    """Drives windows."""

    def setUp(self) -> None:
        """The stage."""
        reason = why_not()
        if reason:
            raise SkipTest(reason)
        stage = Stage.get()
        self.server, self.directory, self.display, self.clipboard = (
            stage.server, stage.directory, stage.display, stage.clipboard,
        )  # fmt: skip

    def window(self, *arguments: str) -> WindowDriver:
        """A window; it is ended with the test."""
        window = WindowDriver(self.display, self.clipboard, self.directory, *arguments)
        self.addCleanup(window.end)
        return window

    def offline(self) -> WindowDriver:
        """Alice's window, which shows what is kept and does not connect."""
        window = self.window("--profile", "alice", "--offline")
        window.wait_title("alice - chatserv$")
        return window

    def serve(self) -> None:
        """Starts the server again, where it was stopped."""
        if self.server.code is not None:
            self.server.start()

    def connected(self, *arguments: str) -> WindowDriver:
        """Alice's window, connected, with the keyboard in the field."""
        window = self.window("--profile", "alice", *arguments)
        window.wait_title("alice - chatserv$")
        window.wait_chat("Connected to")
        return window

    def bob(self, *arguments: str, typed: str = "") -> str:
        """Runs the peer to its end."""
        return run_client(self.directory, "bob", *arguments, typed=typed)

    def read_as_bob(self, last: str, room: str = "lobby") -> list[dict[str, Any]]:
        """What bob has not read yet, up to the message with this text."""
        command = client_command(self.directory, "bob", "--follow", "--json", "--room", room)
        process = subprocess.Popen(
            command, cwd=self.directory, env=child_environment(self.directory), stdout=subprocess.PIPE, text=True
        )
        patience = threading.Timer(SECONDS, process.kill)
        patience.start()
        records: list[dict[str, Any]] = []
        try:
            for line in process.stdout or ():
                records.append(json.loads(line))
                if records[-1]["text"] == last:
                    return records
        finally:
            patience.cancel()
            process.terminate()
            process.wait(SECONDS)
            if process.stdout is not None:
                process.stdout.close()
        raise AssertionError(f"bob does not get {last!r}: {records}")


class RegisterTests(WindowTestCase):
    """From a link to the first message."""

    def skip_code(self, window: WindowDriver) -> None:
        """The recovery code is shown, asked for, not entered, and that is warned of."""
        for title, key in (("", "Return"), (", once more", "Escape")):
            window.wait_title(f"^Recovery code{title}$")
            window.keys(key)
        window.wait_title("^No recovery code$")
        window.keys("Return")

    def test_somebody_without_an_account_pastes_a_link_registers_and_talks(self) -> None:
        """Connect without an account asks for a link, the link for name and password; then messages go both ways."""
        invite = run_client(self.directory, "alice", "--invite").strip()
        window = self.window("--profile", "carol")
        window.wait_title("^chatserv$")
        window.keys("Return")
        window.wait_title("^Use a link$")
        window.paste(invite)
        window.keys("Return")
        window.wait_title("^Your account$")
        window.keys("Return")
        window.wait_title("^Register$")
        window.type("carol")
        window.keys("Tab")
        window.type(PASSWORD)
        window.keys("Tab")
        window.type("something else")
        window.keys("Return")
        window.wait_title("^Register$")
        window.keys("ctrl+a")
        window.say(PASSWORD)
        self.skip_code(window)
        window.wait_title("^#lobby - carol - chatserv$")
        window.say("hello from the window")
        self.assertEqual(self.read_as_bob("hello from the window")[-1]["sender"], "carol")
        self.bob("--send", typed="hello yourself 🙂 \x1b[31mred\n")
        chat = window.wait_chat(r"\[\d\d:\d\d\] <bob> hello yourself 🙂 \ufffd\[31mred$")
        self.assertRegex(chat, r"<carol> hello from the window ✓\n")

    def test_a_link_on_the_command_line_fills_the_fields_and_a_name_that_is_taken_is_told_in_the_dialog(self) -> None:
        """The server's refusal leaves the dialog open, for another name."""
        invite = run_client(self.directory, "alice", "--invite").strip()
        window = self.window("--profile", "dora", invite)
        window.wait_title("^Your account$")
        window.keys("Return")
        window.wait_title("^Register$")
        for text in ("bob", PASSWORD, PASSWORD):
            window.type(text)
            window.keys("Tab")
        window.keys("Return")
        window.wait(lambda: window.copied() == "bob", "a field with the name that was refused")
        window.wait_title("^Register$")
        for text in ("dora", PASSWORD, PASSWORD):
            window.keys("ctrl+a")
            window.type(text)
            window.keys("Tab")
        window.keys("Return")
        self.skip_code(window)
        window.wait_title("^#lobby - dora - chatserv$")


class AnotherDeviceTests(WindowTestCase):
    """Alice at two machines."""

    def test_approval(self) -> None:
        """The new window shows words, the old one the same; approved there and confirmed here, it is in her rooms."""
        old = self.connected()
        new = self.window("--profile", "tablet", self.server.link())
        new.ask_another_device("alice", PASSWORD)
        old.go_to("^A new device$")
        time.sleep(HOLD_SECONDS + 1)  # before that it takes no answer
        old.keys("Tab", "Tab", "Return")
        old.wait_gone("^A new device$")  # or it takes the keyboard back while the other window is asked
        new.go_to("^Compare the words$")
        new.keys("Down", "Return")
        new.wait(lambda: self.devices() == 2, "second device")
        run_client(self.directory, "tablet", "--send", typed="said on the tablet\n")
        self.assertEqual(self.read_as_bob("said on the tablet")[-1]["sender"], "alice")

    def devices(self) -> int:
        """How many alice has."""
        said = run_client(self.directory, "alice", "--command", "/devices")
        return len(re.findall("since", said))


class TalkTests(WindowTestCase):
    """A connection, with all that can become of it."""

    def test_a_server_that_is_away_is_waited_for(self) -> None:
        """What was said is there to be read meanwhile, and what is written goes out when it is back."""
        window = self.connected()
        window.say("before the night")
        window.wait_chat("<alice> before the night ✓$")
        window.keys("ctrl+q")
        window.wait_end()
        self.server.kill()
        self.addCleanup(self.serve)
        window = self.window("--profile", "alice")
        window.wait_title("alice - chatserv$")
        window.wait_chat("<alice> before the night ✓$")
        window.keys("Escape")
        window.say("in the morning")
        window.wait_chat("<alice> in the morning …$")
        self.server.start()
        window.wait_chat("<alice> in the morning ✓$")

    def test_a_connection_that_is_lost_is_resumed(self) -> None:
        """What is written while the server is away is shown as being sent, and arrives once it is back."""
        window = self.connected()
        window.say("before the crash")
        window.wait_chat("<alice> before the crash ✓$")
        self.server.kill()
        self.addCleanup(self.serve)
        window.say("while it is away")
        window.wait_chat("<alice> while it is away …$")
        self.server.start()
        texts = [record["text"] for record in self.read_as_bob("while it is away")]
        self.assertEqual(texts[-2:], ["before the crash", "while it is away"])
        chat = window.wait_chat("<alice> while it is away ✓$")
        self.assertEqual(chat.count("while it is away"), 1)

    def test_somebody_is_verified_by_their_number(self) -> None:
        """The members' menu opens the dialog; the number that the other one sees makes them verified."""
        shown = self.bob("--command", "/verify alice")
        number = "".join(re.findall(r"\b\d{5}\b", shown))
        self.assertEqual(len(number), 60)
        window = self.connected()
        self.open_by_menu(window, "v", "^Verify bob$")
        window.type("1" + number[1:] if number[0] != "1" else "2" + number[1:])
        window.keys("Return")
        self.assertEqual(window.wait_title("^Verify bob$"), "Verify bob")
        window.keys("ctrl+a")
        window.type(number)
        window.keys("Return")
        window.wait_title("alice - chatserv$")
        window.keys("Escape")
        window.wait_chat("bob is verified.$")

    @staticmethod
    def open_by_menu(window: WindowDriver, letter: str, title: str) -> None:
        """Chooses a line of the menu of bob, who is the first behind alice: again until his row is there."""

        def look() -> bool:
            window.keys("Escape", "Escape", *["F6"] * TO_MEMBERS, "Home", "Down", "shift+F10", letter)
            return wait_until(lambda: re.search(title, window.title) is not None, LOOK_SECONDS)

        window.wait(look, f"dialog {title}")

    def test_a_member_is_put_out_by_the_members_menu(self) -> None:
        """Kick asks first, and then the other one is not in the room any more."""
        window = self.connected()
        window.say("/create plans")
        window.wait_title("#plans - alice")  # with a count in front, where another test has said something
        window.say("/invite bob")
        window.wait_chat("alice added bob.$")
        self.bob("--command", "/accept")
        self.assertIn("#plans", self.bob("--command", "/list"))
        self.open_by_menu(window, "k", "^Kick$")
        window.keys("Return")
        window.wait_title("#plans - alice")
        window.keys("Escape")
        window.wait_chat("alice removed bob.$")
        self.assertNotIn("#plans", self.bob("--command", "/list"))

    def test_an_own_message_is_changed_and_taken_back_by_keys(self) -> None:
        """E on a message puts it into the field; Return sends the change. Delete asks, and takes it back."""
        window = self.connected()
        window.say("a typing eror")
        window.wait_chat("typing eror ✓$")

        def begin_to_change() -> bool:
            window.keys("Escape", *["F6"] * TO_CHAT, "End", "Up", "End", "e")
            return window.copied() == "a typing eror"

        window.wait(begin_to_change, "message in the field")
        window.keys("ctrl+a")
        window.say("a typing error")
        window.wait_chat(r"a typing error \(edited\) ✓$")
        window.keys(*["F6"] * TO_CHAT, "End", "Delete")
        window.wait_title("^Delete$")
        window.keys("Return")
        window.wait_title("alice - chatserv$")
        window.keys("Escape")
        window.wait_chat(r"<alice> \(deleted\) ✓$")


class EndTests(WindowTestCase):
    """How a window ends, and what it says where it cannot begin."""

    def test_a_bad_port_is_told(self) -> None:
        """What is no port opens a dialog, and nothing is connected."""
        window = self.offline()
        window.keys("shift+Tab", "ctrl+a")
        window.say("99999")
        window.wait_title("^Bad port$")
        window.keys("Escape")
        window.wait_title("alice - chatserv$")

    def test_a_port_where_nobody_listens_is_passed_over(self) -> None:
        """The server is looked for where it was last as well, and the window says where it was found."""
        window = self.offline()
        window.keys("shift+Tab", "ctrl+a")
        window.say(str(free_port()))
        window.wait_chat(f"Connected.*127.0.0.1:{self.server.port}")
        window.keys("alt+F4")
        self.assertEqual(window.wait_end(), (0, ""))

    def test_a_failed_connection_is_told_once_and_not_tried_for_ever(self) -> None:
        """Where nobody listens, neither there nor where the server was last, a dialog says so; the next start finds it."""
        window = self.offline()
        self.server.stop()
        self.addCleanup(self.serve)
        window.keys("shift+Tab", "ctrl+a")
        window.say(str(free_port()))
        window.wait_title("^Connection failed$")
        window.keys("Return")
        window.wait_title("alice - chatserv$")
        window.keys("alt+F4")
        self.assertEqual(window.wait_end(), (0, ""))
        self.serve()
        again = self.connected()
        again.keys("ctrl+q")
        self.assertEqual(again.wait_end(), (0, ""))

    def test_a_window_that_is_closed_while_connected_says_goodbye(self) -> None:
        """The program ends with 0, and the server tells that alice left."""
        window = self.connected()
        before = self.ends()
        window.keys("alt+F4")
        self.assertEqual(window.wait_end(), (0, ""))
        self.assertTrue(wait_until(lambda: self.ends() != before))  # the server hears of it in its own time
        (last,) = self.ends()[len(before) :]
        self.assertIn("left (0)", last)

    def ends(self) -> list[str]:
        """What the server has noted of ends of connections of alice's."""
        log = (self.server.state / "logs" / "connections.log").read_text()
        return re.findall("^.*alice disconnected.*\n", log, re.MULTILINE)

    def test_a_window_that_is_closed_while_it_connects_ends(self) -> None:
        """A server that never answers keeps nobody."""
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
            window = self.offline()
            window.keys("shift+Tab", "ctrl+a")
            window.say(str(silent.getsockname()[1]))
            silent.settimeout(SECONDS)
            connection, _ = silent.accept()
            window.keys("alt+F4")
            self.assertEqual(window.wait_end(), (0, ""))
            connection.close()

    def test_a_window_without_a_screen_says_so(self) -> None:
        """The exit code is 2, and the text names the screen."""
        environment = {key: value for key, value in child_environment(self.directory).items() if key != "DISPLAY"}
        done = subprocess.run(
            [sys.executable, "-m", "clients.window.main"],
            env=environment, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 2)
        self.assertIn("There is no screen", done.stderr)
