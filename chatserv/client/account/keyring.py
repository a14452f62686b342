"""Who we are on one server: keys, certificate and address, in one file of mode 0600 (docs/rooms.rst 3.1 and 3.2)."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from chatserv.crypto.password import SALT_BYTES, PasswordParameters, PasswordVerifier, make_verifier
from chatserv.crypto.statements import DeviceFacts, certificate_facts, make_certificate
from chatserv.crypto.suite import generate_rsa, oaep, rsa_spki, same, sha256
from chatserv.i18n import _
from chatserv.private_files import PrivateFileError, read_private, write_private
from chatserv.wire.parameters import DeviceCredentials, NewAccount

VERSION: Final = 1
FILE_NAME: Final = "keyring.json"


class Keyring(msgspec.Struct, frozen=True):
    """An account's secrets on this device. Private keys are PKCS #8 in DER; ``signing_key`` is the Ed25519 seed.

    ``registered`` is False between the making of the keys and the server's answer, so that a registration whose answer was
    lost is repeated with the same keys. ``verifier`` is the server's alone from then on, and empty here: whoever steals the
    file shall not find out the password by trying.
    """

    server_id: bytes
    host: str
    port: int
    user: str
    device_id: bytes
    identity_key: bytes
    device_key: bytes
    signing_key: bytes
    rng_seed: bytes
    certificate: bytes
    verifier: bytes
    registered: bool
    version: int = VERSION

    def __repr__(self) -> str:
        return f"Keyring(user={self.user!r}, host={self.host!r}, port={self.port})"

    def credentials(self) -> DeviceCredentials:
        """What a session logs in with."""
        key = ed25519.Ed25519PrivateKey.from_private_bytes(self.signing_key)
        return DeviceCredentials(self.user, self.device_id, key)

    def new_account(self, token: bytes) -> NewAccount:
        """What a session registers with."""
        return NewAccount(token, self.identity_spki(), self.certificate, self.verifier)

    def as_registered(self) -> "Keyring":
        """What is kept once the server has the account."""
        return msgspec.structs.replace(self, registered=True, verifier=b"")

    def load_identity(self) -> rsa.RSAPrivateKey:
        """The user's identity key: signs certificates, revocations and its own rotation, nothing else."""
        return _load(self.identity_key)

    def load_device_key(self) -> rsa.RSAPrivateKey:
        """The device's OAEP key."""
        return _load(self.device_key)

    def identity_spki(self) -> bytes:
        """The public half of the identity key, DER."""
        return rsa_spki(self.load_identity().public_key())

    def identity_fingerprint(self) -> bytes:
        """``uik_fp``: SHA-256 of the identity key's SPKI, 32 bytes."""
        return certificate_facts(self.certificate).identity_fingerprint

    def has_password(self, password: str) -> bool:
        """Whether these keys were made with that password (prepared, RFC 8265), as long as they are not registered.

        Takes 0.3 s; meant for a thread.
        """
        if not self.verifier:
            return False
        verifier = PasswordVerifier.decode(self.verifier)
        return same(make_verifier(password, verifier.salt, verifier.parameters).encode(), self.verifier)

    def unwrapper(self) -> Callable[[bytes, bytes], bytes | None]:
        """Opens RSA-OAEP ciphertexts for this device: (ciphertext, label) to secret, or None. 0.7 ms; releases the GIL."""
        key = _load(self.device_key)

        def unwrap(ciphertext: bytes, label: bytes) -> bytes | None:
            try:
                return key.decrypt(ciphertext, oaep(label))
            except ValueError:
                return None

        return unwrap


def _load(der: bytes) -> rsa.RSAPrivateKey:
    key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise PrivateFileError("keyring: not an RSA key")
    return key


def _der(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_keyring(
    server_id: bytes,
    address: tuple[str, int],
    user: str,
    password: str,
    now_ms: int,
    random: Callable[[int], bytes],
) -> Keyring:
    """All keys of a first device: two RSA-3072 keys and an Argon2id run, 1 to 3 s; meant for a thread.

    Args:
        server_id: The pinned server, 32 bytes.
        address: Host and port.
        user: The canonical user name.
        password: Prepared (RFC 8265); only its verifier leaves this function.
        now_ms: The clock, in milliseconds since 1970.
        random: Gives so many random bytes.
    """
    identity, device, signing = generate_rsa(), generate_rsa(), ed25519.Ed25519PrivateKey.generate()
    device_id = random(16)
    identity_spki = rsa_spki(identity.public_key())
    facts = DeviceFacts(
        server_id=server_id,
        user=user,
        device_id=device_id,
        rsa_spki=rsa_spki(device.public_key()),
        ed25519=signing.public_key().public_bytes_raw(),
        created_ms=now_ms,
        identity_fingerprint=sha256(identity_spki),
    )
    return Keyring(
        server_id=server_id,
        host=address[0],
        port=address[1],
        user=user,
        device_id=device_id,
        identity_key=_der(identity),
        device_key=_der(device),
        signing_key=signing.private_bytes_raw(),
        rng_seed=random(32),
        certificate=make_certificate(facts, identity, signing),
        verifier=make_verifier(password, random(SALT_BYTES), PasswordParameters()).encode(),
        registered=False,
    )


def load_keyring(directory: Path) -> Keyring | None:
    """The keyring of a profile, or None where it has none yet. Raises `PrivateFileError`."""
    path = directory / FILE_NAME
    data = read_private(path)
    if data is None:
        return None
    try:
        keyring = msgspec.json.decode(data, type=Keyring)
    except msgspec.MsgspecError:
        hint = _("damaged; restore it from a backup, or remove it and register again")
        raise PrivateFileError(f"{path}: {hint}", file=path) from None
    if keyring.version != VERSION:
        raise PrivateFileError(f"{path}: {_('made by a newer version of this program: update this one')}", file=path)
    if keyring.registered and keyring.verifier:  # as version 0.1.0 kept it
        keyring = keyring.as_registered()
        save_keyring(directory, keyring)
    return keyring


def save_keyring(directory: Path, keyring: Keyring) -> None:
    """Writes the keyring, durably. Raises `PrivateFileError`."""
    write_private(directory / FILE_NAME, msgspec.json.encode(keyring), durable=True)
