"""What the log says about people, by whole clients: ourselves, others, and what the server made up."""

from typing import Any

from chatserv.client import AuditEntry, PersonAudit
from chatserv.client.verification import audit
from chatserv.crypto.log_leaves import LeafType, server_key_leaf, user_leaf
from chatserv.crypto.statements import Gone, make_gone
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.errors import ChatError, NotFound
from chatserv.models import LeafDraft
from chatserv.testing.memory_server import NOW_MS, keyring, server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import AttackCase, Ghost, Tap, engine_of, log_leaf, revocation_of


class AuditCase(AttackCase):
    """Alice looks at bob and at herself."""

    def of(self, user: str, asker: Person | None = None) -> PersonAudit:
        """What the log says about somebody."""
        return (asker or self.alice).do((asker or self.alice).client.people.audit(user))

    def kinds(self, user: str) -> list[tuple[str, bool | None, bool]]:
        """In short."""
        return [(each.kind, each.signed, each.known) for each in self.of(user).entries]

    def newest(self, user: str) -> AuditEntry:
        """The last thing."""
        return self.of(user).entries[-1]


class AuditTests(AuditCase):
    """Honest servers, and others."""

    def test_usual(self) -> None:
        """An identity and a device each, with fingerprints and days; nothing that we would not have done."""
        found = self.alice.do(self.alice.client.audit())
        self.assertEqual(["alice1", "bob1", "carol1"], [each.user for each in found.people])
        self.assertEqual(["", "unverified", "unverified"], [each.trust for each in found.people])
        log = engine_of(self.alice).context.log
        self.assertEqual((log.size, log.root_at(log.size)), (found.size, found.root))
        self.assertEqual((False, "", (), 0), (found.proven, found.file, found.server_ids, found.omitted))
        for each in found.people:
            self.assertTrue(each.ordinary)
            ring, (identity, device) = keyring(each.user), each.entries
            self.assertEqual(("identity", ring.identity_fingerprint()), (identity.kind, identity.fingerprint))
            self.assertEqual(("device", sha256(ring.certificate)), (device.kind, device.fingerprint))
            self.assertEqual(ring.device_id, device.device_id)
            self.assertEqual((each.user == "alice1", False), (device.current, identity.current))
            self.assertGreaterEqual(device.at_ms, NOW_MS)
        verified = self.alice.do(self.alice.client.people.verification("bob1")).number
        self.alice.do(self.alice.client.people.compare("bob1", verified))
        self.assertEqual("verified", self.of("bob1").trust)

    def test_own_device_made_up(self) -> None:
        """A device of ours that we did not add is not known; one of somebody else's is theirs to know."""
        Ghost(self.world, "alice1").log(LeafType.RESET)
        self.world.settle(2)
        self.assertEqual([("reset", None, False), ("device", None, False)], self.kinds("alice1")[2:])
        self.assertFalse(self.of("alice1").ordinary)
        bobs_view = self.of("alice1", self.bob)
        self.assertTrue(all(each.known for each in bobs_view.entries))
        self.assertEqual("changed", bobs_view.trust)
        self.assertFalse(bobs_view.ordinary)

    def test_rotations(self) -> None:
        """One that nobody signed is the server's."""
        Ghost(self.world, "bob1").log(LeafType.ROTATE, b"nothing")
        self.world.settle(5)
        self.assertEqual(("rotated", False, True), self.kinds("bob1")[2])
        self.assertTrue(self.alice.do(self.alice.client.audit()).proven)

    def test_revoked(self) -> None:
        """Whose device it was, and when; for the device itself a warning."""
        before = self.newest("bob1")
        self.bob.do(self.bob.client.people.revoke(keyring("bob1").device_id))
        self.world.settle(5)
        entry = self.newest("bob1")
        self.assertEqual(("revoked", before.fingerprint), (entry.kind, entry.fingerprint))
        self.assertEqual((before.device_id, True), (entry.device_id, entry.known))
        certificate = sha256(keyring("alice1").certificate)
        statement = revocation_of(self.alice)
        log_leaf(
            self.world, user_leaf(LeafType.REVOKE, server_id(), "alice1", certificate, statement, NOW_MS), statement
        )
        self.assertEqual(("revoked", None, False), self.kinds("alice1")[-1])

    def gone(self, statement: bytes, logged: bytes | None = None) -> None:
        """The server says that bob's account is gone."""
        said = statement if logged is None else logged
        leaf = user_leaf(LeafType.GONE, server_id(), "bob1", bytes(32), said, NOW_MS)
        self.world.server.store._append_log([LeafDraft(leaf.encode(), statement)])
        self.world.settle(3)

    def test_gone_by_their_word(self) -> None:
        """An end that its owner has signed."""
        self.gone(make_gone(Gone(server_id(), "bob1", NOW_MS), keyring("bob1").load_identity()))
        self.assertEqual(("gone", True, True), self.kinds("bob1")[-1])

    def test_gone_by_the_servers_word(self) -> None:
        """Nothing is signed."""
        self.gone(b"")
        self.assertEqual(("gone", False, True), self.kinds("bob1")[-1])

    def test_gone_by_somebody_elses_word(self) -> None:
        """It is signed by another identity."""
        self.gone(make_gone(Gone(server_id(), "bob1", NOW_MS), keyring("zoe").load_identity()))
        self.assertEqual(("gone", False, True), self.kinds("bob1")[-1])

    def test_gone_by_a_key_that_is_not_theirs(self) -> None:
        """The log names bob's identity once more, with somebody else's key behind it, which has signed."""
        ours, zoe = keyring("bob1").identity_fingerprint(), keyring("zoe").load_identity()
        spki = rsa_spki(zoe.public_key())
        log_leaf(self.world, user_leaf(LeafType.RESET, server_id(), "bob1", ours, spki, NOW_MS), spki)
        self.gone(make_gone(Gone(server_id(), "bob1", NOW_MS), zoe))
        self.assertEqual(("gone", False, True), self.kinds("bob1")[-1])

    def test_gone_of_another(self) -> None:
        """What was signed is not what the leaf has the hash of."""
        self.gone(make_gone(Gone(server_id(), "bob1", NOW_MS), keyring("bob1").load_identity()), b"other")
        self.assertEqual(("gone", False, True), self.kinds("bob1")[-1])

    def test_not_connected(self) -> None:
        """Without a connection it says what this device knows."""
        self.gone(b"")
        self.world.server.up = False
        self.world.server.cut()
        self.assertEqual(("gone", None, True), self.kinds("bob1")[-1])
        people = [each.user for each in self.alice.do(self.alice.client.audit()).people]
        self.assertEqual(("alice1", "carol1"), (people[0], people[-1]))  # bob may have been struck by then

    def test_server_key(self) -> None:
        """Another key of the server that the log announces."""
        log_leaf(self.world, server_key_leaf(b"\x07" * 32, b"", NOW_MS))
        self.assertEqual((b"\x07" * 32,), self.alice.do(self.alice.client.audit()).server_ids)

    def test_nobody(self) -> None:
        """Of somebody who never was the log says nothing."""
        self.assertRaises(NotFound, self.of, "zoe")

    def test_bound(self) -> None:
        """So many people at most; the rest is counted."""
        self.patch(audit, "MAX_PEOPLE", 2)
        found = self.alice.do(self.alice.client.audit())
        self.assertEqual((["alice1", "bob1"], 1), ([each.user for each in found.people], found.omitted))


class NewcomerTests(AuditCase):
    """Somebody of whom the server has not told us yet, as it gathers such news."""

    def setUp(self) -> None:
        """Alice has a room."""
        super().setUp()
        self.room = self.alice.do(self.alice.client.create_room("plans"))
        self.log = engine_of(self.alice).context.log
        self.before = self.log.size

    def test_named(self) -> None:
        """Who names them finds them: the log is asked first, where our copy has nobody of that name."""
        works: Any = self.room.ban, self.alice.client.people.devices, self.alice.client.people.verification
        for number, work in enumerate(works):
            self.world.server.add_account(f"new{number}", logged=True)
            self.world.run()
            self.assertEqual(self.before + 2 * number, self.log.size)
            self.alice.do(work(f"new{number}"))
            self.assertEqual(self.before + 2 * number + 2, self.log.size)
        for begin in (self.room.invite, self.alice.client.direct):
            self.world.server.add_account(f"late{begin.__name__}", logged=True)
            for name, why in ((f"late{begin.__name__}", "no device is ready yet"), ("nobody1", "user nobody1")):
                with self.assertRaises(ChatError) as caught:
                    self.alice.do(begin(name))
                self.assertIn(why, caught.exception.detail)

    def test_known_in_part(self) -> None:
        """A notice may begin with leaves that we have fetched meanwhile; nothing is fetched for the others."""
        tap = Tap(self.alice)
        self.world.server.add_account("dave1", logged=True)
        self.alice.do(self.alice.client.people.devices("dave1"))
        self.world.server.add_account("erin1", logged=True)
        self.assertEqual(self.before + 2, self.log.size)
        tap.seen = []
        self.world.settle(1)
        self.assertEqual((self.before + 4, [messages.LogHead]), (self.log.size, [type(each) for each in tap.seen]))
        self.assertEqual(self.before, tap.seen[0].after)  # type: ignore[union-attr]
