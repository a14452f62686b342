"""Accounts that end, and identities that an administrator resets, by a real server: what the others' clients make of it."""

from chatserv.client.events import IdentityChanged
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import AttackCase, alarms, engine_of, room_of


class GoneTests(AttackCase):
    """Alice, who runs the server, ends Bob's account; Carol is in a room with both."""

    def setUp(self) -> None:
        """The room, direct messages, and the end."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.carol.do(self.carol.client.direct("bob1"))
        self.world.settle(2)
        self.carol.say("@bob1", "goodbye")
        self.alice.do(engine_of(self.alice).requests.ask(messages.DeleteUser, user="bob1"))
        self.world.settle(60)

    def there(self, person: Person, room: str = "plans") -> list[str]:
        """Who is in a room, as somebody has it."""
        return [each.user for each in person.room(room).members()]

    def test_struck(self) -> None:
        """Somebody takes him out of each room, for everybody alike, and nobody is alarmed; what was said stays."""
        for person in (self.alice, self.carol):
            self.assertEqual(["alice1", "carol1"], self.there(person))
            self.assertEqual(["alice1", "carol1"], self.there(person, "lobby"))
            self.assertEqual([], alarms(person))
            self.assertEqual([], person.events(IdentityChanged))
        self.carol.say("plans", "the two of us")
        self.assertEqual(("carol1", "the two of us"), self.alice.texts("plans")[-1])

    def test_direct_messages(self) -> None:
        """They stay readable to the other side."""
        self.assertIn(("carol1", "goodbye"), self.carol.texts("@bob1"))
        state = room_of(self.carol, "@bob1").state
        assert state is not None
        self.assertFalse(state.devices_of("bob1"))

    def test_out(self) -> None:
        """His own client is told that it is over, and does not try for ever."""
        self.assertFalse(self.bob.online)
        self.world.settle(120)
        self.assertFalse(self.bob.online)
