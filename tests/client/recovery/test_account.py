"""What a person does to their account: another password, another code, the end."""

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.account.keyring import NoIdentityKey
from chatserv.client.events import Alarm, Status, StatusChanged
from chatserv.client.recovery.failures import WrongCode
from chatserv.client.storage.failures import StorageError
from chatserv.domain.passwords import PasswordInvalid
from chatserv.errors import AuthFailed, ChatError, Forbidden, StaleBackup
from chatserv.testing.world import Person, World
from chatserv.wire import messages

WORDS = "anchor bread cellar dune engine"


class AccountTests(SynchronousTestCase):
    """Alice's account; Bob runs the server."""

    def setUp(self) -> None:
        """Both are in the lobby."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.bob = self.world.person("bob", admin=True)
        self.alice = self.world.person("alice")

    def counter(self) -> int:
        """Of the backup that the server keeps."""
        return self.world.server.await_(self.world.server.store.backup_counter("alice"))

    def test_password(self) -> None:
        """The new one lets her in elsewhere, the old one does not; the passphrase of the recovery is none."""
        account = self.alice.client.account
        self.alice.do(account.new_recovery(WORDS))
        self.assertRaises(PasswordInvalid, self.alice.do, account.change_password("short"))
        self.assertRaises(PasswordInvalid, self.alice.do, account.change_password(WORDS.title()))
        self.alice.do(account.change_password("river maple candle"))
        self.assertRaises(AuthFailed, self.world.guest, "alice")
        with mock.patch("chatserv.testing.world.PASSWORD", "river maple candle"):
            guest = self.world.guest("alice")
        self.world.do(guest.close())

    def test_password_without_the_identity_key(self) -> None:
        """A device that was let in without the key cannot change it, a stolen one neither; one that has the key can."""
        other = self.world.approved_device(self.alice, "other")
        self.assertRaises(NoIdentityKey, other.do, other.client.account.change_password("river maple candle"))
        self.world.do(self.world.guest("alice").close())
        heir = self.world.approved_device(self.alice, "heir", hand_over=True)
        heir.do(heir.client.account.change_password("river maple candle"))
        self.assertRaises(AuthFailed, self.world.guest, "alice")

    def test_end(self) -> None:
        """It is over everywhere: her device stops, nobody logs in, the next change of a room strikes her."""
        self.assertRaises(Forbidden, self.bob.do, self.bob.client.account.delete())
        code, other = self.alice.recovery_code, self.world.approved_device(self.alice, "other")
        self.alice.do(self.alice.client.account.delete())
        self.world.settle(5)
        (failed,) = [event for event in self.alice.events(StatusChanged) if event.status is Status.FAILED]
        self.assertEqual(getattr(failed.error, "detail", ""), "gone")
        self.assertNotIn("device_revoked", [event.what for event in self.alice.events(Alarm)])
        self.assertIn("device_revoked", [event.what for event in other.events(Alarm)])  # it cannot know who it was
        self.assertRaises(AuthFailed, self.world.new_device, self.alice, code)
        self.bob.do(self.bob.room("lobby").set_topic("without alice"))
        self.world.settle()
        self.assertEqual([member.user for member in self.bob.room("lobby").members()], ["bob"])

    def test_brought_up_to_date(self) -> None:
        """What changes goes into the backup after a moment, once; what does not change does not."""
        self.assertEqual(self.counter(), 0)
        self.alice.do(self.alice.client.create_room("before"))
        self.world.settle(60)
        self.assertEqual(self.counter(), 0)  # without a code there is no backup
        self.alice.do(self.alice.client.account.new_recovery())
        self.world.settle(60)
        self.assertEqual(self.counter(), 1)
        for number in range(3):
            self.alice.do(self.alice.client.create_room(f"room{number}"))
        self.alice.client.people.mark_verified("bob")
        self.world.settle(60)
        self.assertEqual(self.counter(), 2)
        for number in range(3):
            self.alice.say("lobby", f"line {number}")
        self.world.settle(60)
        self.assertEqual(self.counter(), 2)

    def test_two_write_at_once(self) -> None:
        """Of two devices with the same change one is told that the other was faster, and leaves it at that."""
        second = self.handed_over()
        self.alice.do(self.alice.client.create_room("plans"))
        self.world.settle(120)
        before = self.counter()
        self.world.settle(300)
        self.assertEqual(self.counter(), before)
        for device in (self.alice, second):
            self.assertEqual(device.events(Alarm), [])
        self.assertRaises(StaleBackup, second.do, second.client.engine.requests.ask(
            messages.PutBackup, counter=before, blob=b"x", slots=()))  # fmt: skip

    def handed_over(self) -> Person:
        """A second device that has all keys."""
        self.code = self.alice.recovery_code
        return self.world.approved_device(self.alice, "second", hand_over=True)

    def test_new_code_elsewhere(self) -> None:
        """A device that another one has made a new code without leaves no backup by the old one any more."""
        second = self.handed_over()
        new = second.do(second.client.account.new_recovery()).code
        self.world.settle(5)
        for person in (self.alice, second):
            person.leave_the_machine()
            person.come_back()
        counter = self.counter()
        self.alice.do(self.alice.client.create_room("late"))
        self.world.settle(120)
        self.assertGreaterEqual(self.counter(), counter)
        for person in (self.alice, second):
            person.leave_the_machine()
        self.assertRaises(WrongCode, self.world.new_device, self.alice, self.code, "third")
        self.assertIn("late", self.world.new_device(self.alice, new, "fourth").client.rooms)

    def test_stopped_while_it_is_made(self) -> None:
        """A program that dies between the new backup and the keyring says that there is no code, as nobody has seen it."""
        old = self.alice.recovery_code
        context = self.alice.client.engine.context
        with mock.patch.object(context, "save_keyring", side_effect=StorageError("dead")):
            self.assertRaises(ChatError, self.alice.do, self.alice.client.account.new_recovery())
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual(self.alice.client.account.recovery, "none")
        new = self.alice.do(self.alice.client.account.new_recovery()).code
        self.assertEqual(self.alice.client.account.recovery, "set")
        self.alice.leave_the_machine()
        self.assertRaises(WrongCode, self.world.new_device, self.alice, old, "second")
        self.assertTrue(self.world.new_device(self.alice, new, "third").online)

    def test_not_reached(self) -> None:
        """A new code that never reached the server leaves the one before as it was."""
        old = self.alice.recovery_code
        self.world.server.up = False
        self.world.server.cut()
        self.world.run()
        self.assertRaises(ChatError, self.alice.do, self.alice.client.account.new_recovery())
        self.world.server.up = True
        self.world.settle(70)
        self.assertEqual(self.alice.client.account.recovery, "set")
        self.alice.leave_the_machine()
        self.assertTrue(self.world.new_device(self.alice, old, "second").online)
