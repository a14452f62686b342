"""Orders: what becomes of memory, sessions and logins that are under way, also where another node has changed something."""

from typing import Any
from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.bus_messages import ENTRY_BYTES
from chatserv.backplane.feed import GAP_SECONDS
from chatserv.backplane.node import BEAT_SECONDS
from chatserv.backplane.polling import MISSING_SECONDS
from chatserv.commands.accounts import new_invite
from chatserv.commands.attendance import last_word
from chatserv.control_models import (
    ENTERING,
    FLOORS,
    GONE,
    AccountChanged,
    AccountEnded,
    Addressed,
    Announced,
    Consented,
    DevicesEntered,
    LeaveKept,
    Order,
    decode_order,
    encode_order,
    retained,
)
from chatserv.crypto.statements import Gone, make_gone
from chatserv.crypto.suite import sha256
from chatserv.domain.closing import CloseReason
from chatserv.domain.retention import RetentionDue
from chatserv.domain.roles import Role
from chatserv.models import Consent, ConsentAt
from chatserv.wire import messages
from chatserv.wire.fields import MAX_ADDRESSES
from tests.support.nodes import SUBJECTS, Nodes
from tests.support.server import IDENTITY, START_MS, MemoryClient, WireServer
from tests.support.sessions import rsa_key
from tests.support.smith import code


class OrderTests(SynchronousTestCase):
    """An administrator and Bob are online."""

    def setUp(self) -> None:
        """Both hear the lobby."""
        self.server = WireServer()
        self.admin, self.bob = self.server.join("ada", Role.ADMIN), self.server.join("bob")
        for client in (self.admin, self.bob):
            client.sync()

    def hear(self, *orders: Order) -> None:
        """Orders come that another node has given."""
        self.server.backplane.publish_control(1, [encode_order(each) for each in orders])
        self.server.settle()

    def refused(self, client: Any) -> str | None:
        """Why a login was refused, or None."""
        return None if client.error is None else client.error.code


class AccountTests(OrderTests):
    """An account has changed."""

    def test_suspended_elsewhere(self) -> None:
        """Its sessions end here too; once more changes nothing."""
        order = AccountChanged("bob", Role.USER, True, False)
        self.hear(order, order)
        self.assertEqual((self.bob.received[-1], self.bob.lost), (messages.Farewell("suspended"), True))
        self.hear(order)
        self.assertFalse(self.admin.lost)

    def test_role_and_mute_elsewhere(self) -> None:
        """Its sessions have the role at once, and say nothing while it is muted."""
        self.hear(AccountChanged("bob", Role.ADMIN, False, True))
        self.assertEqual(code(self.bob.ask(messages.ListBans)), "BanList")
        self.assertEqual(code(self.bob.say("hello")), "muted")
        self.hear(AccountChanged("bob", Role.USER, False, False))
        self.assertEqual(code(self.bob.ask(messages.ListBans)), "forbidden")
        self.assertEqual(code(self.bob.say("hello")), "Sent")

    def test_login_under_way(self) -> None:
        """Who is on the way in when the order comes is asked for again, and is out."""
        admitted = self.server.context.hub.expect(b"another device", "bob")
        self.hear(AccountChanged("bob", Role.USER, True, False))
        self.assertTrue(admitted.touched)
        self.server.context.hub.arrived(admitted)

    def test_unknown(self) -> None:
        """Who does not know an order of a newer version does not go on; those behind it are carried out."""
        reasons: list[str] = []
        self.server.memory.give_up = reasons.append
        known = encode_order(AccountChanged("bob", Role.USER, True, False))
        self.server.backplane.publish_control(1, [b"\x92\xcd\xff\xff\x01", known])
        self.server.settle()
        self.assertTrue(self.bob.lost)
        self.assertEqual(["another node has ordered what this version does not know: update this one"], reasons)

    def test_one_that_cannot_be_told(self) -> None:
        """A session that cannot be told is no reason for the others of its account to stay."""
        guest = self.server.guest("bob")
        session = self.bob.seat.live
        assert session is not None

        session.outbox = Mock(**{"end.side_effect": RuntimeError("a bug"), "has_place.return_value": False})
        self.hear(AccountEnded("bob", GONE))
        self.assertTrue(guest.lost)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_memory_follows_the_order(self) -> None:
        """A handler does nothing to the memory itself: where no order comes, the store alone refuses."""
        self.server.backplane._control_listeners.clear()
        self.assertEqual(code(self.admin.ask(messages.ServerMute, user="bob", on=True)), "Ok")
        self.assertEqual(code(self.bob.say("hello")), "busy")


class NodesCase(SynchronousTestCase):
    """Ada administers on one node, Bob and Carol are on the other."""

    def setUp(self) -> None:
        """All hear the lobby."""
        self.nodes = Nodes(2)
        self.one, self.two = self.nodes.servers
        self.ada, self.bob, self.carol = self.one.join("ada", Role.ADMIN), self.two.join("bob"), self.two.join("carol")
        for client in (self.ada, self.bob, self.carol):
            client.sync()

    def is_out(self, client: MemoryClient, why: str, refused: str = "forbidden") -> None:
        """A client was told why, its connection has ended, and no node lets it in."""
        self.assertEqual((client.received[-1], client.lost), (messages.Farewell(why), True))
        for server in self.nodes.servers:
            self.assertEqual(self.refused(server.log_in(client.account)), refused)

    def refused(self, client: MemoryClient) -> str:
        """Why a login was refused."""
        assert client.error is not None
        return client.error.code


class NodesTests(NodesCase):
    """What is said on one node counts on the other."""

    def test_suspend(self) -> None:
        """Who is suspended on one node is out on the other at once."""
        self.assertEqual(code(self.ada.ask(messages.Suspend, user="bob", on=True)), "Ok")
        self.nodes.settle()
        self.is_out(self.bob, "suspended")
        self.assertFalse(self.carol.lost)

    def test_suspend_unheard(self) -> None:
        """What the bus has lost is heard of by the next beat; nobody is let in meanwhile."""
        with self.nodes.bus.losing():
            self.ada.ask(messages.Suspend, user="bob", on=True)
            self.nodes.settle()
            self.assertEqual(self.refused(self.two.log_in(self.bob.account)), "forbidden")
        self.nodes.advance(BEAT_SECONDS + 2 * GAP_SECONDS)
        self.is_out(self.bob, "suspended")

    def test_suspend_while_the_bus_is_away(self) -> None:
        """A node that hears nothing asks the store, and so has whoever was suspended out within a poll."""
        self.two.backplane.node.polling.bus_away()
        with self.nodes.bus.losing():
            self.ada.ask(messages.Suspend, user="bob", on=True)
            self.nodes.advance(0.6)
            self.is_out(self.bob, "suspended")

    def test_role_at_another_node(self) -> None:
        """A role, and a mute, count on every node."""
        self.ada.ask(messages.SetServerRole, user="bob", admin=True)
        self.nodes.settle()
        self.assertEqual(code(self.bob.ask(messages.ServerMute, user="ada", on=True)), "Ok")
        self.nodes.settle()
        self.assertEqual(code(self.ada.say("hello")), "muted")

    def test_administrator_of_before(self) -> None:
        """Who administers no more by the word of another node makes nobody an administrator before they have heard of it."""
        self.ada.ask(messages.SetServerRole, user="bob", admin=True)
        self.nodes.settle()
        with self.nodes.bus.losing():
            self.ada.ask(messages.SetServerRole, user="bob", admin=False)
            label = self.bob.label()
            self.bob.tell(messages.MakeInvite(label, "", admin=True))
            self.nodes.advance(0.1)
            self.assertEqual(code(self.bob.reply(label)), "forbidden")

    def test_suspend_kept_back(self) -> None:
        """Whoever loses what they like on the bus, and beats too, keeps it back until the store is asked next."""
        self.nodes.bus.fate = lambda _from, _to, subject: int(subject not in {SUBJECTS.control, SUBJECTS.beat})
        self.nodes.advance(3 * MISSING_SECONDS)  # the polls that follow from missing beats are over
        self.ada.ask(messages.Suspend, user="bob", on=True)
        self.nodes.advance(0.1)
        self.assertFalse(self.bob.lost)
        self.two.wait(self.two.backplane.look())
        self.nodes.advance(0.1)
        self.is_out(self.bob, "suspended")

    def test_registration_unheard(self) -> None:
        """A name that was banned on another node is not registered here either."""
        with self.nodes.bus.losing():
            self.ada.ask(messages.SetBan, kind="account", subject="dora", on=True)
            invite = self.two.wait(new_invite(self.two.context, "dora", admin=False, reset=False))
            dora = self.two.log_in(self.two.account("dora"), token=invite.token)
            self.nodes.advance(0.1)
            self.assertEqual(self.refused(dora), "forbidden")
            self.assertIsNone(self.two.wait(self.nodes.memory.account("dora")))

    def test_ban_of_a_name(self) -> None:
        """Who is banned on one node is out on the other, and comes back when that is lifted."""
        self.ada.ask(messages.SetBan, kind="account", subject="bob", on=True)
        self.nodes.settle()
        self.is_out(self.bob, "banned")
        self.assertEqual(len(self.two.context.bans.page("", 9)), 1)
        self.ada.ask(messages.SetBan, kind="account", subject="bob", on=False)
        self.nodes.settle()
        self.assertIsNone(self.two.log_in(self.bob.account).error)

    def test_ban_unheard(self) -> None:
        """A ban, which nodes have in memory, counts at a node that has not heard of it: it comes as far first."""
        with self.nodes.bus.losing():
            self.ada.ask(messages.SetBan, kind="account", subject="bob", on=True)
            self.two.host = "192.0.2.7"
            self.ada.ask(messages.SetBan, kind="address", subject="192.0.2.0/24", on=True)
            for refused in (self.two.log_in(self.bob.account), self.two.log_in(self.carol.account)):
                self.nodes.advance(0.1)
                self.assertEqual(self.refused(refused), "forbidden")
            self.assertEqual(self.bob.received[-1], messages.Farewell("banned"))
        self.assertFalse(self.carol.lost)

    def test_guest_unheard(self) -> None:
        """Nor does anybody come by password who was banned on another node."""
        with self.nodes.bus.losing():
            self.ada.ask(messages.SetBan, kind="account", subject="bob", on=True)
            guest = self.two.guest("bob")
            self.nodes.advance(0.1)
            self.assertEqual(self.refused(guest), "forbidden")

    def test_guests(self) -> None:
        """Guests go with their account, and with the password that they have come by."""
        guest, other = self.two.guest("ada"), self.two.guest("bob")
        ada = self.one.wait(self.one.memory.login("ada"))
        changed = self.one.store.set_verifier(ada.account.account_id, ada.verifier, sha256(ada.identity_spki))
        self.one.wait(changed)
        self.nodes.settle()
        self.assertEqual((guest.received[-1], guest.lost), (messages.Farewell("password_changed"), True))
        self.assertFalse(other.lost)
        self.ada.ask(messages.Suspend, user="bob", on=True)
        self.nodes.settle()
        self.assertEqual((other.received[-1], other.lost), (messages.Farewell("suspended"), True))

    def test_revoked_device(self) -> None:
        """A device that was revoked on one node is out on the other."""
        account = self.bob.account
        self.one.wait(self.one.store.revoke(account.cert_hash, None, START_MS, sha256(account.identity_spki)))
        self.nodes.settle()
        self.is_out(self.bob, "revoked", "auth_failed")

    def test_deleted(self) -> None:
        """An account that was deleted on one node is gone on the other, and its rooms with it."""
        alone = self.bob.make_room()
        self.nodes.settle()
        self.assertEqual(code(self.ada.ask(messages.DeleteUser, user="bob")), "Ok")
        self.nodes.settle()
        self.is_out(self.bob, "gone", "auth_failed")
        self.assertIsNone(self.one.context.registry.get(alone))

    def test_deletes_themselves(self) -> None:
        """Who deletes the own account hears that it is done; guests on other nodes go at once."""
        guest = self.one.guest("bob")
        statement = make_gone(Gone(self.two.identity.server_id, "bob", START_MS), rsa_key(IDENTITY))
        reply = self.bob.ask(messages.DeleteAccount, statement=statement)
        self.nodes.settle()
        self.assertEqual((code(reply), self.bob.lost), ("Ok", True))
        self.assertEqual(self.bob.all(messages.Farewell), [messages.Farewell("gone")])
        self.assertEqual((guest.received[-1], guest.lost), (messages.Farewell("gone"), True))

    def test_reset(self) -> None:
        """What an account had before a reset on one node ends on the other; what it has now stays."""
        reset = self.one.wait(new_invite(self.one.context, "bob", admin=False, reset=True))
        again = self.one.log_in(self.one.account("bob", "next identity"), token=reset.token)
        self.nodes.settle()
        self.is_out(self.bob, "revoked", "auth_failed")
        self.assertEqual((again.error, again.lost), (None, False))
        self.nodes.advance(3)
        self.assertFalse(again.lost)

    def test_announcement(self) -> None:
        """Everybody hears it once, wherever they are."""
        self.assertEqual(code(self.ada.ask(messages.Announce, text="down at noon")), "Ok")
        self.nodes.advance(3)
        for client in (self.ada, self.bob, self.carol):
            self.assertEqual([each.text for each in client.all(messages.Announcement)], ["down at noon"])

    def test_addresses(self) -> None:
        """What two nodes add at one moment is all kept, and told to everybody."""
        with self.nodes.bus.losing():
            first = Deferred.fromCoroutine(self.one.context.addresses.add("a.example:5000"))
            second = Deferred.fromCoroutine(self.two.context.addresses.add("b.example:5000"))
            self.nodes.advance(0.2)
        self.nodes.advance(BEAT_SECONDS + 2 * GAP_SECONDS)
        self.assertEqual([self.successResultOf(each) for each in (first, second)], [None, None])
        told = ("a.example:5000", "b.example:5000")
        self.assertEqual([server.context.addresses.told for server in self.nodes.servers], [told, told])
        for client in (self.ada, self.bob):
            self.assertEqual(client.all(messages.Addresses)[-1].addresses, told)

    def test_floors(self) -> None:
        """What one node has deleted the other knows to be gone."""
        self.ada.say("old")
        for seconds in (0, 20):
            due = RetentionDue(self.one.now_ms() + seconds * 1000, 10_000, 0, 9)
            self.one.wait(self.one.store.retain(due))
        self.nodes.settle()
        firsts = [server.context.hub.rooms[self.one.lobby].first for server in self.nodes.servers]
        self.assertEqual(firsts, [self.one.context.hub.rooms[self.one.lobby].head + 1] * 2)


class TakeoverTests(NodesCase):
    """A device has one session, wherever it logs in; Bob does so on another node than before."""

    def test_replaced(self) -> None:
        """The one before is told so, and ends; who shares a room sees nobody go."""
        again = self.one.log_in(self.bob.account)
        self.nodes.settle()
        self.assertEqual(
            (self.bob.received[-1], self.bob.close_reason), (messages.Farewell("replaced"), CloseReason.REPLACED)
        )
        self.assertEqual((again.error, again.lost), (None, False))
        self.assertEqual(self.two.context.hub.sessions_of("bob"), [])

    def test_late_news(self) -> None:
        """What is heard late of a session that was over before does not end a newer one."""
        with self.nodes.bus.losing():
            between = self.one.log_in(self.bob.account)
        session = self.one.context.hub.session_of(self.bob.account.device_id)
        assert session is not None
        newest = self.two.log_in(self.bob.account)
        self.two.context.taken_over(self.bob.account.device_id, session.number)
        self.nodes.settle()
        self.assertEqual((between.lost, newest.error, newest.lost), (True, None, False))
        self.assertEqual(newest.all(messages.Farewell), [])

    def test_lost_news(self) -> None:
        """Where it is not heard at all, both live until the next login."""
        with self.nodes.bus.losing():
            between = self.one.log_in(self.bob.account)
        self.assertEqual((self.bob.lost, between.lost), (False, False))
        self.nodes.advance(3)
        newest = self.two.log_in(self.bob.account)
        self.nodes.settle()
        self.assertEqual((self.bob.lost, between.lost, newest.lost), (True, True, False))

    def test_overtaken_login(self) -> None:
        """A login that was overtaken while it was under way is to come again, and ends nobody."""
        context, numbering = self.two.context, self.two.store.session_number

        async def overtaken() -> int:
            number: int = await numbering()
            context.taken_over(self.bob.account.device_id, number + 1)
            return number

        self.two.store.session_number = overtaken
        again = self.two.log_in(self.bob.account)
        self.assertEqual(self.refused(again), "busy")
        self.assertEqual(self.bob.received[-1], messages.Farewell("replaced"))


class BoundTests(SynchronousTestCase):
    """No order is larger than the bus takes."""

    def test_sizes(self) -> None:
        """The longest names, addresses and announcements; of more rooms there is one more order."""
        name = "n" * 64
        floors = {number.to_bytes(16, "big"): 2**62 for number in range(FLOORS + 1)}
        orders: list[Order] = [
            LeaveKept(bytes(16), 2**62, 2**62, name, bytes(68)),
            Consented(ConsentAt(bytes(16), name, name, Consent.AGREED), 2**62, 2**62),
            Addressed(tuple("h" * 253 + ":65535" for _ in range(MAX_ADDRESSES))),
            Announced("\N{GRINNING FACE}" * 1000, 2**62),
            *retained(floors),
            DevicesEntered(bytes(16), 2**62, (bytes(16),) * ENTERING),
        ]
        self.assertEqual(len(orders), 7)
        for order in orders:
            body = encode_order(order)
            self.assertLessEqual(len(body), ENTRY_BYTES)
            self.assertEqual(decode_order(body), order)


class LastWordTests(OrderTests):
    """A session that ends itself hears of it first; nothing else is kept from ending it."""

    def end(self, why: str) -> None:
        """What an order that comes meanwhile does."""
        session = self.bob.seat.live
        assert session is not None
        with last_word(self.server.context, session, GONE):
            self.hear(AccountEnded("bob", GONE))
            self.assertFalse(self.bob.lost)
            if why != GONE:
                self.hear(AccountChanged("bob", Role.USER, True, False))
                self.assertTrue(self.bob.lost)
        self.server.settle()
        self.assertEqual((self.bob.received[-1], self.bob.lost), (messages.Farewell(why), True))
        self.assertEqual(self.bob.all(messages.Farewell), [messages.Farewell(why)])

    def test_own(self) -> None:
        """Its own end waits until its command is answered."""
        self.end(GONE)

    def test_another(self) -> None:
        """What ends it for another reason does so at once, and it is told so once."""
        self.end("suspended")

    def test_refused(self) -> None:
        """A command that comes to nothing ends nobody."""
        session = self.bob.seat.live
        assert session is not None
        with last_word(self.server.context, session, GONE):
            pass
        self.server.settle()
        self.assertFalse(self.bob.lost)
        self.hear(AccountEnded("bob", GONE))
        self.assertTrue(self.bob.lost)
