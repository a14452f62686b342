"""Accounts that are cheap to make: all share one identity key and one device key, so that set-up signs but makes no keys.

The server checks every signature; that keys are shared is nothing it could or should refuse.
"""

import secrets
import time
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from chatserv.crypto.password import PasswordParameters, PasswordVerifier
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import generate_rsa, oaep, rsa_spki, sha256
from chatserv.wire.parameters import DeviceCredentials, NewAccount

_LETTERS: Final = "abcdefghij"  # for digits: names must not look alike, and 0 looks like o


def now_ms() -> int:
    """The clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def account_name(number: int) -> str:
    """The name of the account of this number."""
    return "bench" + "".join(_LETTERS[int(digit)] for digit in f"{number:04}")


class Accounts:
    """Makes accounts for one server.

    Args:
        server_id: SHA-256 of the server's identity key, 32 bytes.
    """

    def __init__(self, server_id: bytes) -> None:
        self._server_id = server_id
        self._identity: rsa.RSAPrivateKey = generate_rsa()
        self._device: rsa.RSAPrivateKey = generate_rsa()
        self._signing = ed25519.Ed25519PrivateKey.generate()
        self._verifier = PasswordVerifier(bytes(16), PasswordParameters(), bytes(32), bytes(32)).encode()

    def make(self, number: int) -> tuple[DeviceCredentials, NewAccount]:
        """Name and keys of the account of this number, and what registers it."""
        spki = rsa_spki(self._identity.public_key())
        facts = DeviceFacts(
            server_id=self._server_id,
            user=account_name(number),
            device_id=secrets.token_bytes(16),
            rsa_spki=rsa_spki(self._device.public_key()),
            ed25519=self._signing.public_key().public_bytes_raw(),
            created_ms=now_ms(),
            identity_fingerprint=sha256(spki),
        )
        certificate = make_certificate(facts, self._identity, self._signing)
        credentials = DeviceCredentials(facts.user, facts.device_id, self._signing)
        return credentials, NewAccount(b"", spki, certificate, self._verifier)

    def unwrap(self, ciphertext: bytes, label: bytes) -> bytes:
        """Opens the server's secret with the device key."""
        return self._device.decrypt(ciphertext, oaep(label))
