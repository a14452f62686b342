"""Prekeys, certificates, and the end of a device."""

from functools import cache
from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.certificates import CertificateCache
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret, generate_prekey
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.crypto.statements import Revocation, make_revocation
from chatserv.domain.closing import CloseReason
from chatserv.wire import messages
from tests.support.server import IDENTITY, START_MS, MemoryClient, TestAccount, WireServer
from tests.support.sessions import rsa_key, seeded
from tests.support.smith import PRIVATE, PUBLIC, code


@cache
def secret(number: int) -> PrekeySecret:
    """The prekey secret of that number."""
    return generate_prekey(number, seeded(f"prekey {number}"))


def signed(account: TestAccount, *numbers: int) -> tuple[bytes, ...]:
    """Prekeys as the account's device signs them."""
    return tuple(secret(number).sign(account.signing_key, account.device_id).encode() for number in numbers)


class PrekeyCase(SynchronousTestCase):
    """Alice owns a private room with Bob; Bob has four one-time prekeys and a last-resort one."""

    def setUp(self) -> None:
        """The default limits."""
        self.start()

    def start(self, **limits: Any) -> None:
        """A new server."""
        self.server = WireServer(**limits)
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")
        self.room = self.server.make_room(self.alice.account, self.bob.account)
        self.bob.ask(messages.PublishPrekeys, prekeys=signed(self.bob.account, 1, 2, 3, 4, LAST_RESORT_BIT))

    def fetch(self, room: bytes | None = None, *devices: bytes, client: MemoryClient | None = None) -> list[int]:
        """The numbers of the prekeys that Alice gets for these devices; -1 for none. She has the lease."""
        wanted = devices or (self.bob.account.device_id,)
        reply = (client or self.alice).ask(messages.FetchKeys, room=room or self.room, devices=wanted)
        self.assertIsInstance(reply, messages.Keys)
        return [int.from_bytes(prekey[:4], "big") if prekey else -1 for prekey in reply.prekeys]


class PublishTests(PrekeyCase):
    """What `publish_prekeys` promises."""

    def test_stock(self) -> None:
        """The answer says how many one-time prekeys there are; the next welcome says so too."""
        self.assertEqual(self.bob.ask(messages.PublishPrekeys, prekeys=signed(self.bob.account, 5)).one_time, 5)
        self.assertEqual(self.server.log_in(self.bob.account).one(messages.Welcome).prekeys, 5)

    def test_most(self) -> None:
        """As many as the limit are kept."""
        self.start(one_time_prekeys=5, prekeys_low=1)
        self.assertEqual(self.bob.ask(messages.PublishPrekeys, prekeys=signed(self.bob.account, 5, 6)).one_time, 5)

    def test_of_another(self) -> None:
        """A prekey that this device has not signed is refused, and those that came with it are not listed."""
        for wrong in (signed(self.alice.account, 5), (signed(self.bob.account, 5)[0][:-1] + b"x",)):
            reply = self.bob.ask(messages.PublishPrekeys, prekeys=(*signed(self.bob.account, 6), *wrong))
            self.assertEqual(code(reply), "bad_key")
        self.assertEqual(self.server.log_in(self.bob.account).one(messages.Welcome).prekeys, 4)


class FetchTests(PrekeyCase):
    """What `fetch_keys` promises."""

    def test_until_none_is_left(self) -> None:
        """One-time prekeys are given out once each; then the last-resort one, and never an error."""
        self.alice.begin(self.room)
        found = [self.fetch()[0] for _ in range(6)]
        self.assertEqual(found, [1, 2, 3, 4, LAST_RESORT_BIT, LAST_RESORT_BIT])

    def test_low(self) -> None:
        """A device whose one-time prekeys run low is told how many are left; no more when none was taken."""
        self.start(prekeys_low=3)
        self.alice.begin(self.room)
        for _ in range(6):
            self.fetch()
        self.assertEqual([notice.one_time for notice in self.bob.all(messages.PrekeysLow)], [2, 1, 0])

    def test_low_elsewhere(self) -> None:
        """A device that is not here is told on its node, if it is on one."""
        self.start(prekeys_low=3)
        told: list[Notice] = []
        self.patch(self.server.backplane, "tell", told.append)
        self.alice.begin(self.room)
        self.fetch()
        self.fetch()
        self.assertEqual([], told)
        self.bob.ask(messages.Bye)
        self.fetch()
        self.assertEqual([Notice(NoticeKind.PREKEYS_LOW, self.bob.account.device_id, number=1)], told)

    def test_without(self) -> None:
        """A device without prekeys, and one that there is not, give nothing in their place; the order is the asker's."""
        self.alice.begin(self.room)
        nobody = self.server.join("norman", lobby=False)
        devices = (b"?" * 16, self.bob.account.device_id, nobody.account.device_id)
        self.assertEqual(self.fetch(self.room, *devices), [-1, 1, -1])

    def test_only_under_the_lease(self) -> None:
        """Without the lease of that very room there are no keys."""
        self.alice.begin(self.server.lobby)
        reply = self.alice.ask(messages.FetchKeys, room=self.room, devices=(self.bob.account.device_id,))
        self.assertEqual(code(reply), "stale_commit")

    def test_public_room(self) -> None:
        """For a public room there are last-resort prekeys only."""
        club = self.server.make_room(self.alice.account, policy=replace(PUBLIC, name="club"))
        self.alice.begin(club)
        self.assertEqual(self.fetch(club), [LAST_RESORT_BIT])

    def test_large_room(self) -> None:
        """A room with as many devices as the limit gets one-time prekeys, a larger one does not."""
        self.start(prekey_room_devices=2)
        carol = self.server.join("carol")
        self.alice.begin(self.room)
        self.assertEqual(self.fetch(), [1])
        large = self.server.make_room(self.alice.account, self.bob.account, carol.account)
        self.alice.begin(large)
        self.assertEqual(self.fetch(large), [LAST_RESORT_BIT])

    def test_per_hour(self) -> None:
        """One account gets so many one-time prekeys of one device in an hour; others, and later, get theirs."""
        self.start(prekeys_per_hour=2, idle_seconds=10_000)
        carol = self.server.join("carol")
        other = self.server.make_room(carol.account, policy=PRIVATE)
        self.alice.begin(self.room)
        self.assertEqual([self.fetch()[0] for _ in range(3)], [1, 2, LAST_RESORT_BIT])
        carol.begin(other)
        self.assertEqual(self.fetch(other, client=carol), [3])
        self.alice.ask(messages.EndCommit, room=self.room)
        self.server.clock.advance(3600)
        self.alice.begin(self.room)
        self.assertEqual(self.fetch(), [4])

    def test_per_day(self) -> None:
        """One account gets so many one-time prekeys a day, of whatever devices; others get theirs."""
        self.start(prekeys_taken_per_day=2, idle_seconds=100_000)
        carol = self.server.join("carol")
        self.alice.begin(self.room)
        self.assertEqual([self.fetch()[0] for _ in range(3)], [1, 2, LAST_RESORT_BIT])
        other = self.server.make_room(carol.account)
        carol.begin(other)
        self.assertEqual(self.fetch(other, client=carol), [3])

    def drain(self, client: MemoryClient, how: str, leases: int) -> int:
        """Takes Bob's prekeys under so many leases and uses none of them. Gives how many one-time ones that were."""
        taken = 0
        other = self.server.make_room(client.account)
        for number in range(leases):
            room = b"%016d" % number if how == "new room" else other
            self.assertEqual("Lease", code(client.begin(room, new=how == "new room")))
            taken += self.fetch(room, client=client)[0] != LAST_RESORT_BIT
            if how == "another commit":
                self.assertEqual("Committed", code(client.submit(client.make(other))))
            elif how == "connection":
                client.drop()
                client = self.server.log_in(client.account)
            else:
                client.ask(messages.EndCommit, room=room)
        return taken

    def test_taken_for_nothing(self) -> None:
        """Of what an account takes under leases without a commit that wraps to the device it gets so many in a day."""
        for how in ("new room", "handed back", "connection", "another commit"):
            self.start(prekeys_unused=2, lease_unused=100, idle_seconds=10**6 / 2)
            self.assertEqual(2, self.drain(self.alice, how, 4), how)
            self.assertEqual(1, self.drain(self.server.join("carol"), "handed back", 1), how)  # others get theirs
            self.server.clock.advance(86_401)
            self.alice = self.server.log_in(self.alice.account)
            self.assertEqual(1, self.drain(self.alice, how, 2), how)  # the last one that there is

    def test_used(self) -> None:
        """What commits use does not count, and a commit uses one for a device."""
        self.start(prekeys_unused=2)
        for _ in range(3):
            self.alice.begin(self.room)
            self.assertNotEqual([LAST_RESORT_BIT], self.fetch())
            self.assertEqual("Committed", code(self.alice.submit(self.alice.make(self.room))))
        self.alice.begin(self.room)
        self.assertEqual([[4], [LAST_RESORT_BIT]], [self.fetch() for _ in range(2)])

    def test_taken_of_many_devices(self) -> None:
        """In all, an account takes as many for nothing as of ten devices."""
        self.start(prekeys_unused=1, lease_unused=100)
        others = [self.server.join(f"user{number}", lobby=False) for number in range(11)]
        for each in others:
            each.ask(messages.PublishPrekeys, prekeys=signed(each.account, 1, LAST_RESORT_BIT))
        self.alice.begin(self.room)
        found = self.fetch(self.room, *(each.account.device_id for each in others))
        self.assertEqual([1] * 10 + [LAST_RESORT_BIT], found)

    def test_new_room(self) -> None:
        """For a room that is to be made there are as many one-time prekeys as it may have devices, under one lease."""
        self.start(prekey_room_devices=2)
        self.alice.begin(b"n" * 16, new=True)
        self.assertEqual([self.fetch(b"n" * 16)[0] for _ in range(3)], [1, 2, LAST_RESORT_BIT])


class CertificateTests(SynchronousTestCase):
    """Certificates."""

    def test_page(self) -> None:
        """Certificates come with the identity keys that signed them; those that there are not are left out."""
        server = WireServer()
        alice = server.join("alice")
        hashes = (b"?" * 32, alice.account.cert_hash)
        (item,) = alice.ask(messages.GetCertificates, hashes=hashes).items
        self.assertEqual(
            (item.certificate, item.identity_spki), (alice.account.certificate, alice.account.identity_spki)
        )

    def test_cache(self) -> None:
        """As many facts as the limit are kept, the newest; what is kept is not asked for again."""
        server = WireServer()
        accounts = [server.join(name, lobby=False).account for name in ("alice", "bob", "carol")]
        hashes = [account.cert_hash for account in accounts]
        asked: list[bytes] = []
        real = server.memory.certificates

        async def certificates(wanted: Any) -> Any:
            asked.extend(wanted)
            return await real(wanted)

        self.patch(server.memory, "certificates", certificates)
        cache = CertificateCache(server.memory, 2)
        for wanted in (hashes[:2], hashes[:1], hashes[2:], hashes[:1], hashes[1:2]):
            found = server.wait(cache.get([*wanted, b"?" * 32]))
            self.assertEqual(
                [found[each].device_id for each in wanted],
                [account.device_id for account in accounts if account.cert_hash in wanted],
            )
        self.assertEqual([each for each in asked if each != b"?" * 32], [*hashes, hashes[1]])


class StatementTests(SynchronousTestCase):
    """What `statement` promises."""

    def test_found(self) -> None:
        """Anybody gets what was signed behind a leaf: the identity key, the certificate, the revocation."""
        server = WireServer()
        alice, size = server.join("alice", lobby=False), server.context.log.size
        bob = server.join("bob", lobby=False)
        account = alice.account
        revocation = make_revocation(Revocation(account.device_id, account.cert_hash, START_MS, 0), rsa_key(IDENTITY))
        revoked = server.context.log.size
        alice.ask(messages.Revoke, statement=revocation)
        for index, expected in (
            (size - 2, account.identity_spki),
            (size - 1, account.certificate),
            (revoked, revocation),
        ):
            self.assertEqual(bob.ask(messages.GetStatement, index=index).statement, expected)

    def test_none(self) -> None:
        """There is none behind the leaf of a room, and none where no leaf is."""
        server = WireServer()
        alice = server.join("alice", lobby=False)
        leaf = server.context.log.size
        server.make_room(alice.account, policy=replace(PUBLIC, name="club"))
        self.assertEqual(server.context.log.size, leaf + 1)
        for index in (leaf, leaf + 1, 2**63 - 1):
            self.assertEqual(code(alice.ask(messages.GetStatement, index=index)), "not_found")


class RevokeTests(SynchronousTestCase):
    """The end of a device."""

    def setUp(self) -> None:
        """Alice and Bob are online."""
        self.server = WireServer()
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")

    def statement(self, account: TestAccount, **changes: Any) -> bytes:
        """A revocation of the account's device."""
        revocation = Revocation(account.device_id, account.cert_hash, START_MS, 0)
        return make_revocation(replace(revocation, **changes), rsa_key(IDENTITY))

    def test_revoked(self) -> None:
        """The device is ended in the log, at login and now; its session is told, after the answer's head."""
        account, log = self.alice.account, self.server.context.log
        size = log.size
        self.assertEqual(code(self.alice.ask(messages.Revoke, statement=self.statement(account))), "Ok")
        kinds = [type(message) for message in self.alice.received[-3:]]
        self.assertEqual(kinds, [messages.LogHead, messages.Farewell, messages.Ok])
        self.assertEqual(self.alice.one(messages.Farewell).code, "revoked")
        self.assertEqual((self.alice.close_reason, self.alice.lost), (CloseReason.NORMAL, True))
        self.assertEqual((log.size, log.covered_size), (size + 1, size + 1))
        facts = self.server.certificates[account.cert_hash]
        self.assertFalse(log.facts.certificate_valid(facts, account.cert_hash, log.size))
        again = self.server.log_in(account)
        assert again.error is not None
        self.assertEqual(again.error.code, "auth_failed")

    def test_of_another_account(self) -> None:
        """Nobody ends a device of another, and one that there is not looks alike."""
        for statement in (self.statement(self.alice.account), self.statement(self.bob.account, cert_hash=b"?" * 32)):
            self.assertEqual(code(self.bob.ask(messages.Revoke, statement=statement)), "not_found")
        self.assertFalse(self.alice.lost)

    def test_wrong(self) -> None:
        """A statement that names another device, has another signature, or is none is refused."""
        good = self.statement(self.bob.account)
        for statement in (
            self.statement(self.bob.account, device_id=b"?" * 16),
            good[:-1] + bytes((good[-1] ^ 1,)),
            b"\xff" + good[1:],
        ):
            self.assertEqual(code(self.bob.ask(messages.Revoke, statement=statement)), "bad_key")
        self.assertIsInstance(self.bob.say("still here"), messages.Sent)

    def test_session_of_another_device(self) -> None:
        """The session of the device that is ended goes, and the one that asked for it stays."""
        live, lost = self.alice.seat.live, self.bob.seat.live
        assert live is not None
        assert lost is not None
        live.name = "bob"  # as if they were two devices of one account
        statement = self.statement(self.bob.account)
        self.assertEqual(code(self.alice.ask(messages.Revoke, statement=statement)), "Ok")
        self.assertEqual(code(self.alice.ask(messages.Revoke, statement=statement)), "Ok")
        self.assertEqual(
            (self.bob.one(messages.Farewell).code, self.bob.lost, self.alice.lost), ("revoked", True, False)
        )
