"""What who was put out on one node can still do on another one that has not heard of it, and who is divided from it."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.bus_messages import VERSION
from chatserv.backplane.feed import GAP_SECONDS
from chatserv.backplane.node import GONE_SECONDS
from chatserv.backplane.polling import LOOK_SECONDS, MISSING_SECONDS, QUIET_SECONDS
from chatserv.backplane.stamps import OLD_MS
from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.retention import Sweeper
from chatserv.crypto.commits import SetMember
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.crypto.statements import make_rotation
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.wire import messages
from tests.support.nodes import POLL_SECONDS, SEALER, SUBJECTS, Nodes
from tests.support.server import IDENTITY, START_MS
from tests.support.sessions import rsa_key
from tests.support.smith import code


class LateCase(SynchronousTestCase):
    """Ada administers on the one node; Bob, who does so too, is on the other."""

    def setUp(self) -> None:
        """Both hear the lobby."""
        self.nodes = Nodes(2)
        self.one, self.two = self.nodes.servers
        self.ada, self.bob = self.one.join("ada", Role.ADMIN), self.two.join("bob", Role.ADMIN)
        for client in (self.ada, self.bob):
            client.sync()

    def late(self) -> AbstractContextManager[None]:
        """The second node hears nothing meanwhile."""
        return self.nodes.bus.late(self.two)


class AdministratorTests(LateCase):
    """Somebody who administers no more."""

    def test_role_taken(self) -> None:
        """Gives no orders at a node that has not heard of it, and gets no lists."""
        with self.late():
            self.assertEqual(code(self.ada.ask(messages.SetServerRole, user="bob", admin=False)), "Ok")
            for command, fields in (
                (messages.SetServerRole, {"user": "bob", "admin": True}),
                (messages.SetBan, {"kind": "account", "subject": "ada", "on": True}),
                (messages.MakeInvite, {"admin": True}),
                (messages.ListAccounts, {}),
                (messages.Announce, {"text": "I was here"}),
            ):
                label = self.bob.label()
                self.bob.tell(command(label, **fields))
                self.nodes.advance(0.1)
                self.assertEqual(code(self.bob.reply(label)), "forbidden", command)
        self.assertEqual(code(self.bob.say("hello")), "Sent")

    def test_suspended(self) -> None:
        """Nor does who was suspended: they are out before they are answered."""
        with self.late():
            self.ada.ask(messages.Suspend, user="bob", on=True)
            self.bob.tell(messages.SetServerRole(99, "ada", False))
            self.nodes.advance(0.1)
            self.assertNotIsInstance(self.bob.reply(99), messages.Ok)
            self.assertEqual((self.bob.one(messages.Farewell).code, self.bob.lost), ("suspended", True))
        status = self.one.wait(self.one.memory.account("ada"))
        assert status is not None
        self.assertIs(status.account.role, Role.ADMIN)


class SilentTests(LateCase):
    """Somebody who may not speak any more."""

    def test_says_nothing(self) -> None:
        """What they say at a node that has not heard of it is not stored; it hears of it all the same."""
        carl = self.two.join("carl")
        carl.sync()
        for command, fields in (
            (messages.ServerMute, {"user": "carl", "on": True}),
            (messages.SetBan, {"kind": "account", "subject": "carl", "on": True}),
        ):
            heard = self.ada.seqs()
            with self.late():
                self.assertEqual(code(self.ada.ask(command, **fields)), "Ok")
                self.assertEqual(code(carl.say("I was here")), "busy")
            self.nodes.advance(2)
            self.assertEqual(self.ada.seqs(), heard)
            self.ada.ask(messages.ServerMute, user="carl", on=False)
            self.nodes.settle()
        self.assertEqual(carl.one(messages.Farewell).code, "banned")


class SaidAgainTests(LateCase):
    """Whoever has the bus's password can say again what nodes have said."""

    def test_ghosts(self) -> None:
        """A node that is gone does not come back, and nobody who was there is shown; not even by all that it has said."""
        self.nodes.advance(6)
        self.bob.tell(messages.SetPresence(77, away=True))
        self.nodes.advance(1)
        said = list(self.nodes.bus.said)
        self.assertEqual((len(self.one.backplane.nodes), self.shown()), (1, True))
        self.two.kill()
        self.nodes.advance(GONE_SECONDS + 2)
        for wait in (0, 1, OLD_MS / 1000):
            self.nodes.advance(wait)
            self.assertEqual((self.one.backplane.nodes, self.shown()), ([], False))
            with capturedLogs() as logged:
                for subject, body in said:
                    self.one.backplane.node._hear(subject, body)
            self.assertEqual((self.one.backplane.nodes, self.shown()), ([], False), wait)
        self.assertIn("somebody says it again, or the clocks of nodes differ", " ".join(map(formatEvent, logged)))

    def shown(self) -> bool:
        """Whether Bob is on another node, as the first one knows."""
        return bool(self.one.hub.elsewhere.devices("bob"))


class OtherVersionTests(LateCase):
    """A node of another version of what nodes say, as while a new one is brought out."""

    def strange(self) -> None:
        """It says something."""
        body = bytes((VERSION + 1,)) + b"whatever that will be"
        subject = SUBJECTS.beat
        self.one.backplane.node._hear(subject, body[:1] + SEALER._mac(subject, body) + body[1:])

    def test_rolling(self) -> None:
        """Neither hears the other: the store is asked, half a second after the other, and the log says why."""
        self.nodes.advance(2)
        heard = len(self.ada.seqs())
        with self.nodes.bus.losing(), capturedLogs() as logged:
            for number in range(3):
                self.strange()
                self.assertEqual(code(self.bob.say("hello")), "Sent")
                self.nodes.advance(POLL_SECONDS + 0.1)
                self.assertEqual(len(self.ada.seqs()), heard + number + 1)
        text = " ".join(map(formatEvent, logged))
        self.assertIn(f"bus: version {VERSION + 1}, and this node speaks {VERSION}; the store is asked", text)


class RevokedTests(LateCase):
    """A device that was revoked, say as it was stolen."""

    def revoke(self) -> None:
        """On the first node."""
        account = self.bob.account
        self.one.wait(self.one.store.revoke(account.cert_hash, None, START_MS, sha256(account.identity_spki)))

    def test_revoked(self) -> None:
        """Changes no room and takes nobody in at a node that has not heard of it."""
        room = self.bob.make_room(self.ada.account)
        self.nodes.settle()
        epoch = self.one.hub.rooms[room].epoch
        self.assertEqual(code(self.bob.begin(room)), "Lease")
        made = self.bob.make(room, SetMember("ada", RoomRole.MODERATOR, muted=False))
        self.bob.upload(made)
        with self.late():
            self.revoke()
            self.bob.tell(messages.PutCommit(99, room, made.commit.encoded))
            self.nodes.advance(0.1)
            self.assertNotIsInstance(self.bob.reply(99), messages.Committed)
            self.assertEqual((self.bob.one(messages.Farewell).code, self.bob.lost), ("revoked", True))
        self.nodes.advance(2)
        self.assertEqual(self.one.hub.rooms[room].epoch, epoch)

    def test_keeps_nobody_out(self) -> None:
        """It puts no other identity in the place of the account's, even with the key of the one that is in force."""
        before = self.one.context.log.size
        with self.late():
            self.revoke()
            self.bob.tell(messages.Rotate(99, make_rotation(rsa_key(IDENTITY), rsa_key("next identity"), START_MS)))
            self.nodes.advance(0.1)
            self.assertEqual((code(self.bob.reply(99)), self.bob.lost), ("not_authenticated", True))
        self.nodes.settle()
        self.assertEqual(self.one.context.log.size, before)

    def test_says_nothing(self) -> None:
        """Nor does it say anything there."""
        with self.late():
            self.revoke()
            self.assertEqual(code(self.bob.say("still here")), "stale_epoch")
        self.nodes.settle()
        self.assertEqual(self.ada.seqs(), [])


class BannedTests(LateCase):
    """A name, and an address, that was banned."""

    def test_registration(self) -> None:
        """Nobody registers by that name, or from there, at a node that has not heard of it; the invite stays good."""
        self.two.host = "192.0.2.7"
        for kind, subject in (("account", "eve"), ("address", "192.0.2.0/24")):
            with self.late():
                self.assertEqual(code(self.ada.ask(messages.SetBan, kind=kind, subject=subject, on=True)), "Ok")
                client = self.two.log_in(self.two.account("eve"), token=b"")
                self.nodes.advance(0.1)
                assert client.error is not None
                self.assertEqual(client.error.code, "forbidden")
            self.assertIsNone(self.one.wait(self.one.memory.account("eve")))
            self.ada.ask(messages.SetBan, kind=kind, subject=subject, on=False)
            self.nodes.settle()


class DividedTests(LateCase):
    """The servers of the bus do not hear each other: each node has one that answers, and hears no other node."""

    def test_messages(self) -> None:
        """Come by the store, within a poll, as if there were no bus; and so on, for as long as that lasts."""
        self.nodes.advance(2)
        with self.nodes.bus.losing():
            self.nodes.advance(MISSING_SECONDS + LOOK_SECONDS + POLL_SECONDS)
            for number in range(1, 6):
                self.ada.say(str(number))
                self.nodes.advance(POLL_SECONDS + 0.1)
                self.assertEqual(self.bob.seqs(), list(range(1, number + 1)))
                self.nodes.advance(1)

    def test_put_out(self) -> None:
        """Who is suspended is out then, too."""
        self.nodes.advance(2)
        with self.nodes.bus.losing():
            self.nodes.advance(MISSING_SECONDS + LOOK_SECONDS + 5)
            self.ada.ask(messages.Suspend, user="bob", on=True)
            self.nodes.advance(POLL_SECONDS + 0.1)
            self.assertTrue(self.bob.lost)

    def test_farewell(self) -> None:
        """Nobody looks for a node that has said that it leaves."""
        self.nodes.advance(2)
        self.one.backplane.stop()
        self.nodes.advance(MISSING_SECONDS + 1)
        asked = self.two.backplane.node.polling._asked_at
        self.nodes.advance(QUIET_SECONDS / 2)
        self.assertEqual(self.two.backplane.node.polling._asked_at, asked)


class SweepTests(LateCase):
    """What is not kept any more."""

    def test_who_reads_elsewhere(self) -> None:
        """Is not deleted by one node while somebody catches up on another, who was told that it is there."""
        self.nodes.advance(2)
        session = self.two.hub.session_of(self.bob.account.device_id)
        assert session is not None
        session.behind[self.two.lobby] = 0
        done: list[int] = []
        sweep = Deferred.fromCoroutine(Sweeper(self.one.context, 0).sweep())
        sweep.addCallback(done.append)
        self.nodes.advance(10)
        self.assertEqual(done, [])
        session.behind.clear()
        self.nodes.advance(3)
        self.assertEqual(done, [0])


class SyncTests(LateCase):
    """A node that has heard of a commit by the log alone."""

    def test_not_behind_the_log(self) -> None:
        """Says that a device has everything when it has the commit, too: else the room would not be that of the log."""
        self.bob.drop()
        again = self.two.log_in(self.bob.account)
        welcome = again.one(messages.Welcome)
        self.nodes.bus.fate = lambda _one, _other, subject: int(subject == SUBJECTS.log)
        carol = self.one.join("carol")
        seq = self.one.hub.rooms[self.one.lobby].head
        self.assertLess(self.two.hub.rooms[self.two.lobby].head, seq)
        self.assertEqual(self.two.context.log.covered_size, self.one.context.log.size)
        again.tell(messages.Sync(77, welcome.store, ()))
        self.nodes.advance(2 * GAP_SECONDS)
        answered = [type(each) for each in again.received].index(messages.Ok)
        seqs = [each.seq for each in again.received[:answered] if isinstance(each, messages.Event)]
        self.assertEqual((seqs[-1], code(again.reply(77)), carol.lost), (seq, "Ok", False))


class DeviceTests(LateCase):
    """What is for one device alone."""

    def test_heard_after_the_session_before(self) -> None:
        """A device that logs in while its earlier connection ends is spoken to, however late the bus takes that up."""
        answer: Deferred[None] = Deferred()
        end = self.two.backplane.node._bus
        listen = end.subscribe

        def subscribe(subject: str, listener: Any) -> Any:
            listen(subject, listener)
            return answer

        with patch.object(end, "subscribe", subscribe):
            again = self.two.log_in(self.bob.account)
        self.assertEqual(again.all(messages.Welcome), [])
        self.bob.drop()
        answer.callback(None)
        self.nodes.settle()
        again.one(messages.Welcome)
        self.one.backplane.tell(Notice(NoticeKind.PREKEYS_LOW, self.bob.account.device_id, number=3))
        self.nodes.settle()
        self.assertEqual(again.all(messages.PrekeysLow), [messages.PrekeysLow(3)])
