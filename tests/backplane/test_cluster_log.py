"""Whole nodes over one store: whoever signs the head of the log, no client is told less than it was told elsewhere."""

from functools import partial

from chatserv.commands.head_notices import GATHER_SECONDS
from chatserv.commands.leaf_log import RETRY_SECONDS
from chatserv.commands.log_keeper import UNSIGNED_SECONDS
from chatserv.crypto.log_leaves import head_size
from chatserv.crypto.statements import make_rotation
from chatserv.crypto.suite import sha256
from chatserv.wire import messages
from tests.backplane.test_cluster import NodesCase
from tests.support.nodes import POLL_SECONDS, NodeServer
from tests.support.server import IDENTITY, START_MS
from tests.support.sessions import rsa_key, spki
from tests.support.smith import code


class HeadTests(NodesCase):
    """Alice is on the one node, Bob on the other."""

    def covered(self, signed: bytes) -> int:
        """How many leaves a head covers; it is kept in the store, or a higher one is."""
        self.assertLessEqual(head_size(signed), head_size(self.one.memory._memory._head))
        return head_size(signed)

    def test_elsewhere(self) -> None:
        """Who registers on one node is in the log that the sessions of the other hear of, under the same head."""
        for client in (self.alice, self.bob):
            client.received.clear()
        carol = self.one.join("carol", lobby=False)
        self.nodes.advance(GATHER_SECONDS + 0.1)
        (here,), (there,) = (client.all(messages.LogHead) for client in (self.alice, self.bob))
        self.assertEqual((here.after, here.leaves, here.head), (there.after, there.leaves, there.head))
        self.assertIn(carol.account.cert_hash, here.leaves)
        self.assertEqual(here.head, carol.one(messages.Welcome).log_head)

    def test_moved(self) -> None:
        """Who comes from a node that was ahead is told of no lower head, and gets the leaves."""
        with self.nodes.bus.losing():
            self.one.join("carol", lobby=False)
            self.bob.drop()
            told = self.covered(self.one.log_in(self.bob.account).one(messages.Welcome).log_head)
            self.assertLess(self.two.context.log.covered_size, told)
            back = self.two.log_in(self.bob.account)
            self.nodes.advance(0.1)
            self.assertEqual(self.covered(back.one(messages.Welcome).log_head), told)
            page = back.ask(messages.GetLog, after=0)
            self.assertEqual((len(page.leaves) // 105, self.covered(page.head)), (told, told))

    def test_asked_for(self) -> None:
        """A session that has heard of a longer log in another way, by what somebody says, finds it at its own node."""
        with self.nodes.bus.losing():
            carol = self.one.join("carol", lobby=False)
            label = self.bob.label()
            self.bob.tell(messages.GetLog(label, 0))
            self.nodes.advance(0.1)
            told = self.covered(carol.one(messages.Welcome).log_head)
            self.assertEqual(self.covered(self.bob.reply(label).head), told)

    def test_without_a_bus(self) -> None:
        """A poll of the store brings the head with its leaves, and nobody signs a second one."""
        for server in self.nodes.servers:
            server.backplane.node.polling.bus_away()
        with self.nodes.bus.losing():
            carol = self.one.join("carol", lobby=False)
            self.nodes.advance(POLL_SECONDS + GATHER_SECONDS + 0.1)
            self.assertEqual(self.bob.all(messages.LogHead)[-1].head, carol.one(messages.Welcome).log_head)

    def test_both_register(self) -> None:
        """Where leaves of two nodes mix, both are answered under heads that cover their own, and everybody has one log."""
        self.nodes.bus.seconds = 0.01
        accounts = [server.account(name) for server, name in ((self.one, "carol"), (self.two, "dora"))]
        clients = [one.connect(each, token=b"") for one, each in zip(self.nodes.servers, accounts, strict=True)]
        for client in clients:
            assert client is not None
            client.start()
        self.nodes.advance(1)
        logs = [server.context.log for server in self.nodes.servers]
        self.assertEqual(*[log.leaves(0, log.size) for log in logs])
        self.assertEqual(*[log.signed_head for log in logs])
        self.assertEqual([True, True], [client is not None and client.authenticated for client in clients])

    def test_writer_dies(self) -> None:
        """Somebody registers on a node that dies before it has signed: the other one signs, and they log in there."""
        account = self.one.account("carol")
        self.one.pool.held = True
        with self.nodes.bus.losing():
            self.one.smith.register(account)
        self.assertLess(self.one.context.log.covered_size, self.one.context.log.size)
        self.one.kill()
        carol = self.two.log_in(account)
        self.nodes.advance(UNSIGNED_SECONDS + 0.1)
        page = carol.ask(messages.GetLog, after=0)
        self.assertEqual(self.covered(page.head), self.two.context.log.size)
        self.assertIn(account.cert_hash, page.leaves)

    def test_commit_knows_more(self) -> None:
        """A commit that names leaves which its node has not heard of is looked at when they have come."""
        room = self.bob.make_room()
        with self.nodes.bus.losing():
            carol = self.one.join("carol", lobby=False)
            self.assertEqual(code(self.bob.begin(room)), "Lease")
            made = self.one.smith.make(self.bob.account, room, *self.one.smith.add(carol.account, room))
            self.assertGreater(made.commit.tbs.kt_size, self.two.context.log.size)
            self.bob.upload(made)
            self.bob.tell(messages.PutCommit(99, room, made.commit.encoded))
            self.nodes.advance(0.1)
            self.assertEqual(code(self.bob.reply(99)), "Committed")

    def test_rotation(self) -> None:
        """A new identity of somebody on another node counts when its signatures could be read, and never as a break."""
        self.one.memory.refused.add("statement")
        statement = make_rotation(rsa_key(IDENTITY), rsa_key("identity of bob"), START_MS)
        self.assertEqual(code(self.bob.ask(messages.Rotate, statement=statement)), "Ok")
        log = self.one.context.log
        self.assertEqual((self.two.context.log.size - 1, []), (log.size, log.facts.undecided(log.size)))
        self.one.memory.refused.clear()
        self.nodes.advance(RETRY_SECONDS + 0.1)
        self.assertEqual((self.two.context.log.size, []), (log.size, log.facts.undecided(log.size)))
        self.assertTrue(log.facts.carried("bob", sha256(spki(IDENTITY)), log.size))
        self.assertEqual(log.signed_head, self.two.context.log.signed_head)


class BackTests(NodesCase):
    """A database that has lost what it had, as after a failover to one that was not told of everything."""

    def setUp(self) -> None:
        """Each node is asked to end by itself."""
        super().setUp()
        self.ends: dict[str, str] = {}
        for name, server in (("one", self.one), ("two", self.two)):
            server.memory.give_up = partial(self.ends.setdefault, name)
        self.one.join("carol", lobby=False)
        self.nodes.settle()

    def test_noticed(self) -> None:
        """Whoever asks how far the store is sees that it lacks leaves, and writes nothing any more."""
        self.one.memory._memory._leaves.pop()
        self.two.backplane.node.polling.ask()
        self.nodes.settle()
        self.assertIn("the database has gone back", self.ends["two"])
        self.assertEqual(code(self.alice.ask(messages.GetLog, after=0)), "read_only")
        self.assertIn("the database has gone back", self.ends["one"])

    def test_messages(self) -> None:
        """Likewise where a room lacks messages, whose numbers others would get: at the next poll, as after each failover."""
        self.alice.say("hello")
        self.one.memory._memory._rooms._rooms[self.lobby].events.pop()
        self.two.backplane.node.polling.ask()
        self.nodes.settle()
        self.assertIn("the database has gone back: a room has", self.ends["two"])

    def test_orders(self) -> None:
        """Likewise where it lacks what an administrator has ordered."""
        self.one.wait(self.one.store.announce("hello", 0))
        self.nodes.settle()
        memory = self.one.memory._memory
        memory._ordered -= 1
        memory._orders.pop()
        self.two.backplane.node.polling.ask()
        self.nodes.settle()
        self.assertIn("the database has gone back: it has ", self.ends["two"])

    def test_others_in_their_place(self) -> None:
        """Where it has others in their place, nobody signs over both, and no session is told of a second log."""
        self.one.memory._memory._leaves.pop()
        before = self.two.context.log.signed_head
        third = NodeServer(self.nodes, self.one)
        self.nodes.servers.append(third)
        third.join("dora", lobby=False)
        self.nodes.advance(2 * UNSIGNED_SECONDS)
        self.assertEqual({"one", "two"}, set(self.ends))
        self.assertEqual(before, self.two.context.log._signed_head)
        self.assertEqual(
            len({head_size(each.head) for each in self.alice.all(messages.LogHead)}),
            len(self.alice.all(messages.LogHead)),
        )
