"""The end of one's own devices: in the log, in every room, and of the identity key that they held."""

from dataclasses import replace
from typing import cast

import msgspec

from chatserv.client.account.keyring import rsa_key_der
from chatserv.client.device_list import OwnDevice
from chatserv.client.events import IdentityChanged, MessageReceived, RotationDone, RotationOpen, StatusChanged
from chatserv.client.own.identity import RECEIVED, TO_HAND_OVER
from chatserv.client.slash.command import explained
from chatserv.client.verification.own_certificates import APPROVED, WITHOUT_IDENTITY
from chatserv.crypto.own_bodies import DeviceInfo, Occasion
from chatserv.crypto.statements import make_rotation
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.errors import ChatError, NotFound
from chatserv.testing.memory_server import rsa_key
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import Tap, alarms, room_of
from tests.client.own.test_devices import DevicesCase, devices_room
from tests.support.devices import add_device


def devices(person: Person) -> dict[str, OwnDevice]:
    """Somebody's devices, by name."""
    return {each.name: each for each in person.do(person.client.devices.list())}


class RevokingCase(DevicesCase):
    """Alice, with a laptop that does not hold the identity key as well."""

    def setUp(self) -> None:
        """Names for all."""
        super().setUp()
        self.phone = add_device(self.world, self.alice, "phone", holds_identity=False)
        for person, name in ((self.alice, "desk"), (self.laptop, "laptop"), (self.phone, "phone")):
            person.do(person.client.devices.rename(name))
        self.world.settle(10)

    def revoke(self, by: Person, device: Person) -> None:
        """Ends a device."""
        by.do(by.client.devices.revoke(device.client.keyring.device_id))


class ListTests(RevokingCase):
    """`DeviceList`."""

    def test_all(self) -> None:
        """Every device sees all: what they are called, who holds the identity key, and which it is itself."""
        for person, name in ((self.alice, "desk"), (self.laptop, "laptop"), (self.phone, "phone")):
            found = devices(person)
            self.assertEqual(list(found), ["desk", "laptop", "phone"])
            self.assertEqual([each for each in found if found[each].current], [name])
            self.assertEqual([found[each].holds_identity for each in found], [True, True, False])
            self.assertEqual([found[each].online for each in found], [True] * 3)

    def test_away(self) -> None:
        """One that is away is shown as that, with when it was seen last."""
        self.phone.leave_the_machine()
        found = devices(self.alice)["phone"]
        self.assertFalse(found.online)
        self.assertGreater(found.seen_ms, 0)


class RoomTests(RevokingCase):
    """Rooms without a device that was revoked."""

    def test_within_one_commit(self) -> None:
        """The device is out of each room by one commit, and reads nothing that is said from then on."""
        self.offer()
        self.alice.room("plans").accept()
        self.world.settle(20)
        self.bob.do(self.bob.client.direct("alice1"))
        self.world.settle(20)
        self.alice.room("@bob1").accept()
        self.world.settle(10)
        places = ("lobby", "plans", "@bob1")
        before = {name: room_of(self.alice, name).head.epoch for name in places}
        phone = self.phone.client.keyring.device_id
        for name in places:
            self.assertIsNotNone(room_of(self.alice, name).own(phone), name)
        self.revoke(self.alice, self.phone)
        for name in places:
            room = room_of(self.alice, name)
            self.assertEqual((room.own(phone), room.head.epoch - before[name]), (None, 1), name)
        self.assertIsNone(devices_room(self.alice).own(phone))
        for name in places:
            self.alice.say(name, "they read nothing more")
        self.world.settle(60)
        self.assertNotIn("they read nothing more", [event.text for event in self.phone.events(MessageReceived)])
        self.assertNotIn("phone", devices(self.alice))
        self.assertEqual(set(alarms(self.bob)), set())

    def test_told(self) -> None:
        """The device is told that it was revoked, and what to do; when it starts again, that it may have been."""
        self.revoke(self.alice, self.phone)
        self.world.settle(5)
        for words in (r"^This device was revoked: .* --profile\.$", r"may have been revoked or deleted\.$"):
            error = self.phone.events(StatusChanged)[-1].error
            self.assertRegex(explained(cast(ChatError, error)), words)
            self.phone.come_back()
            self.world.settle(5)

    def test_nobody_there(self) -> None:
        """There is no such device, or it was revoked before."""
        self.revoke(self.alice, self.phone)
        self.assertRaises(NotFound, self.revoke, self.alice, self.phone)


class IdentityCase(RevokingCase):
    """The identity key, seen from outside."""

    def fingerprint(self) -> bytes:
        """That of Alice's newest identity, as Bob has it."""
        log = self.bob.client.engine.context.log
        identity = log.facts.identity("alice1", log.size)
        assert identity is not None
        return identity.fingerprint

    def held(self, person: Person) -> bool:
        """Whether the newest identity key is on somebody's device."""
        keyring = person.client.keyring
        return bool(keyring.identity_key) and sha256(keyring.identity_spki()) == self.fingerprint()


class RotationTests(IdentityCase):
    """The identity key, where a device that held it is revoked."""

    def test_renewed(self) -> None:
        """The key is renewed in the same breath; who had verified her goes on without a question."""
        shown = self.bob.do(self.bob.client.people.verification("alice1"))
        self.bob.do(self.bob.client.people.compare("alice1", shown.number))
        before = self.fingerprint()
        self.revoke(self.alice, self.laptop)
        self.world.settle(20)
        self.assertNotEqual(self.fingerprint(), before)
        self.assertTrue(self.held(self.alice))
        self.assertFalse(self.held(self.laptop))
        self.assertEqual(self.bob.events(IdentityChanged), [IdentityChanged("alice1", True, signed=True)])
        self.assertEqual(self.bob.client.people.trust("alice1"), "verified")
        for person in (self.alice, self.phone):
            self.assertEqual(person.events(RotationDone), [RotationDone()])
            self.assertEqual(person.events(IdentityChanged), [])
            self.assertEqual(person.client.devices.rotation_open, ())
        self.alice.say("lobby", "still me")
        self.bob.say("lobby", "still you")
        self.phone.say("lobby", "and me")
        self.world.settle(2)
        self.assertEqual([text for _, text in self.bob.texts("lobby")], ["still me", "still you", "and me"])
        numbers = {
            person.do(person.client.people.verification(other)).number
            for person, other in ((self.alice, "bob1"), (self.phone, "bob1"), (self.bob, "alice1"))
        }
        self.assertEqual(len(numbers), 1)
        self.assertEqual(alarms(self.bob), [])

    def test_backup_that_was_due(self) -> None:
        """A backup that was about to be left when the key is renewed is not left without one."""
        self.alice.do(self.alice.client.account.new_recovery())
        self.world.settle(60)
        self.alice.do(self.alice.client.create_room("new"))
        self.alice.client.engine.own.recovery.backups.changed()
        self.revoke(self.alice, self.laptop)
        self.world.settle(60)
        self.assertEqual([], self.flushLoggedErrors())

    def test_not_for_others(self) -> None:
        """A device that does not hold the key needs no new one when it is revoked."""
        before = self.fingerprint()
        for person in (self.alice, self.laptop):  # a device that did not approve it renews the key
            person.client.engine.context.vault.facts.put(
                APPROVED + self.phone.client.keyring.device_id.hex(), WITHOUT_IDENTITY
            )
        self.revoke(self.alice, self.phone)
        self.world.settle(30)
        self.assertEqual(self.fingerprint(), before)
        self.assertEqual(self.alice.events(RotationDone), [])

    def test_backup_that_nobody_has(self) -> None:
        """A device that speaks of the last backup that can be does not keep its person from leaving the next one."""
        self.phone.client.engine.own.talk.say(DeviceInfo("phone", b"", 2**63 - 1, Occasion.CHANGED))
        self.world.settle(5)
        self.revoke(self.alice, self.phone)
        self.alice.do(self.alice.client.account.new_recovery())
        self.assertEqual(self.alice.client.account.recovery, "set")
        self.assertEqual(alarms(self.alice), [])

    def test_denied(self) -> None:
        """A stolen device that says it does not hold the key any more is not believed: the key is renewed without it."""
        before = self.fingerprint()
        self.laptop.client.engine.own.talk.say(DeviceInfo("laptop"))
        self.world.settle(5)
        self.assertTrue(devices(self.alice)["laptop"].holds_identity)
        self.revoke(self.alice, self.laptop)
        self.world.settle(30)
        self.assertNotEqual(self.fingerprint(), before)
        self.assertTrue(self.held(self.alice))

    def test_handed_over(self) -> None:
        """Those that held the old key get the new one, also where they were away; nobody else gets it."""
        tablet = add_device(self.world, self.alice, "tablet")
        tablet.leave_the_machine()
        self.revoke(self.alice, self.laptop)
        self.world.settle(30)
        tablet.come_back()
        self.world.settle(20)
        self.assertTrue(self.held(tablet))
        self.assertEqual(self.phone.client.keyring.identity_key, b"")
        self.assertEqual(self.phone.client.keyring.next_identity, b"")
        self.revoke(tablet, self.alice)
        self.world.settle(30)
        self.assertTrue(self.held(tablet))

    def test_open(self) -> None:
        """Where nobody who holds the key is there, the others say what is open, until one has come and done it."""
        keyring = self.laptop.client.keyring
        self.laptop.leave_the_machine()
        self.revoke(self.alice, self.alice)  # the session ends with it
        self.alice.leave_the_machine()
        self.world.settle(30)
        self.assertEqual(self.phone.events(RotationOpen), [RotationOpen(("desk",))])
        self.assertIn(RotationOpen(("desk",)), self.phone.client.troubles())
        self.assertEqual(self.phone.client.devices.rotation_open, ("desk",))
        self.laptop.come_back()
        self.world.settle(30)
        self.assertNotEqual(self.laptop.client.keyring.identity_key, keyring.identity_key)
        self.assertTrue(self.held(self.laptop))
        self.assertEqual(self.phone.events(RotationDone), [RotationDone()])
        self.assertNotIn(RotationOpen(("desk",)), self.phone.client.troubles())
        self.assertNotIn("device_revoked", alarms(self.phone))

    def test_answer_lost(self) -> None:
        """A key whose rotation was taken, and whose maker never heard of it, is theirs after a restart, and handed over."""
        tablet = add_device(self.world, self.alice, "tablet")

        self.revoke(self.alice, self.phone)
        self.world.settle(10)
        fresh = rsa_key("the next identity of alice")
        self.alice.client.engine.context.keep(
            msgspec.structs.replace(self.alice.client.keyring, next_identity=rsa_key_der(fresh))
        )
        self.alice.client.engine.context.vault.facts.put(TO_HAND_OVER, b"1")
        statement = make_rotation(self.alice.client.keyring.load_identity(), fresh, self.world.server.now_ms())
        Tap(self.alice, lambda _: ())
        self.alice.client.engine.requests.ask(messages.Rotate, statement=statement).addErrback(lambda _: None)
        self.world.run()
        self.alice.leave_the_machine()
        self.assertFalse(self.held(self.alice))
        self.alice.come_back()
        self.world.settle(30)
        self.assertTrue(self.held(self.alice))
        self.assertTrue(self.held(tablet))
        self.assertEqual(self.alice.client.keyring.next_identity, b"")

    def test_planted(self) -> None:
        """A device without the identity key that gives others one of its own making, before it is revoked, gets nowhere: the
        key that the account has afterwards is one that its holder has made.
        """
        planted = rsa_key("identity of a thief")
        spki = rsa_spki(planted.public_key())
        tablet = add_device(self.world, self.alice, "tablet")
        self.plant(self.phone, rsa_key_der(planted))
        self.world.settle(5)
        self.assertEqual(self.alice.client.keyring.next_identity, b"")
        self.revoke(self.alice, self.phone)
        self.world.settle(20)
        self.assertNotEqual(self.fingerprint(), sha256(spki))
        self.plant(tablet, rsa_key_der(planted))
        self.revoke(self.alice, self.laptop)
        self.world.settle(30)
        self.assertNotEqual(self.fingerprint(), sha256(spki))
        for person in (self.alice, tablet):
            self.assertTrue(self.held(person))
            self.assertEqual(person.client.engine.context.vault.facts.beginning(RECEIVED), [])

    def plant(self, thief: Person, identity: bytes) -> None:
        """A device says that this is the new identity key, to every other one."""
        engine = thief.client.engine
        engine.context.vault.facts.put(TO_HAND_OVER, b"1")
        for row in engine.context.vault.own_devices.all():
            engine.context.vault.own_devices.put(replace(row, holds_identity=True))
        own, keyring = engine.own.identity, engine.context.keyring
        engine.context.keyring = msgspec.structs.replace(keyring, identity_key=identity)
        thief.do(own._seal_for_others(devices_room(thief)))
        engine.context.keyring = keyring
