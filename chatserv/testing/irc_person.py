"""Somebody whose ``chatserv-irc`` runs as a program, with an IRC client that is nothing but a connection."""

import contextlib
import re
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from chatserv.testing.processes import (
    IRC,
    PATIENCE,
    STOP_SECONDS,
    ProgramError,
    child_environment,
    client_command,
    free_port,
    run_client,
)

SECONDS: Final = 120.0
PACE_SECONDS: Final = 0.1
_PASSWORD: Final = re.compile(r"^[a-z2-7]{26}$", re.MULTILINE)


class IrcPerson:
    """One, while inside of a ``with``.

    Args:
        directory: Of the play.
        name: User and profile, which is there.
        arguments: Further ones of the program.

    Attributes:
        text: What has come so far.
        port: Where further IRC clients of theirs connect.
        password: What those have to say.

    Raises:
        ProgramError: The program ends, or does not answer in time.
    """

    def __init__(self, directory: Path, name: str, *arguments: str) -> None:
        self._directory, self._name, self._arguments = directory, name, arguments
        self.text = ""

    def __enter__(self) -> Self:
        port = free_port()
        shown = run_client(self._directory, self._name, "--password", *self._arguments, program=IRC)
        password = _PASSWORD.search(shown)
        if password is None:
            raise ProgramError(f"no password: {shown}")
        self.port, self.password = port, password[0]
        self._process = subprocess.Popen(
            client_command(self._directory, self._name, "--port", str(port), *PATIENCE, *self._arguments, program=IRC),
            cwd=self._directory,
            env=child_environment(self._directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._socket = self._connected(port)
            self._socket.settimeout(PACE_SECONDS)
            self.say(
                "CAP REQ :echo-message", f"PASS {password[0]}", f"NICK {self._name}", "USER irc 0 * :irc", "CAP END"
            )
            self.until(" 422 ")
        except BaseException:
            self._end()
            raise
        return self

    def _connected(self, port: int) -> socket.socket:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", port), SECONDS)
            time.sleep(PACE_SECONDS)
        raise ProgramError(f"chatserv-irc of {self._name} does not listen; its code is {self._process.poll()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The id of the program."""
        return self._process.pid

    def attach(self, rooms: int) -> float:
        """Seconds until one more client is in so many rooms, from the password on."""
        with socket.create_connection(("127.0.0.1", self.port), SECONDS) as more:
            begun, data = time.perf_counter(), b""
            more.sendall(f"PASS {self.password}\r\nNICK x\r\nUSER x 0 * :x\r\n".encode())
            while data.count(b" 366 ") < rooms:
                came = more.recv(65_536)
                if not came:
                    raise ProgramError(f"chatserv-irc of {self._name} has closed the connection")
                data += came
            return time.perf_counter() - begun

    def say(self, *lines: str) -> None:
        """Sends lines."""
        self._socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def until(self, words: str) -> None:
        """Waits until these words have come."""
        deadline = time.monotonic() + SECONDS
        while words not in self.text:
            if time.monotonic() > deadline:
                raise ProgramError(f"{words!r} does not come to the IRC client of {self._name}")
            with contextlib.suppress(TimeoutError):
                data = self._socket.recv(65_536)
                if not data:
                    raise ProgramError(f"chatserv-irc of {self._name} has closed the connection")
                self.text += data.decode(errors="replace")
