"""How long a window stands still: while keys are made, while 10,000 messages come, and when it starts with as many kept.

The window is the real one on a screen without a monitor, against the real server; it is told to do what its buttons do.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from bench.options import Options
from bench.own_program import figures_of
from bench.server import BenchError
from chatserv.testing.display import Display
from chatserv.testing.processes import ServerProgram, run_client
from chatserv.testing.unlimited import unlimited

if TYPE_CHECKING:
    from clients.window.application import Application

MESSAGES: Final = 10_000
TICK_SECONDS: Final = 0.005
LIMIT_MS: Final = 50.0
PATIENCE_SECONDS: Final = 120.0
SETTLED_SECONDS: Final = 1.0  # nothing is drawn for so long: it is over
STACK_DEPTH: Final = 8
SETTINGS: Final = {
    "security": {"registration": "open"},
    "logging": {"level": "WARN"},
    "limits": unlimited(),  # somebody says 10,000 lines at once
}
NOBODY: Final = ("the-writer", "the-window")


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `window_figures`."""
    yield window_figures(options.directory)


def window_figures(parent: Path | None, messages: int = MESSAGES) -> dict[str, object]:
    """Runs everything. Raises `BenchError` where nothing could be measured.

    Args:
        parent: Where the temporary directory is made.
        messages: How many are fetched.
    """
    with tempfile.TemporaryDirectory(prefix="chatserv-bench-", dir=parent) as name, Display() as display:
        directory = Path(name).absolute()
        with ServerProgram(directory, SETTINGS) as server:
            writer, window = NOBODY
            run_client(directory, writer, server.link(), "--send")
            link = server.link().split("?")[0] + "#" + server.link().split("#")[1]
            first = _run_window(directory, display, "keys", link)
            typed = "".join(f"message {number} of many, with some words in it\n" for number in range(messages))
            run_client(directory, writer, "--send", typed=typed, seconds=PATIENCE_SECONDS)
            second = _run_window(directory, display, "sync", "")
            run_client(directory, writer, "--send", typed=typed, seconds=PATIENCE_SECONDS)
            run_client(directory, window, "--send", seconds=PATIENCE_SECONDS)  # fetches and shows nothing
            third = _run_window(directory, display, "kept", "")
    longest = max(float(first["keys_gap_ms"]), float(second["sync_gap_ms"]), float(third["kept_gap_ms"]))
    return {
        "scenario": "window",
        "messages": messages,
        **first,
        **second,
        **third,
        "limit_ms": LIMIT_MS,
        "within_limit": longest <= LIMIT_MS,
    }


def _run_window(directory: Path, display: Display, part: str, link: str) -> dict[str, Any]:
    return figures_of(
        *("bench.window", part, link), directory=directory, environment=display.environment, seconds=PATIENCE_SECONDS
    )


# -- inside the window's process ---------------------------------------------------------------------------------------


class Gaps:
    """Measures how long the reactor does not come round, and what it did meanwhile.

    The time in which its thread could have run, and others had all cores, is not the program's and is left out.

    Args:
        reactor: Which.

    Attributes:
        longest_seconds: The longest gap.
        wall_seconds: The longest one by the clock, with the time for which there was no core.
        over: How many passed the limit.
        culprit: What the longest one was spent with, where it passed the limit.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor, self._main = reactor, threading.get_ident()
        self._schedule = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        self._last, self._waited, self._suspect = time.monotonic(), self._waited_seconds(), ""
        self.begin()
        threading.Thread(target=self._look, daemon=True).start()
        self._tick()

    def begin(self) -> None:
        """Counts from now on."""
        self.longest_seconds = self.wall_seconds = 0.0
        self.over, self.culprit = 0, ""

    def _waited_seconds(self) -> float:
        """For how long the thread has waited for a core so far."""
        return int(os.pread(self._schedule, 100, 0).split()[1]) / 1e9

    def _tick(self) -> None:
        now, waited = time.monotonic(), self._waited_seconds()
        wall = now - self._last - TICK_SECONDS
        gap = wall - (waited - self._waited)
        self._last, self._waited = now, waited
        self.over += gap * 1000 > LIMIT_MS
        self.wall_seconds = max(self.wall_seconds, wall)
        if gap > self.longest_seconds:
            self.longest_seconds, self.culprit = gap, self._suspect if gap * 1000 > LIMIT_MS else ""
        self._reactor.callLater(TICK_SECONDS, self._tick)

    def _look(self) -> None:
        """In a thread of its own: what the reactor is busy with when the limit is passed."""
        looked_at = 0.0
        while True:
            time.sleep(TICK_SECONDS)
            last = self._last
            if (time.monotonic() - last) * 1000 > LIMIT_MS and last != looked_at:
                looked_at, self._suspect = last, _stack(sys._current_frames().get(self._main))


def _stack(frame: FrameType | None) -> str:
    """The innermost calls; cheaply, since whoever looks holds up the one that is looked at."""
    calls: list[str] = []
    while frame is not None and len(calls) < STACK_DEPTH:
        calls.append(f"{frame.f_code.co_name}:{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(calls)


class Run:
    """One window, driven to where something is measured."""

    def __init__(self, reactor: Any, part: str, link: str) -> None:
        self.reactor, self.part, self.link = reactor, part, link
        self.gaps = Gaps(reactor)
        self.begun = time.monotonic()
        self.application: Application | None = None

    def on_ready(self, application: "Application") -> None:
        """The window is there."""
        self.application = application
        self.reactor.callLater(0.5, self._go)

    def _go(self) -> None:
        application = self.application
        if application is None:
            return
        self.gaps.begin()
        self.begun = time.monotonic()
        application.connecting.connect()
        if self.part == "keys":
            from clients.window.dialogs.choice import Choice  # noqa: PLC0415 - needs Tk

            choice = application.connecting.arriving.dialog
            if not isinstance(choice, Choice):
                raise BenchError("nobody asks who is there")
            choice.made_buttons[0].invoke()  # new here
            registration = application.connecting.registration
            if registration is None:
                raise BenchError("no dialog")
            for value, text in zip(registration.values, (NOBODY[1], "correct horse", "correct horse"), strict=True):
                value.set(text)
            registration.go()
        self._wait(application, time.monotonic())

    def _wait(self, application: "Application", quiet_since: float) -> None:
        """Until it is online and everything is drawn."""
        chat = application.context.layout.chat
        busy = application.context.session.state.value != "online" or chat.pending
        now = time.monotonic()
        if busy:
            quiet_since = now
        if now - quiet_since < SETTLED_SECONDS:
            self.reactor.callLater(0.02, self._wait, application, quiet_since)
            return
        self._report(application, now - SETTLED_SECONDS - self.begun)

    def _report(self, application: "Application", seconds: float) -> None:
        part = self.part
        print(
            json.dumps(
                {
                    f"{part}_gap_ms": round(self.gaps.longest_seconds * 1000, 1),
                    f"{part}_wall_gap_ms": round(self.gaps.wall_seconds * 1000, 1),
                    f"{part}_gaps_over_limit": self.gaps.over,
                    f"{part}_seconds": round(seconds, 2),
                    f"{part}_culprit": self.gaps.culprit,
                    f"{part}_lines": application.context.layout.chat.lines,
                }
            )
        )
        self.reactor.stop()


def run_window(part: str, link: str) -> None:
    """The child process: a window that is measured."""
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - a program of its own

    from chatserv.client import Profile  # noqa: PLC0415
    from clients.window import main  # noqa: PLC0415
    from clients.window.arguments import Arguments  # noqa: PLC0415

    run = Run(reactor, part, link)
    ready: Callable[[Application], None] = run.on_ready
    main.run(
        reactor,
        main.open_window(),
        Profile.named(NOBODY[1]),
        Arguments(link=link or None, offline=True, no_seal=True),
        ready=ready,
    )


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    run_window(sys.argv[1], sys.argv[2])
