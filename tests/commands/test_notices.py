"""What is told to other nodes and may be lost: that it is told, and what another node makes of it.

One server stands for both: what it tells is heard by itself, as by a node on which the same people are.
"""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.notices import take_notice
from chatserv.commands.shared_leases import SharedLeases
from chatserv.wire import messages
from tests.support.server import MemoryClient, WireServer


class NoticeTests(SynchronousTestCase):
    """`take_notice`, and who tells what it takes."""

    def setUp(self) -> None:
        """Alice and Bob are online and hear the lobby."""
        self.server = WireServer()
        self.alice, self.bob = (self.server.join(name) for name in ("alice", "bob"))
        for each in (self.alice, self.bob):
            each.sync()
        self.told: list[Notice] = []
        self.patch(self.server.backplane, "tell", self.told.append)

    def hear(self, client: MemoryClient, kind: type[messages.Message]) -> list[Any]:
        """What a client gets of what was told."""
        client.received.clear()
        for notice in self.told:
            take_notice(self.server.context, notice)
        self.server.settle()
        return [message for message in client.received if isinstance(message, kind)]

    def test_typing(self) -> None:
        """Who is live in the room elsewhere sees that somebody types; of a room that is not there nobody does."""
        self.alice.ask(messages.SetTyping, room=self.server.lobby)
        lobby = self.server.lobby
        self.assertEqual([messages.Typing(lobby, "alice")], self.hear(self.bob, messages.Typing))
        self.told = [Notice(NoticeKind.TYPING, b"another room----", "alice")]
        self.assertEqual([], self.hear(self.bob, messages.Typing))

    def test_read(self) -> None:
        """Read markers likewise; one that was refused is not told."""
        head = self.server.hub.rooms[self.server.lobby].head
        self.alice.ask(messages.MarkRead, room=self.server.lobby, seq=head + 1)
        self.alice.ask(messages.MarkRead, room=self.server.lobby, seq=head)
        self.assertEqual([messages.Read(self.server.lobby, "alice", head)], self.hear(self.bob, messages.Read))

    def test_prekeys_low(self) -> None:
        """A device that is here is told that it should list more, and no other."""
        device = self.bob.account.device_id
        self.told = [Notice(NoticeKind.PREKEYS_LOW, each, number=1) for each in (b"?" * 16, device)]
        self.assertEqual([messages.PrekeysLow(1)], self.hear(self.bob, messages.PrekeysLow))
        self.assertEqual([], self.hear(self.alice, messages.PrekeysLow))

    def test_leases(self) -> None:
        """What is said of leases comes to those that nodes share; a server that has none of those passes it over."""
        heard: list[tuple[str, bytes]] = []

        class Shared(SharedLeases):
            def __init__(self) -> None:
                pass

            def freed(self, room_id: bytes) -> None:
                heard.append(("freed", room_id))

            def wanted(self, room_id: bytes) -> None:
                heard.append(("wanted", room_id))

        self.told = [Notice(kind, b"room") for kind in (NoticeKind.LEASE_FREE, NoticeKind.LEASE_WANTED)]
        self.hear(self.bob, messages.Message)
        self.server.context.leases.shared = Shared()
        self.hear(self.bob, messages.Message)
        self.assertEqual([("freed", b"room"), ("wanted", b"room")], heard)

    def test_newer(self) -> None:
        """What a newer version says is passed over."""
        self.told = [Notice(255, self.server.lobby, "alice", 1, b"?")]
        self.assertEqual([], self.hear(self.bob, messages.Message))
