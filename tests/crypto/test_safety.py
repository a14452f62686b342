"""Safety numbers, against the known answer, and verification codes."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.safety import (
    QR_PREFIX,
    grouped,
    parse_qr_text,
    qr_matches,
    qr_payload,
    qr_text,
    safety_number,
)
from chatserv.errors import Reject
from tests.support.make_e2e_vectors import VECTORS

OWN, THEIRS = b"a" * 32, b"b" * 32


class NumberTests(SynchronousTestCase):
    """`safety_number`."""

    def setUp(self) -> None:
        """Reads the known answer: an id is the server's, and the user's name behind it."""
        known = json.loads((VECTORS / "crypto-vectors.json").read_text("utf-8"))["safety_number"]
        self.number = known["number"]
        ids = [bytes.fromhex(known[f"{who}_id"]) for who in "ab"]
        self.server_id = ids[0][:32]
        self.one, self.other = (
            (bytes.fromhex(known[f"{who}_spki"]), each[32:].decode()) for who, each in zip("ab", ids, strict=True)
        )

    def test_known_answer(self) -> None:
        """The number is the known one, 60 digits in 12 groups of 5, whoever of the two computes it."""
        number = safety_number(self.one, self.other, self.server_id)
        self.assertEqual(grouped(number), self.number)
        self.assertTrue(len(number) == 60 and number.isdecimal())
        self.assertEqual(safety_number(self.other, self.one, self.server_id), number)

    def test_everything_counts(self) -> None:
        """Another key, name or server gives another number; the half of whom nothing changed stays."""
        number = safety_number(self.one, self.other, self.server_id)
        spki, user = self.one
        changes = (((spki[:-1] + b"\x00", user), self.other), ((spki, user + "x"), self.other))
        for one, other in changes:
            changed = safety_number(one, other, self.server_id)
            self.assertNotEqual(changed, number)
            self.assertTrue({number[:30], number[30:]} & {changed[:30], changed[30:]})
        elsewhere = safety_number(self.one, self.other, bytes(32))
        self.assertFalse({number[:30], number[30:]} & {elsewhere[:30], elsewhere[30:]})


class CodeTests(SynchronousTestCase):
    """What is scanned."""

    def test_payload(self) -> None:
        """A payload is the version, the fingerprint of who shows it, and that of who scans it."""
        self.assertEqual(qr_payload(OWN, THEIRS), b"\x01" + OWN + THEIRS)

    def test_matches(self) -> None:
        """What the other person sees matches with theirs first; our own code, other keys and other versions do not."""
        self.assertTrue(qr_matches(qr_payload(THEIRS, OWN), OWN, THEIRS))
        shown = qr_payload(THEIRS, OWN)
        wrong = (
            qr_payload(OWN, THEIRS),
            qr_payload(THEIRS, bytes(32)),
            b"\x02" + shown[1:],
            shown[:-1],
            shown + b"x",
            b"",
        )
        for payload in wrong:
            self.assertFalse(qr_matches(payload, OWN, THEIRS), payload)

    @given(st.binary(min_size=64, max_size=64))
    def test_text(self, fingerprints: bytes) -> None:
        """A payload comes back from its text, which a QR code of capitals and digits can hold."""
        payload = b"\x01" + fingerprints
        text = qr_text(payload)
        self.assertRegex(text, r"\ACHATSERV-VERIFY:[A-Z2-7]{104}\Z")
        self.assertEqual(parse_qr_text(text), payload)
        self.assertEqual(parse_qr_text(f"\n {text.lower()} "), payload)

    def test_wrong_text(self) -> None:
        """A text without its beginning, cut, padded, of another alphabet, version or length is refused."""
        text = qr_text(qr_payload(OWN, THEIRS))
        wrong = [
            text.removeprefix(QR_PREFIX),
            text[:-1],
            text + "A",
            text + "=",
            text[:-1] + "1",
            text[:-1] + "\u00fc",
            "",
        ]
        wrong += [QR_PREFIX, QR_PREFIX + text, qr_text(b"\x02" + bytes(64)), qr_text(b"\x01" + bytes(63))]
        wrong += [text[:40] + " " + text[40:], qr_text(b"\x01" + bytes(65))]
        for each in wrong:
            self.assertRaises(Reject, parse_qr_text, each)

    @given(st.text(max_size=30))
    def test_any_text(self, text: str) -> None:
        """Any other text is refused with `Reject`."""
        self.assertRaises(Reject, parse_qr_text, QR_PREFIX + text)

    def test_second_encoding(self) -> None:
        """A payload fills its text without a rest, so that no two texts are of one payload."""
        payload = qr_payload(OWN, bytes(32))
        text = qr_text(payload)
        self.assertEqual(base64.b32decode(text.removeprefix(QR_PREFIX)), payload)
        self.assertNotEqual(parse_qr_text(text[:-1] + "B"), payload)
