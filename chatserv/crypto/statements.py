"""Signed statements about devices and identities, kept for ever as the bytes that were signed (docs/rooms.rst 3)."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from msgspec import Struct

from chatserv.crypto.encoding import Reader, u8, u16, u64, v8, v16
from chatserv.crypto.suite import (
    RSA_BYTES,
    VERSION,
    ed_public_ok,
    ed_sign,
    ed_verify,
    load_rsa_spki,
    of_both,
    pss_sign,
    pss_verify,
    rsa_key_id,
    rsa_spki,
    sha256,
    sign_by_both,
    to_sign,
    verify_both,
)
from chatserv.discreet import Discreet
from chatserv.errors import Reject

NEVER_MS: Final = 2**64 - 1
DEVICE_ID_BYTES: Final = 16


class DeviceFacts(Discreet, frozen=True):
    """What a device certificate says (``DeviceCertTBS``). ``created_ms``: milliseconds since 1970."""

    shown = ("server_id", "user", "device_id", "created_ms", "identity_fingerprint")

    server_id: bytes
    user: str
    device_id: bytes
    rsa_spki: bytes
    ed25519: bytes
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
    return complete_certificate(facts, certify(facts, identity), device)


def certify(facts: DeviceFacts, identity: rsa.RSAPrivateKey) -> bytes:
    """The identity's signature under a device's facts, 384 bytes: that of a device elsewhere, or of our own."""
    return pss_sign(identity, to_sign("device cert", facts.encode()))


def complete_certificate(facts: DeviceFacts, signature: bytes, device: ed25519.Ed25519PrivateKey) -> bytes:
    """The ``DeviceCert``, from the identity's signature and the device's own."""
    tbs = facts.encode()
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
    if not ed_public_ok(facts.ed25519):
        raise Reject("device certificate: unusable signature key")
    load_rsa_spki(facts.rsa_spki)
    pss_verify(load_rsa_spki(identity_spki), signature, "device cert", tbs)
    ed_verify(facts.ed25519, self_signature, "device self", tbs + signature)
    return facts


class Revocation(Struct, frozen=True):
    """What a revocation says of a device and its certificate.

    ``at_ms``: milliseconds since 1970. ``reason`` (one byte) is for people and decides nothing.
    """

    device_id: bytes
    cert_hash: bytes
    at_ms: int
    reason: int

    def encode(self) -> bytes:
        """The bytes that the signature covers, 59 of them."""
        return u16(VERSION) + self.device_id + self.cert_hash + u64(self.at_ms) + u8(self.reason)

    @classmethod
    def decode(cls, data: bytes) -> "Revocation":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "revocation")
        if reader.u16() != VERSION:
            raise Reject("revocation: unknown version")
        revocation = cls(reader.take(DEVICE_ID_BYTES), reader.take(32), reader.u64(), reader.u8())
        reader.end()
        return revocation


def make_revocation(revocation: Revocation, identity: rsa.RSAPrivateKey) -> bytes:
    """The revocation, signed by the user's identity key; 443 bytes."""
    tbs = revocation.encode()
    return tbs + pss_sign(identity, to_sign("revoke", tbs))


def verify_revocation(statement: bytes, certificate: bytes, identity_spki: bytes) -> Revocation:
    """Checks a signed revocation against the certificate that it ends.

    Args:
        statement: The signed bytes.
        certificate: The ``DeviceCert`` that it has to name.
        identity_spki: The RSA-3072 identity key of the certificate's user, DER.

    Raises:
        Reject: It does not parse, names another device or certificate, or the signature is wrong.
    """
    revocation = Revocation.decode(statement[:-RSA_BYTES])
    if revocation.cert_hash != sha256(certificate):
        raise Reject("revocation: of another certificate")
    if revocation.device_id != certificate_facts(certificate).device_id:
        raise Reject("revocation: of another device")
    pss_verify(load_rsa_spki(identity_spki), statement[-RSA_BYTES:], "revoke", statement[:-RSA_BYTES])
    return revocation


class UikRotation(Discreet, frozen=True):
    """What a rotation says: the fingerprint of the old identity key, the new key (DER) and milliseconds since 1970."""

    shown = ("old_fingerprint", "at_ms")

    old_fingerprint: bytes
    new_spki: bytes
    at_ms: int

    def encode(self) -> bytes:
        """The bytes that both signatures cover."""
        return self.old_fingerprint + v16(self.new_spki) + u64(self.at_ms)

    @classmethod
    def decode(cls, data: bytes) -> "UikRotation":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "identity rotation")
        rotation = cls(reader.take(32), reader.v16(), reader.u64())
        reader.end()
        return rotation


def make_rotation(old: rsa.RSAPrivateKey, new: rsa.RSAPrivateKey, at_ms: int) -> bytes:
    """The rotation from one identity key to the next, signed by both; 1232 bytes."""
    tbs = UikRotation(rsa_key_id(old), rsa_spki(new.public_key()), at_ms).encode()
    return sign_by_both(old, new, "uik rotate", tbs)


def verify_rotation(statement: bytes, old_spki: bytes) -> UikRotation:
    """Checks a signed rotation against the identity key that it replaces.

    Args:
        statement: The signed bytes.
        old_spki: The RSA-3072 identity key so far, DER.

    Raises:
        Reject: It does not parse, replaces another key or a key by itself, or a signature or key is wrong.
    """
    rotation = UikRotation.decode(of_both(statement))
    if rotation.old_fingerprint != sha256(old_spki):
        raise Reject("identity rotation: of another key")
    if rotation.new_spki == old_spki:
        raise Reject("identity rotation: to the same key")
    verify_both(statement, old_spki, rotation.new_spki, "uik rotate")
    return rotation


class Gone(Struct, frozen=True):
    """What the end of an account says: whose, at which server (32 bytes), and milliseconds since 1970."""

    server_id: bytes
    user: str
    at_ms: int

    def encode(self) -> bytes:
        """The bytes that the signature covers."""
        return u16(VERSION) + self.server_id + v8(self.user.encode()) + u64(self.at_ms)

    @classmethod
    def decode(cls, data: bytes) -> "Gone":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "end of an account")
        if reader.u16() != VERSION:
            raise Reject("end of an account: unknown version")
        gone = cls(reader.take(32), reader.text8(), reader.u64())
        reader.end()
        return gone


def make_gone(gone: Gone, identity: rsa.RSAPrivateKey) -> bytes:
    """The end of an account, signed by its newest identity key; 427 bytes and the name."""
    tbs = gone.encode()
    return tbs + pss_sign(identity, to_sign("gone", tbs))


def verify_gone(statement: bytes, identity_spki: bytes, server_id: bytes, user: str) -> Gone:
    """Checks the signed end of an account.

    Args:
        statement: The signed bytes.
        identity_spki: The account's newest RSA-3072 identity key, DER.
        server_id: SHA-256 of the server's SPKI, 32 bytes.
        user: The account's name.

    Raises:
        Reject: It does not parse, is about another account or server, or the signature is wrong.
    """
    gone = Gone.decode(statement[:-RSA_BYTES])
    if (gone.server_id, gone.user) != (server_id, user):
        raise Reject("end of an account: of another one")
    pss_verify(load_rsa_spki(identity_spki), statement[-RSA_BYTES:], "gone", statement[:-RSA_BYTES])
    return gone


def _password_signed(server_id: bytes, user: str, verifier: bytes) -> bytes:
    return server_id + v8(user.encode()) + verifier


def sign_password(server_id: bytes, user: str, verifier: bytes, identity: rsa.RSAPrivateKey) -> bytes:
    """The identity's signature under a new verifier of the account's, 384 bytes (docs/protocol.rst 4.3)."""
    return pss_sign(identity, to_sign("password", _password_signed(server_id, user, verifier)))


def verify_password(server_id: bytes, user: str, verifier: bytes, signature: bytes, identity_spki: bytes) -> None:
    """Raises `Reject` unless the account's newest identity key (DER) has signed that verifier, for it and this server."""
    signed = _password_signed(server_id, user, verifier)
    pss_verify(load_rsa_spki(identity_spki), signature, "password", signed)
