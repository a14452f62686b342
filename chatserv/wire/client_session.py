"""The client's end of a session, without I/O (docs/protocol.rst 3 and 4).

States, what may come in each, and what comes out::

    IDLE      start()       ClientHello                     -> HELLO
    HELLO     ServerHello                                   -> AUTH
    AUTH      ServerAuth    ClientAuth                      -> FINISH    (nothing of the client's is revealed before this)
    FINISH    ServerFinish  UnwrapWanted                    -> UNWRAP
    UNWRAP    unwrapped()   FINISHED, Authenticated         -> OPEN
    OPEN      DATA, KEY_UPDATE, CLOSE, ALERT
"""

from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from chatserv.crypto.session import finished_mac, handshake_secrets, traffic_secrets
from chatserv.crypto.suite import ed_sign, load_rsa_spki, pss_verify, same, sha256
from chatserv.errors import Internal, Reject, WireError, wire_error
from chatserv.i18n import N_
from chatserv.wire.core import HandshakeKeys, SessionCore, missing_keys
from chatserv.wire.framing import ERROR_LINE, GREETING, line_to_record, record_to_line
from chatserv.wire.handshake import (
    EXTENSION_METHODS,
    METHOD_DEVICE,
    METHOD_REGISTER,
    ClientHello,
    DeviceLogin,
    RegistrationRequest,
    ServerAuth,
    ServerFinish,
    ServerHello,
    client_auth_message,
    decode_extensions,
    server_auth_message,
    wrap_label,
)
from chatserv.wire.parameters import DeviceCredentials, NewAccount, SessionContext
from chatserv.wire.records import RecordType, decode_alert, encode_alert
from chatserv.wire.session import EARLY_ERRORS, Authenticated, Event, Failed, LineReady, State, UnwrapWanted


class PinMismatch(Reject):
    """The server showed another identity than the pinned one: the wrong server, or somebody in the middle."""


class Unproven(Internal):
    """What answers there refused us before it had proved to be our server: its word, ``said``, decides nothing."""

    text = N_("What answers at this address has not shown that it is your server, and refuses the connection.")

    def __init__(self, said: str) -> None:
        super().__init__(f"told {said} by whoever answers there")
        self.said = said


class MethodRefused(Reject):
    """The server does not take this way of logging in, such as registration on a closed server."""


class ClientSession(SessionCore):
    """One session of a client.

    Args:
        pin: ``server_id`` of the only server that is accepted, 32 bytes.
        credentials: Who we are.
        session_context: Clock, randomness and limits.
        binding: The channel binding ``CB`` of this connection, 33 bytes.
        new_account: Register instead of logging in.
    """

    def __init__(
        self,
        pin: bytes,
        credentials: DeviceCredentials,
        session_context: SessionContext,
        binding: bytes,
        new_account: NewAccount | None = None,
    ) -> None:
        super().__init__(session_context, binding, State.IDLE)
        self._pin, self._credentials, self._new_account = pin, credentials, new_account
        random = session_context.random
        self._mlkem = mlkem.MLKEM768PrivateKey.from_seed_bytes(random(64))
        self._x25519 = x25519.X25519PrivateKey.from_private_bytes(random(32))
        self._keys: HandshakeKeys | None = None
        self._client_hello = self._t1 = self._t2 = self._t3 = self._t4 = self._session_id = b""

    # -- steps that the edge takes ------------------------------------------------------------------------------------

    def start(self) -> list[Event]:
        """Begins the handshake."""
        self._enter(State.IDLE, State.HELLO)
        self._client_hello = ClientHello(
            self._surroundings.random(32),
            self._mlkem.public_key().public_bytes_raw(),
            self._x25519.public_key().public_bytes_raw(),
            self._binding[0],
            self._pin,
        ).encode()
        return [LineReady(GREETING + record_to_line(self._client_hello))]

    def unwrapped(self, secret: bytes | None) -> list[Event]:
        """Goes on after `UnwrapWanted`; None where the ciphertext did not open, which only the keys will show."""
        if self.state is State.CLOSED:
            return []
        self._require(State.UNWRAP)
        keys = self._keys or missing_keys()
        if secret is None or len(secret) != 32:
            secret = self._surroundings.random(32)
        self._enter(State.UNWRAP, State.FINISHED)
        traffic = traffic_secrets(keys.secrets, secret, self._t4, self._binding)
        keys.change(traffic, server=False)
        line = keys.seal_line(RecordType.FINISHED, finished_mac(traffic.client, self._t4))
        self._keys = None
        self._open_session(keys.sending, keys.receiving)
        user, device_id = self._credentials.user, self._credentials.device_id
        return [LineReady(line), Authenticated(user, device_id, self._session_id, traffic.exporter)]

    # -- the handshake, step by step ----------------------------------------------------------------------------------

    def _receive_handshake(self, line: bytes) -> list[Event]:
        if self.state is State.HELLO:
            if line.startswith(ERROR_LINE):
                return [Failed(Unproven(_early_error(line).code), told=True)]
            return self._on_server_hello(line)
        record = line_to_record(line)
        kind, plaintext = (self._keys or missing_keys()).receiving.open(record)
        if self.state is State.AUTH and kind == RecordType.SERVER_AUTH:
            return self._on_server_auth(record, plaintext)
        if self.state is State.FINISH and kind == RecordType.SERVER_FINISH:
            return self._on_server_finish(record, plaintext)
        if kind == RecordType.ALERT:
            error = decode_alert(plaintext)
            return [Failed(Unproven(error.code) if self.state is State.AUTH else error, told=True)]
        raise Reject(f"record: type {kind} in state {self.state.name}")

    def _on_server_hello(self, line: bytes) -> list[Event]:
        if not line.startswith(GREETING):
            raise Reject("first line: not a server of this protocol")
        server_hello = line_to_record(line[len(GREETING) :])
        hello = ServerHello.decode(server_hello)
        if hello.binding_type != self._binding[0]:
            raise Reject("ServerHello: another channel binding than the connection has")
        try:
            mlkem_secret = self._mlkem.decapsulate(hello.mlkem_ciphertext)
            x25519_secret = self._x25519.exchange(x25519.X25519PublicKey.from_public_bytes(hello.x25519_key))
        except ValueError:
            raise Reject("ServerHello: a key that cannot be used") from None
        self._t1 = self._transcript.add(self._client_hello + server_hello)
        secrets = handshake_secrets(mlkem_secret, x25519_secret, self._t1, self._binding)
        self._keys = HandshakeKeys(secrets, server=False)
        self.state = State.AUTH
        return []

    def _on_server_auth(self, record: bytes, plaintext: bytes) -> list[Event]:
        auth = ServerAuth.decode(plaintext)
        server_id = sha256(auth.spki)
        if not same(server_id, self._pin):
            raise PinMismatch("ServerAuth: another server than the pinned one")
        message = server_auth_message(self._t1, self._binding, server_id)
        pss_verify(load_rsa_spki(auth.spki), auth.signature, "server auth", message)
        self._t2 = self._transcript.add(record)
        method = METHOD_DEVICE if self._new_account is None else METHOD_REGISTER
        if method not in decode_extensions(auth.extensions).get(EXTENSION_METHODS, b""):
            raise MethodRefused("ServerAuth: method not offered")
        sealed = (self._keys or missing_keys()).sending.seal(RecordType.CLIENT_AUTH, self._client_auth())
        self._t3 = self._transcript.add(sealed)
        self.state = State.FINISH
        return [LineReady(record_to_line(sealed))]

    def _client_auth(self) -> bytes:
        who, new = self._credentials, self._new_account
        message = client_auth_message(self._t2, self._binding, self._pin, who.user, who.device_id)
        signature = ed_sign(who.signing_key, "client auth", message)
        if new is None:
            return DeviceLogin(who.user, who.device_id, signature).encode()
        return RegistrationRequest(
            new.token, who.user, new.identity_spki, new.certificate, new.verifier, signature
        ).encode()

    def _on_server_finish(self, record: bytes, plaintext: bytes) -> list[Event]:
        finish = ServerFinish.decode(plaintext)
        self._t4 = self._transcript.add(record)
        self._session_id = finish.session_id
        self.state = State.UNWRAP
        return [UnwrapWanted(finish.rsa_wrap, wrap_label(self._t3))]

    def _alert(self, error: WireError) -> bytes:
        body = encode_alert(error)
        if self._layer is not None:
            return self._layer.control(RecordType.ALERT, body)
        return b"" if self._keys is None else self._keys.seal_line(RecordType.ALERT, body)


def _early_error(line: bytes) -> WireError:
    number = line[len(ERROR_LINE) :]
    known = number.isdigit() and len(number) < 3 and 0 < int(number) <= len(EARLY_ERRORS)
    return wire_error(EARLY_ERRORS[int(number) - 1]) if known else Reject("first line: unknown error")
