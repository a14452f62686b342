"""Keeping others from committing by holding leases for nothing, in every way that there is (docs/crypto.rst)."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.lease_line import CommitLease, Urgency
from chatserv.commands.leases import Leases
from chatserv.config import Config
from chatserv.crypto.commits import SetMember
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.crypto.statements import Revocation, make_revocation
from chatserv.domain.hub import LiveSession
from chatserv.domain.roles import Role
from chatserv.errors import RateLimited
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.net.effects import reactor_effects
from chatserv.wire import messages
from tests.support.server import IDENTITY, MemoryClient, WireServer
from tests.support.sessions import rsa_key
from tests.support.smith import code

HOLD_SECONDS = 14.0  # less than any lease lasts


class StarvationTests(SynchronousTestCase):
    """The lobby: the founder owns it, carol is in it, and two who are in nothing want nobody to change it."""

    def setUp(self) -> None:
        """Everybody is online."""
        self.server = WireServer(idle_seconds=100_000)
        self.lobby = self.server.lobby
        self.owner = self.server.log_in(self.server.founder)
        self.carol = self.server.join("carol")
        self.attackers = [self.server.join(name, lobby=False) for name in ("mallory", "trudy")]

    def ask(self, client: MemoryClient, **fields: Any) -> int:
        """Asks for the lease; gives the label."""
        label = client.label()
        client.tell(messages.BeginCommit(label, self.lobby, **fields))
        self.server.settle()
        return label

    def waits(self, client: MemoryClient, **fields: Any) -> float:
        """How long a client waits for the lease, while the attackers hand it from one to the other, up to an hour."""
        labels = [self.ask(each, urgent=True) for each in self.attackers]
        label = self.ask(client, **fields)
        for turn in range(3600 // int(HOLD_SECONDS)):
            if client.reply(label) is not None:
                self.assertEqual("Lease", code(client.reply(label)))
                return turn * HOLD_SECONDS
            self.server.advance(HOLD_SECONDS)
            for at, each in enumerate(self.attackers):
                reply = each.reply(labels[at])
                if reply is not None:
                    self.hand_back(each)
                    labels[at] = self.ask(each, urgent=True)
        raise AssertionError("never its turn")

    def hand_back(self, attacker: MemoryClient) -> MemoryClient:
        """Gives it back just before it lapses."""
        attacker.ask(messages.EndCommit, room=self.lobby)
        return attacker

    def go_and_come(self, attacker: MemoryClient) -> MemoryClient:
        """Loses the connection just before it lapses."""
        attacker.drop()
        return self.server.log_in(attacker.account)

    def come_again(self, attacker: MemoryClient) -> MemoryClient:
        """Takes its own session over."""
        return self.server.log_in(attacker.account)

    def commit_nothing(self, attacker: MemoryClient) -> MemoryClient:
        """Submits a commit of long ago, which is refused as stale."""
        made = attacker.make(self.lobby, epoch=1)
        self.assertEqual("stale_commit", code(attacker.submit(made)))
        return attacker

    def test_handed_back(self) -> None:
        """Two who are no members say that it is urgent and hand the lease back: a member waits for each of them once."""
        self.assertLessEqual(self.waits(self.carol), 2 * HOLD_SECONDS)

    def test_ban(self) -> None:
        """An owner who bans waits for the one who has the lease, only."""
        self.assertLessEqual(self.waits(self.owner, urgent=True), HOLD_SECONDS)

    def test_line_is_not_endless(self) -> None:
        """However often they ask, four leases each is all that they get in ten minutes, whichever way they end them."""
        for attack in (self.hand_back, self.go_and_come, self.come_again, self.commit_nothing):
            attacker = self.server.join(f"attacker{attack.__name__.replace('_', '')}", lobby=False)
            got = 0
            for _ in range(12):
                reply = attacker.begin(self.lobby, urgent=True)
                if code(reply) == "rate_limited":
                    self.assertGreater(reply.after_seconds, 400)
                    continue
                got += 1
                self.server.advance(HOLD_SECONDS)
                attacker = attack(attacker)
            self.assertEqual(4, got, attack.__name__)

    def test_used(self) -> None:
        """Who commits is not counted, however often they do."""
        for _ in range(6):
            self.assertEqual("Committed", code(self.owner.commit(self.lobby)))
        self.assertEqual("Lease", code(self.owner.begin(self.lobby)))

    def test_only_the_last_hour_counts(self) -> None:
        """Three leases in an hour may come to nothing, again and again."""
        for _ in range(3):
            for _ in range(3):
                self.assertEqual("Lease", code(self.carol.begin(self.lobby)))
                self.hand_back(self.carol)
            self.server.clock.advance(3601)
            self.carol = self.server.log_in(self.carol.account)
        self.assertEqual("Lease", code(self.carol.begin(self.lobby)))

    def test_urgent(self) -> None:
        """Only who may remove somebody has anything urgent: an owner; the others keep their places."""
        dave = self.server.join("dave")
        holder = self.ask(self.carol)
        first, member, owner = (
            self.ask(self.attackers[0], urgent=True), self.ask(dave, urgent=True), self.ask(self.owner, urgent=True)
        )  # fmt: skip
        order = []
        for client, label in ((self.carol, holder), (self.owner, owner), (self.attackers[0], first), (dave, member)):
            order.append(code(client.reply(label)))
            self.hand_back(client)
        self.assertEqual(["Lease"] * 4, order)

    def test_urgent_for_members(self) -> None:
        """A member's commit is urgent where the log has ended a device of the room, but not before an owner's."""
        dave, erin = self.server.join("dave"), self.server.join("erin")
        said = Revocation(dave.account.device_id, dave.account.cert_hash, self.server.now_ms(), 0)
        dave.ask(messages.Revoke, statement=make_revocation(said, rsa_key(IDENTITY)))
        holder, stranger = self.ask(erin), self.ask(self.attackers[0], urgent=True)
        member, owner = self.ask(self.carol, urgent=True), self.ask(self.owner, urgent=True)
        order = []
        for client, label in ((erin, holder), (self.owner, owner), (self.carol, member), (self.attackers[0], stranger)):
            order.append(code(client.reply(label)))
            self.hand_back(client)
        self.assertEqual(["Lease"] * 4, order)

    def test_full_line(self) -> None:
        """Where as many wait as may, an owner who bans takes the place of the last of them, and nobody else does."""
        self.server = WireServer(lease_waiting=2)
        self.lobby = self.server.lobby
        self.owner = self.server.log_in(self.server.founder)
        names = ("mallory", "trudy", "eve")
        holder, first, last = (self.server.join(name, lobby=False) for name in names)
        self.ask(holder)
        waiting, gone = self.ask(first), self.ask(last)
        self.assertEqual("busy", code(self.server.join("carol").begin(self.lobby, urgent=True)))
        ban = self.ask(self.owner, urgent=True)
        self.assertEqual(("busy", None), (code(last.reply(gone)), first.reply(waiting)))
        self.hand_back(holder)
        self.assertEqual("Lease", code(self.owner.reply(ban)))
        made = self.owner.make(self.lobby, SetMember("mallory", RoomRole.BANNED))
        self.assertEqual("Committed", code(self.owner.submit(made)))


class AccountTests(SynchronousTestCase):
    """Several devices are one account."""

    def setUp(self) -> None:
        """Leases alone, with a clock."""
        self.clock = Clock()
        self.leases = Leases(LiveSettings(Config(limits=Limits())), reactor_effects(self.clock, lambda: 0, bytes))

    def session(self, account: bytes, device: int) -> LiveSession:
        """A session of a device."""
        nowhere: Any = None
        return LiveSession(account, account.decode(), Role.USER, bytes([device]) * 16, nowhere, {})

    def ask(self, session: LiveSession, urgency: Urgency = Urgency.ORDINARY) -> list[Any]:
        """Asks for the lease; gives where the answer will be. A lease begins at once."""
        answer: list[Any] = []

        async def begin() -> CommitLease:
            lease = await self.leases.begin(b"room", session, is_new=False, urgency=urgency)
            self.leases.start(lease, 15)
            return lease

        Deferred.fromCoroutine(begin()).addBoth(answer.append)
        return answer

    def error(self, answer: list[Any]) -> BaseException:
        """What was refused."""
        (failure,) = answer
        self.assertIsInstance(failure, Failure)
        return failure.value  # type: ignore[no-any-return]

    def test_devices_in_line(self) -> None:
        """Once a lease of an account has lapsed, its other devices lose their places, and the next one has its turn."""
        devices = [self.ask(self.session(b"mallory", device)) for device in range(1, 11)]
        honest = self.ask(self.session(b"carol", 20))
        self.clock.advance(15)
        self.clock.advance(0)
        self.assertIsInstance(honest[0], CommitLease)
        self.assertEqual({RateLimited}, {type(self.error(each)) for each in devices[1:]})

    def test_devices_take_turns(self) -> None:
        """Leases that come to nothing are counted for the account."""
        for device in range(1, 5):
            session = self.session(b"mallory", device)
            self.assertIsInstance(self.ask(session)[0], CommitLease)
            self.leases.give_back(b"room", session)
        self.assertIsInstance(self.error(self.ask(self.session(b"mallory", 5))), RateLimited)

    def test_counts_are_bounded(self) -> None:
        """As many accounts as the limit are counted; the oldest goes first."""
        self.leases = Leases(
            LiveSettings(Config(limits=Limits(counters=2))), reactor_effects(self.clock, lambda: 0, bytes)
        )
        for name in (b"a", b"b", b"c"):
            session = self.session(name, 1)
            self.ask(session)
            self.leases.give_back(b"room", session)
        self.assertEqual(2, len(self.leases._unused))
