"""A slow line to the server: a relay on 127.0.0.1, in a process of its own, that passes on no more than a rate.

Each way has the rate, half of the round trip, and a buffer before it, as a line at home has. The time at which a packet is
through is reckoned, not measured, so the rate is exact however late a thread wakes. Headers of TCP and IP are not counted.
"""

import contextlib
import json
import queue
import socket
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Final, Self

HOST: Final = "127.0.0.1"
PACKET_BYTES: Final = 1460
ROUND_TRIP_SECONDS: Final = 0.04
BUFFER_BYTES: Final = 65_536
"""What waits for the rate, each way; and once more as much in the kernel of the relay. Then nothing more is read."""
START_SECONDS: Final = 30.0


class Way:
    """One direction of the line.

    Args:
        rate: In bytes a second.

    Attributes:
        passed: How many bytes went through.
    """

    def __init__(self, rate: float) -> None:
        self._rate, self._lock = rate, threading.Lock()
        self._free_at = 0.0
        self.passed = 0

    def take(self, size: int) -> float:
        """One packet more. Returns when it is through, by ``time.monotonic``."""
        with self._lock:
            self._free_at = max(time.monotonic(), self._free_at) + size / self._rate
            self.passed += size
            return self._free_at

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        """Passes on what comes, until it ends; blocks."""
        under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()  # bounded by the buffer and the delay
        threading.Thread(target=_deliver, args=(under_way, sink), daemon=True).start()
        data = b"."
        while data:
            with contextlib.suppress(OSError):
                data = source.recv(PACKET_BYTES)
            through = self.take(len(data))
            under_way.put((through + ROUND_TRIP_SECONDS / 2, data))
            time.sleep(max(0.0, through - time.monotonic() - BUFFER_BYTES / self._rate))


def _deliver(under_way: "queue.SimpleQueue[tuple[float, bytes]]", sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            due, data = under_way.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)


def relay(port: int, rate: float) -> None:
    """Says its port; then, for each line that it reads, how many bytes went up and down. Ends with its input."""
    up, down = Way(rate), Way(rate)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    listener.bind((HOST, 0))
    listener.listen()
    threading.Thread(target=_accept, args=(listener, port, up, down), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for _ in sys.stdin:
        print(json.dumps([up.passed, down.passed]), flush=True)


def _accept(listener: socket.socket, port: int, up: Way, down: Way) -> None:
    while True:
        near, _ = listener.accept()
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        far.connect((HOST, port))
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=up.carry, args=(near, far), daemon=True).start()
        threading.Thread(target=down.carry, args=(far, near), daemon=True).start()


class Line:
    """The relay's process, from ``with`` to the end of the block.

    Args:
        port: Of the server.
        megabits: What it passes on each way, in 10^6 bits a second.

    Attributes:
        port: Where clients connect.
    """

    def __init__(self, port: int, megabits: float) -> None:
        self._rate = megabits * 1e6 / 8
        command = [sys.executable, "-m", "bench.line", str(port), str(self._rate)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._said())

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def passed(self) -> tuple[int, int]:
        """How many bytes went up and down."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        up, down = json.loads(self._said())
        return up, down

    def use(self, since: tuple[int, int], seconds: float) -> tuple[float, float]:
        """What share of the rate, in percent, went up and down in so many seconds, from what `passed` was."""
        now = self.passed()
        up, down = (round(100 * (new - old) / seconds / self._rate, 1) for new, old in zip(now, since, strict=True))
        return up, down

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    relay(int(sys.argv[1]), float(sys.argv[2]))
