"""Two people in a process of their own, who talk while a file moves."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from bench.options import Options
from bench.own_program import figures_of
from bench.server import BenchServer
from chatserv.client import Client, ClientEvent, MessageReceived, Profile, ServerLink, format_link, prepare_account

LINES: Final = 100
PAUSE_SECONDS: Final = 0.02
LOOK_SECONDS: Final = 0.05
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of accounts that live for a run
PATIENCE_SECONDS: Final = 300.0
LIMITS: Final = {
    "blob_bytes": 2**30,
    "blob_burst_bytes": 2**30,
    "blob_bytes_per_second": 2**30,
}


def in_clients(module: str, options: Options, *arguments: object) -> dict[str, Any]:
    """What a module prints as JSON that has the clients: it gets a directory, the server's pid and ``arguments``.

    Raises:
        BenchError: It came to nothing.
    """
    with BenchServer(options.directory, options.core, LIMITS) as server, tempfile.TemporaryDirectory() as name:
        return figures_of(
            *(module, name, str(server.pid), *map(str, arguments)),
            directory=Path(name).absolute(),
            typed=format_link(server.link),
            seconds=PATIENCE_SECONDS,
        )


def make_file(directory: Path, megabytes: int) -> Path:
    """A file of so many 10^6 bytes, which no line can make shorter."""
    path = directory / "file.bin"
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(10**6))
    return path


class Pair:
    """Alice and bob, in the lobby.

    Args:
        reactor: The reactor.
        link: Lets alice in as the administrator, and bob without the invite.
        port: Where alice connects, in place of the server's own port.
    """

    def __init__(self, reactor: Any, link: ServerLink, port: int | None = None) -> None:
        self._reactor, self._link, self._port = reactor, link, port or link.port
        self._heard: dict[tuple[str, str], Deferred[float]] = {}

    async def begin(self) -> None:
        """Registers both."""
        host, fingerprint = self._link.host, self._link.fingerprint
        self.alice = await self._person("alice", ServerLink(host, self._port, fingerprint, self._link.invite))
        self.bob = await self._person("bob", ServerLink(host, self._link.port, fingerprint))
        while "lobby" not in self.bob.rooms or not self.bob.room("lobby").members():
            await deferLater(self._reactor, LOOK_SECONDS)

    async def _person(self, name: str, link: ServerLink) -> Client:
        profile = Profile.named(name)
        await prepare_account(profile, link, name, PASSWORD)
        client = Client(profile, self._reactor, lambda event: self._hear(name, event), token=link.invite)
        client.start()
        await client.online()
        return client

    def _hear(self, name: str, event: ClientEvent) -> None:
        if isinstance(event, MessageReceived) and (heard := self._heard.pop((name, event.text or ""), None)):
            heard.callback(time.perf_counter())

    async def talk(self, lines: int, *, back: bool = False) -> float:
        """Alice says so many lines to bob, one after the other; ``back``: he to her.

        Returns the 95th percentile until the other is told, in ms.
        """
        found = []
        speaker, listener = (self.bob, "alice") if back else (self.alice, "bob")
        for number in range(lines):
            text = f"{listener} {number:x<100}"
            heard = self._heard[listener, text] = Deferred()
            began = time.perf_counter()
            speaker.send("lobby", text)
            found.append(1000 * (await heard - began))
            await deferLater(self._reactor, PAUSE_SECONDS)
        return round(sorted(found)[lines * 95 // 100], 1)

    async def talk_both(self, lines: int) -> tuple[float, float]:
        """Both at once: those of alice, those of bob."""
        both = [Deferred.fromCoroutine(self.talk(lines, back=back)) for back in (False, True)]
        own, others = await gatherResults(both, consumeErrors=True)
        return own, others
