"""Tests of `chatserv.domain.elsewhere`."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.elsewhere import Elsewhere

ONE, TWO = b"node one", b"node two"
OFFLINE, ONLINE, AWAY = range(3)


class ElsewhereTests(SynchronousTestCase):
    """What `Elsewhere` promises."""

    def test_best(self) -> None:
        """Somebody is online where any node says so, else away, and gone when the last one says that."""
        table = Elsewhere()
        found = []
        for node, status in ((ONE, AWAY), (TWO, ONLINE), (TWO, OFFLINE), (TWO, OFFLINE), (ONE, OFFLINE)):
            table.put(node, "alice", status)
            found.append((table.status("alice"), "alice" in table, len(table)))
        self.assertEqual([(2, True, 1), (1, True, 2), (2, True, 1), (2, True, 1), (0, False, 0)], found)
        self.assertEqual(({}, {}), (table._nodes, table._people))

    def test_of_a_node(self) -> None:
        """What one node says stands apart from the others."""
        table = Elsewhere()
        table.put(ONE, "alice", AWAY)
        table.put(ONE, "bob", ONLINE)
        table.put(TWO, "alice", ONLINE)
        self.assertEqual({"alice": (AWAY, ()), "bob": (ONLINE, ())}, table.of(ONE))
        self.assertEqual({}, table.of(b"unknown-"))

    def test_devices(self) -> None:
        """Somebody's devices are those of all nodes, and each node's are those that it has named last."""
        table = Elsewhere()
        table.put(ONE, "alice", ONLINE, (b"desk", b"phone"))
        table.put(TWO, "alice", ONLINE, (b"laptop",))
        self.assertEqual({b"desk", b"phone", b"laptop"}, table.devices("alice"))
        table.put(ONE, "alice", AWAY, (b"phone",))
        table.put(TWO, "alice", OFFLINE)
        self.assertEqual(({b"phone"}, set()), (table.devices("alice"), table.devices("bob")))

    def test_bounded(self) -> None:
        """Of one more than there may be nothing is known; who is known can still change, and makes room."""
        table = Elsewhere(2)
        for name in ("alice", "bob", "carol"):
            table.put(ONE, name, ONLINE)
        table.put(ONE, "alice", AWAY)
        self.assertEqual([AWAY, ONLINE, OFFLINE], [table.status(name) for name in ("alice", "bob", "carol")])
        table.put(ONE, "bob", OFFLINE)
        table.put(ONE, "carol", ONLINE)
        self.assertEqual((ONLINE, 2), (table.status("carol"), len(table)))
