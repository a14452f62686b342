"""A room that is read anew: who was where reads on, and has the place that the store says."""

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.hub import Hub, LiveRoom, LiveSession, Place
from chatserv.domain.room_reload import reload_room
from tests.domain.test_hub import ROOM, Box, live_session


class ReloadTests(SynchronousTestCase):
    """What `reload_room` does. Seven events were delivered, the store has twenty."""

    def setUp(self) -> None:
        """A room that one session hears live."""
        self.hub = Hub(10)
        self.hub.add_rooms([LiveRoom(ROOM, "lobby", 0, 7)])
        self.session, self.box = self.arrive(b"d", live=True)
        self.greeted: list[tuple[LiveSession, bool]] = []

    def arrive(self, device: bytes, *, live: bool = False, has_place: bool = True) -> tuple[LiveSession, Box]:
        """Somebody who has synced."""
        session, box = live_session(device, (ROOM,) if has_place else ())
        session.synced = True
        self.hub.attach(session)
        if live:
            self.assertTrue(self.hub.go_live(session, ROOM, 7))
        return session, box

    def reload(self, places: Mapping[bytes, Place]) -> None:
        """The store has twenty events and epoch 3."""
        fresh = LiveRoom(ROOM, "hall", 3, 20, b"hash", 2)
        reload_room(self.hub, fresh, places, lambda one: self.greeted.append((one, ROOM in one.behind)))

    def test_who_was_live_reads_on(self) -> None:
        """From where it was, and not before the room is as it is: else the reading would be over at once."""
        heads: list[int] = []
        self.box.fell_behind = lambda: heads.append(self.hub.rooms[ROOM].head)  # type: ignore[method-assign]
        self.reload({b"d": Place(4, 0)})
        room = self.hub.rooms[ROOM]
        self.assertEqual((self.session.behind, heads, self.session.places), ({ROOM: 7}, [20], {ROOM: Place(4, 0)}))
        self.assertEqual((list(room.here), list(room.live), self.greeted), ([self.session], [], []))
        self.assertEqual((room.name, room.epoch, room.commit_hash, room.first), ("hall", 3, b"hash", 2))

    def test_who_was_behind_stays_there(self) -> None:
        """Where it reads is not moved."""
        self.hub.put_behind(self.session, ROOM, 5)
        self.reload({b"d": Place(0, 0)})
        self.assertEqual(self.session.behind, {ROOM: 5})

    def test_who_was_removed(self) -> None:
        """Reads up to the end of its place, and is not there any more."""
        self.reload({b"d": Place(0, 0, 12)})
        self.assertEqual((self.session.behind, self.session.places), ({ROOM: 7}, {ROOM: Place(0, 0, 12)}))
        self.assertEqual((list(self.hub.rooms[ROOM].here), self.hub.target(self.session, ROOM)), ([], 12))

    def test_who_has_no_place_any_more(self) -> None:
        """Hears nothing."""
        self.reload({})
        self.assertEqual((self.session.places, self.session.behind, list(self.hub.rooms[ROOM].live)), ({}, {}, []))

    def test_who_came_again(self) -> None:
        """Is told so, and reads what is behind that."""
        self.reload({b"d": Place(1, 15)})
        self.assertEqual((self.session.behind, self.greeted), ({ROOM: 15}, [(self.session, False)]))
        self.assertEqual(self.box.behind, 1)
        self.assertTrue(self.hub.go_live(self.session, ROOM, 20))

    def test_who_came_and_went(self) -> None:
        """Reads its time there, and is not there."""
        self.reload({b"d": Place(1, 15, 17)})
        self.assertEqual((self.session.behind, list(self.hub.rooms[ROOM].here)), ({ROOM: 15}, []))

    def test_who_is_new(self) -> None:
        """Is let in; who has not synced yet reads when it does."""
        one, box = self.arrive(b"e", has_place=False)
        other, other_box = self.arrive(b"f", has_place=False)
        other.synced = False
        self.reload({b"d": Place(0, 0), b"e": Place(2, 9), b"f": Place(3, 9), b"away": Place(4, 9)})
        self.assertEqual((one.behind, other.behind, box.behind, other_box.behind), ({ROOM: 9}, {}, 1, 0))
        self.assertEqual([session for session, _ in self.greeted], [one, other])
        self.assertEqual(set(self.hub.rooms[ROOM].here), {self.session, one, other})

    def test_a_room_that_was_not_here(self) -> None:
        """It is taken in, with who has a place in it."""
        del self.hub.rooms[ROOM]
        arrival = self.hub.expect(b"d")
        self.reload({b"d": Place(0, 0)})
        self.assertEqual(self.hub.rooms[ROOM].head, 20)
        self.assertTrue(arrival.touched)
