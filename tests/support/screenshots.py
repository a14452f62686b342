"""Pictures of the clients for the documents: ``make screenshots`` (needs Xvfb, openbox, xdotool, xterm and ImageMagick).

Everything on them is real: a server, two accounts, and the program on a screen without a monitor, driven by keys.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from chatserv.testing.display import Display, missing
from chatserv.testing.processes import CLIENT, PASSWORD, ServerProgram, child_environment, client_command, run_client
from clients.window.settings import FILE_NAME
from tests.integration.window_driver import TO_MEMBERS, Clipboard, WindowDriver, why_not

DIRECTORY: Final = Path("docs/images")
SETTLE_SECONDS: Final = 1.5
MAX_BYTES: Final = 200_000

TERMINAL: Final = (
    "xterm", "-geometry", "80x24", "-fa", "DejaVu Sans Mono", "-fs", "11", "-bg", "#15181d", "-fg", "#e6e6e6", "-b", "6",
    "+sb", "-T", "chatserv-client", "-e",
)  # fmt: skip
KEYS_SECONDS: Final = 0.6
REGISTER_SECONDS: Final = 12.0  # until the recovery code is on the screen

SIZES: Final = ((1000, 1.0), (640, 1.0), (500, 1.0), (1000, 1.5), (640, 1.5), (500, 1.5))
HEIGHT: Final = 560
LANGUAGES: Final = ("en", "es")

TALK: Final = (
    ("alice", "Good morning! The new server is up."),
    ("bob", "That was quick. Who can read this?"),
    ("alice", "You and me: https://example.org/how says why. The server stores it and cannot open it."),
    ("bob", "@alice and when it is down?"),
    ("alice", "Then your messages wait, and go out when it is back."),
)


class Pictures:
    """Takes them, one after the other.

    Args:
        directory: For server and profiles.
        target: For the pictures.
        display: The screen.
    """

    def __init__(self, directory: Path, target: Path, display: Display) -> None:
        self._directory, self._target, self._display = directory, target, display
        self._clipboard = Clipboard(display)

    def window(self, *arguments: str) -> WindowDriver:
        """A window that is there."""
        return WindowDriver(self._display, self._clipboard, self._directory, *arguments)

    def take(self, name: str) -> None:
        """What can be seen of the main window and its dialogs."""
        time.sleep(SETTLE_SECONDS)
        path = self._target / f"{name}.png"
        whole = self._directory / "whole.png"
        self._display.screenshot(whole)
        reduce = ["-trim", "+repage", "+dither", "-colors", "96", "-strip"]
        subprocess.run(["convert", str(whole), *reduce, f"PNG8:{path}"], check=True)
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SystemExit(f"{path}: {size} bytes, at most {MAX_BYTES}")
        print(f"{path}: {size} bytes")

    def register(self, link: str) -> None:
        """The first minute."""
        window = self.window("--profile", "dora")
        window.wait_title("^chatserv$")
        self.take("window-welcome")
        window.end()
        window = self.window("--profile", "dora", link)
        window.wait_title("^Your account$")
        window.keys("Return")
        window.wait_title("^Register$")
        for text in ("dora", PASSWORD, PASSWORD):
            window.type(text)
            window.keys("Tab")
        self.take("window-register")
        window.keys("shift+Tab", "Return")
        window.wait_title("^Recovery code$")
        self.take("window-recovery-code")
        window.keys("Escape", "Escape")
        window.end()

    def approval(self, link: str) -> None:
        """A second device, and the first one that lets it in: the same words on both."""
        place = ("xdotool", "getactivewindow", "windowmove", "--sync")
        old = self.window("--profile", "alice")
        old.wait_title("alice - chatserv$")
        self._run(*place, "0", "0")
        new = self.window("--profile", "tablet", link)
        new.ask_another_device("alice", PASSWORD)
        old.go_to("^A new device$")
        self._run(*place, "60", "150")
        new.go_to("^Approve this device$")
        self._run(*place, "640", "150")
        self.take("window-approval")
        for window in (new, old):
            window.end()

    def _run(self, *command: str) -> None:
        subprocess.run(command, env={**child_environment(self._directory), **self._display.environment}, check=True)

    def terminal(self, link: str) -> None:
        """The terminal client: the first minute, then a conversation."""
        environment = {**child_environment(self._directory), **self._display.environment, "TERM": "xterm-256color"}
        command = [*TERMINAL, *CLIENT, "--no-seal", "--profile", "erin", link]
        shell = subprocess.Popen(command, env=environment, cwd=self._directory)
        try:
            time.sleep(2 * SETTLE_SECONDS)
            for text in ("n", "erin", PASSWORD, PASSWORD):
                self._type(text)
            time.sleep(REGISTER_SECONDS)
            for _skipped in ("the file", "the code once more"):
                self._type("")
            time.sleep(2 * SETTLE_SECONDS)
            self.take("terminal-register")
            run_client(self._directory, "bob", "--send", typed="Welcome, @erin! Any room you like.\n")
            for text in ("Thank you. What did I miss?", "/create kitchen what is for lunch", "/invite bob"):
                self._type(text)
            run_client(self._directory, "carol", "--send", typed="See you at noon, @erin.\n")
            self._type("Soup or salad today?")
            self._type("/in", entered=False)
            self.take("terminal")
            if shell.poll() is not None:
                raise SystemExit("the terminal client has ended: it has asked for something else than was typed")
        finally:
            shell.terminate()
            shell.wait()

    def _type(self, text: str, *, entered: bool = True) -> None:
        self._run("xdotool", "type", "--delay", "8", text + ("\n" if entered else "\t"))
        time.sleep(KEYS_SECONDS)

    def talk(self) -> None:
        """A conversation, in both themes, and the dialog that verifies somebody."""
        window = self.window("--profile", "alice", "--theme", "light")
        window.wait_title("alice - chatserv$")
        window.wait_chat("Connected to")
        window.say("/create plans what we do next")
        window.wait_title("^#plans")
        window.say("/invite bob")
        window.wait_chat("bob")
        window.say("/msg carol")
        window.wait_title("^@carol")
        window.keys("alt+2")
        window.wait_title("^#lobby")
        bob = subprocess.Popen(
            client_command(self._directory, "bob", "--send"),
            env=child_environment(self._directory), stdin=subprocess.PIPE, text=True,
        )  # fmt: skip
        for user, text in TALK:
            if user == "alice" or bob.stdin is None:
                window.say(text)
            else:
                print(text, file=bob.stdin, flush=True)
            window.wait_chat(re.escape(text))
        run_client(self._directory, "carol", "--command", "/react -1 ❤")
        run_client(self._directory, "carol", "--command", "/reply -1 That is how it should be.")
        window.wait_chat("how it should be")
        run_client(self._directory, "carol", "--command", "/accept @alice")
        run_client(self._directory, "carol", "--command", "/msg alice Have you seen this?")
        self.take("window-light")
        window.keys(*["F6"] * TO_MEMBERS, "Home", "Down", "shift+F10", "v")
        window.wait_title("^Verify bob$")
        self.take("window-verify")
        window.keys("Escape", "alt+v", "d", "Escape")
        self.take("window-dark")
        window.keys("ctrl+q")
        window.wait_end()
        bob.terminate()
        bob.wait()

    def sizes(self) -> None:
        """The same conversation in small windows, at a larger scale, and in Spanish."""
        for width, scale in SIZES:
            for language in LANGUAGES:
                settings = next(self._directory.rglob("alice/keyring.json")).with_name(FILE_NAME)
                settings.write_text(json.dumps({"width": width, "height": HEIGHT, "scale": scale}), encoding="utf-8")
                window = WindowDriver(
                    self._display, self._clipboard, self._directory, "--profile", "alice", language=language
                )
                window.wait_title("alice - chatserv$")
                self.take(f"window-{width}-{scale}-{language}")
                window.keys("ctrl+q")
                window.wait_end()


def main() -> int:
    """Takes all pictures. 1 where something that is needed is not installed."""
    parser = argparse.ArgumentParser(description="Takes pictures of the clients.")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where they go")
    target: Path = parser.parse_args().directory.absolute()
    lacking = why_not() or ", ".join(missing("import", "convert", "xterm"))
    if lacking:
        print(f"screenshots: {lacking}", file=sys.stderr)
        return 1
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, Display(manager=True) as display:
        directory = Path(name)
        with ServerProgram(directory) as server:
            run_client(directory, "alice", server.link(), "--send")
            invites = {
                user: run_client(directory, "alice", "--invite").strip() for user in ("bob", "carol", "dora", "erin")
            }
            for user in ("bob", "carol"):
                run_client(directory, user, invites[user], "--send")
            pictures = Pictures(directory, target, display)
            pictures.register(invites["dora"])
            pictures.talk()
            pictures.approval(server.link())
            pictures.sizes()
            pictures.terminal(invites["erin"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
