"""Looking rooms up."""

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.room_registry import RoomRegistry
from chatserv.crypto.commits import Commit, SetPolicy
from chatserv.crypto.room_state import MAX_TOPIC_BYTES
from chatserv.wire import messages
from chatserv.wire.fields import LIST_PAGE
from tests.support.server import WireServer
from tests.support.smith import PUBLIC, code


class ListTests(SynchronousTestCase):
    """What `rooms` promises."""

    def test_public_rooms(self) -> None:
        """Public rooms are listed in order of name with topic and members, private ones are not."""
        server = WireServer()
        alice, bob = server.join("alice"), server.join("bob", lobby=False)
        server.make_room(alice.account)
        club = server.make_room(alice.account, bob.account, policy=replace(PUBLIC, name="club", topic="games"))
        listed = bob.ask(messages.ListRooms)
        self.assertEqual(
            listed.rooms,
            (
                messages.PublicRoom(club, "club", "games", 2),
                messages.PublicRoom(server.lobby, "lobby", "", 2),
            ),
        )
        self.assertFalse(listed.more)
        bob.leave_room(club)
        self.assertEqual(bob.ask(messages.ListRooms).rooms[0].members, 1)
        self.assertEqual([room.name for room in bob.ask(messages.ListRooms, after="club").rooms], ["lobby"])

    def test_pages(self) -> None:
        """A page has as many rooms as fit into the limit and into the line, and says whether there are more."""
        for topic, line, expected in (
            ("", 65_536, [LIST_PAGE, 2]),
            ("t" * MAX_TOPIC_BYTES, 20_000, [14, *[13] * 6, 10]),
        ):
            server = WireServer(rooms_per_account=250, line_bytes=line)
            alice = server.join("alice", lobby=False)
            for number in range(101):
                policy = replace(PUBLIC, name=f"room{number:03}", topic=topic)
                server.make_room(alice.account, policy=policy)
            found: list[str] = []
            pages = []
            while len(found) < 102:
                page = alice.ask(messages.ListRooms, after=found[-1] if found else "")
                found += [room.name for room in page.rooms]
                pages.append(len(page.rooms))
                self.assertEqual(page.more, len(found) < 102)
            self.assertEqual(found, sorted(found))
            self.assertEqual(pages, expected)


class ChainTests(SynchronousTestCase):
    """What `room_info` promises."""

    def test_from_an_epoch(self) -> None:
        """The commits from an epoch on come in order, with the current epoch; above it there are none."""
        server = WireServer()
        alice = server.join("alice")
        room = server.make_room(alice.account)
        for _ in range(3):
            server.put(alice.account, room)
        for epoch in range(5):
            chain = alice.ask(messages.GetRoom, room=room, epoch=epoch)
            self.assertEqual(chain.epoch, 3)
            self.assertEqual([Commit.decode(commit).tbs.epoch for commit in chain.commits], list(range(epoch, 4)))

    def test_long_chain(self) -> None:
        """A chain that does not fit into one line comes in several, each with at least one commit."""
        server = WireServer(line_bytes=4096, envelope_bytes=1024)
        alice = server.join("alice")
        room = server.make_room(alice.account, policy=replace(PUBLIC, name="club", topic="t" * 900))
        for number in range(40):
            server.put(alice.account, room, SetPolicy(replace(PUBLIC, name="club", topic=f"{number}" + "t" * 900)))
        epochs: list[int] = []
        while len(epochs) < 41:
            chain = alice.ask(messages.GetRoom, room=room, epoch=len(epochs))
            self.assertTrue(chain.commits)
            epochs += [Commit.decode(commit).tbs.epoch for commit in chain.commits]
        self.assertEqual(epochs, list(range(41)))
        self.assertIsNone(alice.error)

    def test_many_small_ones(self) -> None:
        """A line holds many small commits."""
        server = WireServer()
        alice = server.join("alice")
        room = server.make_room(alice.account)
        for _ in range(70):
            server.put(alice.account, room)
        self.assertEqual(len(alice.ask(messages.GetRoom, room=room, epoch=0).commits), 71)

    def test_public_room(self) -> None:
        """Anybody reads the chain of a public room; of a private one and of none, nobody but its members."""
        server = WireServer()
        bob = server.join("bob", lobby=False)
        self.assertEqual(code(bob.ask(messages.GetRoom, room=server.lobby, epoch=0)), "Chain")
        private = server.make_room(server.founder)
        for room in (private, b"?" * 16):
            self.assertEqual(code(bob.ask(messages.GetRoom, room=room, epoch=0)), "not_member")


class BookTests(SynchronousTestCase):
    """The book over a restart."""

    def test_same_after_a_restart(self) -> None:
        """What the store gives back is what commits had made of the rooms."""
        server = WireServer()
        alice, bob = server.join("alice"), server.join("bob")
        room = server.make_room(alice.account, bob.account)
        bob.leave_room(room)

        def known(registry: RoomRegistry) -> object:
            rooms = {
                record.room_id: (record.head, record.name, record.state, record.leaves, record.members)
                for record in registry
            }
            return rooms, [server.rooms_in(name) for name in ("alice", "bob", "founder", "nobody")]

        before = known(server.context.registry)
        server.restart()
        self.assertEqual(known(server.context.registry), before)
        self.assertEqual(server.rooms_in("alice"), 2)
