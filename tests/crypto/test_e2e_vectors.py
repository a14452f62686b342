"""The known answers of e2e-vectors.json, against the code and against second implementations where there are some."""

# mypy: allow-untyped-calls

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_private_key
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.bodies import decode_body
from chatserv.crypto.content import Content, LogHead
from chatserv.crypto.e2e.epoch import base_secret, verify_confirmation
from chatserv.crypto.e2e.message import MessageScope, open_message
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret
from chatserv.crypto.e2e.ratchet import ReceiverChain
from chatserv.crypto.e2e.wrap import OpenedWrap, open_wrap
from chatserv.crypto.envelope import Envelope
from chatserv.crypto.prekeys import SignedPreKey
from chatserv.crypto.safety import parse_qr_text, qr_matches
from chatserv.crypto.wraps import Wrap, WrapScope, verify_wrap, wrap_hash
from tests.support.hpke_reference import AEAD_AES_256_GCM, open_context
from tests.support.make_e2e_vectors import FILE, bodies, oaep_by_hand, render, rsa_key


def plain_xlabel(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """``XLabel`` once more, in hmac alone (RFC 5869 section 2.3)."""
    label = b"chatserv1 " + label
    info = length.to_bytes(2, "big") + bytes((len(label),)) + label + len(context).to_bytes(4, "big") + context
    output = block = b""
    number = 1
    while len(output) < length:
        block = hmac.digest(secret, block + info + bytes((number,)), "sha256")
        output, number = output + block, number + 1
    return output[:length]


def case(name: str) -> dict[str, Any]:
    """One known answer, with all its byte strings parsed."""
    loaded: dict[str, Any] = json.loads(FILE.read_text("utf-8"))[name]
    return {key: bytes.fromhex(value) if isinstance(value, str) else value for key, value in loaded.items()}


class FileTests(SynchronousTestCase):
    """The file as a whole."""

    def test_is_what_the_code_gives(self) -> None:
        """The file is, byte for byte, what its script makes with this code."""
        self.assertEqual(FILE.read_text("utf-8"), render())


class AnswerTests(SynchronousTestCase):
    """Each structure, from the file alone."""

    def test_random(self) -> None:
        """Hedged random numbers are HKDF-Extract and XLabel, computed here in hmac alone."""
        known = case("random")
        secret = hmac.digest(known["rng_seed"], known["os"], "sha256")
        context = known["clock_ns"].to_bytes(8, "big") + known["counter"].to_bytes(8, "big")
        for length, output in known["out"].items():
            self.assertEqual(plain_xlabel(secret, b"rng", context, int(length)).hex(), output)

    def test_signed_prekey(self) -> None:
        """The signed prekey follows from its seeds and the device's key, and verifies."""
        known = case("signed_prekey")
        secret = PrekeySecret(known["id"], known["mlkem_seed"], known["x25519_seed"])
        device = ed25519.Ed25519PrivateKey.from_private_bytes(known["ed25519_seed"])
        self.assertEqual(secret.sign(device, known["device_id"]).encode(), known["signed_prekey"])
        SignedPreKey.decode(known["signed_prekey"]).verify(known["ed25519"], known["device_id"])
        signed = known["signed_prekey"]
        message = b" " * 64 + b"chatserv1 prekey\x00" + hashlib.sha256(known["device_id"] + signed[:1220]).digest()
        device.public_key().verify(signed[1220:], message)

    def test_wrap(self) -> None:
        """The wrap opens to its payload."""
        known = case("wrap")
        scope = WrapScope(known["room_id"], known["epoch"], known["prev"], known["committer_device_id"])
        key = load_der_private_key(known["rsa_private_key_pkcs8"], None, unsafe_skip_rsa_key_validation=True)
        prekeys = {known["prekey_id"]: PrekeySecret(known["prekey_id"], known["mlkem_seed"], known["x25519_seed"])}
        opened = open_wrap(known["wrap"], scope, known["device_id"], known["cert_hash"], key, prekeys)  # type: ignore[arg-type]
        self.assertEqual(opened, OpenedWrap(known["payload"], known["prekey_id"]))
        self.assertEqual(scope.context(known["device_id"], known["cert_hash"], known["prekey_id"]), known["ctx"])
        self.assertEqual(wrap_hash(known["wrap"]), known["wrap_hash"])

    def test_wrap_step_by_step(self) -> None:
        """Each step of the wrap, with second implementations of OAEP, HPKE and HKDF, gives the same values."""
        known = case("wrap")
        parts = Wrap.decode(known["wrap"])
        label = hashlib.sha256(known["ctx"]).digest()
        self.assertEqual(oaep_by_hand(rsa_key().public_key(), known["r1"], label, known["oaep_seed"]), parts.rsa)
        enc = parts.hpke[:1120]
        context = open_context(enc, known["mlkem_seed"], known["x25519_seed"], known["ctx"], AEAD_AES_256_GCM)
        self.assertEqual(AESGCM(context.key).decrypt(context.nonce, parts.hpke[1120:], b""), known["r2"])
        self.assertEqual(enc[1088:], known["x25519_ephemeral"])
        salt = hashlib.sha256(parts.rsa + parts.hpke).digest()
        secret = hmac.digest(salt, known["r1"] + known["r2"], "sha256")
        self.assertEqual(hmac.digest(secret, known["ctx"] + b"\x01", "sha256"), known["kek"])
        self.assertEqual(AESGCM(known["kek"]).decrypt(bytes(12), parts.sealed, known["ctx"]), known["payload"])

    def test_wraps_root(self) -> None:
        """The path leads from the wrap above, at its leaf, to the root."""
        known = case("wraps_root")
        leaves = [int(leaf) for leaf in known["wrap_hashes"]]
        path = [bytes.fromhex(value) for value in known["path"]]
        verify_wrap(case("wrap")["wrap"], known["leaf"], leaves, path, known["wraps_root"])
        self.assertEqual(leaves[known["index"]], known["leaf"])
        self.assertEqual(hashlib.sha256().digest(), known["wraps_root_of_none"])

    def test_confirmation(self) -> None:
        """The confirmation is the known one, computed here in hmac alone."""
        known = case("confirmation")
        verify_confirmation(known["epoch_secret"], known["unconfirmed"], known["confirmation"])
        self.assertEqual(plain_xlabel(known["epoch_secret"], b"confirm", b"", 32), known["confirm_key"])
        hashed = hashlib.sha256(known["unconfirmed"]).digest()
        self.assertEqual(hmac.digest(known["confirm_key"], hashed, "sha256"), known["confirmation"])

    def test_message(self) -> None:
        """The envelope, the second of its sender, opens to the known content with its log head."""
        known = case("message")
        head = LogHead(known["kt_size"], known["kt_root"])
        content = Content(known["ctype"], known["msg_id"], known["sent_ms"], known["body"], head)
        self.assertEqual(content.encode(), known["content"])
        scope = MessageScope(known["room_id"], known["epoch"], known["commit_hash"])
        base = base_secret(known["epoch_secret"], known["leaf"], known["commit_hash"])
        chain = ReceiverChain(known["leaf"], 0, base)
        opened = open_message(Envelope.decode(known["envelope"]), scope, chain, known["ed25519"])
        self.assertEqual((opened.content, opened.header.generation), (content, known["generation"]))
        self.assertEqual(opened.reached.chain.secret, known["next_secret"])

    def test_bodies(self) -> None:
        """Each body parses to what it says; the layout of a text is looked at byte for byte."""
        known = json.loads(FILE.read_text("utf-8"))["bodies"]
        parsed = {name: decode_body(each["ctype"], bytes.fromhex(each["body"])) for name, each in known.items()}
        self.assertEqual(parsed, bodies())
        text = bytes.fromhex(known["text"]["body"])
        said = "Gr\u00fc\u00dfe aus der K\u00fcche \U0001f44b".encode()
        self.assertEqual(text[:2], b"\x01\x10")
        self.assertEqual(text[18:], b"\x00\x0c\x05alice\x05j\xc3\xb6rg" + len(said).to_bytes(4, "big") + said)
        self.assertEqual(known["edit"]["body"], known["delete"]["body"] + known["text"]["body"])

    def test_verification(self) -> None:
        """The text of a QR code is the payload in base32, without padding; it matches on the other side."""
        known = json.loads(FILE.read_text("utf-8"))["verification"]
        own, theirs = bytes.fromhex(known["own_uik_fp"]), bytes.fromhex(known["their_uik_fp"])
        self.assertEqual(known["payload"], "01" + known["own_uik_fp"] + known["their_uik_fp"])
        encoded = base64.b32encode(bytes.fromhex(known["payload"])).decode()
        self.assertEqual(known["text"], "CHATSERV-VERIFY:" + encoded.rstrip("="))
        self.assertTrue(qr_matches(parse_qr_text(known["text"]), theirs, own))
