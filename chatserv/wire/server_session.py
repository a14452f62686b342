"""The server's end of a session, without I/O (docs/protocol.rst 3 and 4).

States, what may come in each, and what comes out::

    HELLO     ClientHello               SignatureWanted                       -> SIGNING
    SIGNING   signed()                  ServerHello, ServerAuth               -> AUTH
    AUTH      ClientAuth                DeviceWanted or RegistrationWanted    -> LOOKUP
                                        or, by password, VerifierWanted       -> VERIFIER
    LOOKUP    device() or registered()  ServerFinish                          -> FINISHED
    VERIFIER  challenge()               PasswordChallenge                     -> PROOF
    PROOF     PasswordProof             ProofWanted                           -> TURN
    TURN      proved()                  ServerFinish                          -> FINISHED
    FINISHED  FINISHED                  Authenticated                         -> OPEN
    OPEN      DATA, KEY_UPDATE, CLOSE, ALERT

The server never decrypts with RSA, so there is no padding oracle to ask.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from chatserv.crypto.password import PasswordVerifier, proof_holds, server_proof
from chatserv.crypto.server_keys import rotations_from
from chatserv.crypto.session import finished_mac, handshake_secrets, traffic_secrets
from chatserv.crypto.statements import certificate_facts, verify_certificate
from chatserv.crypto.suite import ed_public_ok, ed_verify, load_rsa_spki, oaep, same, to_sign
from chatserv.domain.names import user_name
from chatserv.errors import AuthFailed, NameInvalid, Reject, TooLarge, WireError
from chatserv.wire.core import HandshakeKeys, SessionCore, missing_keys
from chatserv.wire.framing import DELIMITER, ERROR_LINE, GREETING, line_to_record, record_to_line
from chatserv.wire.handshake import (
    EXTENSION_METHODS,
    EXTENSION_ROTATIONS,
    ClientHello,
    DeviceLogin,
    RegistrationRequest,
    ServerAuth,
    ServerFinish,
    ServerHello,
    client_auth_message,
    decode_client_auth,
    encode_extensions,
    encode_rotations,
    server_auth_message,
    wrap_label,
)
from chatserv.wire.parameters import ServerIdentity, SessionContext
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
    DeviceWanted,
    Event,
    Failed,
    LineReady,
    ProofWanted,
    RegistrationWanted,
    SignatureWanted,
    State,
    VerifierWanted,
)

# Verified against when a device is unknown, so that the answer takes as long as for a known one (key of RFC 8032, 7.1).
NOBODY_ED25519: Final = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


class ServerSession(SessionCore):
    """One session of the server.

    Args:
        identity: The server's public identity.
        session_context: Clock, randomness and limits.
        binding: The channel binding ``CB`` of this connection, 33 bytes.
    """

    def __init__(self, identity: ServerIdentity, session_context: SessionContext, binding: bytes) -> None:
        super().__init__(session_context, binding, State.HELLO)
        self._identity = identity
        self._received_bytes = 0
        self._keys: HandshakeKeys | None = None
        self._hello_line = self._expected = b""
        self._user, self._device_id, self._signature = "", b"", b""
        self._t2 = self._t3 = self._finished = b""
        self._authenticated: Authenticated | None = None
        self._verifier: PasswordVerifier | None = None
        self._proof: PasswordProof | None = None
        self._auth_message, self._known = b"", False

    # -- answers of the edge ------------------------------------------------------------------------------------------

    def signed(self, signature: bytes) -> list[Event]:
        """Goes on after `SignatureWanted`: hello and proof leave in one flight."""
        if self.state is State.CLOSED:
            return []
        self._enter(State.SIGNING, State.AUTH)
        keys = self._keys or missing_keys()
        extensions = {EXTENSION_METHODS: self._identity.methods}
        rotations = rotations_from(self._identity.rotations, self._expected)
        if rotations:
            extensions[EXTENSION_ROTATIONS] = encode_rotations(rotations)
        now_ms = self._surroundings.now_ms()
        auth = ServerAuth(self._identity.spki, signature, now_ms, encode_extensions(extensions))
        record = keys.sending.seal(RecordType.SERVER_AUTH, auth.encode())
        self._t2 = self._transcript.add(record)
        return [LineReady(self._hello_line), LineReady(record_to_line(record))]

    def device(self, certificate: bytes | None) -> list[Event]:
        """Goes on after `DeviceWanted`; None where there is no such device, which looks like a wrong signature."""
        if self.state is State.CLOSED:
            return []
        self._require(State.LOOKUP)
        public = NOBODY_ED25519 if certificate is None else certificate_facts(certificate).ed25519
        try:
            self._check_signature(public, self._signature)
        except Reject:
            return self.refuse(AuthFailed("device login: unknown device or wrong signature"))
        if certificate is None:
            return self.refuse(AuthFailed("device login: unknown device or wrong signature"))
        return self._finish(certificate_facts(certificate).rsa_spki)

    def registered(self, certificate: bytes) -> list[Event]:
        """Goes on after `RegistrationWanted`, once account and device are durable."""
        return [] if self.state is State.CLOSED else self._finish(certificate_facts(certificate).rsa_spki)

    def challenge(self, verifier: PasswordVerifier, *, known: bool) -> list[Event]:
        """Goes on after `VerifierWanted`.

        Args:
            verifier: The user's, or what stands in for it (`chatserv.crypto.password.verifier_of_nobody`).
            known: Whether there is such a user; what leaves and how long it takes is the same.
        """
        if self.state is State.CLOSED:
            return []
        self._enter(State.VERIFIER, State.PROOF)
        self._verifier, self._known = verifier, known
        asked = PasswordChallenge(verifier.salt, verifier.parameters, self._surroundings.random(NONCE_BYTES))
        record = (self._keys or missing_keys()).sending.seal(RecordType.PASSWORD_CHALLENGE, asked.encode())
        self._t2 = self._transcript.add(record)
        self._auth_message = password_auth_message(self._t2, self._binding, self._identity.server_id, self._user)
        return [LineReady(record_to_line(record))]

    def proved(self) -> list[Event]:
        """Goes on after `ProofWanted`: tries the proof. Ends in `Failed` where it does not hold."""
        if self.state is State.CLOSED:
            return []
        self._require(State.TURN)
        verifier, proof = self._verifier or missing_keys(), self._proof or missing_keys()
        self._verifier = self._proof = None
        holds = proof_holds(verifier, proof.proof, self._auth_message)
        shown = server_proof(verifier.server_key, self._auth_message)
        if not (holds and self._known):
            return self.refuse(AuthFailed("password login: unknown user or wrong password"))
        self.state = State.LOOKUP
        return self._finish(proof.offer.rsa_spki, encode_extensions({EXTENSION_SERVER_PROOF: shown}))

    # -- the handshake, step by step ----------------------------------------------------------------------------------

    def _receive_handshake(self, line: bytes) -> list[Event]:
        self._received_bytes += len(line) + len(DELIMITER)
        if self._received_bytes > self._surroundings.login_total_bytes:
            raise TooLarge("handshake: too many bytes")
        if self.state is State.HELLO:
            return self._on_client_hello(line)
        record = line_to_record(line)
        kind, plaintext = (self._keys or missing_keys()).receiving.open(record)
        if self.state is State.AUTH and kind == RecordType.CLIENT_AUTH:
            return self._on_client_auth(record, plaintext)
        if self.state is State.PROOF and kind == RecordType.PASSWORD_PROOF:
            return self._on_password_proof(record, plaintext)
        if self.state is State.FINISHED and kind == RecordType.FINISHED:
            return self._on_finished(plaintext)
        if kind == RecordType.ALERT:
            return [Failed(decode_alert(plaintext), told=True)]
        raise Reject(f"record: type {kind} in state {self.state.name}")

    def _on_client_hello(self, line: bytes) -> list[Event]:
        if not line.startswith(GREETING):
            raise Reject("first line: not a client of this protocol")
        client_hello = line_to_record(line[len(GREETING) :])
        hello = ClientHello.decode(client_hello)
        if hello.binding_type != self._binding[0]:
            raise Reject("ClientHello: another channel binding than the connection has")
        random, self._expected = self._surroundings.random, hello.expected_server_id
        ephemeral = x25519.X25519PrivateKey.from_private_bytes(random(32))
        try:
            mlkem_secret, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(hello.mlkem_key).encapsulate()
            x25519_secret = ephemeral.exchange(x25519.X25519PublicKey.from_public_bytes(hello.x25519_key))
        except ValueError:
            raise Reject("ClientHello: a key that cannot be used") from None
        public = ephemeral.public_key().public_bytes_raw()
        server_hello = ServerHello(random(32), ciphertext, public, self._binding[0]).encode()
        t1 = self._transcript.add(client_hello + server_hello)
        self._keys = HandshakeKeys(handshake_secrets(mlkem_secret, x25519_secret, t1, self._binding), server=True)
        self._hello_line = GREETING + record_to_line(server_hello)
        self.state = State.SIGNING
        return [SignatureWanted(to_sign("server auth", server_auth_message(t1, self._binding, self._identity.key_id)))]

    def _on_client_auth(self, record: bytes, plaintext: bytes) -> list[Event]:
        request = decode_client_auth(plaintext)
        if isinstance(request, PasswordLogin):
            return self._on_password_login(request, record)
        wanted = self._check_login(request) if isinstance(request, DeviceLogin) else self._check_registration(request)
        self._t3 = self._transcript.add(record)
        self.state = State.LOOKUP
        return [wanted]

    def _on_password_login(self, request: PasswordLogin, record: bytes) -> list[Event]:
        if METHOD_PASSWORD not in self._identity.methods:
            raise Reject("ClientAuth: method not offered")
        self._user = request.user
        self._transcript.add(record)
        self.state = State.VERIFIER
        return [VerifierWanted(request.user)]

    def _on_password_proof(self, record: bytes, plaintext: bytes) -> list[Event]:
        proof = PasswordProof.decode(plaintext)
        offer = proof.offer
        load_rsa_spki(offer.rsa_spki)
        if not ed_public_ok(offer.ed25519):
            raise Reject("PasswordProof: unusable signature key")
        self._device_id, self._proof = offer.device_id, proof
        self._check_signature(offer.ed25519, proof.signature)
        self._t3 = self._transcript.add(record)
        self.state = State.TURN
        return [ProofWanted(self._user, offer)]

    def _check_login(self, request: DeviceLogin) -> Event:
        self._user, self._device_id, self._signature = request.user, request.device_id, request.signature
        return DeviceWanted(request.user, request.device_id)

    def _check_registration(self, request: RegistrationRequest) -> Event:
        if request.user != user_name(request.user):
            raise NameInvalid("registration: name not in canonical form")
        facts = verify_certificate(request.certificate, request.identity_spki, self._identity.server_id)
        if facts.user != request.user:
            raise Reject("registration: certificate for another name")
        PasswordVerifier.decode(request.verifier)
        self._user, self._device_id = request.user, facts.device_id
        self._check_signature(facts.ed25519, request.signature)
        return RegistrationWanted(request, facts)

    def _check_signature(self, public: bytes, signature: bytes) -> None:
        server_id = self._identity.server_id
        message = client_auth_message(self._t2, self._binding, server_id, self._user, self._device_id)
        ed_verify(public, signature, "client auth", message)

    def _finish(self, rsa_key: bytes, extensions: bytes = b"") -> list[Event]:
        self._enter(State.LOOKUP, State.FINISHED)
        keys, random = self._keys or missing_keys(), self._surroundings.random
        wrapped, session_id = random(32), random(16)
        wrap = load_rsa_spki(rsa_key).encrypt(wrapped, oaep(wrap_label(self._t3)))
        finish = ServerFinish(session_id, wrap, extensions)
        record = keys.sending.seal(RecordType.SERVER_FINISH, finish.encode())
        t4 = self._transcript.add(record)
        traffic = traffic_secrets(keys.secrets, wrapped, t4, self._binding)
        keys.change(traffic, server=True)
        self._finished = finished_mac(traffic.client, t4)
        self._authenticated = Authenticated(self._user, self._device_id, session_id, traffic.exporter)
        return [LineReady(record_to_line(record))]

    def _on_finished(self, plaintext: bytes) -> list[Event]:
        keys, authenticated = self._keys or missing_keys(), self._authenticated or missing_keys()
        if not same(plaintext, self._finished):
            raise AuthFailed("FINISHED: does not verify")
        self._keys = self._authenticated = None  # nor the rest of the handshake, 2 KB, as long as the session lasts
        self._hello_line = self._signature = self._t2 = self._t3 = self._finished = self._auth_message = b""
        self._open_session(keys.sending, keys.receiving)
        return [authenticated]

    def _alert(self, error: WireError) -> bytes:
        body = encode_alert(error)
        if self._layer is not None:
            return self._layer.control(RecordType.ALERT, body)
        if self._keys is not None and self.state not in {State.HELLO, State.SIGNING}:
            return self._keys.seal_line(RecordType.ALERT, body)
        if error.code not in EARLY_ERRORS:
            return b""
        return ERROR_LINE + b"%d" % (EARLY_ERRORS.index(error.code) + 1) + DELIMITER
