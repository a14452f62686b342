"""``make addresses-drill``: a server at two addresses, one of which dies again and again; how long its client was away."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from twisted.internet import reactor as _reactor  # noqa: TID251 - a program of its own
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from chatserv.client import Client, ClientEvent, Profile, Status, StatusChanged, use_steady_clock
from chatserv.testing.processes import ServerProgram, free_port, run_client
from chatserv.testing.ways import Way

HOSTS: Final = ("127.0.0.1", "127.0.0.2")
QUIET_SECONDS: Final = 1.0
WAIT_SECONDS: Final = 120.0


class Drill:
    """One client of a server behind two ways.

    Args:
        directory: For all files.
    """

    def __init__(self, directory: Path) -> None:
        ports = (free_port(), free_port())
        self._places = list(zip(HOSTS, ports, strict=True))
        named = ", ".join(f"{host}:{port}" for host, port in self._places)
        self.server = ServerProgram(directory, {"server": {"advertise": named}})
        self.server.start()
        self.ways = [Way(host, port, self.server.port) for host, port in self._places]
        run_client(directory, "alice", self.server.link(), "--send")
        self._online: Deferred[None] = Deferred()
        self.client = Client(Profile(directory / "profiles" / "alice"), _reactor, self._told)
        self.client.start()

    def _told(self, event: ClientEvent) -> None:
        if isinstance(event, StatusChanged) and event.status is Status.ONLINE:
            online, self._online = self._online, Deferred()
            online.callback(None)

    async def online(self) -> None:
        """Waits until the client is there. Raises `TimeoutError`."""
        await self._online.addTimeout(WAIT_SECONDS, _reactor)

    async def away(self, *, frozen: bool) -> float:
        """The way that is used dies, or says nothing any more. Gives the seconds until the client is there by the other."""
        (at,) = [number for number, way in enumerate(self.ways) if way.used]
        begin = time.monotonic()
        if frozen:
            self.ways[at].freeze()
        else:
            self.ways[at].kill()
        await self.online()
        took = time.monotonic() - begin
        self.ways[at].kill()
        self.ways[at] = Way(*self._places[at], self.server.port)
        await deferLater(_reactor, QUIET_SECONDS)
        return took

    async def end(self) -> None:
        """Ends everything."""
        await self.client.stop()
        for way in self.ways:
            way.kill()
        self.server.stop()


async def play(kills: int) -> None:
    """All of it."""
    use_steady_clock(_reactor)
    with tempfile.TemporaryDirectory() as directory:
        drill = Drill(Path(directory))
        try:
            await drill.online()
            took = [await drill.away(frozen=False) for _ in range(kills)]
            silent = await drill.away(frozen=True)
        finally:
            await drill.end()
    print(f"{kills} times reset: back in {statistics.median(took):.2f} s (median), {max(took):.2f} s at most")
    print(f"silent: back in {silent:.1f} s")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    kills = parser.parse_args().kills
    react(lambda _: Deferred.fromCoroutine(play(kills)))


if __name__ == "__main__":
    main()
