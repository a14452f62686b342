"""The sealed backup, its slots, and what both screens show of an enrolment: known answers, bounds, broken copies."""

# mypy: allow-untyped-calls

import dataclasses
import hashlib
import hmac
import json
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.e2e.backup import (
    MAX_CONTENT_BYTES,
    MAX_ROOMS,
    MAX_VERIFIED,
    SLOT_BYTES,
    BackupContent,
    Owner,
    SavedRoom,
    SlotKind,
    open_backup,
    open_slots,
    seal_backup,
    seal_slot,
    slot_kinds,
)
from chatserv.crypto.e2e.enrolment import (
    MAX_PARTS,
    Commitment,
    Grant,
    Luggage,
    Number,
    Opening,
    Part,
    Refusal,
    check_opening,
    commitment,
    decode_told,
    enrol_hash,
    enrol_words,
    pack,
    parts,
    unpack,
)
from chatserv.crypto.e2e.prekey_secrets import generate_prekey
from chatserv.crypto.e2e.recovery_code import read_code
from chatserv.crypto.e2e.rng import HedgedRandom
from chatserv.crypto.e2e.word_list import word_list
from chatserv.crypto.statements import DeviceFacts
from chatserv.crypto.suite import sha256
from chatserv.errors import Reject
from chatserv.wire.fields import MAX_BACKUP_BYTES
from tests.support.make_backup_vectors import COUNTER, FILE, OWNER, content, fixed, render
from tests.support.mutations import MUTATIONS, mutations
from tests.support.sessions import rsa_key, spki

KEY = fixed("BK")
CODE = fixed("code", 20)


def known(name: str) -> Any:
    """One known answer."""
    return json.loads(FILE.read_text("utf-8"))[name]


def room(number: int, *, agreed: bool = True, topic: str = "") -> SavedRoom:
    """A room with a long name."""
    return SavedRoom(number.to_bytes(16, "big"), agreed, 1, "n" * 64, topic)


class KnownTests(SynchronousTestCase):
    """The file of known answers."""

    def test_is_what_the_code_gives(self) -> None:
        """The file is, byte for byte, what its script makes with this code; its blob opens."""
        self.assertEqual(FILE.read_text("utf-8"), render())
        blob = bytes.fromhex(known("backup")["blob"])
        self.assertEqual(open_backup(KEY, blob, OWNER, COUNTER), content())

    def test_slot_by_hand(self) -> None:
        """The slot of the recovery code, with HKDF in hmac alone."""
        slot, code = bytes.fromhex(known("slot_code")["slot"]), read_code(known("recovery_code")["shown"])
        salt = slot[1:17]
        extracted = hmac.digest(salt, code, "sha256")
        kek = hmac.digest(extracted, b"chatserv1 recovery" + b"ana" + b"\x01", "sha256")
        context = salt + OWNER.server_id + b"\x03ana" + b"\x01"
        self.assertEqual(AESGCM(kek).decrypt(bytes(12), slot[17:], context), KEY)

    def test_words_by_hand(self) -> None:
        """The official word list, by its hash; the six words of the known enrolment, bit by bit."""
        listed = "\n".join(word_list()) + "\n"
        official = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
        self.assertEqual(hashlib.sha256(listed.encode()).hexdigest(), official)
        case = known("enrolment")
        texts = (case[name] for name in ("tbs", "cert_hash", "new_nonce", "old_nonce"))
        hashed = hashlib.sha256(b"chatserv1 enrol" + b"".join(bytes.fromhex(text) for text in texts)).digest()
        bits = "".join(f"{byte:08b}" for byte in hashed)
        chosen = [word_list()[int(bits[at : at + 11], 2)] for at in range(0, 66, 11)]
        self.assertEqual(case["words"], " ".join(chosen))
        # "abandon ... about" is BIP-39's own first vector: zero bits, then the checksum 0011
        self.assertEqual((word_list()[0], word_list()[3]), ("abandon", "about"))


class BackupTests(SynchronousTestCase):
    """Sealed and opened."""

    def test_bound_to_everything(self) -> None:
        """Another key, server, user or counter opens nothing."""
        blob = seal_backup(KEY, content(), OWNER, 3)
        self.assertEqual(open_backup(KEY, blob, OWNER, 3), content())
        for key, owner, counter in (
            (fixed("other"), OWNER, 3),
            (KEY, Owner(bytes(32), "ana"), 3),
            (KEY, Owner(OWNER.server_id, "bob"), 3),
            (KEY, OWNER, 2),
        ):
            self.assertRaises(Reject, open_backup, key, blob, owner, counter)

    def test_sealed_twice(self) -> None:
        """Two devices that seal under one counter use one key and nonce for no two contents: each blob has its salt."""
        self.assertNotEqual(*(seal_backup(KEY, content(), OWNER, 3)[:72] for _ in range(2)))

    def test_size_shows_little(self) -> None:
        """One room more or less does not show."""
        few = dataclasses.replace(content(), rooms=content().rooms[:1])
        self.assertEqual(*(len(seal_backup(KEY, each, OWNER, 1)) for each in (few, content())))

    def test_largest(self) -> None:
        """The most that a server lets somebody have fits what it takes: topics go, then what nobody agreed to."""
        rooms = tuple(room(number, agreed=number % 2 > 0, topic="t" * 900) for number in range(250))
        people = tuple((f"{number:064}", bytes(32)) for number in range(300))
        most = BackupContent(1, bytes(1800), people, rooms)
        blob = seal_backup(KEY, most, OWNER, 1)
        self.assertLessEqual(len(blob), MAX_BACKUP_BYTES)
        kept = open_backup(KEY, blob, OWNER, 1)
        self.assertEqual((kept.verified, kept.identity_key), (people, bytes(1800)))
        self.assertEqual([each.room_id for each in kept.rooms if each.agreed], [r.room_id for r in rooms if r.agreed])
        empty = len(BackupContent(1, b"").encode())
        full = BackupContent(1, bytes(MAX_CONTENT_BYTES - empty))
        self.assertLessEqual(len(seal_backup(KEY, full, OWNER, 1)), MAX_BACKUP_BYTES)
        self.assertRaises(Reject, seal_backup, KEY, BackupContent(1, bytes(MAX_CONTENT_BYTES + 1 - empty)), OWNER, 1)

    def test_bounds(self) -> None:
        """Order, numbers and lengths are held to when it is read."""
        people = tuple((f"{number:04}", bytes(32)) for number in range(MAX_VERIFIED + 1))
        rooms = tuple(SavedRoom(number.to_bytes(16, "big"), True, 1) for number in range(MAX_ROOMS + 1))
        good = (BackupContent(1, b"", people[:-1]), BackupContent(1, b"", (), rooms[:-1]))
        for each in good:
            self.assertEqual(BackupContent.decode(each.encode()), each)
        for bad in (
            BackupContent(1, b"", people),
            BackupContent(1, b"", (), rooms),
            BackupContent(1, b"", people[1::-1]),
            BackupContent(1, b"", (), rooms[1::-1]),
            BackupContent(1, b"", (people[0], people[0])),
            BackupContent(1, b"", (), (SavedRoom(bytes(16), True, 1, "t" * 65),)),
            BackupContent(1, b"", (), (SavedRoom(bytes(16), True, 1, "", "t" * 1025),)),
        ):
            self.assertRaises(Reject, BackupContent.decode, bad.encode())

    def test_mutations(self) -> None:
        """Broken contents are refused or are their own only encoding; broken blobs and slots are refused, all."""
        for changed in mutations(content().encode(), self.id()):
            try:
                self.assertEqual(BackupContent.decode(changed).encode(), changed)
            except Reject:
                continue
        blob = seal_backup(KEY, content(), OWNER, 1)
        for changed in mutations(blob, self.id()):
            self.assertRaises(Reject, open_backup, KEY, changed, OWNER, 1)
        slot = seal_slot(KEY, SlotKind.CODE, CODE, OWNER, fixed_salt)
        for changed in mutations(slot, self.id()):
            self.assertIsNone(open_slots((changed,), SlotKind.CODE, CODE, OWNER))

    def test_slots(self) -> None:
        """Each opens by its own secret, for its own owner; one kind is not taken for the other."""
        code = seal_slot(KEY, SlotKind.CODE, CODE, OWNER, fixed_salt)
        words = b"anchor bread cellar dune engine"
        passphrase = seal_slot(KEY, SlotKind.PASSPHRASE, words, OWNER, fixed_salt)
        self.assertEqual((len(code), len(passphrase)), (SLOT_BYTES, SLOT_BYTES))
        both = (passphrase, code)
        self.assertEqual(slot_kinds((*both, b"", b"\x09" + code[1:])), {SlotKind.CODE, SlotKind.PASSPHRASE})
        self.assertEqual(open_slots(both, SlotKind.CODE, CODE, OWNER), KEY)
        self.assertEqual(open_slots(both, SlotKind.PASSPHRASE, words, OWNER), KEY)
        self.assertIsNone(open_slots((code,), SlotKind.PASSPHRASE, words, OWNER))
        self.assertIsNone(open_slots((b"\x02" + code[1:],), SlotKind.PASSPHRASE, CODE, OWNER))
        self.assertIsNone(open_slots(both, SlotKind.CODE, fixed("x", 20), OWNER))
        self.assertIsNone(open_slots(both, SlotKind.CODE, CODE, dataclasses.replace(OWNER, user="bob")))


def fixed_salt(length: int) -> bytes:
    """For slots."""
    return fixed("salt", length)


class EnrolmentTests(SynchronousTestCase):
    """A device that another one approves."""

    def setUp(self) -> None:
        """Two devices of one person."""
        self.random = HedgedRandom(bytes(32), os.urandom, lambda: 1)
        self.new_key = ed25519.Ed25519PrivateKey.from_private_bytes(fixed("new"))
        self.old_key = ed25519.Ed25519PrivateKey.from_private_bytes(fixed("old"))
        self.facts = self.device("new", self.new_key, spki("alice-device"))
        self.old = self.device("old", self.old_key, spki("bob-device"))
        self.secret = generate_prekey(1, self.random)
        self.prekey = self.secret.sign(self.new_key, self.facts.device_id).encode()

    def device(self, name: str, key: ed25519.Ed25519PrivateKey, rsa: bytes) -> DeviceFacts:
        """A device's facts."""
        public = key.public_key().public_bytes_raw()
        return DeviceFacts(OWNER.server_id, "ana", fixed(name, 16), rsa, public, 1, fixed("identity"))

    def test_told(self) -> None:
        """All that the two tell each other, both ways, broken copies included."""
        for told in (
            Commitment(fixed("h"), fixed("c")),
            Number(fixed("n"), self.prekey),
            Opening(fixed("n")),
            Grant(fixed("s", 384), 3),
            Part(2, b"data"),
            Refusal(),
        ):
            self.assertEqual(decode_told(told.encode()), told)
            for changed in mutations(told.encode(), self.id(), MUTATIONS // 10):
                try:
                    self.assertEqual(decode_told(changed).encode(), changed)
                except Reject:
                    continue
        self.assertRaises(Reject, decode_told, Grant(bytes(384), MAX_PARTS + 1).encode())
        self.assertRaises(Reject, decode_told, Part(MAX_PARTS + 1, b"").encode())

    def test_whatever_is_exchanged_shows(self) -> None:
        """The words are others for another key, device, certificate, or random number of either side."""
        tbs, args = self.facts.encode(), (fixed("cert"), fixed("new"), fixed("old"))
        shown = enrol_words(enrol_hash(tbs, *args))
        self.assertEqual(len(shown.split()), 6)
        for place in range(3):
            changed = [*args[:place], fixed("changed"), *args[place + 1 :]]
            self.assertNotEqual(enrol_words(enrol_hash(tbs, *changed)), shown)
        other = replace(self.facts, ed25519=fixed("key")).encode()
        self.assertNotEqual(enrol_words(enrol_hash(other, *args)), shown)

    def test_committed(self) -> None:
        """Who has seen the other's number cannot choose another of their own any more, nor another certificate or facts."""
        tbs = self.facts.encode()
        told = Commitment(fixed("h"), commitment(fixed("n"), fixed("h"), tbs))
        check_opening(told, fixed("n"), tbs)
        self.assertRaises(Reject, check_opening, told, fixed("ground for"), tbs)
        self.assertRaises(Reject, check_opening, told, fixed("n"), replace(self.facts, created_ms=2).encode())
        self.assertRaises(Reject, check_opening, dataclasses.replace(told, cert_hash=fixed("i")), fixed("n"), tbs)

    def test_hand_over(self) -> None:
        """The largest hand-over reaches the new device alone, in parts; changed, or from another one, it does not open."""
        rooms = tuple(room(number) for number in range(MAX_ROOMS))
        luggage = Luggage(BackupContent(1, bytes(1800), (), rooms), KEY)
        hashed = fixed("hashed")
        packed = pack(luggage, hashed, self.facts, self.prekey, (self.old.device_id, self.old_key), self.random)
        pieces = [decode_told(part.encode()) for part in parts(packed)]
        self.assertLessEqual(len(pieces), MAX_PARTS)
        self.assertLessEqual(max(len(part.encode()) for part in parts(packed)), 8192)
        joined = b"".join(piece.data for piece in pieces if isinstance(piece, Part))
        rsa = rsa_key("alice-device")
        self.assertEqual(unpack(joined, hashed, self.facts, self.old, rsa, self.secret), luggage)
        stranger = replace(self.old, ed25519=fixed("key"))
        self.assertRaises(Reject, unpack, joined, hashed, self.facts, stranger, rsa, self.secret)
        self.assertRaises(Reject, unpack, joined, fixed("h"), self.facts, self.old, rsa, self.secret)
        other = rsa_key("bob-device")
        self.assertRaises(Reject, unpack, joined, hashed, self.facts, self.old, other, self.secret)
        for changed in mutations(joined, self.id(), MUTATIONS // 20):
            self.assertRaises(Reject, unpack, changed, hashed, self.facts, self.old, rsa, self.secret)
        self.assertNotEqual(sha256(joined), sha256(packed[:-1]))
