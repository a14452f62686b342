"""Places that somebody is given and has not agreed to: they take nothing from anybody (docs/crypto.rst)."""

from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.commits import Add, Remove, SetMember
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.models import Consent
from chatserv.testing.unlimited import RATES
from chatserv.wire import messages
from tests.support.server import MemoryClient, WireServer, ask_nobody
from tests.support.smith import DIRECT, PRIVATE, PUBLIC, code


class AgreeingCase(SynchronousTestCase):
    """Bob, whom others take into rooms."""

    def start(self, **limits: Any) -> None:
        """A server, and Bob in its lobby."""
        self.server = WireServer(idle_seconds=100_000, **limits)
        self.bob, self.carol = self.server.join("bob"), self.server.join("carol")
        self.bob.sync()

    def take_in(self, client: MemoryClient, user: MemoryClient | None = None) -> bytes | str:
        """Somebody makes a room with Bob, or another user, in it. Gives its id, or why not."""
        other = (user or self.bob).account
        room, ops = self.server.smith.create(client.account, other, policy=PRIVATE, nonce=self.server.random(32))
        reply = code(client.commit(room, *ops))
        return room if reply == "Committed" else reply

    def flood(self, *names: str, rooms: int) -> list[bytes]:
        """Each of new accounts takes Bob into so many rooms, without an error."""
        found = []
        for name in names:
            client = self.server.join(name, lobby=False)
            made = [self.take_in(client) for _ in range(rooms)]
            found += [room for room in made if isinstance(room, bytes)]
            self.assertEqual(rooms, sum(isinstance(room, bytes) for room in made), made)
        return found

    def rooms(self, client: MemoryClient | None = None) -> set[bytes]:
        """The rooms that a new session of Bob, or of another user, begins with."""
        again = self.server.log_in((client or self.bob).account)
        return {info.room for info in again.one(messages.Welcome).rooms}

    def consents(self) -> dict[bytes, Consent]:
        """What the store has of Bob."""
        return {
            each.room_id: each.consent for each in self.server.wait(self.server.memory.consents()) if each.user == "bob"
        }


class QuotaTests(AgreeingCase):
    """With the limits as they are."""

    def setUp(self) -> None:
        """The ordinary limits."""
        self.start()

    def test_one_takes_all(self) -> None:
        """One account makes 199 rooms with Bob: most are refused to it; Bob makes a room, and is written to, as before."""
        self.start(**RATES)
        mallory = self.server.join("mallory")
        made = [self.take_in(mallory) for _ in range(199)]
        self.assertEqual(20, sum(isinstance(room, bytes) for room in made))
        self.assertEqual({"quota"}, {room for room in made if isinstance(room, str)})
        self.assertEqual("Committed", code(self.bob.commit(*self.own_room())))
        self.assertIsInstance(self.take_in(self.carol), bytes)
        room, ops = self.server.smith.create(self.carol.account, self.bob.account, policy=DIRECT)
        self.assertEqual("Committed", code(self.carol.commit(room, *ops)))
        self.assertEqual("Committed", code(self.bob.join_room(self.club())))
        self.assertEqual(20 + 5, len(self.rooms()))

    def own_room(self) -> tuple[Any, ...]:
        """What Bob makes a room with."""
        room, ops = self.server.smith.create(self.bob.account, nonce=b"b" * 32)
        return (room, *ops)

    def club(self) -> bytes:
        """A public room that Bob is not in."""
        return self.server.make_room(self.carol.account, policy=replace(PUBLIC, name="club"))


class InvitationTests(AgreeingCase):
    """With place for four, and two of one account."""

    def setUp(self) -> None:
        """Small limits."""
        self.start(offers_per_account=4, offers_per_inviter=2, rooms_per_account=6, lease_unused=100)

    def test_most_yield(self) -> None:
        """Many accounts fill Bob's places: the inviter with most yields to whoever comes, and nobody is refused."""
        attack = self.flood("mallory", "trudy", rooms=2)
        carols = self.take_in(self.carol)
        self.assertEqual([messages.RoomClosed(attack[0])], self.bob.all(messages.RoomClosed))
        daves = self.take_in(self.server.join("dave"))
        self.assertEqual([attack[0], attack[2]], [notice.room for notice in self.bob.all(messages.RoomClosed)])
        expected = {self.server.lobby, attack[1], attack[3], carols, daves}
        self.assertEqual(expected, self.rooms())
        self.server.restart()
        self.assertEqual(expected, self.rooms())
        self.assertEqual(2, sum(each is Consent.YIELDED for each in self.consents().values()))

    def test_equals_yield_by_age(self) -> None:
        """Where each inviter has as many, the oldest place yields."""
        first, *others = self.flood("mallory", "trudy", "eve", "oscar", "peggy", rooms=1)
        self.assertEqual({self.server.lobby, *others}, self.rooms())
        self.assertEqual([first], [notice.room for notice in self.bob.all(messages.RoomClosed)])

    def test_yielded_count(self) -> None:
        """What has yielded counts for its inviter: going on makes no place."""
        self.flood("trudy", "eve", rooms=2)
        mallory = self.server.join("mallory")
        self.assertEqual(["quota"] * 3, [self.take_in(mallory) for _ in range(5)][2:])

    def test_yielded_place(self) -> None:
        """In a room that has yielded Bob hears, says and reads nothing, whatever others commit there."""
        room = self.flood("mallory", "trudy", "eve", rooms=2)[0]
        mallory = next(client for client in self.server.clients if client.account.user == "mallory")
        mallory.say("anybody?", room)
        leaf = self.server.smith.leaf(self.bob.account, room)
        for ops in ((), (Remove(leaf),), (Add(self.server.smith.entry(self.bob.account, leaf + 1)),)):
            self.assertEqual("Committed", code(mallory.commit(room, *ops)))
        self.assertEqual(1, len(self.bob.events(room)))
        self.assertNotIn(room, self.rooms())
        again = self.server.log_in(self.bob.account)
        self.assertEqual("not_member", code(again.say("no", room)))
        self.assertEqual("not_member", code(again.ask(messages.History, room=room, before=100)))

    def test_agreed(self) -> None:
        """What Bob agrees to is his, and makes place; it survives a restart."""
        attack = self.flood("mallory", "trudy", rooms=2)
        self.assertEqual("Ok", code(self.bob.ask(messages.Agreed, rooms=(attack[0], attack[0], b"?" * 16))))
        for _ in range(2):
            infos = self.server.log_in(self.bob.account).one(messages.Welcome).rooms
            agreed = {info.room: info.agreed for info in infos}
            self.assertEqual({self.server.lobby: True, attack[0]: True} | dict.fromkeys(attack[1:], False), agreed)
            self.server.restart()
        self.flood("eve", rooms=1)
        self.assertEqual([], self.server.log_in(self.bob.account).all(messages.RoomClosed))
        self.assertEqual(6, len(self.rooms()))

    def test_agreed_to_too_many(self) -> None:
        """Bob agrees to as many rooms as an account may be in; the rest stay as they are."""
        for names in (("mallory", "trudy"), ("eve", "oscar")):
            attack = self.flood(*names, rooms=2)
            reply = code(self.bob.ask(messages.Agreed, rooms=tuple(attack)))
        self.assertEqual("quota", reply)
        self.assertEqual(6, self.server.rooms_in("bob"))
        room, ops = self.server.smith.create(self.bob.account)
        self.assertEqual("quota", code(self.bob.commit(room, *ops)))

    def test_who_speaks_agrees(self) -> None:
        """Who says something in a room wants to be there, also with a client that does not say so."""
        first, *_ = self.flood("mallory", "trudy", rooms=2)
        self.assertIsInstance(self.bob.say("hello", first), messages.Sent)
        self.assertIs(Consent.AGREED, self.consents()[first])
        self.assertEqual("Committed", code(self.bob.commit(first)))

    def test_who_speaks_and_has_no_place(self) -> None:
        """What Bob says where he may not agree any more is said, and he is told that it is: it stays an invitation."""
        for names in (("mallory", "trudy"), ("eve", "oscar")):
            attack = self.flood(*names, rooms=2)
            self.bob.ask(messages.Agreed, rooms=tuple(attack))
        self.assertIs(Consent.ASKED, self.consents()[attack[-1]])
        self.assertIsInstance(self.bob.say("hello", attack[-1]), messages.Sent)
        self.assertIs(Consent.ASKED, self.consents()[attack[-1]])

    def test_who_comes_agrees(self) -> None:
        """Who makes a room, or joins one, or commits in one, wants to be there."""
        club = self.server.make_room(self.carol.account, policy=replace(PUBLIC, name="club"))
        self.bob.join_room(club)
        own = self.bob.make_room()
        (given,) = self.flood("mallory", rooms=1)
        self.assertEqual("Committed", code(self.bob.commit(given)))
        self.assertEqual(dict.fromkeys((self.server.lobby, club, own, given), Consent.AGREED), self.consents())

    def test_refused(self) -> None:
        """A room that Bob leaves counts no more, although nobody commits his Leave; nor one that he is taken out of."""
        attack = self.flood("mallory", "trudy", rooms=2)
        self.assertEqual("Ok", code(self.bob.leave_room(attack[0])))
        trudy = next(client for client in self.server.clients if client.account.user == "trudy")
        self.assertEqual("Committed", code(trudy.commit(attack[2], SetMember("bob", None))))
        self.assertEqual(2, self.server.offers_to("bob"))
        self.flood("eve", rooms=2)
        self.assertEqual([], self.bob.all(messages.RoomClosed))
        self.server.restart()
        self.assertEqual(4, self.server.offers_to("bob"))

    def test_taken_in_again(self) -> None:
        """Who is struck and taken in again, or banned and let in, is asked again."""
        (room,) = self.flood("mallory", rooms=1)
        self.bob.ask(messages.Agreed, rooms=(room,))
        mallory = next(client for client in self.server.clients if client.account.user == "mallory")
        self.assertEqual("Committed", code(mallory.commit(room, SetMember("bob", RoomRole.BANNED))))
        self.assertNotIn(room, self.consents())
        self.assertEqual("Committed", code(mallory.commit(room, *self.server.smith.add(self.bob.account, room))))
        self.assertIs(Consent.ASKED, self.consents()[room])
        self.assertFalse(self.bob.all(messages.RoomEntered)[-1].info.agreed)

    def test_closed(self) -> None:
        """A room that is closed is forgotten."""
        (room,) = self.flood("mallory", rooms=1)
        mallory = next(client for client in self.server.clients if client.account.user == "mallory")
        self.bob.leave_room(room)
        mallory.leave_room(room)
        self.assertIsNone(self.server.context.registry.get(room))
        self.assertEqual(0, self.server.offers_to("bob"))

    def test_direct_message_that_yielded(self) -> None:
        """Who begins direct messages that have yielded has them back, from their beginning."""
        room, ops = self.server.smith.create(self.carol.account, self.bob.account, policy=DIRECT)
        self.assertEqual("Committed", code(self.carol.commit(room, *ops)))
        self.carol.say("hello bob", room)
        self.flood("mallory", "trudy", "eve", "oscar", rooms=1)
        self.assertNotIn(room, self.rooms())
        self.bob = self.server.log_in(self.bob.account)
        self.bob.sync()
        wanted, ops = self.server.smith.create(self.bob.account, self.carol.account, policy=DIRECT, nonce=b"b" * 32)
        self.assertEqual(messages.Existing, type(reply := self.bob.commit(wanted, *ops)), reply)
        self.assertEqual(room, self.bob.all(messages.RoomEntered)[-1].info.room)
        self.assertEqual([1, 2], [event.seq for event in self.bob.events(room)])
        self.carol.say("there you are", room)
        self.assertEqual([1, 2, 3], [event.seq for event in self.bob.events(room)])
        self.assertIsInstance(self.bob.say("yes", room), messages.Sent)
        self.assertIn(room, self.rooms())

    def test_welcome_is_never_too_long(self) -> None:
        """Where the limits allow more rooms than a welcome holds, those that nobody agreed to are left out."""
        attack = self.flood("mallory", "trudy", rooms=2)
        self.patch(messages, "MAX_ROOMS", 3)
        from chatserv.commands import session

        self.patch(session, "MAX_ROOMS", 3)
        self.bob.ask(messages.Agreed, rooms=(attack[3],))
        self.assertLessEqual({self.server.lobby, attack[3]}, (rooms := self.rooms()))
        self.assertEqual(3, len(rooms))


class EarlierTests(AgreeingCase):
    """Rooms of a version that did not ask."""

    def setUp(self) -> None:
        """Bob is in five rooms of carol's, and one of dave's; nobody was asked."""
        self.start(offers_per_account=3, offers_per_inviter=9, lease_unused=100)
        dave = self.server.join("dave")
        self.carols = [self.take_in(self.carol) for _ in range(5)]
        self.daves = self.take_in(dave)
        ask_nobody(self.server.memory)
        self.server.restart()
        self.bob = self.server.log_in(self.bob.account)

    def test_nothing_is_lost(self) -> None:
        """Until his client has spoken, Bob has all his rooms, and nobody's place yields."""
        self.carol = self.server.log_in(self.carol.account)
        self.assertIsInstance(self.take_in(self.carol), bytes)
        self.assertEqual(8, len(self.rooms()))
        self.assertEqual({False}, {info.agreed for info in self.bob.one(messages.Welcome).rooms})

    def test_what_is_agreed_to(self) -> None:
        """Once it has, what he agreed to is his, and the rest was given to him by whose room it is."""
        mine = (self.server.lobby, *self.carols[:2], self.daves)
        self.bob.ask(messages.Agreed, rooms=mine, all=True)
        self.assertEqual(4, self.server.rooms_in("bob"))
        self.assertEqual(3, self.server.offers_to("bob", "carol"))
        for _ in range(2):
            infos = self.server.log_in(self.bob.account).one(messages.Welcome).rooms
            self.assertEqual(set(mine), {info.room for info in infos if info.agreed})
            self.assertEqual(set(self.carols[2:]), {info.room for info in infos if not info.agreed})
            self.server.restart()

    def test_too_many(self) -> None:
        """What he did not agree to and is too much yields."""
        self.bob.ask(messages.Agreed, rooms=(self.server.lobby, self.daves), all=True)
        self.assertEqual(self.carols[:2], [notice.room for notice in self.bob.all(messages.RoomClosed)])
        self.assertEqual({self.server.lobby, self.daves, *self.carols[2:]}, self.rooms())
