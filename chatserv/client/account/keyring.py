"""Who we are on one server: keys, certificate and address, in one file of mode 0600 (docs/rooms.rst 3.1 and 3.2)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from chatserv.crypto.password import SALT_BYTES, PasswordParameters, PasswordVerifier, make_verifier
from chatserv.crypto.statements import DeviceFacts, certificate_facts, make_certificate
from chatserv.crypto.suite import generate_rsa, oaep, rsa_key_id, rsa_spki, same
from chatserv.decoding import UNREADABLE
from chatserv.discreet import Discreet
from chatserv.errors import ChatError
from chatserv.i18n import N_, _
from chatserv.private_files import PrivateFileError
from chatserv.units import join_address, split_address
from chatserv.wire.fields import MAX_ADDRESSES
from chatserv.wire.link import Address
from chatserv.wire.parameters import DeviceCredentials, NewAccount
from chatserv.wire.password_login import GuestOffer

VERSION: Final = 1
FILE_NAME: Final = "keyring.json"


class Keyring(Discreet, frozen=True):
    """An account's secrets on this device. Private keys are PKCS #8 in DER; ``signing_key`` is the Ed25519 seed.

    ``registered`` is False between the making of the keys and the server's answer, so that a registration or an enrolment
    whose answer was lost is repeated with the same keys. ``verifier`` is the server's alone from then on, and empty here:
    whoever steals the file shall not find out the password by trying. ``identity_key`` is empty on a device that another one
    has approved without handing it over. ``backup_key`` is BK, 32 bytes, with its ``backup_slots``: both empty where this
    device cannot bring the backup up to date. ``next_identity`` takes the place of ``identity_key`` once the log names it.
    ``required_key``: see `chatserv.crypto.server_keys.ServerKeys`. ``addresses``: where else the server says that it is;
    ``given``: where the person said last that it is; ``found``: where it was found, the newest first. `MAX_ADDRESSES` each,
    and none of the three pushes anything out of another.
    """

    shown = ("user", "host", "port")

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
    backup_key: bytes = b""
    backup_slots: tuple[bytes, ...] = ()
    next_identity: bytes = b""
    required_key: bytes = b""
    addresses: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    found: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[Address, ...]:
        """Where the server was last, or the person says that it is, and where it says itself; each once."""
        return tuple(dict.fromkeys([(self.host, self.port), *map(split_address, self.addresses)]))

    @property
    def everywhere(self) -> tuple[Address, ...]:
        """Where the server can be reached, each once: those that are named come first, where it was last before all."""
        return tuple(dict.fromkeys([*self.named, *map(split_address, (*self.given, *self.found))]))

    def moved(self, addresses: tuple[Address, ...]) -> "Keyring":
        """The person says that the server is at the first of these now, or at the others; where it was stays known."""
        host, port = addresses[0]
        given = tuple(join_address(*each) for each in addresses[:MAX_ADDRESSES])
        return msgspec.structs.replace(self, host=host, port=port, given=given, found=self._found_before)

    def found_at(self, address: Address) -> "Keyring":
        """The server is there; what the person gave stays known."""
        (host, port), here, place = address, join_address(self.host, self.port), join_address(*address)
        if (place,) == (self.found[:1] or (here,)) and place == here:
            return self
        found = tuple(dict.fromkeys([place, *self._found_before]))[:MAX_ADDRESSES]
        return msgspec.structs.replace(self, host=host, port=port, given=self.given or (here,), found=found)

    @property
    def _found_before(self) -> tuple[str, ...]:
        """Who has been at one address only has not written it down."""
        return self.found or ((join_address(self.host, self.port),) if self.registered else ())

    def credentials(self) -> DeviceCredentials:
        """What a session logs in with."""
        key = ed25519.Ed25519PrivateKey.from_private_bytes(self.signing_key)
        return DeviceCredentials(self.user, self.device_id, key)

    def new_account(self, token: bytes) -> NewAccount:
        """What a session registers with."""
        return NewAccount(token, self.identity_spki(), self.certificate, self.verifier)

    @property
    def enrolling(self) -> bool:
        """Whether it is of a new device of an account, which the server may not know yet: a password is needed once more."""
        return not self.registered and not self.verifier

    def as_registered(self) -> "Keyring":
        """What is kept once the server has the account."""
        return msgspec.structs.replace(self, registered=True, verifier=b"")

    def load_identity(self) -> rsa.RSAPrivateKey:
        """The user's identity key: signs certificates, revocations and its own rotation, nothing else.

        Raises:
            NoIdentityKey: This device has none.
        """
        if not self.identity_key:
            raise NoIdentityKey
        return load_rsa_key(self.identity_key)

    def load_device_key(self) -> rsa.RSAPrivateKey:
        """The device's OAEP key."""
        return load_rsa_key(self.device_key)

    def identity_spki(self) -> bytes:
        """The public half of the identity key, DER. Raises `NoIdentityKey`."""
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
        return unwrapper(load_rsa_key(self.device_key))


class NoIdentityKey(ChatError):
    """What is asked for has to be signed by the person's identity key, which this device was not given."""

    code = "no_identity_key"
    text = N_("This device does not hold your identity key: do it on a device that does, or recover with the code.")


def unwrapper(key: rsa.RSAPrivateKey) -> Callable[[bytes, bytes], bytes | None]:
    """Opens RSA-OAEP ciphertexts with a key: (ciphertext, label) to secret, or None."""

    def unwrap(ciphertext: bytes, label: bytes) -> bytes | None:
        try:
            return key.decrypt(ciphertext, oaep(label))
        except ValueError:
            return None

    return unwrap


def load_rsa_key(der: bytes) -> rsa.RSAPrivateKey:
    """A private key of ours, from PKCS #8 that we wrote ourselves. Raises `PrivateFileError` for another kind of key."""
    key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise PrivateFileError("keyring: not an RSA key")
    return key


def rsa_key_der(key: rsa.RSAPrivateKey) -> bytes:
    """The key as PKCS #8 in DER."""
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True)
class NewDevice:
    """The keys of a device that nobody has certified yet."""

    device_id: bytes
    device_key: rsa.RSAPrivateKey = field(repr=False)
    signing: ed25519.Ed25519PrivateKey = field(repr=False)
    rng_seed: bytes = field(repr=False)
    created_ms: int

    @classmethod
    def make(cls, now_ms: int, random: Callable[[int], bytes]) -> "NewDevice":
        """New ones; 0.1 to 1.2 s, meant for a thread."""
        return cls(random(16), generate_rsa(), ed25519.Ed25519PrivateKey.generate(), random(32), now_ms)

    @classmethod
    def of(cls, keyring: "Keyring") -> "NewDevice":
        """Those of a keyring whose enrolment was begun."""
        signing = ed25519.Ed25519PrivateKey.from_private_bytes(keyring.signing_key)
        created_ms = certificate_facts(keyring.certificate).created_ms
        return cls(keyring.device_id, keyring.load_device_key(), signing, keyring.rng_seed, created_ms)

    @property
    def offer(self) -> GuestOffer:
        """What a guest tells the server of them."""
        return GuestOffer(
            self.device_id, rsa_spki(self.device_key.public_key()), self.signing.public_key().public_bytes_raw(),
            self.created_ms,
        )  # fmt: skip

    def facts(self, server_id: bytes, user: str, identity_fingerprint: bytes) -> DeviceFacts:
        """What its certificate says."""
        offer = self.offer
        return DeviceFacts(
            server_id, user, self.device_id, offer.rsa_spki, offer.ed25519, self.created_ms, identity_fingerprint
        )

    def keyring(
        self,
        server: tuple[bytes, str, int],
        user: str,
        certificate: bytes,
        *,
        identity_key: bytes = b"",
        verifier: bytes = b"",
        backup: tuple[bytes, tuple[bytes, ...]] = (b"", ()),
    ) -> "Keyring":
        """A keyring with them, not registered yet.

        Args:
            server: The pin, and its address.
            user: The canonical user name.
            certificate: Of these keys.
            identity_key: PKCS #8, or empty.
            verifier: For a registration.
            backup: BK and the backup's slots.
        """
        return Keyring(
            server_id=server[0],
            host=server[1],
            port=server[2],
            user=user,
            device_id=self.device_id,
            identity_key=identity_key,
            device_key=rsa_key_der(self.device_key),
            signing_key=self.signing.private_bytes_raw(),
            rng_seed=self.rng_seed,
            certificate=certificate,
            verifier=verifier,
            registered=False,
            backup_key=backup[0],
            backup_slots=backup[1],
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
    identity, device = generate_rsa(), NewDevice.make(now_ms, random)
    facts = device.facts(server_id, user, rsa_key_id(identity))
    return device.keyring(
        (server_id, *address),
        user,
        make_certificate(facts, identity, device.signing),
        identity_key=rsa_key_der(identity),
        verifier=make_verifier(password, random(SALT_BYTES), PasswordParameters()).encode(),
    )


def decode_keyring(data: bytes, path: Path) -> Keyring:
    """The keyring of a profile's file; ``path`` is for the error. Raises `PrivateFileError`."""
    try:
        keyring = msgspec.json.decode(data, type=Keyring)
        if keyring.version == VERSION:
            len(keyring.everywhere)  # whether all are addresses
    except (*UNREADABLE, ValueError):
        hint = _("damaged; restore it from a backup, or remove it and register again")
        raise PrivateFileError(f"{path}: {hint}", file=path) from None
    if keyring.version != VERSION:
        raise PrivateFileError(f"{path}: {_('made by a newer version of this program: update this one')}", file=path)
    return keyring
