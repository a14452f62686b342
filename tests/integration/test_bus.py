"""The bus on a real nats-server: what is said is heard; it dies, freezes, has company, wants passwords, tokens and TLS."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace
from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from chatserv.backplane.bus import Bus
from chatserv.bus_address import BusAddress
from chatserv.testing.processes import free_port
from tests.support.authority import Authority
from tests.support.nats import NatsServer

LOOK_SECONDS = 0.02
SECRET = "correct-horse"
EXAMPLE = Path(__file__).parents[2] / "deploy" / "cluster" / "nats.conf"


def dial_here(address: BusAddress, factory: Any) -> "Deferred[Any]":
    """Whoever is meant is on this machine."""
    return HostnameEndpoint(reactor, "127.0.0.1", address.port).connect(factory)


class BusTests(TestCase):
    """Two nodes."""

    timeout = 60

    def setUp(self) -> None:
        """A directory, and nobody in it."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.told: list[str] = []
        self.heard: list[bytes] = []

    def server(self, *options: str) -> NatsServer:
        """A server that runs."""
        server = NatsServer(self.directory, *options)
        self.addCleanup(server.stop)
        server.start()
        return server

    def node(self, *addresses: BusAddress, hears: bool = True, **more: Any) -> Bus:
        """A node's bus."""
        bus = Bus(reactor, addresses, "node", self._told("back"), self._told("away"), **more)
        self.addCleanup(bus.stop)
        if hears:
            bus.subscribe("chat.log", self.heard.append)
        bus.start()
        return bus

    def _told(self, word: str) -> Callable[[], None]:
        return lambda: self.told.append(word)

    async def until(self, so: Callable[[], bool]) -> None:
        """Waits."""
        while not so():
            await deferLater(reactor, LOOK_SECONDS)

    async def says(self, bus: Bus, body: bytes) -> None:
        """One node says something, until it is heard."""
        while body not in self.heard:
            if bus.there:
                bus.publish("chat.log", body)
            await deferLater(reactor, LOOK_SECONDS)

    async def test_heard(self) -> None:
        """By the others, each once, in order, and not by who says it."""
        server = self.server()
        address = BusAddress("127.0.0.1", server.port)
        one, other = self.node(address), self.node(address, hears=False)
        await self.until(lambda: one.there and other.there)
        bodies = [bytes([number]) * 100_000 for number in range(50)]
        for body in bodies:
            other.publish("chat.log", body)
        await other.subscribe("chat.end", self.heard.append)
        one.publish("chat.log", b"own")
        one.publish("chat.end", b"end")
        await self.until(lambda: len(self.heard) > len(bodies))
        self.assertEqual(self.heard.count(b"end"), 1)
        self.heard.remove(b"end")
        self.assertEqual(self.heard, bodies)

    async def test_stopped(self) -> None:
        """A server that was away for a second is found again, with all subscriptions."""
        server = self.server()
        address = BusAddress("127.0.0.1", server.port)
        self.node(address)
        other = self.node(address, hears=False)
        await self.says(other, b"before")
        server.stop()
        await self.until(lambda: self.told.count("away") == 2)
        self.assertFalse(other.publish("chat.log", b"meanwhile"))
        await deferLater(reactor, 1)
        server.start()
        await self.says(other, b"afterwards")
        self.assertNotIn(b"meanwhile", self.heard)

    async def test_frozen(self) -> None:
        """A server whose connections stay and that does nothing is noticed, and found again."""
        server = self.server()
        address = BusAddress("127.0.0.1", server.port)
        self.node(address)
        other = self.node(address, hears=False)
        await self.says(other, b"before")
        server.freeze()
        await self.until(lambda: self.told.count("away") == 2)
        server.thaw()
        await self.says(other, b"afterwards")

    async def test_company(self) -> None:
        """Of two servers that know each other one is enough to find the other, when the first is gone."""
        routes = [free_port(), free_port()]
        words = ("--cluster_name", "c", "--cluster", f"nats://127.0.0.1:{routes[0]}")
        first = self.server(*words)
        second = self.server(
            "--cluster_name",
            "c",
            "--cluster",
            f"nats://127.0.0.1:{routes[1]}",
            "--routes",
            f"nats://127.0.0.1:{routes[0]}",
        )
        self.node(BusAddress("127.0.0.1", second.port))
        only_first = self.node(BusAddress("127.0.0.1", first.port), hears=False)
        await self.says(only_first, b"across")
        await self.until(lambda: any(each.port == second.port for each in only_first._advertised))
        first.stop()
        await self.until(lambda: "away" in self.told and only_first.there)
        await self.says(only_first, b"beside")

    async def test_passwords(self) -> None:
        """A user with a password, and a token; with a wrong one nobody comes in, and no log says what it was."""
        for options, who, wrong in (
            (("--user", "node", "--pass", SECRET), f"node:{SECRET}@", "node:bad@"),
            (("--auth", SECRET), f"{SECRET}@", "bad@"),
        ):
            server = self.server(*options)
            with capturedLogs() as logged:
                bus = self.node(BusAddress.parse(f"nats://{who}127.0.0.1:{server.port}"))
                await self.until(partial(getattr, bus, "there"))
                bad = self.node(BusAddress.parse(f"nats://{wrong}127.0.0.1:{server.port}"))
                await self.until(partial(self.is_logged, logged, "Authorization"))
            self.assertFalse(bad.there)
            self.assertNotIn(SECRET, "".join(map(str, logged)))

    def is_logged(self, logged: Sequence[LogEvent], text: str) -> bool:
        """Whether somebody has said that."""
        return text in "".join(map(formatEvent, logged))

    async def test_example(self) -> None:
        """A server with the settings of ``deploy/cluster/nats.conf`` takes who has the password, over TLS alone."""
        trusted = Authority(self.directory / "trusted")
        trusted.issue()
        root = self.directory / "ca.pem"
        root.write_bytes(trusted.root.public_bytes(serialization.Encoding.PEM))
        text = EXAMPLE.read_text()
        for before, after in (
            ("/etc/nats/bus1.pem", str(trusted.chain.absolute())),
            ("/etc/nats/bus1.key", str(trusted.private.absolute())),
            ("/etc/nats/ca.pem", str(root.absolute())),
            ("0.0.0.0:6222", f"127.0.0.1:{free_port()}"),
            ("bus2.example", "127.0.0.1"),
        ):
            self.assertIn(before, text)
            text = text.replace(before, after)
        file = self.directory / "nats.conf"
        file.write_text(text)
        with patch.dict(os.environ, {"NATS_PASSWORD": SECRET, "NATS_ROUTE_PASSWORD": SECRET}):
            server = self.server("-c", str(file))
        good = BusAddress("chat.example", server.port, tls=True, user="chatserv", password=SECRET)
        self.node(good, authority=root, dial=dial_here)
        await self.says(self.node(good, hears=False, authority=root, dial=dial_here), b"sealed")
        with capturedLogs() as logged:
            bad = self.node(replace(good, password="bad"), authority=root, dial=dial_here)
            await self.until(partial(self.is_logged, logged, "Authorization"))
        self.assertFalse(bad.there)

    async def test_tls(self) -> None:
        """A server for which our authority vouches by name is spoken to; another one is told nothing."""
        trusted, other = Authority(self.directory / "trusted"), Authority(self.directory / "other")
        trusted.issue()
        roots = [self.directory / f"{each.directory.name}.pem" for each in (trusted, other)]
        for file, each in zip(roots, (trusted, other), strict=True):
            file.write_bytes(each.root.public_bytes(serialization.Encoding.PEM))
        files = ("--tlscert", str(trusted.chain), "--tlskey", str(trusted.private))
        server = self.server("--tls", *files, "--user", "node", "--pass", SECRET)
        good = BusAddress("chat.example", server.port, tls=True, user="node", password=SECRET)
        bus = self.node(good, authority=roots[0], dial=dial_here)
        await self.until(lambda: bus.there)
        await self.says(self.node(good, hears=False, authority=roots[0], dial=dial_here), b"sealed")
        for address, authority in (
            (good, roots[1]),
            (replace(good, host="elsewhere.example"), roots[0]),
        ):
            with capturedLogs() as logged:
                bad = self.node(address, authority=authority, dial=dial_here)
                await self.until(partial(self.is_logged, logged, "is away"))
            self.assertFalse(bad.there)
            self.assertNotIn(SECRET, "".join(map(str, logged)))
