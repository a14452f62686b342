"""People on other nodes, as those here see them: one server in memory, and what another node says of its people."""

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from chatserv.bus_models import PersonShown, Shown
from chatserv.commands import elsewhere
from chatserv.commands.elsewhere import Neighbours
from chatserv.commands.invitations import Invitation
from chatserv.crypto.commits import Remove, SetMember
from chatserv.models import Consent
from chatserv.wire import messages
from tests.support.server import MemoryClient, WireServer

NODE, OTHER = b"node one", b"node two"
OFFLINE, ONLINE, AWAY = range(3)


class ElsewhereCase(SynchronousTestCase):
    """Alice is here and hears the lobby; Bob is in it too, and on another node, if anywhere."""

    def setUp(self) -> None:
        """Nobody has said anything of Bob."""
        self.server = WireServer()
        self.lobby = self.server.lobby
        self.alice = self.server.join("alice")
        self.alice.sync()
        self.bob = self.server.join("bob")
        self.bob.ask(messages.Bye)
        self.neighbours = Neighbours(self.server.context)
        self.shown: list[Shown] = []
        self.patch(self.server.backplane, "show", self.shown.append)
        self.alice.received.clear()

    def put(self, status: int, node: bytes = NODE, *rooms: bytes) -> None:
        """Bob changes on another node."""
        self.neighbours.changed(node, PersonShown("bob", status, rooms=rooms or (self.lobby,)))
        self.server.settle()

    def everybody(self, people: dict[str, int]) -> None:
        """The other node tells of all that it has."""
        self.neighbours.everybody(NODE, {name: PersonShown(name, status) for name, status in people.items()}, ())

    def enter(self, client: MemoryClient) -> None:
        """Somebody comes into the lobby."""
        self.server.put(client.account, self.lobby, *self.server.smith.join(client.account, self.lobby))

    def heard(self, client: MemoryClient | None = None) -> list[tuple[str, int]]:
        """What a client was told of others since it was asked last."""
        client = client or self.alice
        found = [(each.user, each.status) for each in client.received if isinstance(each, messages.Presence)]
        client.received.clear()
        return found


class SeenTests(ElsewhereCase):
    """What people here see."""

    def test_changes(self) -> None:
        """Each change is told, to who shares a room; a room that is not here has nobody in it."""
        carol = self.server.join("carol", lobby=False)
        carol.sync()
        for status in (ONLINE, AWAY, OFFLINE, OFFLINE):
            self.put(status)
        self.put(ONLINE, NODE, b"another room----")
        self.assertEqual([("bob", ONLINE), ("bob", AWAY), ("bob", OFFLINE)], self.heard())
        self.assertEqual([], self.heard(carol))

    def test_best(self) -> None:
        """Of several nodes, and this one, the best counts, and only what changes that is told."""
        self.put(AWAY)
        self.put(ONLINE, OTHER)
        self.put(AWAY, OTHER)
        self.heard()
        bob = self.server.log_in(self.bob.account)
        bob.sync()
        self.assertEqual([("bob", ONLINE)], self.heard())
        for node in (NODE, OTHER):
            self.put(ONLINE, node)
            self.put(OFFLINE, node)
        self.assertEqual([], self.heard())
        bob.ask(messages.Bye)
        self.assertEqual([("bob", OFFLINE)], self.heard())

    def test_who_comes(self) -> None:
        """Whoever has caught up is told who is online elsewhere, of those in their rooms; not themselves."""
        self.put(AWAY)
        self.neighbours.changed(NODE, PersonShown("alice", ONLINE))
        self.neighbours.changed(NODE, PersonShown("mallory", ONLINE))
        again = self.server.log_in(self.alice.account)
        again.sync()
        self.assertEqual([("bob", AWAY)], self.heard(again))

    def test_new_in_a_room(self) -> None:
        """Who is let into a room hears who of it is online elsewhere; and those in it, of who is let in on another node."""
        carol = self.server.join("carol", lobby=False)
        carol.sync()
        self.put(ONLINE)
        self.heard()
        self.enter(carol)
        self.assertIn(("bob", ONLINE), self.heard(carol))
        self.assertEqual([("carol", ONLINE)], self.heard())
        dave = self.server.join("dave", lobby=False)
        dave.ask(messages.Bye)
        self.neighbours.changed(NODE, PersonShown("dave", AWAY))
        self.enter(dave)
        self.assertEqual([("dave", AWAY)], self.heard())

    def test_everybody(self) -> None:
        """Of everybody on a node those are told of whose status was another one here, wherever they share a room."""
        self.server.make_room(self.alice.account, self.bob.account)
        self.heard()
        with patch.object(elsewhere, "ROOMS_AT_ONCE", 1):
            for people in ({"bob": ONLINE, "mallory": ONLINE}, {"bob": ONLINE}, {}):
                self.everybody(people)
                self.server.advance(1)
        self.assertEqual([("bob", ONLINE), ("bob", OFFLINE)], self.heard())
        self.assertEqual(0, len(self.server.hub.elsewhere))

    def test_not_carried(self) -> None:
        """Who has a place that is not carried for them is shown in that room no more than where they are here."""
        room = self.server.make_room(self.alice.account, self.bob.account)
        self.server.put(self.server.founder, self.lobby, Remove(self.server.smith.leaf(self.bob.account, self.lobby)))
        self.server.put(self.server.founder, self.lobby, SetMember("bob", None))
        invitations = self.server.context.registry.invitations
        invitations.put("bob", room, Invitation("alice", Consent.YIELDED))
        self.heard()
        self.everybody({"bob": ONLINE})
        self.server.advance(1)
        again = self.server.log_in(self.alice.account)
        again.sync()
        self.assertEqual([], self.heard(again))
        invitations.remove("bob", room)
        self.everybody({"bob": AWAY})
        self.server.advance(1)
        self.assertEqual([("bob", AWAY)], self.heard(again))

    def test_moved(self) -> None:
        """Who was on a node that is gone, and is elsewhere now, has never been away."""
        self.put(ONLINE)
        self.put(ONLINE, OTHER)
        self.heard()
        self.everybody({})
        self.server.advance(1)
        self.assertEqual([], self.heard())
        self.assertEqual(1, len(self.server.hub.elsewhere))

    def test_back_before_it_was_told(self) -> None:
        """Who comes back while that they are gone is being told is not told of as gone."""
        self.put(ONLINE)
        self.heard()
        with patch.object(elsewhere, "ROOMS_AT_ONCE", 1):
            self.everybody({})
            self.server.hub.elsewhere.put(OTHER, "bob", ONLINE)
            self.server.advance(1)
        self.assertEqual([], self.heard())


class ShownTests(ElsewhereCase):
    """What other nodes are told of people here."""

    def test_shown(self) -> None:
        """Others hear of each change of what somebody is here, with their rooms, whatever they are elsewhere."""
        self.put(ONLINE)
        bob = self.server.log_in(self.bob.account)
        self.assertEqual([], self.shown)  # has yet to say how they are
        bob.sync()
        bob.ask(messages.SetPresence, away=True)
        bob.ask(messages.Bye)
        device, rooms = (bob.account.device_id,), (self.lobby,)
        expected: list[Any] = [PersonShown("bob", status, device, rooms) for status in (ONLINE, AWAY)]
        expected.append(PersonShown("bob", OFFLINE, (), rooms))
        self.assertEqual(expected, self.shown)

    def test_own(self) -> None:
        """Whoever asks is told of everybody who is here and has caught up."""
        self.server.log_in(self.bob.account)
        self.put(ONLINE)
        alice = PersonShown("alice", ONLINE, (self.alice.account.device_id,))
        self.assertEqual(([alice], []), self.neighbours.own())
