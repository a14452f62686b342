"""A TCP proxy that writes down all bytes, both ways: what anybody between client and server can have."""

import contextlib
import itertools
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

HOST: Final = "127.0.0.1"
PIECE_BYTES: Final = 2**16
END_SECONDS: Final = 5.0


class RecordingProxy:
    """Listens on a free port of 127.0.0.1 and passes every connection on.

    Args:
        directory: Gets two files for each connection, ``N-up`` and ``N-down``; made where it is missing.
        upstream: The port of 127.0.0.1 that connections lead to.
    """

    def __init__(self, directory: Path, upstream: int) -> None:
        directory.mkdir(exist_ok=True)
        self._directory, self._upstream = directory, upstream
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
            waiting = [self._listener, *self._open]
        for one in waiting:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        for thread in self._threads:
            thread.join(END_SECONDS)
        self._listener.close()

    def recordings(self) -> list[Path]:
        """The files so far."""
        return sorted(self._directory.iterdir())

    def _begin(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        for number in itertools.count(1):
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((HOST, self._upstream), END_SECONDS)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                if self._closed:
                    near.close()
                    far.close()
                    return
                self._open |= {near, far}
            self._begin(self._carry, near, far, number)

    def _carry(self, near: socket.socket, far: socket.socket, number: int) -> None:
        """One connection, until both ends have closed it."""
        back = threading.Thread(target=self._pump, args=(far, near, self._directory / f"{number}-down"), daemon=True)
        back.start()
        self._pump(near, far, self._directory / f"{number}-up")
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, file: Path) -> None:
        """Everything from one side to the other; written down first."""
        with file.open("wb", buffering=0) as record, contextlib.suppress(OSError):
            while data := source.recv(PIECE_BYTES):
                record.write(data)
                target.sendall(data)
        for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
            with contextlib.suppress(OSError):
                end.shutdown(how)
