"""A screen without a monitor, for windows in tests and benchmarks: Xvfb, and a window manager where one is wanted.

Nobody else can connect to it: it takes no TCP connections, and a cookie is asked for.
"""

import os
import secrets
import select
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

SCREEN: Final = "1280x800x24"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
_COOKIE: Final = b"MIT-MAGIC-COOKIE-1"
_WILD: Final = 0xFFFF  # for any host


class DisplayError(Exception):
    """There is no such screen; the text says why."""


def missing(*programs: str) -> list[str]:
    """Which of these programs are not installed."""
    return [program for program in programs if shutil.which(program) is None]


def why_no_window(*programs: str) -> str:
    """Why there can be no window here; empty where there can. ``programs``: what it takes beside Xvfb."""
    lacking = missing("Xvfb", *programs)
    if find_spec("_tkinter") is None:
        lacking.append("tkinter (python3-tk)")
    return f"not installed: {', '.join(lacking)}" if lacking else ""


class Display:
    """A screen, from ``with`` to the end of the block.

    Args:
        manager: Whether a window manager (openbox) runs on it: without, no window is the active one.
    """

    def __init__(self, *, manager: bool = False) -> None:
        self._manager = manager
        self._processes: list[subprocess.Popen[bytes]] = []
        self._directory = tempfile.TemporaryDirectory(prefix="chatserv-display-")
        self.name = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to find the screen."""
        return {"DISPLAY": self.name, "XAUTHORITY": str(self._authority)}

    @contextmanager
    def entered(self) -> Generator[None]:
        """Windows that this process opens in the block are on the screen: Xlib looks at the environment then."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    @property
    def _authority(self) -> Path:
        return Path(self._directory.name) / "Xauthority"

    def start(self) -> None:
        """Starts everything. Raises `DisplayError`."""
        lacking = missing("Xvfb", *(["openbox"] if self._manager else []))
        if lacking:
            raise DisplayError(f"not installed: {', '.join(lacking)}")
        self._write_cookie()
        try:
            self.name = self._start_screen()
            if self._manager:
                self._start_manager()
        except BaseException:
            self.stop()
            raise

    def _write_cookie(self) -> None:
        """The file of cookies, as Xau(3) has it: family, address, number, name, data."""
        fields = (b"", b"", _COOKIE, secrets.token_bytes(16))
        entry = struct.pack(">H", _WILD) + b"".join(struct.pack(">H", len(field)) + field for field in fields)
        self._authority.touch(mode=0o600)
        self._authority.write_bytes(entry)

    def _start_screen(self) -> str:
        reading, writing = os.pipe()
        # "-r": a key whose release is late on a busy machine is pressed once, and does not repeat itself
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp", "-r"]
        try:
            self._processes.append(
                subprocess.Popen(
                    [*command, "-auth", str(self._authority)],
                    pass_fds=[writing],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            os.close(writing)
            writing = -1
            number = b""
            while not number.endswith(b"\n") and select.select([reading], [], [], START_SECONDS)[0]:
                more = os.read(reading, 16)  # the line end comes by itself; without a reader, Xvfb would end
                number += more
                if not more:
                    break
        finally:
            for descriptor in (reading, writing):
                if descriptor >= 0:
                    os.close(descriptor)
        if not number.strip():
            raise DisplayError("Xvfb does not start")
        return f":{number.decode().strip()}"

    def _start_manager(self) -> None:
        self._processes.append(
            subprocess.Popen(
                ["openbox", "--sm-disable"],
                env={**os.environ, **self.environment, "HOME": self._directory.name},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        time.sleep(0.3)  # it takes over windows that were there before as well

    def screenshot(self, path: Path, window: str = "root") -> None:
        """Writes what is on the screen, or in a window of it, as PNG. Needs ImageMagick."""
        command = ["import", "-window", window, "-strip", str(path)]
        subprocess.run(command, env={**os.environ, **self.environment}, check=True, timeout=START_SECONDS)

    def stop(self) -> None:
        """Ends everything."""
        while self._processes:
            process = self._processes.pop()
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._directory.cleanup()
