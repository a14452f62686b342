"""The window program on a screen of its own: keys go in, and what can be seen or copied comes out."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from chatserv.testing.display import Display, missing
from chatserv.testing.processes import child_environment

T = TypeVar("T")
PROGRAM: Final = (sys.executable, "-m", "clients.window.main")
SECONDS: Final = 30.0
COPY_SECONDS = 2.0
PAUSE_SECONDS: Final = 0.05
TO_ROOMS, TO_CHAT, TO_MEMBERS = 1, 2, 3  # how often F6 goes from the field to there


def why_not() -> str:
    """Why no window can be driven here; empty where one can."""
    lacking = missing("Xvfb", "openbox", "xdotool")
    try:
        import tkinter  # noqa: F401
    except ImportError:
        lacking.append("tkinter (python3-tk)")
    return f"not installed: {', '.join(lacking)}" if lacking else ""


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
        self._clipboard.put(text)
        self.keys("ctrl+v")
        for _ in range(10):
            self._clipboard.serve()
            time.sleep(PAUSE_SECONDS)

    # -- what can be seen ----------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """Of the active window."""
        return self._xdotool("getactivewindow", "getwindowname")

    def wait_title(self, pattern: str) -> str:
        """Waits until the active window's title matches."""
        return self.wait(lambda: self.title if re.search(pattern, self.title) else "", f"a window {pattern!r}")

    def copied(self) -> str:
        """What stands in the field where the keyboard is; empty where it is in none."""
        self._clipboard.put("")
        self.keys("ctrl+a", "ctrl+c")
        time.sleep(PAUSE_SECONDS)
        return self._clipboard.get()

    def chat(self) -> str:
        """All that stands in the conversation, copied with keys; the keyboard is in the field before and afterwards."""

        def copy() -> str:
            """Tries; the window may have put the keyboard elsewhere in this moment, as it does when it is connected."""
            self._clipboard.put("-")
            self.keys(*["F6"] * TO_CHAT, "ctrl+a", "ctrl+c")
            until = time.monotonic() + COPY_SECONDS
            while (text := self._clipboard.get()) == "-" and time.monotonic() < until:
                time.sleep(PAUSE_SECONDS)
            self.keys("Escape")
            return "" if text == "-" else text

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
