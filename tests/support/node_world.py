"""A `chatserv.testing.world.World` on several nodes: real clients, each on a node of its own, over one store in memory.

world = NodeWorld(2)
alice = world.person("alice", admin=True)
world.go_to(1)                                 # who comes from now on comes to the second node
bob = world.person("bob")
"""

import hashlib
from collections.abc import Callable
from typing import Any

from chatserv.backplane.cluster import ClusterBackplane
from chatserv.commands.effects import Effects
from chatserv.testing.memory_reactor import MemoryReactor
from chatserv.testing.memory_server import MemoryServer
from chatserv.testing.world import World
from tests.support.nodes import POLL_SECONDS, SEALER, SUBJECTS, End, MemoryBus, NodeStore


class MemoryNode(MemoryServer):
    """One node.

    Args:
        number: From 0 on.
        beside: The first one; None: this is it.
        **given: As of `MemoryServer`.
    """

    def __init__(self, number: int, beside: "MemoryNode | None", **given: Any) -> None:
        self.number, self.first = number, beside or self
        super().__init__(**given)

    def _random(self, size: int) -> bytes:
        self._random_count += 1
        return hashlib.shake_256(b"node %d %d" % (self.number, self._random_count)).digest(size)

    def _make_reactor(self) -> MemoryReactor:
        return MemoryReactor() if self.first is self else self.first.reactor

    def _open_store(self) -> Any:
        if self.first is self:
            self.shared = super()._open_store()
            self.shared.seconds = self.reactor.seconds
            self.bus, self.writers = MemoryBus(self.reactor), list[NodeStore]()
        self.memory = NodeStore(self.first.shared, self.first.writers)
        return self.memory

    def _make_backplane(self, effects: Effects) -> ClusterBackplane:
        self.backplane = ClusterBackplane(effects, self.store, self.config.limits.rooms, lambda: POLL_SECONDS)
        return self.backplane

    def _rooms_here(self) -> Any:
        """None: they come when somebody needs them."""
        return (), ()

    def _sign_first(self, _sign: Callable[[bytes], bytes]) -> None:
        """As soon as it can be kept."""

    def compose(self) -> None:
        """Puts it together, and begins to hear the others."""
        super().compose()
        numbers = self.await_(self.store.numbers())
        self.backplane.begin(self.context, End(self.first.bus, self), SEALER, SUBJECTS, numbers.control)
        self.backplane.node.bus_back()
        self.context.log.refresh()


class NodeWorld(World):
    """People on nodes.

    Args:
        count: How many nodes.
        **limits: Limits of the server.

    Attributes:
        nodes: All of them.
    """

    def __init__(self, count: int, **limits: Any) -> None:
        self._count, self.nodes = count, list[MemoryNode]()
        super().__init__(**limits)

    def _make_server(self, **limits: Any) -> MemoryServer:
        for number in range(self._count):
            self.nodes.append(MemoryNode(number, self.nodes[0] if number else None, **limits))
        return self.nodes[0]

    def go_to(self, number: int) -> None:
        """Whoever comes from now on comes to this node."""
        self.server = self.nodes[number]

    def run(self) -> None:
        """Moves bytes on all nodes until nothing moves at this moment."""
        for _ in range(1000):
            self.reactor.advance(0)
            if not any([node.run() for node in self.nodes]):  # noqa: C419 - all of them
                return
        raise AssertionError("it never ends")
