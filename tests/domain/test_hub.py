"""The hub: who is online, who replaces whom, and who hears which room live."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import Hub, LiveRoom, LiveSession, Place
from chatserv.domain.roles import Role

ROOM, OTHER_ROOM = b"r" * 16, b"o" * 16


class Box:
    """An outbox that keeps what it gets."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.sizes: list[int] = []
        self.closed = self.full = False
        self.relaxed = True
        self.behind = 0

    def queue(self, parts: Sequence[bytes], size: int) -> None:
        """Keeps them."""
        self.parts += parts
        self.sizes.append(size)

    async def writable(self) -> None:
        """Always."""

    def has_place(self, size: int) -> bool:  # noqa: ARG002 - any will do
        """Unless it is full."""
        return not self.full

    def fell_behind(self) -> None:
        """Counts."""
        self.behind += 1

    def end(self, reason: CloseReason) -> None:
        """Ends."""
        raise AssertionError(reason)


def live_session(device: bytes = b"d", rooms: Sequence[bytes] = (ROOM,)) -> tuple[LiveSession, Box]:
    """A session of a device, and its outbox."""
    box = Box()
    return LiveSession(b"a", "alice", Role.USER, device, box, dict.fromkeys(rooms, Place(0, 0))), box


class HubTests(SynchronousTestCase):
    """What `Hub` promises."""

    def setUp(self) -> None:
        """Two places, two rooms, the first of which has seven events."""
        self.hub = Hub(2)
        self.hub.add_rooms([LiveRoom(ROOM, "lobby", 0, 7), LiveRoom(OTHER_ROOM, "other", 0, 0)])

    def test_places(self) -> None:
        """The last place is given; the next device has none, but one that is online may come again."""
        for device in (b"1", b"2"):
            self.assertTrue(self.hub.has_room_for(device))
            self.hub.attach(live_session(device)[0])
        self.assertFalse(self.hub.has_room_for(b"3"))
        self.assertTrue(self.hub.has_room_for(b"2"))

    def test_place_is_free_again(self) -> None:
        """Whoever goes leaves a place; going twice leaves one."""
        sessions = [live_session(device)[0] for device in (b"1", b"2")]
        for session in sessions:
            self.hub.attach(session)
        self.hub.detach(sessions[0])
        self.hub.detach(sessions[0])
        self.assertTrue(self.hub.has_room_for(b"3"))
        self.assertEqual(self.hub.sessions, [sessions[1]])

    def test_takeover(self) -> None:
        """A second session of a device replaces the first, which hears nothing any more."""
        (old, old_box), (new, new_box) = live_session(), live_session()
        self.assertIsNone(self.hub.attach(old))
        self.assertTrue(self.hub.go_live(old, ROOM, 7))
        self.assertIs(self.hub.attach(new), old)
        self.assertEqual((self.hub.is_attached(old), self.hub.is_attached(new)), (False, True))
        self.assertTrue(self.hub.go_live(new, ROOM, 7))
        self.hub.deliver(ROOM, [b"eight"], 8)
        self.assertEqual((old_box.parts, new_box.parts), ([], [b"eight"]))

    def test_late_end_of_the_replaced(self) -> None:
        """That the replaced session goes at last does not put out the one that replaced it."""
        old, new = live_session()[0], live_session()[0]
        self.hub.attach(old)
        self.hub.attach(new)
        self.hub.detach(old)
        self.assertTrue(self.hub.is_attached(new))

    def test_only_at_the_head(self) -> None:
        """A session hears a room live only when it has everything up to the head."""
        session, box = live_session()
        self.hub.attach(session)
        self.assertFalse(self.hub.go_live(session, ROOM, 6))
        self.assertEqual(self.hub.deliver(ROOM, [b"eight"], 8), 0)
        self.assertFalse(self.hub.go_live(session, ROOM, 7))
        self.assertTrue(self.hub.go_live(session, ROOM, 8))
        self.assertEqual(self.hub.deliver(ROOM, [b"nine", b"ten"], 10), 1)
        self.assertEqual((box.parts, box.sizes), ([b"nine", b"ten"], [7]))

    def test_not_when_detached(self) -> None:
        """A session that is gone never goes live."""
        session, box = live_session()
        self.hub.attach(session)
        self.hub.detach(session)
        self.assertFalse(self.hub.go_live(session, ROOM, 7))
        self.hub.deliver(ROOM, [b"eight"], 8)
        self.assertEqual((box.parts, self.hub.rooms[ROOM].live), ([], {}))

    def test_rooms_apart(self) -> None:
        """Events reach the sessions of their own room only."""
        (one, one_box), (two, two_box) = live_session(b"1"), live_session(b"2", (OTHER_ROOM,))
        for session, room, head in ((one, ROOM, 7), (two, OTHER_ROOM, 0)):
            self.hub.attach(session)
            self.assertTrue(self.hub.go_live(session, room, head))
        self.hub.deliver(OTHER_ROOM, [b"first"], 1)
        self.assertEqual((one_box.parts, two_box.parts), ([], [b"first"]))

    def test_no_place(self) -> None:
        """A session that has no place for events falls behind from the last one that it has; the others get them."""
        (slow, slow_box), (quick, quick_box) = live_session(b"1"), live_session(b"2")
        for session in (slow, quick):
            self.hub.attach(session)
            self.assertTrue(self.hub.go_live(session, ROOM, 7))
        slow_box.full = True
        self.assertEqual(self.hub.deliver(ROOM, [b"eight", b"nine"], 9), 1)
        self.assertEqual((slow.behind, slow_box.behind, slow_box.parts), ({ROOM: 7}, 1, []))
        self.assertEqual((quick.behind, quick_box.behind, quick_box.parts), ({}, 0, [b"eight", b"nine"]))
        slow_box.full = False
        self.assertEqual(self.hub.deliver(ROOM, [b"ten"], 10), 1)
        self.assertEqual((slow.behind, slow_box.behind, slow_box.parts), ({ROOM: 7}, 1, []))
        self.assertFalse(self.hub.go_live(slow, ROOM, 9))
        self.assertTrue(self.hub.go_live(slow, ROOM, 10))

    def test_something_before_was_not_delivered(self) -> None:
        """Where the events before these were given to nobody, everybody reads from the log what they miss, once."""
        session, box = live_session()
        self.hub.attach(session)
        self.assertTrue(self.hub.go_live(session, ROOM, 7))
        self.assertEqual(self.hub.deliver(ROOM, [b"ten"], 10), 0)
        self.assertEqual((box.parts, session.behind, self.hub.rooms[ROOM].head), ([], {ROOM: 7}, 10))
        self.assertTrue(self.hub.go_live(session, ROOM, 10))
        self.assertEqual(self.hub.deliver(ROOM, [b"eleven"], 11), 1)
        self.assertEqual(box.parts, [b"eleven"])

    def test_unknown_room_of_a_membership(self) -> None:
        """A membership of a room that this node does not know disturbs nobody when its session goes."""
        session, _ = live_session(rooms=(b"?" * 16, ROOM))
        self.hub.attach(session)
        self.hub.go_live(session, ROOM, 7)
        self.hub.detach(session)
        self.assertEqual(self.hub.rooms[ROOM].live, {})

    def test_sessions_of_an_account(self) -> None:
        """Sessions are found by device and by account, as long as they are there."""
        one, two = (live_session(device)[0] for device in (b"1", b"2"))
        for session in (one, two):
            self.hub.attach(session)
        self.assertEqual((self.hub.sessions_of("alice"), self.hub.session_of(b"1")), ([one, two], one))
        for session in (one, two):
            self.hub.detach(session)
        self.assertEqual((self.hub.sessions_of("alice"), self.hub.session_of(b"1")), ([], None))

    def test_enters(self) -> None:
        """Who enters a room after the sync hears it at once; who has not synced does not; another leaf is no entry."""
        (synced, box), (other, _) = live_session(b"1", ()), live_session(b"2", ())
        synced.synced = True
        for session in (synced, other):
            self.hub.attach(session)
            self.assertTrue(self.hub.enter(session, ROOM, 3, 7))
        self.hub.deliver(ROOM, [b"eight"], 8)
        self.assertEqual((box.parts, list(self.hub.rooms[ROOM].here)), ([b"eight"], [synced, other]))
        self.assertFalse(self.hub.enter(synced, ROOM, 4, 8))
        self.assertEqual(synced.places[ROOM], Place(4, 7))

    def test_removed(self) -> None:
        """Who is removed hears nothing after that seq, and reads up to it; removed twice is removed once."""
        session, box = live_session()
        self.hub.attach(session)
        self.hub.go_live(session, ROOM, 7)
        self.hub.end_place(session, ROOM, 7)
        self.hub.end_place(session, ROOM, 9)
        self.hub.deliver(ROOM, [b"eight"], 8)
        self.assertEqual((box.parts, self.hub.target(session, ROOM)), ([], 7))
        self.assertFalse(self.hub.go_live(session, ROOM, 6))
        self.assertTrue(self.hub.go_live(session, ROOM, 7))
        self.assertEqual((self.hub.rooms[ROOM].live, self.hub.rooms[ROOM].here), ({}, {}))

    def test_leaves(self) -> None:
        """Who leaves has no place and nothing to catch up with any more."""
        session, box = live_session()
        self.hub.attach(session)
        session.behind[ROOM] = 3
        self.hub.leave(session, ROOM)
        self.hub.leave(session, ROOM)
        self.hub.deliver(ROOM, [b"eight"], 8)
        self.assertEqual((box.parts, session.places, session.behind), ([], {}, {}))

    def test_closed(self) -> None:
        """A room that is closed is forgotten, and those that had a place in it are named."""
        (one, _), (two, _) = live_session(b"1"), live_session(b"2", (OTHER_ROOM,))
        for session in (one, two):
            self.hub.attach(session)
        arrival = self.hub.expect(b"3")
        self.assertEqual(self.hub.close(ROOM), [one])
        self.assertEqual((set(self.hub.rooms), one.places, arrival.touched), ({OTHER_ROOM}, {}, True))
        self.assertEqual(self.hub.close(ROOM), [])

    def test_arrivals(self) -> None:
        """What happens to a device that logs in is noticed, for each of its logins, until it has arrived."""
        first, second, other = (self.hub.expect(device) for device in (b"1", b"1", b"2"))
        self.hub.arrived(first)
        self.hub.touch([b"1"])
        self.assertEqual([arrival.touched for arrival in (first, second, other)], [False, True, False])
        for arrival in (second, other):
            self.hub.arrived(arrival)
        self.assertEqual(self.hub._arriving, {})

    @given(st.lists(st.tuples(st.sampled_from(["attach", "detach"]), st.integers(0, 4)), max_size=60))
    def test_never_above_the_bound(self, steps: list[tuple[str, int]]) -> None:
        """If each login asks first, there are never more sessions than places, one a device, and nobody gone is live."""
        hub = Hub(3)
        hub.add_rooms([LiveRoom(ROOM, "lobby", 0, 0)])
        online: dict[bytes, LiveSession] = {}
        for step, number in steps:
            device = bytes((number,))
            if step == "attach" and hub.has_room_for(device):
                session = live_session(device)[0]
                self.assertIs(hub.attach(session), online.get(device))
                hub.go_live(session, ROOM, 0)
                online[device] = session
            elif step == "detach" and device in online:
                hub.detach(online.pop(device))
            self.assertLessEqual(len(hub.sessions), 3)
            self.assertCountEqual(hub.sessions, online.values())
            self.assertCountEqual(hub.rooms[ROOM].live, online.values())
