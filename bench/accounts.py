"""Accounts that are cheap to make: all share one RSA identity key and one RSA device key, so that set-up signs but makes no
keys.

The server checks every signature; that keys are shared is nothing it could or should refuse.
"""

import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from chatserv.clocks import now_ms
from chatserv.crypto.e2e.prekey_secrets import generate_prekey
from chatserv.crypto.log_leaves import Leaf, LeafType, user_leaf
from chatserv.crypto.password import PasswordParameters, PasswordVerifier, password_keys
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.crypto.room_state import RosterEntry
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import generate_rsa, oaep, rsa_spki, sha256
from chatserv.wire.parameters import DeviceCredentials, GuestCredentials, NewAccount
from chatserv.wire.password_login import GuestOffer

SALTED: Final = bytes(32)  # what Argon2id would give; a load derives nothing
_LETTERS: Final = "abcdefghij"  # for digits: names must not look alike, and 0 looks like o


def account_name(number: int) -> str:
    """The name of the account of this number."""
    return "bench" + "".join(_LETTERS[int(digit)] for digit in f"{number:04}")


@dataclass(frozen=True)
class SharedKeys:
    """The RSA keys that all accounts share: each takes 0.1 to 1.2 s to make."""

    identity: rsa.RSAPrivateKey = field(repr=False)
    device: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> "SharedKeys":
        """New ones."""
        return cls(generate_rsa(), generate_rsa())


@dataclass(frozen=True)
class Account:
    """One account with its only device, whose Ed25519 key is its own."""

    facts: DeviceFacts
    certificate: bytes = field(repr=False)
    signing: ed25519.Ed25519PrivateKey = field(repr=False)
    identity_spki: bytes = field(repr=False)

    @property
    def user(self) -> str:
        """The name."""
        return self.facts.user

    @property
    def device_id(self) -> bytes:
        """16 bytes."""
        return self.facts.device_id

    @cached_property
    def cert_hash(self) -> bytes:
        """32 bytes."""
        return sha256(self.certificate)

    def entry(self, leaf: int) -> RosterEntry:
        """The device in a room, under a number."""
        return RosterEntry(leaf, self.user, self.device_id, self.cert_hash)

    def credentials(self) -> DeviceCredentials:
        """What a session logs in with."""
        return DeviceCredentials(self.user, self.device_id, self.signing)

    def new_account(self) -> NewAccount:
        """What a session registers with, where registration is open. Everybody's password gives `SALTED`."""
        keys = password_keys(SALTED)
        verifier = PasswordVerifier(bytes(16), PasswordParameters(), keys.stored_key, keys.server_key)
        return NewAccount(b"", self.identity_spki, self.certificate, verifier.encode())

    def guest(self) -> GuestCredentials:
        """What a new machine with the same keys logs in with, by password."""
        facts = self.facts
        offer = GuestOffer(facts.device_id, facts.rsa_spki, facts.ed25519, facts.created_ms)
        return GuestCredentials(self.user, offer, self.signing)

    def leaves(self) -> tuple[Leaf, Leaf]:
        """What a registration appends to the server's log."""
        server_id, at_ms = self.facts.server_id, self.facts.created_ms
        return (
            user_leaf(LeafType.UIK, server_id, self.user, sha256(self.identity_spki), self.identity_spki, at_ms),
            user_leaf(LeafType.DEVICE, server_id, self.user, self.cert_hash, self.certificate, at_ms),
        )


class Accounts:
    """Makes accounts for one server.

    Args:
        server_id: SHA-256 of the server's identity key, 32 bytes.
        keys: What they share; without, made here.
    """

    def __init__(self, server_id: bytes, keys: SharedKeys | None = None) -> None:
        self._server_id = server_id
        self.keys = keys or SharedKeys.generate()
        self._identity_spki = rsa_spki(self.keys.identity.public_key())
        self._device_spki = rsa_spki(self.keys.device.public_key())
        self._prekey = generate_prekey(LAST_RESORT_BIT, secrets.token_bytes)

    def make(self, number: int, user: str = "") -> Account:
        """The account of this number, or of another name."""
        signing = ed25519.Ed25519PrivateKey.generate()
        facts = DeviceFacts(
            server_id=self._server_id,
            user=user or account_name(number),
            device_id=secrets.token_bytes(16),
            rsa_spki=self._device_spki,
            ed25519=signing.public_key().public_bytes_raw(),
            created_ms=now_ms(),
            identity_fingerprint=sha256(self._identity_spki),
        )
        certificate = make_certificate(facts, self.keys.identity, signing)
        return Account(facts, certificate, signing, self._identity_spki)

    def prekey(self, account: Account) -> bytes:
        """The last-resort prekey, without which no room takes a device in: one for all, signed by this one."""
        return self._prekey.sign(account.signing, account.device_id).encode()

    def unwrap(self, ciphertext: bytes, label: bytes) -> bytes:
        """Opens the server's secret with the device key."""
        return self.keys.device.decrypt(ciphertext, oaep(label))
