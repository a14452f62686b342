"""Devices come by approval and by code and go by revocation, and the identity is renewed: all by real commands."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import RotationDone
from chatserv.client.recovery.failures import WrongCode
from chatserv.testing.world import Person, World
from tests.client.attackers import alarms


class LifeCase(SynchronousTestCase):
    """Alice, who administers, and Bob, who has verified her; a private room of the two."""

    def setUp(self) -> None:
        """They are in it."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")
        self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(self.alice.room("plans").invite("bob"))
        self.world.settle()
        self.bob.room("plans").accept()
        shown = self.bob.do(self.bob.client.people.verification("alice"))
        self.bob.do(self.bob.client.people.compare("alice", shown.number))
        self.code = self.alice.recovery_code

    def revoke(self, by: Person, device: Person) -> None:
        """Ends a device."""
        by.do(by.client.devices.revoke(device.client.keyring.device_id))
        self.world.settle(30)

    def talks(self, *people: Person) -> None:
        """All of them hear each other, Bob too, who has nothing to accept."""
        for number, person in enumerate(people):
            text = f"word {number} at {self.world.server.now_ms()}"
            person.say("plans", text)
            self.world.settle(3)
            for other in (*people, self.bob):
                self.assertIn(("alice", text), other.texts("plans"))
        self.assertEqual(self.bob.client.people.trust("alice"), "verified")
        self.assertEqual(alarms(self.bob), [])


class RotationTests(LifeCase):
    """After the identity key was renewed."""

    def setUp(self) -> None:
        """Alice has a device that was given the key, and one that was not; the first is lost, and revoked."""
        super().setUp()
        self.trusted = self.world.approved_device(self.alice, "trusted", hand_over=True)
        self.plain = self.world.approved_device(self.alice, "plain")
        self.world.settle(20)
        self.revoke(self.alice, self.trusted)

    def test_still_there(self) -> None:
        """The others talk on."""
        self.talks(self.alice, self.plain)
        self.assertEqual(self.plain.events(RotationDone), [RotationDone()])

    def test_old_code(self) -> None:
        """The code of before opens nothing that counts, and everybody is told to make a new one; that one works."""
        for person in (self.alice, self.plain):
            self.assertEqual(person.client.account.recovery, "none", person.name)
        made = self.alice.do(self.alice.client.account.new_recovery())
        self.world.settle(30)
        self.assertEqual(self.alice.client.account.recovery, "set")
        guest = self.world.guest("alice", "old-code")
        self.assertRaises(WrongCode, self.world.do, guest.recover(self.code))
        self.world.do(guest.close())
        fresh = self.world.new_device(self.alice, made.code, "recovered")
        self.talks(self.alice, self.plain, fresh)

    def test_approve(self) -> None:
        """Who holds the new key approves further devices, and hands it over."""
        fresh = self.world.approved_device(self.alice, "fresh", hand_over=True)
        self.world.settle(20)
        self.talks(self.alice, fresh)
        self.revoke(fresh, self.plain)
        self.talks(self.alice, fresh)

    def test_again(self) -> None:
        """It is renewed as often as that is needed."""
        fresh = self.world.approved_device(self.alice, "fresh", hand_over=True)
        self.world.settle(20)
        self.revoke(fresh, self.alice)
        self.talks(fresh, self.plain)
        self.assertEqual(len(self.plain.events(RotationDone)), 2)
