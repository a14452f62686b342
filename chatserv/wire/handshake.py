"""The structures of the handshake, parse beside encode (docs/protocol.rst 4 and 4.2). No order, no keys, no sockets."""

from collections.abc import Iterable
from typing import Final

from chatserv.crypto.encoding import Reader, u8, u16, u64, v8, v16
from chatserv.crypto.server_keys import MAX_ROTATIONS
from chatserv.crypto.suite import SUITE, VERSION
from chatserv.discreet import Discreet
from chatserv.errors import Reject, SuiteUnsupported, VersionUnsupported
from chatserv.wire.password_login import METHOD_PASSWORD, NONCE_BYTES, PasswordLogin

RANDOM_BYTES: Final = 32
MLKEM_KEY_BYTES: Final = 1184
MLKEM_CIPHERTEXT_BYTES: Final = 1088
TOKEN_BYTES: Final = 32
METHOD_DEVICE: Final = 1
METHOD_REGISTER: Final = 3
ALL_METHODS: Final = bytes((METHOD_DEVICE, METHOD_PASSWORD, METHOD_REGISTER))
EXTENSION_METHODS: Final = 1  # ServerAuth: the methods that this server takes, one byte each
EXTENSION_ROTATIONS: Final = (
    3  # ServerAuth: signed rotations from the key that the client expects, each behind its length
)


def encode_extensions(extensions: dict[int, bytes]) -> bytes:
    """``ext``: items of ``u8 type; opaque data<V16>``, by rising type."""
    return b"".join(u8(kind) + v16(extensions[kind]) for kind in sorted(extensions))


def decode_extensions(data: bytes) -> dict[int, bytes]:
    """Parses ``ext``; unknown types are kept, doubled or unsorted ones refused. Raises `Reject`."""
    found: dict[int, bytes] = {}
    reader = Reader(data, "extensions")
    last = -1
    while reader.left:
        kind = reader.u8()
        if kind <= last:
            raise Reject("extensions: not in order")
        found[kind] = reader.v16()
        last = kind
    return found


def encode_rotations(statements: Iterable[bytes]) -> bytes:
    """The data of `EXTENSION_ROTATIONS`: ``statement<V16>`` each, in order."""
    return b"".join(v16(statement) for statement in statements)


def decode_rotations(data: bytes) -> tuple[bytes, ...]:
    """Parses the same. Raises `Reject`, also where there are too many."""
    reader, found = Reader(data, "rotations"), list[bytes]()
    while reader.left:
        found.append(reader.v16())
        if len(found) > MAX_ROTATIONS:
            raise Reject(f"rotations: more than {MAX_ROTATIONS}")
    return tuple(found)


class ClientHello(Discreet, frozen=True):
    """The client's first line. ``expected_server_id``: the hash of the key that it expects, or empty."""

    shown = ("random", "binding_type", "expected_server_id", "suites", "extensions")

    random: bytes
    mlkem_key: bytes
    x25519_key: bytes
    binding_type: int
    expected_server_id: bytes = b""
    suites: tuple[int, ...] = (SUITE,)
    extensions: bytes = b""

    def encode(self) -> bytes:
        """The bytes of the structure."""
        return b"".join(
            (
                u8(1),
                u16(VERSION),
                v8(b"".join(u16(suite) for suite in self.suites)),
                self.random,
                self.mlkem_key,
                self.x25519_key,
                u8(self.binding_type),
                v8(self.expected_server_id),
                v16(self.extensions),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "ClientHello":
        """Parses strictly.

        Raises:
            Reject: It is not a ClientHello.
            VersionUnsupported: Another protocol version.
            SuiteUnsupported: Our suite is not offered.
        """
        reader = Reader(data, "ClientHello")
        if reader.u8() != 1:
            raise Reject("ClientHello: another structure")
        if reader.u16() != VERSION:
            raise VersionUnsupported("ClientHello: version")
        offered = reader.v8()
        if not offered or len(offered) % 2:
            raise Reject("ClientHello: suites")
        suites = tuple(int.from_bytes(offered[at : at + 2], "big") for at in range(0, len(offered), 2))
        random, mlkem_key, x25519_key = reader.take(RANDOM_BYTES), reader.take(MLKEM_KEY_BYTES), reader.take(32)
        binding_type, expected, extensions = reader.u8(), reader.v8(), reader.v16()
        reader.end()
        if SUITE not in suites:
            raise SuiteUnsupported("ClientHello: no known suite")
        if binding_type not in {0, 1} or len(expected) not in {0, 32}:
            raise Reject("ClientHello: binding or pin")
        decode_extensions(extensions)
        return cls(random, mlkem_key, x25519_key, binding_type, expected, suites, extensions)


class ServerHello(Discreet, frozen=True):
    """The server's first line."""

    shown = ("random", "binding_type", "extensions")

    random: bytes
    mlkem_ciphertext: bytes
    x25519_key: bytes
    binding_type: int
    extensions: bytes = b""

    def encode(self) -> bytes:
        """The bytes of the structure."""
        head = u8(2) + u16(VERSION) + u16(SUITE) + self.random
        return head + self.mlkem_ciphertext + self.x25519_key + u8(self.binding_type) + v16(self.extensions)

    @classmethod
    def decode(cls, data: bytes) -> "ServerHello":
        """Parses strictly. Raises `Reject`, `VersionUnsupported` or `SuiteUnsupported`."""
        reader = Reader(data, "ServerHello")
        if reader.u8() != 2:
            raise Reject("ServerHello: another structure")
        if reader.u16() != VERSION:
            raise VersionUnsupported("ServerHello: version")
        if reader.u16() != SUITE:
            raise SuiteUnsupported("ServerHello: suite")
        random, ciphertext, key = reader.take(RANDOM_BYTES), reader.take(MLKEM_CIPHERTEXT_BYTES), reader.take(32)
        binding_type, extensions = reader.u8(), reader.v16()
        reader.end()
        decode_extensions(extensions)
        return cls(random, ciphertext, key, binding_type, extensions)


class ServerAuth(Discreet, frozen=True):
    """The server's identity key and its signature over the transcript. ``time_ms``: milliseconds since 1970."""

    shown = ("spki", "time_ms", "extensions")

    spki: bytes
    signature: bytes
    time_ms: int
    extensions: bytes = b""

    def encode(self) -> bytes:
        """The bytes of the structure."""
        return v16(self.spki) + v16(self.signature) + u64(self.time_ms) + v16(self.extensions)

    @classmethod
    def decode(cls, data: bytes) -> "ServerAuth":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "ServerAuth")
        auth = cls(reader.v16(), reader.v16(), reader.u64(), reader.v16())
        reader.end()
        decode_extensions(auth.extensions)
        return auth


class DeviceLogin(Discreet, frozen=True):
    """ClientAuth, method 1: a known device."""

    shown = ("user", "device_id")

    user: str
    device_id: bytes
    signature: bytes

    def encode(self) -> bytes:
        """The bytes of the structure."""
        return u8(METHOD_DEVICE) + v8(self.user.encode()) + self.device_id + self.signature


class RegistrationRequest(Discreet, frozen=True):
    """ClientAuth, method 3: a new account with its first device. ``token`` is empty where registration is open.

    The device signs as in method 1, so that a request is of no use on another connection.
    """

    shown = ("user",)

    token: bytes
    user: str
    identity_spki: bytes
    certificate: bytes
    verifier: bytes
    signature: bytes

    def encode(self) -> bytes:
        """The bytes of the structure."""
        head = u8(METHOD_REGISTER) + v8(self.token) + v8(self.user.encode()) + v16(self.identity_spki)
        return head + v16(self.certificate) + v8(self.verifier) + self.signature


ClientAuth = DeviceLogin | PasswordLogin | RegistrationRequest


def decode_client_auth(data: bytes) -> ClientAuth:
    """Parses ClientAuth strictly. Raises `Reject`; unknown methods included."""
    reader = Reader(data, "ClientAuth")
    method = reader.u8()
    request: ClientAuth
    if method == METHOD_DEVICE:
        request = DeviceLogin(reader.text8(), reader.take(16), reader.take(64))
    elif method == METHOD_PASSWORD:
        request = PasswordLogin(reader.text8(), reader.take(NONCE_BYTES))
    elif method == METHOD_REGISTER:
        token, user = reader.v8(), reader.text8()
        if len(token) not in {0, TOKEN_BYTES}:
            raise Reject("ClientAuth: token")
        request = RegistrationRequest(token, user, reader.v16(), reader.v16(), reader.v8(), reader.take(64))
    else:
        raise Reject("ClientAuth: method")
    reader.end()
    return request


class ServerFinish(Discreet, frozen=True):
    """The session's id and the secret wrapped to the device's RSA key."""

    shown = ("session_id", "extensions")

    session_id: bytes
    rsa_wrap: bytes
    extensions: bytes = b""

    def encode(self) -> bytes:
        """The bytes of the structure."""
        return self.session_id + v16(self.rsa_wrap) + v16(self.extensions)

    @classmethod
    def decode(cls, data: bytes) -> "ServerFinish":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "ServerFinish")
        finish = cls(reader.take(16), reader.v16(), reader.v16())
        reader.end()
        decode_extensions(finish.extensions)
        return finish


def server_auth_message(t1: bytes, binding: bytes, key_id: bytes) -> bytes:
    """What the server's identity key signs under "server auth". ``key_id``: the hash of that key, 32 bytes."""
    return t1 + binding + key_id


def client_auth_message(t2: bytes, binding: bytes, server_id: bytes, user: str, device_id: bytes) -> bytes:
    """What the device's Ed25519 key signs under "client auth"."""
    return t2 + binding + server_id + v8(user.encode()) + device_id


def wrap_label(t3: bytes) -> bytes:
    """The OAEP label of the secret in ServerFinish."""
    return b"chatserv1 session" + t3
