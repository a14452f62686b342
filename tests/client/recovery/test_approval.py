"""A new device that another one of its person approves: the same words on both, keys, rooms, and what a server may try."""

import os
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account.keyring import NewDevice, NoIdentityKey
from chatserv.client.account.profile import Profile
from chatserv.client.connection.requests import Requests
from chatserv.client.events import Alarm, DeviceAsks, DeviceGone, DeviceSeen, RotationDone
from chatserv.client.recovery.approvals import MAX_GUESTS, MAX_SHOWN
from chatserv.client.recovery.asking import MAX_DEVICES, MAX_HELD, Asking
from chatserv.client.recovery.failures import EnrolmentRefused, IdentityMismatch
from chatserv.client.recovery.guest import Guest
from chatserv.client.state.context import Interrupted
from chatserv.crypto.e2e.backup import Owner
from chatserv.crypto.e2e.enrolment import Commitment, Grant, Number, Opening, Part, Refusal, decode_told
from chatserv.crypto.e2e.prekey_secrets import generate_prekey
from chatserv.crypto.own_bodies import PROOF_BYTES, DeviceInfo, Occasion
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.errors import NotFound
from chatserv.testing.memory_server import rsa_key
from chatserv.testing.world import Person, World
from chatserv.wire import messages


class ApprovalCase(SynchronousTestCase):
    """Alice has a device, and a new one; Bob is her company."""

    def setUp(self) -> None:
        """They are in the lobby and in a private room."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.confirmed, self.says_same = list[str](), True
        self.alice = self.world.person("alice", admin=True)
        self.bob = self.world.person("bob")
        room = self.alice.do(self.alice.client.create_room("plans", topic="what next"))
        self.alice.do(room.invite("bob"))
        self.world.settle()
        self.bob.client.room("plans").accept()

    def guest(self, device: str = "new") -> Guest:
        """A new machine of Alice's; closed at the end."""
        guest = self.world.guest("alice", device)
        self.addCleanup(lambda: self.world.do(guest.close()))
        return guest

    def ask(self, guest: Guest) -> tuple[list[str], "Deferred[Any]"]:
        """Begins to ask; gives the words so far, and what becomes of it."""
        words: list[str] = []
        asking: Deferred[Any] = Deferred.fromCoroutine(guest.ask(words.append, self.same))
        self.world.run()
        return words, asking

    async def same(self, words: str) -> bool:
        """What Alice says at the new device."""
        self.confirmed.append(words)
        return self.says_same

    def asked(self, person: Person) -> list[str]:
        """The words that somebody's device shows now."""
        return [request.words for request in person.client.devices.waiting]


class ApprovalTests(ApprovalCase):
    """All is well."""

    def test_approved(self) -> None:
        """The new device is in the rooms, under their names, without the identity key; nobody is alarmed."""
        new = self.world.approved_device(self.alice)
        self.assertTrue(new.online)
        self.assertEqual(new.client.rooms, self.alice.client.rooms)
        self.assertEqual(new.room("plans").topic, "what next")
        self.assertFalse(new.client.keyring.identity_key or new.client.keyring.backup_key)
        new.say("plans", "from the new one")
        self.assertIn(("alice", "from the new one"), self.alice.texts("plans"))
        self.assertIn(("alice", "from the new one"), self.bob.texts("plans"))
        for person in (self.alice, self.bob, new):
            self.assertEqual([event for event in person.events(Alarm)], [])  # noqa: C416 - reads better when it fails
        self.assertEqual(self.alice.events(DeviceSeen) + new.events(DeviceSeen), [])

    def test_same_words(self) -> None:
        """Both screens show the same six words, and QR codes of one text; other devices show others of their own."""
        second = self.world.approved_device(self.alice, "second", hand_over=True)
        guest = self.guest()
        words, asking = self.ask(guest)
        self.assertEqual(sorted(words), sorted(self.asked(self.alice) + self.asked(second)))
        self.assertEqual(len(set(words)), 2)
        self.assertEqual({len(each.split()) for each in words}, {6})
        self.assertEqual([event.words for event in self.alice.events(DeviceAsks)][-1:], self.asked(self.alice))
        self.assertIn(
            guest.qr, [request.qr for each in (self.alice, second) for request in each.client.devices.waiting]
        )
        (request,) = second.client.devices.waiting
        second.do(second.client.devices.approve(request.device_id))
        self.world.do(asking)
        self.world.do(guest.close())
        self.world.run()
        self.assertEqual(self.asked(self.alice), [])
        self.assertEqual(self.alice.events(DeviceGone)[-1].device_id, request.device_id)

    def test_handed_over(self) -> None:
        """With the identity key, the new device can approve others, and leaves backups by the same code."""
        code = self.alice.recovery_code
        second = self.world.approved_device(self.alice, "second", hand_over=True)
        self.assertEqual(second.client.keyring.identity_spki(), self.alice.client.keyring.identity_spki())
        self.alice.leave_the_machine()
        second.do(second.client.create_room("later"))
        self.world.settle(60)
        third = self.world.approved_device(second, "third")
        for person in (second, third):
            person.leave_the_machine()
        self.assertIn("later", self.world.new_device(self.alice, code, "fourth").client.rooms)

    def test_without_the_key(self) -> None:
        """A device without the identity key offers no words, and says why it cannot approve or make a code."""
        second = self.world.approved_device(self.alice, "second")
        self.alice.leave_the_machine()
        guest = self.guest()
        words, asking = self.ask(guest)
        self.assertEqual((words, self.asked(second), asking.called), ([], [], False))
        self.assertRaises(NoIdentityKey, second.do, second.client.devices.approve(b"x" * 16))
        self.assertRaises(NoIdentityKey, second.do, second.client.account.new_recovery())
        self.assertRaises(NoIdentityKey, second.do, second.client.account.delete())
        self.alice.come_back()
        self.assertEqual(words, self.asked(self.alice))
        asking.addErrback(lambda _: None)

    def test_claims_to_hold_the_key(self) -> None:
        """A device that was approved without the identity key and says that it holds it is not given the next one."""
        second = self.world.approved_device(self.alice, "second", hand_over=True)
        third = self.world.approved_device(self.alice, "third")
        self.world.settle(20)
        third.client.engine.own.talk.say(DeviceInfo("third", b"p" * PROOF_BYTES, 0, Occasion.CHANGED))
        self.world.settle(5)
        self.alice.do(self.alice.client.devices.revoke(second.client.keyring.device_id))
        self.world.settle(30)
        self.assertEqual(self.alice.events(RotationDone), [RotationDone()])
        self.assertEqual(third.client.keyring.identity_key, b"")

    def test_refused(self) -> None:
        """The new device is told; another one can ask then."""
        guest = self.guest()
        _, asking = self.ask(guest)
        (request,) = self.alice.client.devices.waiting
        self.alice.do(self.alice.client.devices.refuse(request.device_id))
        self.assertRaises(EnrolmentRefused, self.world.do, asking)
        self.assertRaises(NotFound, self.alice.do, self.alice.client.devices.approve(request.device_id))
        self.assertEqual(self.alice.events(DeviceGone), [DeviceGone(request.device_id)])

    def test_other_words_here(self) -> None:
        """Who says at the new device that the words are others ends it: nothing is kept, and the old device is told."""
        self.says_same = False
        guest = self.guest()
        words, asking = self.ask(guest)
        (request,) = self.alice.client.devices.waiting
        self.alice.do(self.alice.client.devices.approve(request.device_id))
        self.assertRaises(EnrolmentRefused, self.world.do, asking)
        self.assertEqual((self.confirmed, guest.complete), (words, False))
        self.assertEqual(self.alice.events(DeviceGone)[-1], DeviceGone(request.device_id))
        self.assertIsNone(Profile.named("alice-new", Path(self.world.directory)).keyring())

    def test_after_a_rotation(self) -> None:
        """A device whose certificate is by the identity before still approves others by the newest one."""
        second = self.world.approved_device(self.alice, "second", hand_over=True)
        self.alice.do(self.alice.client.devices.revoke(second.client.keyring.device_id))
        self.world.settle(60)
        self.assertTrue(self.world.approved_device(self.alice, "third").online)

    def test_gone(self) -> None:
        """A connection that goes, on either side, ends the request; the next one begins anew, with other words."""
        guest = self.guest()
        words, asking = self.ask(guest)
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual(words[1:], self.asked(self.alice))
        self.world.server.cut()
        self.assertRaises(Interrupted, self.world.do, asking)
        self.world.settle(20)
        self.assertEqual(self.asked(self.alice), [])

    def test_who_recovers_asks_nobody(self) -> None:
        """Somebody who recovers by the code is nobody's request; the other devices are told of the new one, once."""
        code = self.alice.recovery_code
        self.world.new_device(self.alice, code)
        self.assertEqual(self.alice.events(DeviceAsks), [])
        (seen,) = self.alice.events(DeviceSeen)
        self.assertEqual(seen.user, "alice")
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual(self.alice.events(DeviceSeen) + self.alice.events(Alarm), [])


class LiarTests(ApprovalCase):
    """The server, which carries all that the two tell each other, says something else."""

    def told(self, change: Any) -> Any:
        """Whatever a device tells another is changed on the way to the server; None: it does not arrive."""
        real = Requests.ask

        def changed(fields: dict[str, Any]) -> dict[str, Any]:
            body = change(decode_told(fields["body"]))
            return fields | {"body": b"\x06" if body is None else body.encode()}

        def ask(requests: Any, make: Any, **fields: Any) -> Any:
            return real(requests, make, **(changed(fields) if make is messages.Tell else fields))

        return mock.patch.object(Requests, "ask", ask)

    def words_of_both(self, change: Any, device: str = "new") -> tuple[list[str], list[str]]:
        """What the two screens show."""
        with self.told(change):
            words, asking = self.ask(self.guest(device))
        asking.addErrback(lambda _: None)
        return words, self.asked(self.alice)

    def test_another_number(self) -> None:
        """A number that was swapped makes other words; one that does not fit its commitment makes none."""
        ours, theirs = self.words_of_both(
            lambda told: Number(bytes(32), told.prekey) if isinstance(told, Number) else told
        )
        self.assertNotEqual(ours, theirs)
        ours, _ = self.words_of_both(lambda told: Opening(bytes(32)) if isinstance(told, Opening) else told, "x")
        self.assertEqual(ours, [])

    def test_another_device_answers(self) -> None:
        """A certificate that is not that of the old device does not fit what it is bound to: nothing is shown."""

        def other(told: Any) -> Any:
            return Commitment(bytes(32), told.commitment) if isinstance(told, Commitment) else told

        self.assertEqual(self.words_of_both(other)[0], [])

    def test_signed_by_nobody(self) -> None:
        """A grant whose signature is not the identity's changes nothing: the new device goes on waiting."""
        guest = self.guest()
        _, asking = self.ask(guest)
        (request,) = self.alice.client.devices.waiting
        with self.told(lambda told: Grant(bytes(384), told.parts) if isinstance(told, Grant) else told):
            self.alice.do(self.alice.client.devices.approve(request.device_id))
        self.world.settle(2)
        self.assertFalse(asking.called or guest.complete)
        self.alice.do(self.alice.client.devices.refuse(request.device_id))
        self.assertRaises(EnrolmentRefused, self.world.do, asking)

    def test_another_identity(self) -> None:
        """A server that tells the new device another identity than its log has is found out before anything is shown."""
        real = Guest.begin

        async def begin(guest: Guest, *args: Any) -> None:
            await real(guest, *args)
            guest._identity_spki = self.bob.client.keyring.identity_spki()

        with mock.patch.object(Guest, "begin", begin):
            guest = self.guest()
        self.assertRaises(IdentityMismatch, self.world.do, guest.ask(self.fail, self.same))

    def test_plays_the_old_device(self) -> None:
        """A server that answers as a device of its own is left alone, also where it would have the identity's signature."""
        guest = self.guest()
        words, asking = self.ask(guest)
        (request,) = self.alice.client.devices.waiting
        theirs = self.bob.client.keyring
        with mock.patch.object(self.alice.client.engine.context, "cert_hash", sha256(theirs.certificate), create=True):
            second = self.world.guest("alice", "other")
            self.addCleanup(lambda: self.world.do(second.close()))
            others, approving = self.ask(second)
        waiting = [each for each in self.alice.client.devices.waiting if each.device_id != request.device_id]
        self.assertEqual([each.words for each in waiting], others)
        self.alice.do(self.alice.client.devices.approve(waiting[0].device_id))
        self.world.settle(2)
        self.assertEqual((approving.called, second.complete, self.confirmed), (False, False, []))
        for each in (asking, approving):
            each.addErrback(lambda _: None)
        del words

    def test_grant_alone(self) -> None:
        """A signature without what goes with it is no approval."""
        guest = self.guest()
        _, asking = self.ask(guest)
        (request,) = self.alice.client.devices.waiting

        def alone(told: Any) -> Any:
            return None if isinstance(told, Part) else Grant(told.signature) if isinstance(told, Grant) else told

        with self.told(alone):
            self.alice.do(self.alice.client.devices.approve(request.device_id))
        self.world.settle(2)
        self.assertFalse(guest.complete)
        asking.addErrback(lambda _: None)

    def test_other_keys_under_the_same_id(self) -> None:
        """Once a person has seen a device's words, nothing else takes its place under the id that they approve."""
        words, asking = self.ask(self.guest())
        asking.addErrback(lambda _: None)
        (request,) = self.alice.client.devices.waiting
        self.assertEqual([request.words], words)
        approvals, rsa = self.alice.client.engine.own.recovery.approvals, rsa_spki(rsa_key("a thief").public_key())
        thief = NewDevice.make(1, os.urandom)
        waits = messages.GuestWaits(request.device_id, rsa, thief.offer.ed25519, 1, 2)
        number = Number(bytes(32), generate_prekey(1, os.urandom).sign(thief.signing, request.device_id).encode())
        for gone in (False, True):
            if gone:
                approvals.gone(messages.GuestGone(request.device_id))
            self.alice.do(Deferred.fromCoroutine(approvals.waits(waits)))
            told = messages.Told(request.device_id, guest=True, body=number.encode())
            self.alice.do(Deferred.fromCoroutine(approvals.told(told)))
            self.assertEqual(self.alice.client.devices.waiting, ())
            with self.assertRaises(NotFound):
                self.alice.do(self.alice.client.devices.approve(request.device_id))

    def test_many_shown(self) -> None:
        """The keys of so many devices are remembered, and no more."""
        approvals = self.alice.client.engine.own.recovery.approvals
        for number in range(MAX_SHOWN + 1):
            device_id, told = number.to_bytes(16, "big"), Number(bytes(32), b"prekey").encode()
            notice = messages.GuestWaits(device_id, b"r" * 422, b"e" * 32, 1, 2)
            Deferred.fromCoroutine(approvals.waits(notice)).addErrback(lambda _: None)
            Deferred.fromCoroutine(approvals.told(messages.Told(device_id, guest=True, body=told))).addErrback(
                lambda _: None
            )
            approvals.gone(messages.GuestGone(device_id))
        self.assertEqual(len(approvals._shown), MAX_SHOWN)

    def test_crowd(self) -> None:
        """A device looks at so many guests and no more, and takes no part in what makes no sense."""
        approvals = self.alice.client.engine.own.recovery.approvals
        for number in range(MAX_GUESTS + 1):
            notice = messages.GuestWaits(bytes((number,)) * 16, b"r" * 422, b"e" * 32, 1, 2)
            Deferred.fromCoroutine(approvals.waits(notice)).addErrback(lambda _: None)
        self.assertEqual(len(approvals._guests), MAX_GUESTS)
        for body in (b"", b"\x09", Refusal().encode(), Grant(bytes(384)).encode()):
            told = messages.Told(bytes(16), guest=True, body=body)
            Deferred.fromCoroutine(approvals.told(told)).addErrback(lambda _: None)
        self.assertEqual(self.alice.client.devices.waiting, ())

    def test_crowd_of_devices(self) -> None:
        """The new device answers so many others and no more, and keeps so much of what was told before it asks."""

        class Connection:
            """Notes whom something is told."""

            def __init__(self) -> None:
                self.told: list[bytes] = []

            async def ask(self, make: Any, **fields: Any) -> None:
                """The server takes it."""
                del make
                self.told.append(fields["to"])

        connection: Any = Connection()
        device = NewDevice.make(1, os.urandom)
        asking = Asking(connection, device, Owner(bytes(32), "alice"))
        bodies = [(bytes((number,)) * 16, Commitment(bytes(32), bytes(32)).encode()) for number in range(MAX_HELD + 1)]
        for sender, body in bodies:
            asking.take(sender, body)
        self.assertEqual(asking._held, bodies[1:])
        log: Any = None
        spki = self.alice.client.keyring.identity_spki()
        waiting: Deferred[Any] = Deferred.fromCoroutine(asking.ask(spki, log, self.fail, self.same))
        self.assertEqual(connection.told, [sender for sender, _ in bodies[1 : MAX_DEVICES + 1]])
        asking.lost(None)
        self.failureResultOf(waiting, Interrupted)
