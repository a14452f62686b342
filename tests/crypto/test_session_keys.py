"""Key schedule and record keys: known answers, order, nonces and phases."""

from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto import session
from chatserv.crypto.session import (
    SEQUENCE_LIMIT,
    HandshakeSecrets,
    RecordKey,
    TrafficSecrets,
    channel_binding,
    finished_mac,
    handshake_secrets,
    traffic_secrets,
)
from chatserv.crypto.suite import xlabel
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError
from tests.crypto.test_suite import VECTORS
from tests.support.sessions import flip

CASE = {name: bytes.fromhex(value) for name, value in VECTORS["session"].items()}
SECRET = b"x" * 32


def known_handshake() -> HandshakeSecrets:
    """The handshake secrets of the known answers."""
    return handshake_secrets(CASE["ikm"][:32], CASE["ikm"][32:], CASE["t1"], CASE["cb"])


def known_traffic() -> TrafficSecrets:
    """The traffic secrets of the known answers."""
    return traffic_secrets(known_handshake(), CASE["r"], CASE["t4"], CASE["cb"])


def pair_of_keys() -> tuple[RecordKey, RecordKey]:
    """The same key at both ends of one direction."""
    return RecordKey(SECRET), RecordKey(SECRET)


class ScheduleTests(SynchronousTestCase):
    """From the key exchange to the keys of the traffic."""

    def test_handshake(self) -> None:
        """The handshake secrets are the known ones."""
        secrets = known_handshake()
        self.assertEqual((secrets.secret, secrets.client, secrets.server), (CASE["hs"], CASE["c_hs"], CASE["s_hs"]))

    def test_traffic(self) -> None:
        """The traffic secrets and the exporter are the known ones."""
        secrets = known_traffic()
        self.assertEqual(
            (secrets.client, secrets.server, secrets.exporter), (CASE["c_ap"], CASE["s_ap"], CASE["exporter"])
        )

    def test_key_and_iv(self) -> None:
        """Key and IV of the client's traffic are the known ones."""
        self.assertEqual(xlabel(CASE["c_ap"], "key", b"", 32), CASE["c_ap_key"])
        self.assertEqual(xlabel(CASE["c_ap"], "iv", b"", 12), CASE["c_ap_iv"])

    def test_records(self) -> None:
        """FINISHED and the record after it are the known ones."""
        key = RecordKey(known_traffic().client)
        self.assertEqual(key.seal(5, finished_mac(CASE["c_ap"], CASE["t4"])), CASE["finished_record"])
        self.assertEqual(key.seal(16, b"hello"), CASE["record_seq1_type16_hello"])

    def test_inputs(self) -> None:
        """Each input of the schedule changes every secret that comes after it."""
        base = known_handshake()
        changed = [
            handshake_secrets(flip(CASE["ikm"][:32], 0), CASE["ikm"][32:], CASE["t1"], CASE["cb"]),
            handshake_secrets(CASE["ikm"][:32], flip(CASE["ikm"][32:], 0), CASE["t1"], CASE["cb"]),
            handshake_secrets(CASE["ikm"][:32], CASE["ikm"][32:], flip(CASE["t1"], 0), CASE["cb"]),
            handshake_secrets(CASE["ikm"][:32], CASE["ikm"][32:], CASE["t1"], flip(CASE["cb"], 0)),
        ]
        self.assertEqual(len({one.client for one in (base, *changed)}), 5)
        self.assertEqual(len({one.server for one in (base, *changed)}), 5)
        traffic = [
            known_traffic(),
            traffic_secrets(base, flip(CASE["r"], 0), CASE["t4"], CASE["cb"]),
            traffic_secrets(base, CASE["r"], flip(CASE["t4"], 0), CASE["cb"]),
            traffic_secrets(base, CASE["r"], CASE["t4"], flip(CASE["cb"], 0)),
            traffic_secrets(changed[0], CASE["r"], CASE["t4"], CASE["cb"]),
        ]
        secrets = {secret for one in traffic for secret in (one.client, one.server, one.exporter)}
        self.assertEqual(len(secrets), 15)

    def test_repr(self) -> None:
        """No secret is in a representation."""
        self.assertEqual((repr(known_handshake()), repr(known_traffic())), ("HandshakeSecrets()", "TrafficSecrets()"))

    def test_channel_binding(self) -> None:
        """A binding is type 1 and the exporter, or type 0 and zeros."""
        self.assertEqual(channel_binding(b"e" * 32), b"\x01" + b"e" * 32)
        self.assertEqual(channel_binding(None), bytes(33))


class RecordKeyTests(SynchronousTestCase):
    """One direction: in order, once each, untouched."""

    @given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=100)), max_size=20))
    def test_in_order(self, records: list[tuple[int, bytes]]) -> None:
        """Records open to what was sealed, in the same order, and are 18 bytes longer."""
        sending, receiving = pair_of_keys()
        for kind, plaintext in records:
            record = sending.seal(kind, plaintext)
            self.assertEqual(len(record), len(plaintext) + 18)
            self.assertEqual(receiving.open(record), (kind, plaintext))

    def test_every_bit(self) -> None:
        """A record with any one bit flipped does not open."""
        record = RecordKey(SECRET).seal(16, b"four")
        for at in range(len(record) * 8):
            self.assertRaises(Reject, RecordKey(SECRET).open, flip(record, at // 8, 1 << at % 8))

    def test_short(self) -> None:
        """What is shorter than header and tag is refused; header and tag alone are the empty record."""
        empty = RecordKey(SECRET).seal(16, b"")
        self.assertEqual(len(empty), 18)
        self.assertEqual(RecordKey(SECRET).open(empty), (16, b""))
        for length in range(18):
            self.assertRaises(Reject, RecordKey(SECRET).open, empty[:length])

    def test_order(self) -> None:
        """A record that is skipped, repeated or of another key does not open."""
        sending, receiving = pair_of_keys()
        first, second = sending.seal(16, b"1"), sending.seal(16, b"2")
        self.assertRaises(Reject, RecordKey(SECRET).open, second)
        receiving.open(first)
        self.assertRaises(Reject, receiving.open, first)
        self.assertRaises(Reject, RecordKey(b"y" * 32).open, first)

    @settings(max_examples=20)
    @given(st.lists(st.booleans(), min_size=1, max_size=400))
    def test_nonces(self, steps: list[bool]) -> None:
        """No pair of key and nonce is used twice, through any number of records and phases."""
        used: list[tuple[bytes, bytes]] = []

        class Watched:
            def __init__(self, key: bytes) -> None:
                self.key, self.aead = key, AESGCM(key)

            def encrypt(self, nonce: bytes, data: bytes, header: bytes) -> bytes:
                used.append((self.key, nonce))
                return self.aead.encrypt(nonce, data, header)

        self.patch(session, "AESGCM", Watched)
        key = RecordKey(SECRET)
        for updating in steps:
            if updating:
                key.update()
            key.seal(16, b"")
        self.assertEqual(len(set(used)), len(steps))

    def test_nonce_is_iv_and_sequence(self) -> None:
        """The nonce is the IV with the sequence added bit by bit, as in RFC 8446 section 5.3."""
        key = RecordKey(SECRET)
        iv = int.from_bytes(xlabel(SECRET, "iv", b"", 12), "big")
        aead = AESGCM(xlabel(SECRET, "key", b"", 32))
        for sequence in range(300):
            expected = aead.encrypt((iv ^ sequence).to_bytes(12, "big"), b"p", b"\x10\x00")
            self.assertEqual(key.seal(16, b"p"), b"\x10\x00" + expected)

    def test_limit(self) -> None:
        """A key refuses to be used beyond its limit rather than to come near a repeated nonce."""
        key: Any = RecordKey(SECRET)
        key.sequence = SEQUENCE_LIMIT - 1
        key.seal(16, b"")
        self.assertRaises(LocalProtocolError, key.seal, 16, b"")


class PhaseTests(SynchronousTestCase):
    """`RecordKey.update`."""

    def test_update(self) -> None:
        """Both ends move to the next phase with a new key and sequence 0."""
        sending, receiving = pair_of_keys()
        before = sending.seal(16, b"same")
        receiving.open(before)
        sending.update()
        receiving.update()
        self.assertEqual((sending.phase, sending.sequence, sending.sealed_bytes), (1, 0, 0))
        after = sending.seal(16, b"same")
        self.assertEqual(after[1], 1)
        self.assertNotEqual(before[2:], after[2:])
        self.assertEqual(receiving.open(after), (16, b"same"))

    def test_known_secret(self) -> None:
        """The next secret is XLabel(secret, "traffic upd")."""
        key = RecordKey(SECRET)
        key.update()
        fresh = RecordKey(xlabel(SECRET, "traffic upd", b"", 32))
        fresh.phase = 1
        self.assertEqual(key.seal(16, b"x"), fresh.seal(16, b"x"))

    def test_wrong_phase(self) -> None:
        """A record of the phase before or after does not open, whatever its header says."""
        sending, receiving = pair_of_keys()
        old = sending.seal(16, b"old")
        sending.update()
        new = sending.seal(16, b"new")
        self.assertRaises(Reject, receiving.open, new)
        self.assertRaises(Reject, RecordKey(SECRET).open, new[:1] + b"\0" + new[2:])
        receiving.update()
        self.assertRaises(Reject, receiving.open, old)

    def test_wraps(self) -> None:
        """After phase 255 comes phase 0, still with another key."""
        sending, receiving = pair_of_keys()
        first = sending.seal(16, b"x")
        for _ in range(256):
            sending.update()
            receiving.update()
        self.assertEqual(sending.phase, 0)
        record = sending.seal(16, b"x")
        self.assertNotEqual(record, first)
        self.assertEqual(receiving.open(record), (16, b"x"))
        self.assertRaises(Reject, receiving.open, first)
