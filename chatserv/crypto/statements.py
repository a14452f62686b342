"""Signed statements about devices, kept for ever as the bytes that were signed (CRYPTO section 6.2)."""

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from chatserv.crypto.encoding import Reader, u64, v8, v16
from chatserv.crypto.suite import (
    RSA_BYTES,
    ed_sign,
    ed_verify,
    load_rsa_spki,
    pss_sign,
    pss_verify,
    sha256,
    to_sign,
)
from chatserv.errors import Reject

NEVER_MS: Final = 2**64 - 1
DEVICE_ID_BYTES: Final = 16


@dataclass(frozen=True)
class DeviceFacts:
    """What a device certificate says (``DeviceCertTBS``). ``created_ms``: milliseconds since 1970."""

    server_id: bytes
    user: str
    device_id: bytes
    rsa_spki: bytes = field(repr=False)
    ed25519: bytes = field(repr=False)
    created_ms: int
    identity_fingerprint: bytes

    def encode(self) -> bytes:
        """The bytes that both signatures cover."""
        return b"".join(
            (
                self.server_id,
                v8(self.user.encode()),
                self.device_id,
                v16(self.rsa_spki),
                self.ed25519,
                u64(self.created_ms),
                u64(NEVER_MS),
                self.identity_fingerprint,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "DeviceFacts":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "device certificate")
        server_id, user, device_id = reader.take(32), reader.text8(), reader.take(DEVICE_ID_BYTES)
        rsa_key, ed_key, created_ms = reader.v16(), reader.take(32), reader.u64()
        if reader.u64() != NEVER_MS:
            raise Reject("device certificate: has an end")
        fingerprint = reader.take(32)
        reader.end()
        return cls(server_id, user, device_id, rsa_key, ed_key, created_ms, fingerprint)


def make_certificate(facts: DeviceFacts, identity: rsa.RSAPrivateKey, device: ed25519.Ed25519PrivateKey) -> bytes:
    """A ``DeviceCert``: the facts, signed by the user's identity key and by the device itself; 1003 bytes and the name."""
    tbs = facts.encode()
    signature = pss_sign(identity, to_sign("device cert", tbs))
    return v16(tbs) + signature + ed_sign(device, "device self", tbs + signature)


def certificate_facts(certificate: bytes) -> DeviceFacts:
    """What a stored certificate says, without checking its signatures again."""
    return DeviceFacts.decode(Reader(certificate, "device certificate").v16())


def verify_certificate(certificate: bytes, identity_spki: bytes, server_id: bytes) -> DeviceFacts:
    """Checks a ``DeviceCert`` against the user's identity key and this server.

    Args:
        certificate: The signed bytes.
        identity_spki: The user's RSA-3072 identity key, DER.
        server_id: SHA-256 of the server's SPKI, 32 bytes.

    Raises:
        Reject: It does not parse, is for another server or identity, or a signature or key is wrong.
    """
    reader = Reader(certificate, "device certificate")
    tbs, signature, self_signature = reader.v16(), reader.take(RSA_BYTES), reader.take(64)
    reader.end()
    facts = DeviceFacts.decode(tbs)
    if facts.server_id != server_id:
        raise Reject("device certificate: for another server")
    if facts.identity_fingerprint != sha256(identity_spki):
        raise Reject("device certificate: for another identity")
    if facts.rsa_spki == identity_spki:
        raise Reject("device certificate: one key for two purposes")
    load_rsa_spki(facts.rsa_spki)
    pss_verify(load_rsa_spki(identity_spki), signature, "device cert", tbs)
    ed_verify(facts.ed25519, self_signature, "device self", tbs + signature)
    return facts
