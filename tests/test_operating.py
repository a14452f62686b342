"""The running server, as operations see it."""

from functools import partial
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.node import BEAT_SECONDS
from chatserv.bootstrap import Prepared, prepare
from chatserv.commands.asking import WAIT_SECONDS, Asked
from chatserv.config import Config, Server
from chatserv.errors import Busy, Forbidden
from chatserv.local_errors import NotDone
from chatserv.net import keys
from chatserv.operating import DRAIN_SECONDS, Operating
from chatserv.operations.registry import Result, Way
from chatserv.operations.table import OPERATIONS
from chatserv.reloading import Reloaded
from tests.operations.test_registry import ECHO
from tests.support.nodes import Nodes
from tests.support.server import WireServer
from tests.support.sessions import rsa_key


class Reloads:
    """Settings of which one has changed, and one waits."""

    def reload(self) -> Reloaded:
        """What came of it."""
        return Reloaded(("limits.rooms",), ("server.port",), "", ("a warning",))


class NodesTests(SynchronousTestCase):
    """Two nodes of a cluster, in memory; each has its operators."""

    def setUp(self) -> None:
        """Both have heard of each other, and Bob is at the second."""
        from pathlib import Path

        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))
        self.nodes, self.clock, self.stops = Nodes(2), Clock(), []  # type: ignore[var-annotated]
        self.operating = []
        for name, server in zip("ab", self.nodes.servers, strict=True):
            prepared: Prepared = prepare(Config(server=Server(host="127.0.0.1")), Path(self.mktemp()), 1)
            self.addCleanup(prepared.state.release)
            reloading: Any = Reloads()
            stop = partial(self.stops.append, name)
            self.operating.append(Operating(prepared, server.context, server.factory, reloading, stop, self.clock))
            server.backplane.state.address = f"{name}.example:5000"
            server.context.asking.perform = self.operating[-1]._for_another_node
        self.nodes.servers[1].join("bob")
        self.nodes.advance(2 * BEAT_SECONDS)
        self.other = self.nodes.servers[1].backplane.node_id.hex()

    def ask(self, name: str, **arguments: str) -> Any:
        """What the first node's operator is told."""
        done = Deferred.fromCoroutine(self.operating[0]._perform(Way.SOCKET, "uid 0", name, arguments, lambda _: None))
        self.nodes.advance(1)
        return done

    def test_status(self) -> None:
        """Each says what it has heard of the other, and how many sessions there are in all."""
        data = self.successResultOf(self.ask("status"))["result"]
        other = {
            "node": self.other,
            "address": "b.example:5000",
            "sessions": 1,
            "draining": False,
            "store_reached": True,
        }
        self.assertEqual((data["sessions"], data["nodes"]), (0, [other]))
        shown = "\n".join(OPERATIONS["status"].show(data))
        self.assertIn(f"{self.other}, b.example:5000, sessions: 1\n", shown)
        self.assertRegex(shown, "sessions of all nodes +1\\b")
        data["nodes"][0] |= {"draining": True, "store_reached": False}
        self.assertIn("takes nobody in, does not reach the store", "\n".join(OPERATIONS["status"].show(data)))

    def test_of_the_other(self) -> None:
        """By its address, or by how its number begins, the other one answers; by its own, this one does."""
        for name in ("b.example:5000", self.other[:4], self.other):
            self.assertEqual(self.successResultOf(self.ask("status", node=name))["result"]["node"], self.other)
        own = self.nodes.servers[0].backplane.node_id.hex()
        for name in ("a.example:5000", own[:6]):
            self.assertEqual(self.successResultOf(self.ask("status", node=name))["result"]["node"], own)

    def test_reload_and_drain(self) -> None:
        """They are done there, and not here."""
        said = self.successResultOf(self.ask("reload", node="b.example:5000"))["result"]
        self.assertEqual(said["applied"], ["limits.rooms"])
        self.assertEqual(self.successResultOf(self.ask("drain", node="b.example:5000"))["result"], {"sessions": 1})
        self.clock.advance(DRAIN_SECONDS)
        self.assertEqual(self.stops, ["b"])

    def test_unknown(self) -> None:
        """A node that nobody has heard of, or too little of its number, is nobody."""
        for name in ("c.example:5000", "ffffffffff", self.other[:3]):
            self.failureResultOf(self.ask("status", node=name), NotDone)

    def test_refused_there(self) -> None:
        """What the other one refuses is told; and it does nothing else for a node, nor by another way."""
        refused = Asked(bytes(8), "socket", "uid 0", "user list", {})
        for asked in (refused, Asked(bytes(8), "store", "uid 0", "status", {})):
            self.failureResultOf(Deferred.fromCoroutine(self.operating[1]._for_another_node(asked)), NotDone)
        self.nodes.servers[1].context.asking.perform = None
        done = self.ask("status", node="b.example:5000")
        self.assertNoResult(done)
        self.nodes.advance(WAIT_SECONDS)
        self.failureResultOf(done, NotDone)

    def test_inside_the_chat(self) -> None:
        """Nobody is told where the other machine's files are either."""
        done = Deferred.fromCoroutine(self.operating[0]._inside_chat("status", {"node": "b.example:5000"}, "ann"))
        self.nodes.advance(1)
        status = self.successResultOf(done)["result"]
        self.assertEqual((status["node"], status["state"], status["store"]), (self.other, "", ""))


class OperatingTests(SynchronousTestCase):
    """Over a server in memory."""

    def setUp(self) -> None:
        """Puts it together."""
        from pathlib import Path

        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))
        self.server, self.clock, self.stops = WireServer(control_connections=2), Clock(), []  # type: ignore[var-annotated]
        prepared: Prepared = prepare(Config(server=Server(host="127.0.0.1")), Path(self.mktemp()), 1)
        self.addCleanup(prepared.state.release)
        reloading: Any = Reloads()
        self.operating = Operating(
            prepared, self.server.context, self.server.factory, reloading, lambda: self.stops.append(1), self.clock
        )

    def inside(self, name: str, **arguments: str) -> "Deferred[Any]":
        """What an administrator asks for inside the chat."""
        return Deferred.fromCoroutine(self.operating._inside_chat(name, arguments, "ann"))

    def test_status(self) -> None:
        """How it is doing."""
        self.server.join("bob")
        status = self.successResultOf(self.inside("status"))["result"]
        self.assertEqual(
            (1, ["127.0.0.1:5000"], False), tuple(status[key] for key in ("sessions", "listening", "mending"))
        )
        self.assertEqual(("", ""), (status["state"], status["store"]))
        self.assertTrue(self.operating.status()["store"].endswith("/chatserv.db"))

    def test_reload(self) -> None:
        """What reading anew has come to, for the chat too; the status says what waits until the next start."""
        said = self.successResultOf(self.inside("reload"))["result"]
        self.assertEqual((("limits.rooms",), ("server.port",)), (said["applied"], said["waits_for_restart"]))
        settings = self.server.context.settings
        settings.replace(replace(settings.config, server=replace(settings.config.server, port=6000)))
        self.assertEqual(["server.port"], self.successResultOf(self.inside("status"))["result"]["waits_for_restart"])

    def test_only_the_chats(self) -> None:
        """Inside the chat there are the operations of the chat alone."""
        for name in ("user list", "room close", "restore", "run", "version"):
            self.failureResultOf(self.inside(name), Forbidden)

    def test_drain(self) -> None:
        """Who asks for the end is answered before it comes."""
        self.assertEqual({"sessions": 0}, self.successResultOf(self.inside("drain"))["result"])
        self.assertEqual([], self.stops)
        self.clock.advance(DRAIN_SECONDS)
        self.assertEqual([1], self.stops)

    def test_bound(self) -> None:
        """As many operations as the limit may be under way inside the chat, and one more is refused."""
        waiting: list[Deferred[None]] = []

        async def wait(_world: Any, _arguments: Any) -> Result:
            waiting.append(Deferred())
            await waiting[-1]
            return Result({})

        self.patch(type(ECHO), "function", lambda _: wait)
        under_way = [self.inside("status") for _ in range(2)]
        self.failureResultOf(self.inside("status"), Busy)
        waiting[0].callback(None)
        self.successResultOf(under_way[0])
        self.assertNoResult(self.inside("status"))
