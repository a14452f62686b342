"""Ways to a server: TCP addresses in front of it that die one by one, by reset or without a word, and may come back."""

import contextlib
import selectors
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PIECE_BYTES: Final = 2**16
LOOK_SECONDS: Final = 0.05
CONNECT_SECONDS: Final = 60.0


class Way:
    """An address that leads to a port of 127.0.0.1 or to a UNIX socket, in a thread of its own.

    Args:
        host: An address of this machine, such as 127.0.0.2.
        port: Its port.
        upstream: The port that connections lead to, or the socket's path.
    """

    def __init__(self, host: str, port: int, upstream: int | Path) -> None:
        self.host, self.port, self._upstream = host, port, upstream
        self._listener = socket.create_server((host, port), backlog=128)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ends: dict[socket.socket, socket.socket] = {}  # each to the other one
        self._over, self._frozen = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def used(self) -> bool:
        """Whether somebody is connected through it."""
        return bool(self._ends)

    def kill(self) -> None:
        """The process there dies: nobody listens, and every connection is reset."""
        self._over.set()
        self._thread.join(CONNECT_SECONDS)

    def freeze(self) -> None:
        """From now on nothing is passed on and nobody is taken, and no connection ends."""
        self._frozen.set()

    def thaw(self) -> None:
        """It goes on, with what has come meanwhile."""
        self._frozen.clear()

    def _run(self) -> None:
        while not self._over.is_set():
            if self._frozen.is_set():
                self._over.wait(LOOK_SECONDS)
                continue
            for key, _ in self._selector.select(LOOK_SECONDS):
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if ready is self._listener:
                    self._accept()
                elif ready in self._ends:
                    self._pass_on(ready)
        self._selector.close()
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # by RST
            end.close()
        self._ends.clear()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = _connected(self._upstream)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self._ends[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        target, data = self._ends[source], b""
        with contextlib.suppress(OSError):
            data = source.recv(PIECE_BYTES)
            target.sendall(data)
        if not data:
            for end in (source, target):
                self._selector.unregister(end)
                del self._ends[end]
                end.close()


def _connected(upstream: int | Path) -> socket.socket:
    if isinstance(upstream, int):
        return socket.create_connection(("127.0.0.1", upstream), CONNECT_SECONDS)
    far = socket.socket(socket.AF_UNIX)
    far.settimeout(CONNECT_SECONDS)
    try:
        far.connect(str(upstream))
    except OSError:
        far.close()
        raise
    return far
