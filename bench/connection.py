"""A TLS connection that never blocks, whoever speaks over it.

What waits for the server is written in steps, each of which says what it waits for: so whoever is alone waits at once
(`Connection.wait`), and many are waited for together (`bench.crowd`).
"""

import errno
import os
import select
import socket
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Final, TypeVar

from OpenSSL import SSL

from bench.server import BenchError

ANSWER_SECONDS: Final = 20.0
TLS_RECORD_BYTES: Final = 16_384
T = TypeVar("T")
Steps = Generator[int, None, T]
"""Gives, each time, for what the socket has to be ready (a mask of `select.poll`); returns what came of it."""


def tls13() -> SSL.Context:
    """The client's end of TLS 1.3, which does not ask who the server is."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


class Connection:
    """One connection, not there yet. All that it waits for is bounded in time.

    Attributes:
        source: From which address of this machine; empty: from any.
    """

    source = ""

    def dialing(self, host: str, port: int, context: SSL.Context) -> Steps[None]:
        """Until TLS is up."""
        self._deadline = time.monotonic() + ANSWER_SECONDS
        self._socket = socket.socket()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        if self.source:
            self._socket.bind((self.source, 0))
        if self._socket.connect_ex((host, port)) == errno.EINPROGRESS:
            yield select.POLLOUT
        if error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        self._tls = SSL.Connection(context, self._socket)
        self._tls.set_connect_state()
        while mask := self._try(self._tls.do_handshake)[0]:
            yield mask

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Lets go of the socket."""
        self._socket.close()

    def wait(self, steps: Steps[T]) -> T:
        """Takes all of the steps. Raises `BenchError` where the server does not answer."""
        try:
            while True:
                if (mask := next(steps)) == select.POLLIN:
                    self._wait_readable()
                else:
                    self._wait(mask)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def read(self) -> bytes:
        """What is there, nothing included; reads once for each TLS record, and blocks never."""
        chunks = []
        try:
            while True:
                chunk = self._tls.recv(TLS_RECORD_BYTES)
                chunks.append(chunk)
                if len(chunk) < TLS_RECORD_BYTES:
                    break
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            raise BenchError(f"a connection broke: {error!r}") from None
        return b"".join(chunks)

    def _write(self, data: bytes) -> None:
        self._deadline = time.monotonic() + ANSWER_SECONDS
        while data:
            mask, sent = self._try(partial(self._tls.send, data))
            data = data[sent:]
            if mask:
                self._wait(mask)

    def _try(self, step: Callable[[], int | None]) -> tuple[int, int]:
        """What the step waits for, 0 if it is done, and what it gave."""
        try:
            return 0, step() or 0
        except SSL.WantReadError:
            return select.POLLIN, 0
        except SSL.WantWriteError:
            return select.POLLOUT, 0
        except SSL.Error as error:
            raise BenchError(f"a connection broke: {error!r}") from None

    def _wait_readable(self) -> None:
        """Waits for something to read, within the time that an answer may take."""
        self._deadline = time.monotonic() + ANSWER_SECONDS
        self._wait(select.POLLIN)

    def _wait(self, mask: int) -> None:
        poll = select.poll()
        poll.register(self._socket, mask)
        left = self._deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise BenchError("the server does not answer")
