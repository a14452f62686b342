"""Whole nodes, whatever the bus does and whoever dies: everybody gets what is theirs once and in order, and no more.

People move between nodes and come back with what they have; somebody is removed and taken in again, wherever that is heard.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.commits import Remove
from chatserv.wire import messages
from tests.support.nodes import Nodes, NodeServer
from tests.support.server import MemoryClient, TestAccount
from tests.support.smith import code

NODES = 3
PEOPLE = ("alice", "bob", "carol")
READS = frozenset({"events", "rooms_at", "ahead", "numbers"})  # without these a node does not come further
MAY_COME = frozenset({"Sent", "stale_epoch", "busy", "not_member", "NoneType"})
some_node, some_person = st.integers(0, NODES - 1), st.sampled_from(PEOPLE)


class Follower:
    """One person's device, wherever it is: what it has of the lobby, and what it may have.

    Attributes:
        periods: Of the store: the seqs behind which it may read, and up to which; 0: to the end.
    """

    def __init__(self, account: TestAccount, room: bytes) -> None:
        self.account, self.room = account, room
        self.client: MemoryClient | None = None
        self.cursor = 0
        self.periods: list[list[int]] = []
        self._taken = 0

    def come(self, server: NodeServer) -> None:
        """Logs in, as soon as the node lets it."""
        self.leave()
        self.client, self._taken = server.log_in(self.account), 0
        self.take()

    def leave(self) -> None:
        """Goes, without a word."""
        if self.client is not None:
            self.take()
            self.client.drop()
            self.client = None

    def take(self) -> None:
        """Looks at what has come."""
        client = self.client
        while client is not None and self._taken < len(client.received):
            message = client.received[self._taken]
            self._taken += 1
            self._look_at(client, message)

    def _look_at(self, client: MemoryClient, message: Any) -> None:
        match message:
            case messages.Welcome(rooms=rooms):
                for info in rooms:
                    assert info.head >= self.cursor, f"taken back from {self.cursor} to {info.head}"
                    self.cursor = max(self.cursor, info.since)
                client.tell(messages.Sync(99, message.store, ((self.room, self.cursor),)))
                client.server.settle()
            case messages.RoomEntered(info=info):
                assert info.since >= self.cursor, f"entered behind {info.since}, {self.cursor} was read"
                self.cursor = info.since
            case messages.Event(seq=seq):
                assert seq == self.cursor + 1, f"{seq} came behind {self.cursor}"
                assert any(since < seq <= (until or seq) for since, until in self.periods), f"{seq} of {self.periods}"
                self.cursor = seq
            case messages.Sent(seq=seq):
                assert seq <= client.server.hub.rooms[self.room].head, "answered before it was handed out"


class NodesMachine(RuleBasedStateMachine):
    """Nodes and people."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = Nodes(NODES)
        self.bus = self.nodes.bus
        self.lobby = self.nodes.servers[0].lobby
        self.fates: list[int] = []
        self.bus.fate = lambda *_: self.fates.pop() if self.fates else 1
        self.people: dict[str, Follower] = {}
        for name, server in zip(PEOPLE, self.nodes.servers, strict=True):
            follower = Follower(server.account(name), self.lobby)
            server.log_in(follower.account, token=b"").drop()
            self.people[name] = follower
            self._change(server, follower, entering=True)
            self.nodes.settle()
            follower.come(server)
        self.nodes.advance(0.1)

    def _change(self, server: NodeServer, follower: Follower, *, entering: bool) -> None:
        smith, account = server.smith, follower.account
        if entering:
            *_, add = smith.join(account, self.lobby)
            ops = (add,) if follower.periods else smith.join(account, self.lobby)
            committer = server.founder if follower.periods else account
            follower.periods.append([server.put(committer, self.lobby, *ops) - 1, 0])
        else:
            leaf = smith.leaf(account, self.lobby)
            follower.periods[-1][1] = server.put(server.founder, self.lobby, Remove(leaf))

    def _is_current(self, server: NodeServer) -> bool:
        room = self.nodes.servers[0].wait(self.nodes.memory.rooms_at([self.lobby]))[self.lobby].room
        record = server.context.registry.get(self.lobby)
        leaves = self.nodes.servers[0].wait(self.nodes.memory.numbers()).log_size
        if server.context.log.size != leaves:  # whoever commits reads the log first
            return False
        return record is not None and record.head.epoch == room.epoch and server.hub.rooms[self.lobby].head == room.head

    # -- people

    @rule(name=some_person)
    def say(self, name: str) -> None:
        """Somebody says something, where they are."""
        client = self.people[name].client
        if client is not None and client.all(messages.Welcome) and not client.lost:
            found = code(client.say("something"))
            assert found in MAY_COME, found

    @rule(one=some_person, other=some_person)
    def say_into_a_gap(self, one: str, other: str) -> None:
        """Somebody says something of which nobody hears, and somebody else goes on."""
        with self.bus.losing():
            self.say(one)
        self.say(other)

    @rule(name=some_person, node=some_node)
    def come(self, name: str, node: int) -> None:
        """Somebody comes to a node, from another one or from nowhere."""
        self.people[name].come(self.nodes.servers[node])

    @rule(name=some_person)
    def leave(self, name: str) -> None:
        """Somebody goes."""
        self.people[name].leave()

    @rule(node=some_node)
    def change(self, node: int) -> None:
        """Carol is removed, or taken in again, on some node that has heard of everything."""
        server, carol = self.nodes.servers[node], self.people["carol"]
        if self._is_current(server) and not server.memory.refused:
            self._change(server, carol, entering=carol.periods[-1][1] > 0)

    # -- what goes wrong

    @rule(fates=st.lists(st.sampled_from([0, 0, 1, 2]), max_size=12))
    def bus_is_bad(self, fates: list[int]) -> None:
        """What is said next is lost, or doubled."""
        self.fates = fates

    @rule(node=some_node)
    def hold(self, node: int) -> None:
        """From now on a node hears everything later."""
        self.bus._held.setdefault(self.nodes.servers[node], [])

    @rule(node=some_node)
    def release(self, node: int) -> None:
        """What was kept back comes, the last first."""
        for bring in reversed(self.bus._held.pop(self.nodes.servers[node], [])):
            bring()
        self.nodes.settle()

    @rule(node=some_node, away=st.booleans())
    def bus_goes(self, node: int, away: bool) -> None:
        """A node has no bus, or has one again."""
        backplane = self.nodes.servers[node].backplane.node
        backplane.bus_away() if away else backplane.bus_back()

    @rule(node=some_node, refuses=st.booleans())
    def store_fails(self, node: int, refuses: bool) -> None:
        """A node can read nothing more, or can again."""
        self.nodes.servers[node].memory.refused = set(READS) if refuses else set()

    @rule(node=some_node)
    def die(self, node: int) -> None:
        """A node is killed, and starts again."""
        server = self.nodes.servers[node]
        for follower in self.people.values():
            if follower.client in server.clients:
                follower.leave()
        self.bus._held.pop(server, None)
        server.memory.refused = set()
        server.restart()

    @rule(seconds=st.sampled_from([0.02, 0.1, 0.6, 3.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.nodes.advance(seconds)

    @invariant()
    def everybody_looks(self) -> None:
        """Nothing comes twice, or behind what is missing, or to whom it is not for."""
        for follower in self.people.values():
            follower.take()

    def teardown(self) -> None:
        """In the end everybody has everything that is theirs, and every node is where the store is."""
        self.fates = []
        for server in self.nodes.servers:
            server.memory.refused = set()
            self.release(self.nodes.servers.index(server))
            server.backplane.node.bus_back()
        self.nodes.advance(12)
        for follower, server in zip(self.people.values(), self.nodes.servers, strict=True):
            follower.come(server)
            self.nodes.advance(1)
            follower.take()
            until = follower.periods[-1][1]
            assert follower.cursor == (until or len(server.events())), (follower.cursor, until)
        for server in self.nodes.servers:
            assert self._is_current(server), server
            assert server.backplane.node.rooms._budget.held_bytes == 0


class NodesMachineTests(SynchronousTestCase):
    """Runs it."""

    def test_everybody_gets_what_is_theirs(self) -> None:
        """Nobody more, nobody less, nobody twice, and nobody is taken back."""
        run_state_machine_as_test(
            NodesMachine, settings=settings(max_examples=12, stateful_step_count=30, deadline=None, derandomize=True)
        )
