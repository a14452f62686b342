"""Who has lost every device comes back with the recovery code: into the account, the rooms, and whom they had verified."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.account_models import SealedBackup
from chatserv.client.account.failures import ProfileError
from chatserv.client.account.keyring import NoIdentityKey
from chatserv.client.account.profile import Profile
from chatserv.client.connection.guest import GuestConnection
from chatserv.client.events import Alarm, RoomOffered, Status, StatusChanged
from chatserv.client.recovery import guest as guest_module
from chatserv.client.recovery.failures import BackupDamaged, NoBackup, WrongCode
from chatserv.client.recovery.guest import Guest
from chatserv.client.state.context import Interrupted
from chatserv.crypto.e2e.backup import BackupContent, open_backup
from chatserv.crypto.e2e.recovery_code import CodeMistyped, show_code
from chatserv.domain.passwords import PassphraseInvalid
from chatserv.errors import AuthFailed, Quota
from chatserv.store.limits import StoreLimits
from chatserv.testing.world import Person, World
from chatserv.wire import messages

WORDS = "anchor bread cellar dune engine"


class RecoveryCase(SynchronousTestCase):
    """Alice, who will lose her device, and Bob, whom she has verified."""

    def setUp(self) -> None:
        """Direct messages, a private room, a public one."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.bob = self.world.person("bob", admin=True)
        self.alice = self.world.person("alice")
        self.alice.do(self.alice.client.direct("bob"))
        plans = self.alice.do(self.alice.client.create_room("plans", topic="what next"))
        self.alice.do(plans.invite("bob"))
        self.alice.do(self.alice.client.create_room("garden", public=True))
        self.world.settle()
        for room in ("plans", "@alice"):
            self.bob.client.room(room).accept()
        self.world.settle()
        self.alice.client.people.mark_verified("bob")

    def lose(self, person: Person) -> None:
        """The machine is gone."""
        person.leave_the_machine()

    def guest(self, name: str = "alice", device: str = "new") -> Guest:
        """A guest that is closed at the end."""
        guest = self.world.guest(name, device)
        self.addCleanup(lambda: self.world.do(guest.close()))
        return guest

    def kept(self, user: str) -> SealedBackup:
        """What the server keeps of somebody."""
        backup = self.world.server.await_(self.world.server.store.backup(user))
        assert backup is not None
        return backup

    def recover(self, guest: Guest, code: str) -> Any:
        """Tries the code."""
        return self.world.do(guest.recover(code))


class RecoveryTests(RecoveryCase):
    """All is well."""

    def test_everything_is_back(self) -> None:
        """The new device has all rooms by their names, reads and writes in each, and knows whom she had verified."""
        code, rooms = self.alice.recovery_code, self.alice.client.rooms
        self.lose(self.alice)
        new = self.world.new_device(self.alice, code)
        self.assertTrue(new.online)
        self.assertEqual(new.client.rooms, rooms)
        self.assertEqual(new.room("plans").topic, "what next")
        self.assertEqual(new.client.people.trust("bob"), "verified")
        for room in rooms:
            new.say(room, f"back in {room}")
            theirs = "@alice" if room == "@bob" else room
            if theirs in self.bob.client.rooms:
                self.bob.say(theirs, f"welcome in {room}")
        self.world.settle()
        for room in ("plans", "lobby", "@bob"):
            self.assertIn(("bob", f"welcome in {room}"), new.texts(room))
        self.assertIn(("alice", "back in plans"), self.bob.texts("plans"))
        self.assertFalse(self.bob.events(Alarm))

    def test_online_in_all_rooms(self) -> None:
        """When the new device says for the first time that everything is here, its rooms are: a script can go on."""
        code, rooms = self.alice.recovery_code, self.alice.client.rooms
        self.lose(self.alice)
        new = self.world.new_device(self.alice, code, wait=False)
        seen: list[list[str]] = []
        emit = new.told.append

        def told(event: Any) -> None:
            emit(event)
            if event == StatusChanged(Status.ONLINE):
                seen.append(new.client.rooms)

        with mock.patch.object(new.client._lifecycle.notifier, "emit", told):
            self.world.settle(30)
        self.assertEqual(seen, [rooms])

    def test_another_life(self) -> None:
        """The recovered device has identity key and backup key: from it one recovers once more, by the same code."""
        code = self.alice.recovery_code
        self.lose(self.alice)
        new = self.world.new_device(self.alice, code)
        new.do(new.client.create_room("later"))
        self.world.settle(60)
        self.lose(new)
        third = self.world.new_device(self.alice, code, "third")
        self.assertIn("later", third.client.rooms)
        self.assertEqual(third.client.account.recovery, "set")

    def test_passphrase(self) -> None:
        """A passphrase opens it as well as the code, in any case and spacing; a short one is not taken."""
        account = self.alice.client.account
        self.assertEqual(account.recovery, "none")
        self.assertRaises(PassphraseInvalid, self.alice.do, account.new_recovery("anchor bread anchor bread dune"))
        self.alice.do(account.new_recovery(WORDS))
        self.assertEqual(account.recovery, "set")
        self.lose(self.alice)
        guest = self.guest()
        assert guest.backup is not None
        self.assertEqual((guest.backup.ways, guest.backup.counter), ({"code", "passphrase"}, 1))
        self.assertRaises(WrongCode, self.world.do, guest.recover_with_passphrase(f"{WORDS} friend"))
        recovered = self.world.do(guest.recover_with_passphrase(f"  {WORDS.upper()} ".replace(" ", "  ")))
        self.assertEqual(recovered.rooms, 4)
        self.assertTrue(guest.complete)

    def test_what_is_typed(self) -> None:
        """A typing error is told before anything is asked; a wrong code, a password, and no backup are told apart."""
        guest = self.guest()
        self.assertIsNone(guest.backup)
        code = show_code(bytes(range(20)))
        self.assertRaises(NoBackup, self.recover, guest, code)
        error = self.assertRaises(CodeMistyped, self.recover, guest, code[:-1] + ("0" if code[-1] != "0" else "1"))
        self.assertIn("group 8", error.explain())
        right = self.alice.recovery_code
        self.assertRaises(WrongCode, self.recover, guest, code)
        self.recover(guest, right.lower().replace("-", " "))
        self.assertTrue(guest.complete)
        with mock.patch("chatserv.testing.world.PASSWORD", "not the password"):
            self.assertRaises(AuthFailed, self.world.guest, "alice", "other")
            self.assertRaises(AuthFailed, self.world.guest, "nobody", "other")
        self.assertRaises(ProfileError, self.world.guest, "alice", "new")

    def test_new_code(self) -> None:
        """A new code takes the power from the one before."""
        old = self.alice.recovery_code
        new = self.alice.do(self.alice.client.account.new_recovery()).code
        self.lose(self.alice)
        guest = self.guest()
        self.assertRaises(WrongCode, self.recover, guest, old)
        self.recover(guest, new)

    def test_offered_stays_offered(self) -> None:
        """A room that nobody has agreed to is not entered; by the next commit there it is offered to the new device."""
        secret = self.bob.do(self.bob.client.create_room("secret"))
        self.bob.do(secret.invite("alice"))
        self.world.settle(60)
        code = self.alice.recovery_code
        self.world.settle(60)
        self.lose(self.alice)
        new = self.world.new_device(self.alice, code)
        self.assertNotIn("secret", new.client.rooms)
        carol = self.world.person("carol")
        self.bob.do(secret.invite(carol.name))
        self.world.settle(30)
        self.assertIn(RoomOffered("secret", "bob"), [RoomOffered(e.room, e.by) for e in new.events(RoomOffered)])
        self.assertTrue(new.client.room("secret").offered)

    def test_left_lobby(self) -> None:
        """Who had left the lobby is not put into it again."""
        self.alice.do(self.alice.room("lobby").leave())
        self.world.settle(60)
        code = self.alice.recovery_code
        self.world.settle(60)
        self.lose(self.alice)
        new = self.world.new_device(self.alice, code)
        self.assertNotIn("lobby", new.client.rooms)
        self.assertIn("plans", new.client.rooms)

    def test_two_at_once(self) -> None:
        """Two devices that recover at the same time are both in all rooms."""
        code = self.alice.recovery_code
        self.lose(self.alice)
        one = self.world.new_device(self.alice, code, "one", wait=False)
        other = self.world.new_device(self.alice, code, "other", wait=False)
        self.world.settle(90)
        for new in (one, other):
            self.assertTrue(new.online)
            self.assertLessEqual({"plans", "lobby", "@bob", "garden"}, set(new.client.rooms))
        one.say("plans", "from one")
        other.say("plans", "from the other")
        self.world.settle()
        self.assertIn(("alice", "from one"), other.texts("plans"))
        self.assertIn(("alice", "from the other"), one.texts("plans"))
        self.assertEqual(len(self.bob.texts("plans")), 2)


class CrowdedTests(SynchronousTestCase):
    """An account that has as many devices as it may have."""

    def test_oldest_goes(self) -> None:
        """Who has lost them all still gets in: the device that is there longest is revoked for the new one."""
        world = World()
        world.server.store._accounts._limits = StoreLimits(devices=2)
        self.addCleanup(world.close)
        alice = world.person("alice", admin=True)
        code = alice.recovery_code
        second = world.new_device(alice, code, "second")
        for person in (alice, second):
            person.leave_the_machine()
        guest = world.guest("alice", "third")
        self.addCleanup(lambda: world.do(guest.close()))
        self.assertRaises(NoIdentityKey, world.do, guest.replace_oldest())
        self.assertRaises(Quota, world.do, guest.recover(code))
        world.do(guest.close())
        again = world.guest("alice", "third")  # a login that was stopped there goes on as it was
        self.assertFalse(again.complete)
        self.assertRaises(Quota, world.do, again.recover(code))
        world.do(again.replace_oldest())
        self.assertTrue(again.complete)
        world.do(again.close())
        profile = Profile.named("alice-third", Path(world.directory))
        third = Person(world, "alice", profile, None)
        self.addCleanup(third.client.stop)
        world.settle(30)
        devices = {each.device_id for each in third.do(third.client.people.devices())}
        self.assertEqual(devices, {second.client.keyring.device_id, third.client.keyring.device_id})
        self.assertIn("lobby", third.client.rooms)


class CrashTests(RecoveryCase):
    """Somebody pulls the plug; the next login goes on from there."""

    def test_at_each_step(self) -> None:
        """Before and after each thing that is stored or sent, once: in the end there is one device more, with all rooms."""
        code = self.alice.recovery_code
        self.lose(self.alice)
        steps: tuple[tuple[Any, str, int, bool], ...] = (
            (guest_module, "keep_arrival", 1, False),
            (guest_module, "keep_arrival", 1, True),
            (Profile, "save_keyring", 1, False),
            (Profile, "save_keyring", 1, True),
            (GuestConnection, "ask", 1, False),
            (GuestConnection, "ask", 1, True),
            (Profile, "save_keyring", 2, False),
        )
        before = len(self.bob.do(self.bob.client.people.devices("alice")))
        for number, (holder, name, at, after) in enumerate(steps):
            device = f"step{number}"
            with self.stopped_at(holder, name, at, after=after):
                self.assertRaises(Stopped, self.attempt, device, code)
            self.attempt(device, code)
            profile = Profile.named(f"alice-{device}", Path(self.world.directory))
            keyring = profile.keyring()
            assert keyring is not None
            self.assertTrue(keyring.registered, name)
            self.assertEqual(len(self.bob.do(self.bob.client.people.devices("alice"))), before + number + 1, name)
            arrived = Person(self.world, "alice", profile, None)
            self.world.settle(30)
            self.assertLessEqual({"plans", "lobby", "@bob"}, set(arrived.client.rooms), name)
            arrived.leave_the_machine()

    def attempt(self, device: str, code: str) -> None:
        """Logs in and recovers, if there is anything left to do."""
        guest = self.world.guest("alice", device)
        try:
            if not guest.complete:
                self.recover(guest, code)
        finally:
            self.world.do(guest.close())
        self.assertTrue(guest.complete)
        self.world.settle(2)

    def stopped_at(self, holder: Any, name: str, at: int, *, after: bool) -> Any:
        """The program dies when something is called for the ``at``-th time, before it is done or after."""
        real, calls = getattr(holder, name), [0]

        def instead(*args: Any, **kwargs: Any) -> Any:
            calls[0] += 1
            if calls[0] < at:
                return real(*args, **kwargs)
            if after and hasattr(done := real(*args, **kwargs), "__await__"):
                return dying(done)
            raise Stopped

        async def dying(done: Any) -> None:
            await done
            raise Stopped

        return mock.patch.object(holder, name, instead)


class Stopped(Exception):
    """The program has died."""


class LiarTests(RecoveryCase):
    """The server serves an old backup, another one, or none."""

    def answer(self, change: Any) -> Any:
        """Whatever guests are told of a backup is changed."""
        real = GuestConnection.expect

        async def expect(connection: Any, kind: Any, make: Any, **fields: Any) -> Any:
            reply = await real(connection, kind, make, **fields)
            return change(reply) if isinstance(reply, messages.Backup) else reply

        return mock.patch.object(GuestConnection, "expect", expect)

    def test_blob(self) -> None:
        """A blob that was changed, is of another counter, or somebody else's is told from a wrong code."""
        code = self.alice.recovery_code
        self.bob.do(self.bob.client.account.new_recovery())
        other = self.kept("bob")
        guest = self.guest()
        for change in (
            lambda reply: msgspec.structs.replace(reply, blob=reply.blob[:-1] + bytes((reply.blob[-1] ^ 1,))),
            lambda reply: msgspec.structs.replace(reply, counter=reply.counter + 1),
            lambda reply: msgspec.structs.replace(reply, blob=other.blob),
        ):
            with self.answer(change):
                self.assertRaises(BackupDamaged, self.recover, guest, code)
        with self.answer(lambda reply: msgspec.structs.replace(reply, blob=other.blob, slots=other.slots)):
            self.assertRaises(WrongCode, self.recover, guest, code)
        self.assertFalse(guest.complete)
        self.assertIsNone(Profile.named("alice-new", Path(self.world.directory)).keyring())

    def test_room_of_yesterday(self) -> None:
        """A room that the server shows at an earlier epoch than the backup knows is not entered, and that is told."""
        code, real = self.alice.recovery_code, open_backup
        self.lose(self.alice)
        plans = self.bob.client.engine.rooms.find("plans").room_id

        def later(*args: Any) -> BackupContent:
            content = real(*args)
            rooms = tuple(replace(each, epoch=each.epoch + 10 * (each.room_id == plans)) for each in content.rooms)
            return replace(content, rooms=rooms)

        with mock.patch.object(guest_module, "open_backup", later):
            new = self.world.new_device(self.alice, code)
        self.assertNotIn("plans", new.client.rooms)
        self.assertIn("garden", new.client.rooms)
        (alarm,) = new.events(Alarm)
        self.assertEqual(alarm.what, "room_stuck")
        self.assertIn("plans", alarm.detail)

    def test_interrupted(self) -> None:
        """A connection that goes is an error that tells to try again, in `ask` too; nothing is kept."""
        code = self.alice.recovery_code
        guest = self.guest()
        self.world.server.cut()
        self.assertRaises(Interrupted, self.recover, guest, code)


class RollbackTests(RecoveryCase):
    """Devices remember the newest backup that they have seen."""

    def alarms(self, person: Person) -> list[str]:
        """What somebody is warned of."""
        return [event.what for event in person.events(Alarm)]

    def test_rolled_back(self) -> None:
        """A server that goes back to an older backup, or to none, is found out by a device, which leaves one of today."""
        code = self.alice.recovery_code
        old = self.kept("alice")
        self.alice.do(self.alice.client.create_room("new-room"))
        self.world.settle(60)
        newer = self.kept("alice")
        self.assertGreater(newer.counter, old.counter)
        for shown in (old, None):
            self.alice.leave_the_machine()
            self.put_back(shown)
            self.alice.come_back()
            self.assertEqual(self.alarms(self.alice), ["backup_rolled_back"])
            self.world.settle(90)
            self.assertGreater(self.kept("alice").counter, newer.counter)
            self.alice.leave_the_machine()
            self.alice.come_back()
            self.assertEqual(self.alarms(self.alice), [])
        self.lose(self.alice)
        self.assertIn("new-room", self.world.new_device(self.alice, code).client.rooms)

    def put_back(self, backup: Any) -> None:
        """The server has an older one, or none."""
        kept = self.world.server.store._accounts._backups
        del kept["alice"]
        if backup is not None:
            kept["alice"] = backup
