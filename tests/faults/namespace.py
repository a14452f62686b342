"""A network of the row's own that can be made bad: nothing of the machine's is touched.

A row that needs it is run once more by itself, in a network namespace (``unshare -Urn``, without privileges). There a
point-to-point device of our own (TUN) takes every packet to `FAR` and gives it back with its two addresses exchanged: who
connects to `FAR` comes to what listens on `NEAR`, through us, in both directions. So packets can be lost, late and out of
order, on any kernel.
"""

from __future__ import annotations

import fcntl
import functools
import heapq
import os
import re
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from itertools import count
from typing import Final, Self

from chatserv.testing.processes import child_environment
from tests.faults.rows import Ground, NotRun, Play, RowFailed

NEAR: Final = "10.77.0.1"
FAR: Final = "10.77.0.2"
MOST_WAITING: Final = 20_000  # packets; one more is lost
LONGEST_SECONDS: Final = 1200.0
LONGEST_SHORT_SECONDS: Final = 200.0
_CHANCE: Final = secrets.SystemRandom()
_INSIDE: Final = "CHATSERV_FAULTS_INSIDE"
_DEVICE: Final = b"faulty"
_PACKET_BYTES: Final = 65_536
_TUNSETIFF, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x400454CA, 0x8914, 0x8916, 0x891C
_TUN_WITHOUT_HEADER: Final = 0x1001
_UP_AND_RUNNING: Final = 0x41
_IPV4, _TCP, _SYN, _ACK = 4, 6, 0x02, 0x10


def in_namespace(number: int) -> functools.partial[Play]:
    """Runs a row in a network of its own. It is not run where this machine does not allow that.

    Args:
        number: Of the row.
    """
    return functools.partial(_wrapped, number)


def _wrapped(number: int, play: Play) -> Play:
    @functools.wraps(play)
    def wrapped(ground: Ground) -> str:
        return play(ground) if os.environ.get(_INSIDE) else _elsewhere(number, ground)

    return wrapped


def _elsewhere(number: int, ground: Ground) -> str:
    try:
        probe = subprocess.run(["unshare", "-Urn", "true"], capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        raise NotRun("there is no unshare (util-linux)") from None
    if probe.returncode != 0:
        raise NotRun(f"no network namespace can be made: {probe.stderr.strip()}")
    size = ("--short",) if ground.short else ()
    # By its socket's name, from there too.
    store = {"CHATSERV__STORE__URL": ground.cluster.create()} if ground.cluster else {}
    with subprocess.Popen(
        ["unshare", "-Urn", sys.executable, "-m", "tests.faults", *size, str(number)],
        env={**child_environment(ground.directory), **store, _INSIDE: "1"},
        cwd=ground.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=ground.pick(LONGEST_SHORT_SECONDS, LONGEST_SECONDS))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its server too, which is of the session that it began
            raise RowFailed("it does not end") from None
    found = re.search(rf"^row {number:02} (pass|fail|not run) (.*)  \[.*\]$", printed, re.MULTILINE)
    if found is None:
        raise RowFailed(printed)
    if found[1] == "not run":
        raise NotRun(found[2])
    if found[1] == "fail":
        raise RowFailed(found[2].removeprefix("RowFailed: "))
    return found[2]


class Network:
    """What lies between `FAR` and `NEAR`; good at first.

    Attributes:
        loss: The share of packets that are lost, 0 to 1.
        seconds: How long a packet takes at the mean, in each direction; each takes from half to one and a half of that, so
            that they overtake each other.
        silenced: The ports of clients of whose connections nothing arrives any more, at either end.
        attempts: When each connection was begun (monotonic), however often its first packet was sent.
        lost: Packets so far that did not arrive.
        overtaken: Packets so far that left before one that had come before.
    """

    def __init__(self) -> None:
        self.loss = self.seconds = 0.0
        self.silenced: frozenset[int] = frozenset()
        self.attempts: list[float] = []
        self.lost = self.overtaken = 0
        self._begun: set[bytes] = set()
        self._waiting: list[tuple[float, int, bytes]] = []
        self._numbers, self._last = count(), -1
        self._over = threading.Event()
        try:
            self._device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            _set_up(self._device)
        except OSError as error:
            raise NotRun(f"no device of our own can be made (TUN): {error}") from None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        os.close(self._device)

    def _run(self) -> None:
        while not self._over.is_set():
            due = self._waiting[0][0] - time.monotonic() if self._waiting else 0.1
            if select.select([self._device], [], [], min(max(due, 0.0), 0.1))[0]:
                self._take(os.read(self._device, _PACKET_BYTES))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, number, packet = heapq.heappop(self._waiting)
                self.overtaken += number < self._last
                self._last = max(self._last, number)
                os.write(self._device, packet)

    def _take(self, packet: bytes) -> None:
        header = (packet[0] & 15) * 4
        if packet[0] >> 4 != _IPV4 or packet[9] != _TCP:
            return
        begin = packet[header : header + 8]  # the two ports, and the number of the first byte
        if packet[header + 13] & (_SYN | _ACK) == _SYN and begin not in self._begun:
            self._begun.add(begin)
            self.attempts.append(time.monotonic())
        silenced = self.silenced and not self.silenced.isdisjoint(struct.unpack("!HH", begin[:4]))
        if silenced or len(self._waiting) >= MOST_WAITING or _CHANCE.random() < self.loss:
            self.lost += 1
            return
        exchanged = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]  # both checksums stay true
        due = time.monotonic() + self.seconds * _CHANCE.uniform(0.5, 1.5)
        heapq.heappush(self._waiting, (due, next(self._numbers), exchanged))


def _set_up(device: int) -> None:
    """Makes the device, with its address, and lets it and the loopback one work. Raises OSError."""
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", _DEVICE, _TUN_WITHOUT_HEADER))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for request, address in ((_SIOCSIFADDR, NEAR), (_SIOCSIFNETMASK, "255.255.255.0")):
            encoded = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(any_socket, request, struct.pack("16s16s8x", _DEVICE, encoded))
        for name in (b"lo", _DEVICE):
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", name, _UP_AND_RUNNING))


THROUGH: Final = {"host": "0.0.0.0", "advertise": FAR}  # noqa: S104 - of a namespace that nobody else is in
"""The table ``server`` of settings whose links lead through the network."""
