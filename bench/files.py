"""What a file costs: 100 MB up and down on loopback without rates, the memory of both ends, and who talks meanwhile."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater, react

from bench.options import Options
from bench.server import BenchError, BenchServer
from chatserv.client import (
    Client,
    ClientEvent,
    MessageReceived,
    Profile,
    ServerLink,
    format_link,
    parse_link,
    prepare_account,
    use_steady_clock,
)
from chatserv.testing.processes import child_environment

FILE_BYTES: Final = 100_000_000
LINES: Final = 100
PAUSE_SECONDS: Final = 0.02
SAMPLE_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 300.0
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of accounts that live for a run
LIMITS: Final = {
    "blob_bytes": 2 * FILE_BYTES,
    "blob_burst_bytes": 2**30,
    "blob_bytes_per_second": 2**30,
}


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `file_figures`."""
    yield file_figures(options, FILE_BYTES)


def file_figures(options: Options, size: int) -> dict[str, object]:
    """One server, and one process with the clients of two people. Raises `BenchError` where nothing could be measured.

    Args:
        options: Where, and on which core.
        size: Of the file, in bytes.
    """
    with BenchServer(options.directory, options.core, LIMITS) as server, tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "bench.files", name, str(server.pid), str(size)]
        done = subprocess.run(
            command,
            input=format_link(server.link),
            env=child_environment(Path(name)),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        raise BenchError(f"files: exit {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"scenario": "files", "what": f"files, {size // 10**6} MB", **found}


# -- inside the clients' process ---------------------------------------------------------------------------------------


class Peak:
    """The most memory that processes take, over what they took at the beginning.

    Args:
        pids: Which.
    """

    def __init__(self, *pids: int) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = self._now()
        self._most = self._before
        self._looking = LoopingCall(self._look)
        self._looking.start(SAMPLE_SECONDS)

    def _now(self) -> list[int]:
        return [process.memory_info().rss for process in self._processes]

    def _look(self) -> None:
        self._most = [max(pair) for pair in zip(self._most, self._now(), strict=True)]

    def stop(self) -> list[float]:
        """How much that was, in MB each."""
        self._look()
        self._looking.stop()
        return [round((most - before) / 1e6, 1) for most, before in zip(self._most, self._before, strict=True)]


class Pair:
    """Alice and bob, in the lobby.

    Args:
        reactor: The reactor.
        link: Lets alice in as the administrator, and bob without the invite.
    """

    def __init__(self, reactor: Any, link: ServerLink) -> None:
        self._reactor, self._link = reactor, link
        self._heard: dict[str, Deferred[float]] = {}

    async def begin(self) -> None:
        """Registers both."""
        self.alice = await self._person("alice", self._link, None)
        self.bob = await self._person(
            "bob", ServerLink(self._link.host, self._link.port, self._link.fingerprint), self._hear
        )
        while "lobby" not in self.bob.rooms or not self.bob.room("lobby").members():
            await deferLater(self._reactor, SAMPLE_SECONDS)

    async def _person(self, name: str, link: ServerLink, hear: Any) -> Client:
        profile = Profile.named(name)
        await prepare_account(profile, link, name, PASSWORD)
        client = Client(profile, self._reactor, hear or (lambda _: None), token=link.invite)
        client.start()
        await client.online()
        return client

    def _hear(self, event: ClientEvent) -> None:
        if isinstance(event, MessageReceived) and event.text in self._heard:
            self._heard.pop(event.text).callback(time.perf_counter())

    async def talk(self) -> float:
        """Alice says lines to bob, one after the other. Returns the 95th percentile until he is told, in ms."""
        found = []
        for number in range(LINES):
            text = f"{number:x<100}"
            heard = self._heard[text] = Deferred()
            began = time.perf_counter()
            self.alice.send("lobby", text)
            found.append(1000 * (await heard - began))
            await deferLater(self._reactor, PAUSE_SECONDS)
        return round(sorted(found)[LINES * 95 // 100], 1)


async def measure(reactor: Any, directory: Path, server: int, size: int) -> None:
    """Prints the figures as JSON."""
    pair = Pair(reactor, parse_link(sys.stdin.read().strip()))
    await pair.begin()
    quiet = await pair.talk()
    path = directory / "file.bin"
    with path.open("wb") as file:
        for _ in range(size // 10**6):
            file.write(os.urandom(10**6))
    peak, began = Peak(os.getpid(), server), time.perf_counter()
    sent = pair.alice.room("lobby").send_file(str(path))
    await sent
    up, (client_up, server_up) = time.perf_counter() - began, peak.stop()
    peak, began = Peak(os.getpid(), server), time.perf_counter()
    await pair.bob.room("lobby").save_file(sent.message_id, str(directory))
    down, (client_down, server_down) = time.perf_counter() - began, peak.stop()
    beside = pair.alice.room("lobby").send_file(str(path))
    beside.addErrback(lambda _: None)
    loaded = await pair.talk()
    under_way = not beside.called
    with suppress(Exception):
        pair.alice.room("lobby").discard(beside.message_id)
    for client in (pair.alice, pair.bob):
        await client.stop()
    figures = {
        "up_mb_per_second": round(size / 1e6 / up, 1),
        "down_mb_per_second": round(size / 1e6 / down, 1),
        "client_up_mb": client_up,
        "server_up_mb": server_up,
        "client_down_mb": client_down,
        "server_down_mb": server_down,
        "quiet_p95_ms": quiet,
        "beside_p95_ms": loaded,
        "beside_all_the_time": under_way,
    }
    print(json.dumps(figures))


async def main(reactor: Any) -> None:
    """By the command line: a directory, the server's pid, the file's size."""
    await measure(use_steady_clock(reactor), Path(sys.argv[1]), *map(int, sys.argv[2:]))


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
