"""Files where several nodes have one store and one directory: an upload goes on wherever its client comes."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.wire import messages
from tests.commands.test_blobs import HALF, MIB, PIECE, bytes_of
from tests.support.nodes import Nodes
from tests.support.server import MemoryClient
from tests.support.smith import code

ID = bytes([1]) * 16


class NodeTests(SynchronousTestCase):
    """Alice, who comes to one node and to the other."""

    def setUp(self) -> None:
        """Rates that nobody reaches."""
        self.nodes = Nodes(2, blob_burst_bytes=2**30)
        self.one, self.two = self.nodes.servers
        self.alice = self.one.join("alice")
        self.nodes.settle()
        self.data = bytes_of(3 * MIB)

    def come(self, server: Any) -> MemoryClient:
        """Alice comes to a node; her other connection is over."""
        self.alice.drop()
        self.alice = server.log_in(self.alice.account)
        self.nodes.settle()
        return self.alice

    def begin(self) -> int:
        """Asks how far the blob is."""
        fields = {"room": self.one.lobby, "id": ID, "size": len(self.data), "hash": sha256(self.data)}
        received: int = self.alice.ask(messages.OpenBlob, **fields).received
        return received

    def put(self, start: int, end: int) -> Any:
        """Uploads a part; gives the last answer."""
        reply: Any = None
        for offset in range(start, end, PIECE):
            piece = self.data[offset : min(offset + PIECE, end)]
            reply = self.alice.ask(messages.PutChunk, id=ID, offset=offset, data=piece)
        return reply

    def test_in_turn(self) -> None:
        """The other node goes on from what is on the disk; the first one, from what the other has noted since."""
        self.assertEqual(0, self.begin())
        self.put(0, MIB + 3 * PIECE)
        self.come(self.two)
        self.assertEqual(MIB, self.begin())
        self.put(MIB, 2 * MIB + PIECE)
        self.come(self.one)
        self.assertEqual(2 * MIB, self.begin())
        self.assertTrue(self.put(2 * MIB, len(self.data)).whole)
        self.assertEqual(self.data, bytes(self.one.files.files[ID]))

    def test_one_writes(self) -> None:
        """A node that another one has overtaken notes nothing over it, and its client asks how far the blob is."""
        self.begin()
        self.put(0, MIB + PIECE)
        left = self.alice
        self.alice = self.two.log_in(left.account)
        self.begin()
        self.put(MIB, 2 * MIB)
        self.alice = self.one.log_in(left.account)
        self.assertEqual("not_found", code(self.put(MIB + PIECE, MIB + HALF)))
        self.assertEqual(2 * MIB, self.begin())
        self.assertTrue(self.put(2 * MIB, len(self.data)).whole)
        self.assertEqual(self.data, bytes(self.one.files.files[ID]))

    def test_whole_elsewhere(self) -> None:
        """A node that knows an upload as it was before another one has made it whole changes no byte of it."""
        self.begin()
        self.put(0, MIB + PIECE)
        left = self.alice
        self.alice = self.two.log_in(left.account)
        self.begin()
        self.assertTrue(self.put(MIB, len(self.data)).whole)
        self.alice = self.one.log_in(left.account)
        reply = self.alice.ask(messages.PutChunk, id=ID, offset=MIB + PIECE, data=b"x" * PIECE)
        self.assertEqual("not_found", code(reply))
        self.assertEqual(self.data, bytes(self.one.files.files[ID]))
        self.assertEqual(len(self.data), self.begin())

    def test_owner_is_gone(self) -> None:
        """What somebody has sent whose account is deleted is read on no node any more, also before a sweep."""
        bob, carol = self.one.join("bob"), self.two.join("carol")
        dora = self.two.join("dora", Role.ADMIN)
        self.begin()
        self.put(0, len(self.data))
        self.nodes.settle()
        for reader in (bob, carol):
            self.assertEqual(self.data[:9], reader.ask(messages.ReadBlob, id=ID, offset=0, limit=9).data)
        self.assertEqual("Ok", code(dora.ask(messages.DeleteUser, user="alice")))
        self.nodes.settle()
        for reader in (bob, carol):
            self.assertEqual("not_found", code(reader.ask(messages.ReadBlob, id=ID, offset=0)))
        self.assertIn(ID, self.one.files.files, "until it is swept")

    def test_room_is_closed(self) -> None:
        """Nor what was sent to a room that has ended: its owner finds nothing to drop."""
        self.begin()
        self.put(0, len(self.data))
        self.one.wait(self.one.memory.close_room(self.one.lobby, None))
        self.nodes.settle()
        self.assertEqual("not_found", code(self.alice.ask(messages.ReadBlob, id=ID, offset=0)))
        self.assertEqual("not_found", code(self.alice.ask(messages.DropBlob, id=ID)))

    def test_dropped_elsewhere(self) -> None:
        """What is dropped on one node is there on no other, also where somebody has read it before."""
        self.begin()
        self.put(0, len(self.data))
        self.come(self.two)
        self.assertEqual(self.data[:9], self.alice.ask(messages.ReadBlob, id=ID, offset=0, limit=9).data)
        self.come(self.one)
        self.assertEqual("Ok", code(self.alice.ask(messages.DropBlob, id=ID)))
        self.come(self.two)
        self.assertEqual("not_found", code(self.alice.ask(messages.ReadBlob, id=ID, offset=0)))
