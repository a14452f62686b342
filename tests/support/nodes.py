"""Several nodes of one server in memory: whole servers (`tests.support.server`) over one store, with a bus that can fail.

    nodes = Nodes(2)
    one, two = nodes.servers
    alice, bob = one.join("alice"), two.join("bob")    # both are in the lobby
    alice.sync(); bob.sync()
    with nodes.bus.losing():                            # nobody hears what is said meanwhile
        alice.say("hello")
    nodes.advance(1)                                    # the next beats tell of it
    assert bob.seqs() == [1]

Time is the same for all. What is said on the bus is heard in the next turn of the reactor; `Nodes.settle` lets it come.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from twisted.internet.defer import Deferred, succeed

from chatserv.backplane.bus_messages import Sealer, Subjects
from chatserv.backplane.cluster import ClusterBackplane
from chatserv.commands.effects import Effects
from chatserv.errors import Busy
from chatserv.store.memory import MemoryStore
from tests.support.server import WireServer

POLL_SECONDS = 0.5
STEP_SECONDS = 0.02
SUBJECTS = Subjects("chat")
SEALER = Sealer(bytes(32), "chat", b"incarnation")
Fate = Callable[[Any, Any, str], int]  # the nodes, and the subject


class NodeStore:
    """One node's way to the store that all share: its listeners hear only of what this node has stored.

    Attributes:
        refused: Names of calls that are refused as busy.
        dead: Nothing is done for the node any more.
    """

    def __init__(self, memory: MemoryStore, writers: list["NodeStore"]) -> None:
        self._memory, self._writers = memory, writers
        self._listeners: list[Any] = []
        self._log_listeners: list[Any] = []
        self._control_listeners: list[Any] = []
        self.refused: set[str] = set()
        self.dead = False
        memory.subscribe(partial(self._hear, self._listeners))
        memory.subscribe_log(partial(self._hear, self._log_listeners))
        memory.subscribe_control(partial(self._hear, self._control_listeners))

    def _hear(self, listeners: list[Any], *said: Any) -> None:
        if self._writers[-1:] == [self]:
            for listener in list(listeners):
                listener(*said)

    def subscribe(self, listener: Any) -> None:
        """Events of this node."""
        self._listeners.append(listener)

    def subscribe_log(self, listener: Any) -> None:
        """Leaves of this node."""
        self._log_listeners.append(listener)

    def subscribe_control(self, listener: Any) -> None:
        """Orders of this node."""
        self._control_listeners.append(listener)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._memory, name)
        if not iscoroutinefunction(found):
            return found

        async def call(*given: Any, **named: Any) -> Any:
            if self.dead or name in self.refused:
                raise Busy("the store is away")
            self._writers.append(self)
            try:
                return await found(*given, **named)  # waits for nothing
            finally:
                self._writers.pop()

        return call


class MemoryBus:
    """The bus. Each message has a fate for each node that hears its subject: how often it comes there.

    Attributes:
        fate: Who says it, who hears it, the subject: how often it comes; once by default.
        seconds: How long it takes.
        said: Subjects and bodies, in order.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._hear: dict[str, dict[Any, Callable[[bytes], None]]] = {}
        self.fate: Fate = _once
        self.seconds = 0.0
        self.said: list[tuple[str, bytes]] = []
        self._held: dict[Any, list[Callable[[], None]]] = {}

    def say(self, server: Any, subject: str, body: bytes) -> None:
        """From a node to all others that hear it."""
        if server.memory.dead:
            return
        self.said.append((subject, body))
        for other, listener in list(self._hear.get(subject, {}).items()):
            for _ in range(0 if other is server else self.fate(server, other, subject)):
                self._clock.callLater(self.seconds, self._bring, other, subject, listener, body)

    def _bring(self, server: Any, subject: str, listener: Callable[[bytes], None], body: bytes) -> None:
        if server in self._held:
            self._held[server].append(partial(self._bring, server, subject, listener, body))
        elif self._hear.get(subject, {}).get(server) is listener:
            listener(body)

    def listen(self, server: Any, subject: str, listener: Callable[[bytes], None]) -> None:
        """A node hears a subject."""
        self._hear.setdefault(subject, {})[server] = listener

    def forget(self, server: Any, subject: str | None = None) -> None:
        """It does not any more; None: nothing at all."""
        for each in self._hear if subject is None else [subject]:
            self._hear.get(each, {}).pop(server, None)

    @contextmanager
    def losing(self) -> Iterator[None]:
        """Nothing comes anywhere meanwhile."""
        before, self.fate = self.fate, lambda *_: 0
        try:
            yield
        finally:
            self.fate = before

    @contextmanager
    def late(self, server: Any) -> Iterator[None]:
        """What is said meanwhile comes to this node afterwards, in the order in which it was said."""
        self._held[server] = []
        try:
            yield
        finally:
            for bring in self._held.pop(server):
                bring()


def _once(_from: Any, _to: Any, _subject: str) -> int:
    return 1


class End:
    """One node's end of the bus: a `chatserv.backplane.node_parts.Carrier`."""

    def __init__(self, bus: MemoryBus, server: Any) -> None:
        self._bus, self._server = bus, server

    def publish(self, subject: str, body: bytes) -> bool:
        """To all others."""
        self._bus.say(self._server, subject, body)
        return True

    def subscribe(self, subject: str, listener: Callable[[bytes], None]) -> "Deferred[None]":
        """At once."""
        self._bus.listen(self._server, subject, listener)
        return succeed(None)

    def unsubscribe(self, subject: str) -> None:
        """At once."""
        self._bus.forget(self._server, subject)


class NodeServer(WireServer):
    """One node.

    Attributes:
        backplane: Its `ClusterBackplane`.
    """

    backplane: ClusterBackplane

    def __init__(self, nodes: "Nodes", beside: WireServer | None, **given: Any) -> None:
        self.nodes = nodes
        super().__init__(beside=beside, **given)

    def _open_memory(self, beside: WireServer | None) -> Any:
        if beside is None:
            self.nodes.start(super()._open_memory(None), self.clock)
        return NodeStore(self.nodes.memory, self.nodes.writers)

    def _make_backplane(self, effects: Effects) -> ClusterBackplane:
        return ClusterBackplane(effects, self.store, self.config.limits.rooms, lambda: POLL_SECONDS)

    def _compose(self) -> None:
        super()._compose()
        numbers = self.wait(self.memory.numbers())
        self.backplane.begin(self.context, End(self.nodes.bus, self), SEALER, SUBJECTS, numbers.control)
        self.backplane.node.bus_back()
        self.context.log.refresh()

    def _rooms_here(self) -> Any:
        """None: they come when somebody needs them."""
        return (), ()

    def _sign_first(self) -> None:
        """Not before it can be kept: see `_compose`."""

    def restart(self) -> None:
        """It ends as one that is killed, and begins anew."""
        self.kill()
        self.group.append(self)
        self.memory.dead = False
        self._compose()

    def kill(self) -> None:
        """Its connections are lost, and nobody hears of it any more; what it has stored is there."""
        self.group.remove(self)
        self.memory.dead = True
        self.backplane.stop()
        self.nodes.bus.forget(self)
        self.memory._listeners.clear()
        self.memory._log_listeners.clear()
        self.memory._control_listeners.clear()
        for client in self.clients:
            client.drop()
        self.clients.clear()


class Nodes:
    """All of them.

    Args:
        count: How many.
        **given: As of `WireServer`.

    Attributes:
        bus: Between them.
        memory: The store that they share.
        servers: The nodes; the first has made the lobby.
    """

    bus: MemoryBus
    memory: MemoryStore

    def __init__(self, count: int = 2, **given: Any) -> None:
        self.writers: list[NodeStore] = []
        self.servers: list[NodeServer] = []
        for _ in range(count):
            self.servers.append(NodeServer(self, self.servers[0] if self.servers else None, **given))
        self.settle()

    def start(self, memory: MemoryStore, clock: Any) -> None:
        """The first node has made the store."""
        self.memory, self.bus = memory, MemoryBus(clock)
        memory.seconds = clock.seconds

    def settle(self) -> None:
        """Until nothing moves any more; no time passes."""
        self.servers[0].settle()

    def advance(self, seconds: float) -> None:
        """Lets time pass, for all, in steps that are short beside what nodes wait for."""
        for _ in range(math.ceil(seconds / STEP_SECONDS)):
            self.servers[0].advance(STEP_SECONDS)
