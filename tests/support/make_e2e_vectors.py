"""Makes tests/vectors/e2e-vectors.json, from fixed keys and without any randomness::

    python -m tests.support.make_e2e_vectors

Known answers for other implementations, of what crypto-vectors.json does not cover. The two random ciphertexts of a wrap are
made here by hand, OAEP after RFC 8017 and HPKE by `tests.support.hpke_reference` around a published ML-KEM encapsulation, so
that opening it with the code under test compares two implementations.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_private_key

from chatserv.crypto.bodies import Body, Delete, Edit, LogEvidence, Reaction, Receipt, RoomTitle, Text, encode_body
from chatserv.crypto.content import Content, ContentType, LogHead
from chatserv.crypto.e2e.epoch import base_secret, confirm_key, confirmation
from chatserv.crypto.e2e.message import MessageScope, seal_message
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret
from chatserv.crypto.e2e.ratchet import SenderChain
from chatserv.crypto.e2e.rng import hedge
from chatserv.crypto.e2e.wrap import wrap_key
from chatserv.crypto.file_body import File
from chatserv.crypto.merkle import EMPTY_ROOT
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.crypto.safety import qr_payload, qr_text
from chatserv.crypto.wraps import Wrap, WrapScope, wrap_hash, wraps_tree
from tests.support.hpke_reference import AEAD_AES_256_GCM, seal_context

VECTORS = Path(__file__).parent.parent / "vectors"
FILE = VECTORS / "e2e-vectors.json"


def fixed(name: str, length: int = 32) -> bytes:
    """The fixed bytes of that name."""
    return hashlib.shake_256(b"chatserv e2e vectors: " + name.encode()).digest(length)


@cache
def published(name: str) -> dict[str, Any]:
    """A file of published known answers."""
    loaded: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return loaded


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """A published RSA-3072 key."""
    encoded = bytes.fromhex(published("rsa_oaep_3072_sha256")["private_key_pkcs8"])
    key = load_der_private_key(encoded, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def oaep_by_hand(key: rsa.RSAPublicKey, message: bytes, label: bytes, seed: bytes) -> bytes:
    """RSAES-OAEP with SHA-256 and a given seed (RFC 8017 section 7.1.1)."""
    size = key.key_size // 8

    def mask(source: bytes, length: int) -> bytes:
        blocks = (hashlib.sha256(source + at.to_bytes(4, "big")).digest() for at in range(-(-length // 32)))
        return b"".join(blocks)[:length]

    def xor(left: bytes, right: bytes) -> bytes:
        return bytes(one ^ other for one, other in zip(left, right, strict=True))

    data = hashlib.sha256(label).digest() + bytes(size - len(message) - 2 * 32 - 2) + b"\x01" + message
    masked = xor(data, mask(seed, len(data)))
    block = b"\x00" + xor(seed, mask(masked, 32)) + masked
    numbers = key.public_numbers()
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(size, "big")


@dataclass(frozen=True)
class WrapKit:
    """Fixed keys of one recipient, and a wrap to it by hand."""

    scope: WrapScope
    device_id: bytes
    cert_hash: bytes
    prekey: PrekeySecret
    r1: bytes
    r2: bytes
    payload: bytes

    @property
    def context(self) -> bytes:
        """``ctx``."""
        return self.scope.context(self.device_id, self.cert_hash, self.prekey.id)

    def parts(self, context: bytes) -> tuple[bytes, bytes]:
        """``ct1`` and ``ct2`` under a context that may be wrong."""
        case = published("ml_kem_768")["tests"][0]
        rsa_part = oaep_by_hand(rsa_key().public_key(), self.r1, hashlib.sha256(context).digest(), fixed("oaep"))
        encapsulated, hpke = seal_context(
            bytes.fromhex(case["ct"]),
            bytes.fromhex(case["ss"]),
            fixed("ephemeral"),
            self.prekey.public().x25519,
            context,
            AEAD_AES_256_GCM,
        )
        return rsa_part, encapsulated + AESGCM(hpke.key).encrypt(hpke.nonce, self.r2, b"")

    def wrap(self, context: bytes | None = None) -> bytes:
        """The whole wrap, 1610 bytes; under another context if one is given."""
        context = self.context if context is None else context
        rsa_part, hpke_part = self.parts(context)
        key = wrap_key(rsa_part, hpke_part, self.r1, self.r2, context)
        sealed = AESGCM(key).encrypt(bytes(12), self.payload, context)
        return Wrap(self.prekey.id, rsa_part, hpke_part, sealed).encode()


def wrap_kit() -> WrapKit:
    """The recipient of the known answers. Its prekey is a published ML-KEM key pair, for its published encapsulation."""
    case = published("ml_kem_768")["tests"][0]
    return WrapKit(
        scope=WrapScope(fixed("room", 16), 9, fixed("prev"), fixed("committer", 16)),
        device_id=fixed("device", 16),
        cert_hash=fixed("certificate"),
        prekey=PrekeySecret(7, bytes.fromhex(case["d"] + case["z"]), fixed("prekey")),
        r1=fixed("r1"),
        r2=fixed("r2"),
        payload=fixed("epoch secret"),
    )


def _random() -> dict[str, Any]:
    seed, fresh, clock_ns, counter = fixed("rng_seed"), fixed("os"), 1_790_000_000_123_456_789, 41
    outputs = {str(length): hedge(seed, fresh, clock_ns, counter, length).hex() for length in (4, 32, 64)}
    return {"rng_seed": seed.hex(), "os": fresh.hex(), "clock_ns": clock_ns, "counter": counter, "out": outputs}


def _signed_prekey() -> dict[str, Any]:
    secret = PrekeySecret(LAST_RESORT_BIT | 3, fixed("prekey mlkem", 64), fixed("prekey x25519"))
    seed, device_id = fixed("device ed25519"), fixed("device", 16)
    device = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    signed = secret.sign(device, device_id)
    return {
        "device_id": device_id.hex(),
        "ed25519_seed": seed.hex(),
        "ed25519": device.public_key().public_bytes_raw().hex(),
        "id": secret.id,
        "mlkem_seed": secret.mlkem_seed.hex(),
        "x25519_seed": secret.x25519_seed.hex(),
        "signed_prekey": signed.encode().hex(),
    }


def _wrap() -> dict[str, Any]:
    kit = wrap_kit()
    rsa_part, hpke_part = kit.parts(kit.context)
    return {
        "room_id": kit.scope.room_id.hex(),
        "epoch": kit.scope.epoch,
        "prev": kit.scope.prev.hex(),
        "committer_device_id": kit.scope.committer_device_id.hex(),
        "device_id": kit.device_id.hex(),
        "cert_hash": kit.cert_hash.hex(),
        "prekey_id": kit.prekey.id,
        "rsa_private_key_pkcs8": published("rsa_oaep_3072_sha256")["private_key_pkcs8"],
        "mlkem_seed": kit.prekey.mlkem_seed.hex(),
        "x25519_seed": kit.prekey.x25519_seed.hex(),
        "ctx": kit.context.hex(),
        "oaep_seed": fixed("oaep").hex(),
        "x25519_ephemeral_seed": fixed("ephemeral").hex(),
        "x25519_ephemeral": x25519.X25519PrivateKey.from_private_bytes(fixed("ephemeral"))
        .public_key()
        .public_bytes_raw()
        .hex(),
        "r1": kit.r1.hex(),
        "r2": kit.r2.hex(),
        "kek": wrap_key(rsa_part, hpke_part, kit.r1, kit.r2, kit.context).hex(),
        "wrap": kit.wrap().hex(),
        "wrap_hash": wrap_hash(kit.wrap()).hex(),
        "payload": kit.payload.hex(),
    }


def _wraps_root() -> dict[str, Any]:
    wraps = {leaf: wrap_hash(fixed(f"wrap {leaf}", 1610)) for leaf in (0, 2, 3, 7, 8, 258, 65_537)}
    wraps[7] = wrap_hash(wrap_kit().wrap())
    tree = wraps_tree(wraps)
    index = sorted(wraps).index(7)
    return {
        "wrap_hashes": {str(leaf): value.hex() for leaf, value in sorted(wraps.items())},
        "wraps_root": tree.root.hex(),
        "leaf": 7,
        "index": index,
        "path": [value.hex() for value in tree.path(index)],
        "wraps_root_of_none": EMPTY_ROOT.hex(),
    }


def _confirmation() -> dict[str, Any]:
    secret, unconfirmed = fixed("epoch secret"), fixed("commit up to its confirmation", 350)
    return {
        "epoch_secret": secret.hex(),
        "unconfirmed": unconfirmed.hex(),
        "confirm_key": confirm_key(secret).hex(),
        "confirmation": confirmation(secret, unconfirmed).hex(),
    }


def _message() -> dict[str, Any]:
    content = Content(
        ContentType.TEXT,
        fixed("msg_id", 16),
        1_790_000_000_123,
        "Gr\u00fc\u00dfe aus der K\u00fcche".encode(),
        LogHead(10_001, fixed("kt_root")),
    )
    assert content.head is not None
    secret, seed = fixed("epoch secret"), fixed("device ed25519")
    scope = MessageScope(fixed("room", 16), 9, fixed("commit_hash"))
    device = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    _, chain = SenderChain(5, 0, base_secret(secret, 5, scope.commit_hash)).step()
    sealed = seal_message(content, scope, chain, device, lambda length: fixed("reuse_guard", length))
    return {
        "ctype": content.ctype,
        "msg_id": content.message_id.hex(),
        "sent_ms": content.sent_ms,
        "kt_size": content.head.size,
        "kt_root": content.head.root.hex(),
        "body": content.body.hex(),
        "content": content.encode().hex(),
        "epoch_secret": secret.hex(),
        "room_id": scope.room_id.hex(),
        "epoch": scope.epoch,
        "commit_hash": scope.commit_hash.hex(),
        "leaf": chain.leaf,
        "generation": chain.generation,
        "ed25519_seed": seed.hex(),
        "ed25519": device.public_key().public_bytes_raw().hex(),
        "envelope": sealed.envelope.hex(),
        "next_secret": sealed.chain.secret.hex(),
    }


def bodies() -> dict[str, Body]:
    """A body of each type, by name."""
    text = Text(
        "Gr\u00fc\u00dfe aus der K\u00fcche \U0001f44b",
        action=True,
        reply_to=fixed("reply_to", 16),
        mentions=("alice", "j\u00f6rg"),
    )
    return {
        "text": text,
        "empty_text": Text(""),
        "edit": Edit(fixed("msg_id", 16), text),
        "delete": Delete(fixed("msg_id", 16)),
        "reaction": Reaction(fixed("msg_id", 16), "\u2764\ufe0f", on=True),
        "reaction_off": Reaction(fixed("msg_id", 16), "\u2764\ufe0f", on=False),
        "file": File(
            fixed("blob_id", 16),
            fixed("file key"),
            fixed("file hash"),
            123_456,
            "K\u00fcche.png",
            "image/png",
            640,
            480,
            fixed("preview", 40),
            "Sch\u00f6n!",
        ),
        "file_plain": File(fixed("blob_id", 16), fixed("file key"), fixed("file hash"), 0, "a.txt"),
        "receipt": Receipt((fixed("msg_id", 16), fixed("reply_to", 16))),
        "evidence": LogEvidence((fixed("our STH", 432), fixed("their STH", 432))),
        "evidence_asked": LogEvidence((fixed("our STH", 432),), "j\u00f6rg"),
        "room_name": RoomTitle("K\u00fcche", "Was gibt es heute?"),
    }


def _bodies() -> dict[str, Any]:
    encoded = {name: encode_body(body) for name, body in bodies().items()}
    return {name: {"ctype": int(ctype), "body": body.hex()} for name, (ctype, body) in encoded.items()}


def _verification() -> dict[str, Any]:
    own, theirs = fixed("own uik_fp"), fixed("their uik_fp")
    payload = qr_payload(own, theirs)
    return {"own_uik_fp": own.hex(), "their_uik_fp": theirs.hex(), "payload": payload.hex(), "text": qr_text(payload)}


def build() -> dict[str, Any]:
    """All known answers."""
    return {
        "random": _random(),
        "signed_prekey": _signed_prekey(),
        "wrap": _wrap(),
        "wraps_root": _wraps_root(),
        "confirmation": _confirmation(),
        "message": _message(),
        "bodies": _bodies(),
        "verification": _verification(),
    }


def render() -> str:
    """The file's text."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), "utf-8")
