"""The table that a replay of the log gives (docs/rooms.rst 3.2, 5.2 and 8)."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.log_facts import LogFacts, RoomHead
from chatserv.crypto.log_leaves import ZEROS, Leaf, LeafType, room_leaf, server_key_leaf, user_leaf
from chatserv.crypto.statements import DeviceFacts, make_rotation
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.errors import Reject
from tests.support.rooms import NOW_MS, SERVER_ID, Device, World
from tests.support.sessions import rsa_key

USERS = ("alice", "bob")
SUBJECTS = tuple(bytes([number]) * 32 for number in range(1, 5))
ROOMS = (b"r" * 16, b"s" * 16)


def leaf_of(kind: int, user: str, subject: bytes) -> Leaf:
    """A leaf of any type."""
    match LeafType(kind):
        case LeafType.SERVER_KEY:
            return server_key_leaf(subject, b"", NOW_MS)
        case LeafType.ROOM:
            return room_leaf(SERVER_ID, user, ROOMS[subject[0] % 2], subject, NOW_MS)
        case LeafType.GONE:
            return user_leaf(LeafType.GONE, SERVER_ID, user, ZEROS, b"", NOW_MS)
        case other:
            return user_leaf(other, SERVER_ID, user, subject, b"", NOW_MS)


def answers(facts: LogFacts, size: int) -> list[Any]:
    """Everything that the table can be asked at a size."""
    found: list[Any] = [facts.server_ids(size)]
    for user in USERS:
        found += [facts.identity(user, size), facts.identities(user, size), facts.certificates(user, size)]
        found += [facts.gone(user, size), facts.room_head(user, size), facts.room_heads(user, size)]
        found += [facts.struck(user, added, size) for added in range(size + 1)]
        for identity in SUBJECTS:
            device = DeviceFacts(SERVER_ID, user, b"d" * 16, b"", b"", 0, identity)
            found += [facts.certificate_valid(device, cert_hash, size) for cert_hash in SUBJECTS]
    return found


class LogFactsTests(SynchronousTestCase):
    """What the log says at each of its sizes."""

    def setUp(self) -> None:
        """A log."""
        self.world = World()
        self.facts = self.world.facts

    def valid(self, device: Device, size: int | None = None) -> bool:
        """Whether the device's certificate is valid, now or at a size."""
        return self.facts.certificate_valid(device.facts, device.cert_hash, self.world.size if size is None else size)

    def test_certificate(self) -> None:
        """A certificate is valid from its leaf on."""
        alice = self.world.account("alice")
        self.assertEqual([self.valid(alice, size) for size in range(3)], [False, False, True])
        self.assertEqual(self.facts.certificates("alice", 2), (alice.cert_hash,))
        self.assertFalse(self.valid(self.world.unlogged("alice", "second")))

    def test_of_somebody_else(self) -> None:
        """A certificate counts for the user, server and identity that it names, and the user that logged it."""
        alice, _ = self.world.account("alice"), self.world.account("bob")
        for change in ({"user": "bob"}, {"user": "nobody"}, {"server_id": ZEROS}, {"identity_fingerprint": ZEROS}):
            other = replace(alice.facts, **change)
            self.assertFalse(self.facts.certificate_valid(other, alice.cert_hash, self.world.size), change)

    def test_revoked(self) -> None:
        """A revoked certificate is valid no more, and is not made so by a second leaf; another one stays."""
        alice = self.world.account("alice")
        second = self.world.device("alice", "second")
        self.world.revoke(alice)
        self.assertEqual((self.valid(alice), self.valid(alice, self.world.size - 1)), (False, True))
        self.world.certify(alice)
        self.assertFalse(self.valid(alice))
        self.assertEqual(self.facts.certificates("alice", self.world.size), (second.cert_hash,))

    def test_revocation_by_another_user(self) -> None:
        """A leaf under another user's tag revokes nothing of this one's."""
        alice = self.world.account("alice")
        self.world.account("bob")
        self.world.log(user_leaf(LeafType.REVOKE, SERVER_ID, "bob", alice.cert_hash, b"", NOW_MS))
        self.assertTrue(self.valid(alice))

    def test_rotation(self) -> None:
        """A rotation voids no certificate of before, and strikes nobody; a second device comes under the new identity."""
        alice = self.world.account("alice")
        (renewed,) = self.world.rotate(alice)
        second = self.world.device("alice", "second")
        self.assertEqual([True] * 3, [self.valid(each) for each in (alice, renewed, second)])
        self.assertFalse(self.facts.struck("alice", 0, self.world.size))
        kinds = [identity.kind for identity in self.facts.identities("alice", self.world.size)]
        self.assertEqual(kinds, [LeafType.UIK, LeafType.ROTATE])

    def test_old_identity_after_a_rotation(self) -> None:
        """Whoever has the key of before certifies nothing any more; nor does the new one before it came."""
        alice = self.world.account("alice")
        early = self.world.certify(Device("alice", "early", sha256(b"next ", alice.identity)))
        self.world.rotate(alice)
        thief = self.world.certify(Device("alice", "thief", alice.identity))
        self.assertEqual([True, False, False], [self.valid(each) for each in (alice, early, thief)])

    def test_a_break_ends_what_rotations_carry(self) -> None:
        """Before the statement is known, where it is none, and after a reset: what was certified before is void."""
        alice = self.world.account("alice")
        self.world.rotate(alice)
        self.world.log(user_leaf(LeafType.ROTATE, SERVER_ID, "alice", SUBJECTS[0], b"said", NOW_MS))
        self.assertFalse(self.valid(alice))
        (rotation,) = self.facts.undecided(self.world.size)
        self.facts.decide(rotation, signed=False)
        self.assertEqual((False, ()), (self.valid(alice), self.facts.certificates("alice", self.world.size)))
        self.assertTrue(self.valid(alice, self.world.size - 1))

    def test_signer(self) -> None:
        """What a leaf says of devices is signed by the identity of that moment."""
        self.assertIsNone(self.facts.signer("alice", 0))
        alice = self.world.account("alice")
        (renewed,) = self.world.rotate(alice)
        self.world.gone("alice")
        size = self.world.size
        signers = [self.facts.signer("alice", index) for index in (0, 1, 2, 3, size)]
        self.assertEqual(
            [None, alice.identity, alice.identity, renewed.identity, renewed.identity],
            [each and each.fingerprint for each in signers],
        )

    @settings(deadline=None, max_examples=80)
    @given(st.lists(st.sampled_from("drbgxe"), max_size=12))
    def test_against_the_words(self, moves: list[str]) -> None:
        """Certificates stand as docs/rooms.rst 3.2 says, word by word, whatever the log holds."""
        world = World()
        made = [world.account("alice")]
        logged = {made[0].cert_hash: (1, made[0].identity)}
        eras: list[tuple[int, bytes, bool]] = [
            (0, made[0].identity, False)
        ]  # leaf, identity, carried from the one before
        gone = False
        for number, move in enumerate(moves):
            size = world.size
            if gone and move != "x":
                continue
            match move:
                case "d":
                    made.append(world.device("alice", f"d{number}"))
                case "e":  # under the first identity, whether or not it is still in force
                    made.append(world.certify(Device("alice", f"e{number}", eras[0][1])))
                case "x":
                    world.revoke(made[number % len(made)])
                    logged.pop(made[number % len(made)].cert_hash, None)
                case "g":
                    world.gone("alice")
                    gone = True
                case "r" | "b":
                    fingerprint = sha256(b"new", bytes([number]))
                    world.log(user_leaf(LeafType.ROTATE, SERVER_ID, "alice", fingerprint, b"said", NOW_MS))
                    world.facts.decide(*world.facts.undecided(world.size), signed=move == "r")
                    eras.append((size, fingerprint, move == "r"))
            if move in "de":
                logged[made[-1].cert_hash] = (size, made[-1].identity)
        for device in made:
            leaf, identity = logged.get(device.cert_hash, (-1, b""))
            era = max((number for number, each in enumerate(eras) if each[0] < leaf), default=-1)
            expected = (
                not gone and era >= 0 and eras[era][1] == identity and all(carried for *_, carried in eras[era + 1 :])
            )
            valid = world.facts.certificate_valid(device.facts, device.cert_hash, world.size)
            self.assertEqual(expected, valid, (moves, device))

    def test_rotation_that_nobody_signed(self) -> None:
        """One that is not signed, and one of which that is not known yet, strikes the user as a reset does."""
        alice = self.world.account("alice")
        identity = sha256(b"the server's choice")
        self.world.log(user_leaf(LeafType.ROTATE, SERVER_ID, "alice", identity, b"signed", NOW_MS))
        size = self.world.size
        (rotation,) = self.facts.undecided(size)
        self.assertEqual((rotation.old.fingerprint, rotation.new.fingerprint), (alice.identity, identity))
        self.assertEqual((self.facts.undecided(size - 1), self.facts.undecided(size, ["bob"])), ([], []))
        self.assertEqual(self.facts.undecided(size, ["alice"]), [rotation])
        for decided in (False, True):
            if decided:
                self.facts.decide(rotation, signed=False)
                self.facts.decide(rotation, signed=True)  # the first word counts
            self.assertTrue(self.facts.struck("alice", 0, size))
            self.assertFalse(self.facts.struck("alice", 0, size - 1))
            self.assertFalse(self.facts.carried("alice", alice.identity, size))
        self.assertEqual(self.facts.undecided(size), [])

    def test_carried(self) -> None:
        """Signed rotations lead from one identity to the next, and to no other; a break ends that."""
        alice = self.world.account("alice")
        (second,) = self.world.rotate(alice)
        (third,) = self.world.rotate(second)
        size = self.world.size
        for device in (alice, second, third):
            self.assertTrue(self.facts.carried("alice", device.identity, size))
        self.assertFalse(self.facts.carried("alice", ZEROS, size))
        self.world.reset("alice")
        self.assertFalse(self.facts.carried("alice", third.identity, self.world.size))
        self.assertTrue(self.facts.carried("alice", third.identity, size))

    def test_what_is_signed(self) -> None:
        """A rotation's statement is the logged one, by the key before and the key after: the first, and one that follows."""
        keys = [rsa_key(f"identity of {who}") for who in ("alice", "bob", "mallory")]
        spkis = [rsa_spki(key.public_key()) for key in keys]
        said = [make_rotation(old, new, NOW_MS) for old, new in pairwise(keys)]
        self.world.log(user_leaf(LeafType.UIK, SERVER_ID, "carol", sha256(spkis[0]), spkis[0], NOW_MS))
        for statement, spki in zip(said, spkis[1:], strict=True):
            self.world.log(user_leaf(LeafType.ROTATE, SERVER_ID, "carol", sha256(spki), statement, NOW_MS))
        first, second = self.facts.undecided(self.world.size)
        first.verify(said[0], spkis[0])
        second.verify(said[1], said[0])
        skipping = make_rotation(keys[0], keys[2], NOW_MS)
        for rotation, statement, before in (
            (first, said[1], spkis[0]),
            (first, said[0], spkis[1]),
            (first, b"", spkis[0]),
            (second, said[1], spkis[1]),
            (second, skipping, spkis[0]),
            (replace(second, statement=sha256(skipping)), skipping, said[0]),
            (replace(second, statement=sha256(said[0])), said[0], said[0]),
        ):
            self.assertRaises(Reject, rotation.verify, statement, before)

    def test_reset(self) -> None:
        """After a reset old certificates are void and the user is struck."""
        alice = self.world.account("alice")
        fresh = self.world.reset("alice")
        self.assertEqual((self.valid(alice), self.valid(fresh)), (False, True))
        self.assertTrue(self.facts.struck("alice", 0, self.world.size))

    def test_reset_to_the_same_key(self) -> None:
        """Old certificates are void after a reset even if it names the key that was there."""
        alice = self.world.account("alice")
        self.world.log(user_leaf(LeafType.RESET, SERVER_ID, "alice", alice.identity, b"", NOW_MS))
        self.assertFalse(self.valid(alice))

    def test_gone(self) -> None:
        """An account that is gone has no identity and no valid certificate; what it had is on record."""
        alice = self.world.account("alice")
        self.world.gone("alice")
        size = self.world.size
        self.assertFalse(self.valid(alice))
        self.assertIsNone(self.facts.identity("alice", size))
        self.assertEqual(self.facts.certificates("alice", size), ())
        self.assertEqual(len(self.facts.identities("alice", size)), 1)
        self.assertTrue(self.facts.gone("alice", size))
        self.assertFalse(self.facts.gone("alice", size - 1))
        self.assertTrue(self.facts.struck("alice", 0, size))

    def test_struck_bounds(self) -> None:
        """A reset at i strikes who was added at a size up to i, seen at a size above i."""
        self.world.account("alice")
        self.world.reset("alice")  # leaf 2
        self.world.account("bob")
        rows = [(0, 2, False), (0, 3, True), (2, 3, True), (3, 3, False), (3, 6, False), (2, 6, True), (9, 6, False)]
        for added, size, struck in rows:
            self.assertEqual(self.facts.struck("alice", added, size), struck, (added, size))
        self.assertFalse(self.facts.struck("bob", 0, 6))

    def test_rooms(self) -> None:
        """The newest leaf of a room's name counts; one with zeros ends the name's use."""
        self.assertIsNone(self.facts.room_head("lobby", 0))
        for commit_hash in (b"1" * 32, b"2" * 32, ZEROS):
            self.world.log(room_leaf(SERVER_ID, "lobby", b"r" * 16, commit_hash, NOW_MS))
        self.assertEqual(self.facts.room_head("lobby", 2), RoomHead(1, b"r" * 16, b"2" * 32))
        newest = self.facts.room_head("lobby", 3)
        assert newest is not None
        self.assertTrue(newest.closed)
        self.assertEqual([head.closed for head in self.facts.room_heads("lobby", 3)], [False, False, True])
        self.assertIsNone(self.facts.room_head("other", 3))

    def test_beyond(self) -> None:
        """A question about more of the log than is known has no answer."""
        alice = self.world.account("alice")
        self.assertRaises(Reject, self.facts.certificate_valid, alice.facts, alice.cert_hash, 3)
        self.assertRaises(Reject, self.facts.struck, "alice", 0, 3)
        self.assertRaises(Reject, self.facts.room_head, "lobby", -1)

    def test_against_the_rules(self) -> None:
        """A log that makes an identity twice, or speaks of who is not there, is refused; the table stays."""
        self.world.account("alice")
        self.world.account("bob")
        self.world.gone("bob")
        size = self.world.size
        wrong = [
            (1, "alice"),
            (1, "bob"),
            *((kind, "carol") for kind in range(2, 7)),
            *((k, "bob") for k in (2, 4, 5, 6)),
        ]
        for kind, user in wrong:
            self.assertRaises(Reject, self.facts.append, leaf_of(kind, user, SUBJECTS[0]))
        self.assertEqual(self.world.size, size)
        self.assertIsNone(self.facts.identity("carol", size))
        self.world.log(leaf_of(3, "bob", SUBJECTS[0]))

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.tuples(st.integers(1, 8), st.sampled_from(USERS), st.sampled_from(SUBJECTS)), max_size=14))
    def test_prefix(self, drawn: list[tuple[int, str, bytes]]) -> None:
        """At size n a long table answers as one of the first n leaves."""
        facts = LogFacts(SERVER_ID)
        leaves: list[Leaf] = []
        for kind, user, subject in [(1, "alice", SUBJECTS[0]), *drawn]:
            leaf = leaf_of(kind, user, subject)
            try:
                self.assertEqual(facts.append(leaf), len(leaves))
            except Reject:
                continue
            leaves.append(leaf)
        for size in range(len(leaves) + 1):
            prefix = LogFacts(SERVER_ID, leaves[:size])
            self.assertEqual(prefix.size, size)
            self.assertEqual(answers(facts, size), answers(prefix, size))
