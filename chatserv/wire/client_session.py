"""The client's end of a session, without I/O (docs/protocol.rst 3 and 4).

States, what may come in each, and what comes out::

    IDLE      start()       ClientHello                     -> HELLO
    HELLO     ServerHello                                   -> AUTH
    AUTH      ServerAuth    ClientAuth                      -> FINISH    (nothing of the client's is revealed before this)
                            or, by password, ClientAuth     -> CHALLENGE
    CHALLENGE PasswordChallenge  PasswordKeyWanted          -> DERIVE
    DERIVE    derived()     PasswordProof                   -> FINISH
    FINISH    ServerFinish  UnwrapWanted                    -> UNWRAP
    UNWRAP    unwrapped()   FINISHED, Authenticated         -> OPEN
    OPEN      DATA, KEY_UPDATE, CLOSE, ALERT
"""

from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from chatserv.crypto.password import PasswordKeys, password_keys, server_proof
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.session import finished_mac, handshake_secrets, traffic_secrets
from chatserv.crypto.suite import ed_sign, load_rsa_spki, pss_verify, same, sha256
from chatserv.errors import Internal, Reject, WireError, wire_error
from chatserv.i18n import N_
from chatserv.wire.core import HandshakeKeys, SessionCore, missing_keys
from chatserv.wire.framing import ERROR_LINE, GREETING, line_to_record, record_to_line
from chatserv.wire.handshake import (
    EXTENSION_METHODS,
    EXTENSION_ROTATIONS,
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
    decode_rotations,
    server_auth_message,
    wrap_label,
)
from chatserv.wire.parameters import DeviceCredentials, GuestCredentials, NewAccount, SessionContext
from chatserv.wire.password_login import (
    EXTENSION_SERVER_PROOF,
    METHOD_PASSWORD,
    NONCE_BYTES,
    PasswordChallenge,
    PasswordLogin,
    PasswordProof,
    password_auth_message,
)
from chatserv.wire.records import RecordType, decode_alert, encode_alert
from chatserv.wire.session import (
    EARLY_ERRORS,
    Authenticated,
    Event,
    Failed,
    LineReady,
    PasswordKeyWanted,
    State,
    UnwrapWanted,
)


class PinMismatch(Reject):
    """The server showed another identity than the pinned one: the wrong server, or somebody in the middle."""

    text = N_(
        "This is not the server that your link or profile names: its identity key is another one. Somebody may be in "
        "the middle, or the server was set up anew. Nothing was sent. Ask its operator before you go on."
    )


class OtherAccount(Reject):
    """The server lets us in by a password without having shown that it is that of our account."""

    text = N_(
        "The server does not answer for this account: it lets you in without knowing the account's password, or as "
        "somebody else. Nothing was done. Ask whoever runs the server."
    )


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
        keys: Those of the only server that is accepted, as far as they are known. The session follows it to newer ones.
        credentials: Who we are: a device, or somebody who has the password.
        session_context: Clock, randomness and limits.
        binding: The channel binding ``CB`` of this connection, 33 bytes.
        new_account: Register instead of logging in.
    """

    def __init__(
        self,
        keys: ServerKeys,
        credentials: DeviceCredentials | GuestCredentials,
        session_context: SessionContext,
        binding: bytes,
        new_account: NewAccount | None = None,
    ) -> None:
        super().__init__(session_context, binding, State.IDLE)
        self._server, self._credentials, self._new_account = keys, credentials, new_account
        random = session_context.random
        self._mlkem = mlkem.MLKEM768PrivateKey.from_seed_bytes(random(64))
        self._x25519 = x25519.X25519PrivateKey.from_private_bytes(random(32))
        self._keys: HandshakeKeys | None = None
        self._client_hello = self._t1 = self._t2 = self._t3 = self._t4 = self._session_id = b""
        self.proven = False  # whether it is our server that answers
        self._server_proof: bytes | None = None  # what a server that has the verifier of our account shows

    # -- steps that the edge takes ------------------------------------------------------------------------------------

    def start(self) -> list[Event]:
        """Begins the handshake."""
        self._enter(State.IDLE, State.HELLO)
        self._client_hello = ClientHello(
            self._surroundings.random(32),
            self._mlkem.public_key().public_bytes_raw(),
            self._x25519.public_key().public_bytes_raw(),
            self._binding[0],
            self._server.key_id,
        ).encode()
        return [LineReady(GREETING + record_to_line(self._client_hello))]

    def derived(self, salted: bytes) -> list[Event]:
        """Goes on after `PasswordKeyWanted`, with the 32 bytes that the password gives."""
        if self.state is State.CLOSED:
            return []
        self._enter(State.DERIVE, State.FINISH)
        who = self._credentials
        if not isinstance(who, GuestCredentials):
            missing_keys()
        keys: PasswordKeys = password_keys(salted)
        message = password_auth_message(self._t2, self._binding, self._server.server_id, who.user)
        self._server_proof = server_proof(keys.server_key, message)
        proof = PasswordProof(keys.proof(message), who.offer, self._signature()).encode()
        sealed = (self._keys or missing_keys()).sending.seal(RecordType.PASSWORD_PROOF, proof)
        self._t3 = self._transcript.add(sealed)
        return [LineReady(record_to_line(sealed))]

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
        if self.state is State.CHALLENGE and kind == RecordType.PASSWORD_CHALLENGE:
            return self._on_password_challenge(record, plaintext)
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
        extensions, key_id = decode_extensions(auth.extensions), sha256(auth.spki)
        try:
            self._server.follow(decode_rotations(extensions.get(EXTENSION_ROTATIONS, b"")))
        except Reject as error:
            raise PinMismatch(f"ServerAuth: {error.detail}") from None
        if not self._server.accepts(key_id):
            raise PinMismatch("ServerAuth: another server than the pinned one")
        message = server_auth_message(self._t1, self._binding, key_id)
        pss_verify(load_rsa_spki(auth.spki), auth.signature, "server auth", message)
        self.proven = True
        self._t2 = self._transcript.add(record)
        method, body, then = self._client_auth()
        if method not in extensions.get(EXTENSION_METHODS, b""):
            raise MethodRefused("ServerAuth: method not offered")
        sealed = (self._keys or missing_keys()).sending.seal(RecordType.CLIENT_AUTH, body)
        self._t3 = self._transcript.add(sealed)
        self.state = then
        return [LineReady(record_to_line(sealed))]

    def _client_auth(self) -> tuple[int, bytes, State]:
        """Our method, what we say, and what we wait for then."""
        who, new = self._credentials, self._new_account
        if isinstance(who, GuestCredentials):
            return (
                METHOD_PASSWORD,
                PasswordLogin(who.user, self._surroundings.random(NONCE_BYTES)).encode(),
                State.CHALLENGE,
            )
        if new is None:
            return METHOD_DEVICE, DeviceLogin(who.user, who.device_id, self._signature()).encode(), State.FINISH
        request = RegistrationRequest(
            new.token, who.user, new.identity_spki, new.certificate, new.verifier, self._signature()
        )
        return METHOD_REGISTER, request.encode(), State.FINISH

    def _signature(self) -> bytes:
        who = self._credentials
        message = client_auth_message(self._t2, self._binding, self._server.server_id, who.user, who.device_id)
        return ed_sign(who.signing_key, "client auth", message)

    def _on_password_challenge(self, record: bytes, plaintext: bytes) -> list[Event]:
        challenge = PasswordChallenge.decode(plaintext)
        self._t2 = self._transcript.add(record)
        self.state = State.DERIVE
        return [PasswordKeyWanted(challenge.salt, challenge.parameters)]

    def _on_server_finish(self, record: bytes, plaintext: bytes) -> list[Event]:
        finish = ServerFinish.decode(plaintext)
        if self._server_proof is not None:
            shown = decode_extensions(finish.extensions).get(EXTENSION_SERVER_PROOF, b"")
            if not same(shown, self._server_proof):
                raise OtherAccount("ServerFinish: the server does not have the verifier of this account")
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
