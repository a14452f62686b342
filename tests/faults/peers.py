"""Peers that do not behave: bare sockets from many addresses, TLS without a session, and sessions that stop half-way."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from OpenSSL import SSL

from bench.member import Member, tls_context
from bench.server import BenchError
from chatserv.testing.processes import ServerProgram, child_environment
from tests.faults.rows import check

STEP_SECONDS: Final = 0.02
BETWEEN_SECONDS: Final = (
    0.001  # or they would take the processor that they share with the server, as strangers could not
)
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST
_BROKEN: Final = (OSError, SSL.Error, BenchError)


def address(number: int) -> str:
    """A loopback address of its own for each number below 60,000; 200 stand in one block of addresses."""
    return f"127.{10 + number // 200}.0.{2 + number % 200}"


def dial(server: ServerProgram, host: str = "") -> socket.socket:
    """A connection on which nothing has been said."""
    return _dial(server.port, host)


def _dial(port: int, host: str) -> socket.socket:
    bare = socket.create_connection(("127.0.0.1", port), 60, (host, 0) if host else None)
    bare.settimeout(None)
    return bare


def over_tls(bare: socket.socket, context: SSL.Context) -> SSL.Connection:
    """The same with TLS. Raises `SSL.Error` or OSError where the server does not want it."""
    connection = SSL.Connection(context, bare)
    connection.set_connect_state()
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 60, 0))
    connection.do_handshake()
    return connection


def reset(bare: socket.socket) -> None:
    """Ends a connection by RST."""
    with suppress(OSError):
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    bare.close()


def is_ended(bare: socket.socket) -> bool:
    """Whether the server has ended a connection; reads what there is."""
    try:
        return bare.recv(65_536, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class Throng:
    """Many connections that say nothing, or very little, until the server ends them.

    They are another process's: in ours they would hold up the honest people whose times count.

    Args:
        server: Where they are.
        count: How many are tried; the server may turn some away at once.
        dribble: What each says, a byte at a time; empty: nothing.
        tls: Whether that is said inside TLS.
    """

    def __init__(self, server: ServerProgram, count: int, dribble: bytes = b"", *, tls: bool = False) -> None:
        self.count, self.said = count, 0
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.faults.peers",
                str(server.port),
                str(count),
                dribble.hex() or "-",
                str(int(tls)),
            ],
            env=child_environment(server.directory),
            cwd=server.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        check(self._said() == "connected", "the many are not there")

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def go_on(self, between: float = 1.0) -> None:
        """Lets them say a byte each so many seconds, until the server has ended all."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{between}\n")
        self._process.stdin.flush()

    def ended(self, patience: float) -> bool:
        """Waits until the server has ended all, and tells whether it did."""
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        found = self._said()
        check(found.isdecimal(), f"the many broke: {found}")
        self.said = int(found)
        return True


def _be_many(port: int, count: int, dribble: bytes, *, tls: bool) -> int:
    """What the process of a `Throng` does; how many bytes all have said."""
    context, said, peers = tls_context(), 0, []
    for number in range(count):
        time.sleep(BETWEEN_SECONDS)
        with suppress(*_BROKEN):
            bare = _dial(port, address(number))
            peers.append((bare, over_tls(bare, context).send if tls else bare.send))
    print("connected", flush=True)
    between = float(sys.stdin.readline())
    at, due = 0, 0.0
    while peers:
        if at < len(dribble) and time.monotonic() >= due:
            for _, send in peers:
                with suppress(*_BROKEN):
                    send(dribble[at : at + 1])
                    said += 1
            at, due = at + 1, time.monotonic() + between
        ended = {bare for bare, _ in peers if is_ended(bare)}
        let_go(ended)
        peers = [(bare, send) for bare, send in peers if bare not in ended]
        time.sleep(STEP_SECONDS)
    return said


def let_go(sockets: Iterable[socket.socket]) -> None:
    """Closes them."""
    for each in sockets:
        each.close()


class Stopped(Exception):
    """The session has come to where it was to stop."""


class Halfway(Member):
    """Somebody who registers and stops after so many lines.

    Args:
        written: Stop after this many lines of ours; 0: once TLS is up.
        heard: Or else when so many chunks of the server's have come.
        end: Ends the connection in some way, with TLS and the socket.
        given: As for `Member`.
    """

    def __init__(
        self, *given: object, written: int = -1, heard: int = -1, end: Callable[[SSL.Connection, socket.socket], object]
    ) -> None:
        self._stop_written, self._stop_heard, self._end = written, heard, end
        self._lines = self._chunks = 0
        super().__init__(*given)  # type: ignore[arg-type]

    def _write(self, data: bytes) -> None:
        if self._stop_written == 0:
            self._stop()
        super()._write(data)
        self._lines += 1
        if self._lines == self._stop_written:
            self._stop()

    def receive(self) -> list[bytes]:
        """As it is, until so many chunks have come."""
        self._chunks += 1
        if self._chunks == self._stop_heard:
            self._stop()
        return super().receive()

    def _stop(self) -> None:
        self._end(self._tls, self._socket)
        self.close()
        raise Stopped


if __name__ == "__main__":
    print(_be_many(int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3].strip("-")), tls=sys.argv[4] == "1"))
