"""The window program on a screen of its own: keys go in, and what can be seen or copied comes out."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from chatserv.testing.display import Display, why_no_window
from chatserv.testing.processes import child_environment

T = TypeVar("T")
PROGRAM: Final = (sys.executable, "-m", "clients.window.main", "--no-seal")
SECONDS: Final = 120.0
AGAIN_SECONDS: Final = 5.0
COPY_SECONDS: Final = 2.0
NOTHING: Final = "-"
PAUSE_SECONDS: Final = 0.05
TO_ROOMS, TO_CHAT, TO_MEMBERS = 1, 2, 3  # how often F6 goes from the field to there


def why_not() -> str:
    """Why no window can be driven here; empty where one can."""
    return why_no_window("openbox", "xdotool")


class Clipboard:
    """The screen's clipboard, read and filled by a window of the test's own that is never shown.

    Args:
        display: Which screen.
    """

    def __init__(self, display: Display) -> None:
        import tkinter as tk

        with display.entered():
            self._tk, self._error = tk.Tk(), tk.TclError
        self._tk.withdraw()

    def get(self) -> str:
        """What is on it; empty for nothing."""
        self.serve()  # or we take ourselves for its owner still
        try:
            return str(self._tk.clipboard_get(type="UTF8_STRING"))
        except self._error:
            return ""

    def put(self, text: str) -> None:
        """Puts a text on it; others get it while `serve` is called."""
        self._tk.clipboard_clear()
        self._tk.clipboard_append(text)
        self.serve()

    def lend(self, text: str) -> Callable[[], bool]:
        """Puts a text on it, too; gives what serves, and tells whether somebody has taken it."""
        taken: list[str] = []

        def give(offset: str, length: str) -> str:
            taken.append(offset)
            return text[int(offset) : int(offset) + int(length)]

        def serve() -> bool:
            self.serve()
            return bool(taken)

        self._tk.clipboard_clear()  # or what `put` has left is given
        for kind in ("STRING", "UTF8_STRING"):  # or what was lent before is given
            self._tk.selection_handle(give, selection="CLIPBOARD", type=kind)
        self._tk.selection_own(selection="CLIPBOARD")
        self.serve()
        return serve

    def serve(self) -> None:
        """Answers who asks for it."""
        self._tk.update()

    def close(self) -> None:
        """Lets go of the screen."""
        self._tk.destroy()


class WindowDriver:
    """One run of the program.

    Args:
        display: The screen.
        clipboard: Its clipboard.
        directory: Where profiles are.
        arguments: Of the program.
        language: That it speaks.
    """

    def __init__(
        self, display: Display, clipboard: Clipboard, directory: Path, *arguments: str, language: str = "en"
    ) -> None:
        self._display, self._clipboard = display, clipboard
        self._environment = {
            **child_environment(directory),
            **display.environment,
            "LC_ALL": "C.UTF-8",
            "LANGUAGE": language,
        }
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments], cwd=directory, env=self._environment, stderr=subprocess.PIPE, text=True
        )

    def end(self) -> None:
        """Ends it, whatever it does; it must have had nothing to complain of."""
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stderr is not None and not self.process.stderr.closed:
            _, errors = self.process.communicate(timeout=SECONDS)
            if errors:
                raise AssertionError(f"the window has written:\n{errors}")

    def wait_end(self) -> tuple[int, str]:
        """Waits until it ends by itself. Returns its exit code and what it wrote to standard error."""
        _, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, errors

    # -- keys ----------------------------------------------------------------------------------------------------------

    def _xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self._environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return done.stdout.strip()

    def keys(self, *names: str) -> None:
        """Presses keys, such as ``Return`` or ``ctrl+a``."""
        self._xdotool("key", "--delay", "20", *names)

    def type(self, text: str) -> None:
        """Types a text."""
        self._xdotool("type", "--delay", "4", text)

    def say(self, text: str) -> None:
        """Types a line into the field, where the keyboard is, and sends it."""
        self.type(text)
        self.keys("Return")

    def paste(self, text: str) -> None:
        """Pastes a text from the clipboard."""
        is_taken = self._clipboard.lend(text)
        self.keys("ctrl+v")
        self.wait(is_taken, "one who takes what is pasted")

    # -- what can be seen ----------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """Of the active window; empty while the keyboard is still in another one, where the first letters would go."""
        active = self._xdotool("getactivewindow")
        return self._xdotool("getwindowname", active) if active and active == self._xdotool("getwindowfocus") else ""

    def go_to(self, title: str) -> None:
        """Makes the window of this title the active one, once it is there."""
        self.wait(lambda: self._xdotool("search", "--name", title), f"a window {title!r}")
        self._xdotool("search", "--name", title, "windowactivate", "--sync")
        self.wait_title(title)

    def wait_gone(self, title: str) -> None:
        """Waits until there is no window of this title; whoever it was has given the keyboard back by then."""
        self.wait(lambda: not self._xdotool("search", "--name", title), f"end of a window {title!r}")

    def ask_another_device(self, user: str, password: str) -> None:
        """At the first start: logs in to an account that there is, and asks another device of it for approval."""
        self.wait_title("^Your account$")
        self.keys("Down", "Return")
        self.wait_title("^Log in$")
        self.type(user)
        self.keys("Tab")
        self.say(password)
        self.wait_title("^Back into your account$")
        self.leave_by("Return", "^Back into your account$")

    def leave_by(self, key: str, title: str) -> None:
        """Presses a key until the window of this title has gone: Tk may not have the keyboard yet when X has."""
        pressed = 0.0

        def is_left() -> bool:
            nonlocal pressed
            if self.title and not re.search(title, self.title):
                return True
            if time.monotonic() > pressed + AGAIN_SECONDS:
                self.keys(key)
                pressed = time.monotonic()
            return False

        self.wait(is_left, f"end of {title!r}")

    def wait_title(self, pattern: str) -> str:
        """Waits until the active window's title matches."""
        return self.wait(lambda: found if re.search(pattern, found := self.title) else "", f"a window {pattern!r}")

    def copied(self) -> str:
        """What stands in the field where the keyboard is; empty where it is in none."""
        return self._copy("ctrl+a", "ctrl+c")

    def _copy(self, *names: str) -> str:
        """What these keys copy; empty where they copy nothing."""
        self._clipboard.put(NOTHING)
        self.keys(*names)
        until = time.monotonic() + COPY_SECONDS
        while (text := self._clipboard.get()) == NOTHING and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
        return "" if text == NOTHING else text

    def chat(self) -> str:
        """All that stands in the conversation, copied with keys; the keyboard is in the field before and afterwards."""

        def copy() -> str:
            """Tries; the window may have put the keyboard elsewhere in this moment, as it does when it is connected."""
            text = self._copy(*["F6"] * TO_CHAT, "ctrl+a", "ctrl+c")
            self.keys("Escape")
            return text

        return self.wait(copy, "a copy")

    def wait_chat(self, pattern: str) -> str:
        """Waits until the conversation matches; ``^`` and ``$`` are ends of lines."""
        last = ""

        def look() -> str:
            nonlocal last
            last = self.chat()
            return last if re.search(pattern, last, re.MULTILINE) else ""

        return self.wait(look, f"{pattern!r} in the conversation", lambda: last)

    def wait(self, look: Callable[[], T], what: str, more: Callable[[], str] = lambda: "") -> T:
        """Waits until there is something."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            if self.process.poll() is not None:
                raise AssertionError(f"the window has ended; wanted: {what}")
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"there is no {what}; the active window is {self.title!r}\n{more()}")
