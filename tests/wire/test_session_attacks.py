"""One test for each attack on a session that the design names: that it fails, how, and what the attacker learns by it.

The attacker owns the network: lines are changed, lost, repeated and carried between connections, and peers may hold real
keys of their own. There is no session without a pin, so that "a man in the middle where nothing is pinned" cannot be
played: `NoPinTests` documents what happens instead.
"""

from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.suite import ed_sign, ed_verify, pss_sign, to_sign
from chatserv.errors import (
    BadFrame,
    InviteInvalid,
    NameInvalid,
    Reject,
    SuiteUnsupported,
    TooLarge,
    VersionUnsupported,
    WireError,
    wire_error,
)
from chatserv.wire import server_session
from chatserv.wire.client_session import PinMismatch, Unproven
from chatserv.wire.framing import GREETING
from chatserv.wire.handshake import (
    ClientHello,
    DeviceLogin,
    RegistrationRequest,
    ServerHello,
    client_auth_message,
    server_auth_message,
)
from chatserv.wire.records import RecordType, RekeyLimits, encode_alert
from chatserv.wire.session import (
    DeviceWanted,
    Failed,
    PlaintextReceived,
    RegistrationWanted,
    SignatureWanted,
    State,
)
from tests.support.sessions import (
    ALICE,
    MALLORY,
    OTHER_TLS,
    PLAIN,
    TLS,
    TOKEN,
    Edit,
    Person,
    SessionPair,
    Side,
    flip,
    on_line,
    on_record,
    rsa_key,
    said,
    server_id,
    session_context,
    spki,
    to_record,
    with_record,
)

# Points that give an X25519 secret of zeros whatever the other key is, and the forms of them above the prime (RFC 7748).
LOW_ORDER = tuple(
    bytes.fromhex(point)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


class AttackCase(SynchronousTestCase):
    """What every attack is checked for."""

    def failure(self, pair: SessionPair, side: Side) -> Failed:
        """How the session ended for ``side``, which must have ended it and must not take anybody for known."""
        failed = pair.failed(side)
        assert failed is not None, pair.events(side)
        self.assertIs(pair.core(side).state, State.CLOSED)
        return failed

    def nobody_known(self, pair: SessionPair) -> None:
        """Asserts that the server took nobody for known."""
        self.assertIsNone(pair.authenticated(Side.SERVER))

    def client_gives_up(self, pair: SessionPair, error: type[WireError], detail: str = "") -> None:
        """Asserts that the client itself ended it, and told nobody anything but that.

        All that it has sent is a hello, the same for everybody, and at most an alert with the code.
        """
        failed = self.failure(pair, Side.CLIENT)
        self.assertFalse(failed.told)
        self.assertIsInstance(failed.error, error)
        self.assertIn(detail, failed.error.detail)
        self.assertIsNone(pair.authenticated(Side.CLIENT))
        self.reveals_nothing(pair)
        self.nobody_known(pair)

    def reveals_nothing(self, pair: SessionPair) -> None:
        """Asserts that the client's lines say nothing about who it is."""
        hello, *rest = pair.records(Side.CLIENT)
        self.assertEqual(len(hello), 1290)
        parsed = ClientHello.decode(hello)
        self.assertEqual((parsed.suites, parsed.extensions), ((1,), b""))
        self.assertLessEqual(len(rest), 1)
        for record in rest:
            self.assertEqual(record[:2], bytes((RecordType.ALERT, 0)))
            self.assertEqual(len(record), 18 + len(encode_alert(BadFrame())))
        for line in pair.lines(Side.CLIENT):
            self.assertNotIn(pair.who.user.encode(), to_record(line))
            self.assertNotIn(pair.who.device_id, to_record(line))

    def server_gives_up(self, pair: SessionPair, code: str) -> None:
        """Asserts that the server itself ended it with this code, and took nobody for known."""
        failed = self.failure(pair, Side.SERVER)
        self.assertEqual((failed.error.code, failed.told), (code, False))
        self.nobody_known(pair)

    def told(self, pair: SessionPair, code: str) -> None:
        """Asserts that the client was told this code by the other side."""
        failed = self.failure(pair, Side.CLIENT)
        self.assertEqual((said(failed.error), failed.told), (code, True))


def attacked(side: Side, number: int, edit: Edit, **changes: Any) -> SessionPair:
    """A pair that ran with the record in one line of ``side`` changed."""
    pair = SessionPair(**changes)
    pair.tamper[side] = on_record(number, edit)
    pair.run()
    return pair


def client_hello(**changes: Any) -> Edit:
    """Changes fields of a ClientHello."""
    return lambda record: replace(ClientHello.decode(record), **changes).encode()


def server_hello(**changes: Any) -> Edit:
    """Changes fields of a ServerHello."""
    return lambda record: replace(ServerHello.decode(record), **changes).encode()


class MiddleTests(AttackCase):
    """Somebody between client and server."""

    def test_man_in_the_middle_with_own_key(self) -> None:
        """A server with another identity key is left at once, and learns only that it was."""
        pair = SessionPair(key="other server")
        pair.run()
        self.client_gives_up(pair, PinMismatch)
        self.assertEqual(self.failure(pair, Side.SERVER).error.code, "bad_frame")

    def test_man_in_the_middle_with_the_right_name(self) -> None:
        """Showing the right public key and signing with another one fails at the signature."""
        pair = SessionPair()
        pair.sign = lambda message: pss_sign(rsa_key("other server"), message)
        pair.run()
        self.client_gives_up(pair, Reject, "RSA signature")

    def test_man_in_the_middle_with_a_relayed_signature(self) -> None:
        """A signature that the real server made on the attacker's own connection does not fit the victim's."""
        real = SessionPair.opened()
        wanted = next(event for event in real.events(Side.SERVER) if isinstance(event, SignatureWanted))
        pair = SessionPair()
        pair.sign = lambda _message: pss_sign(rsa_key("server"), wanted.to_sign)
        pair.run()
        self.client_gives_up(pair, Reject, "RSA signature")

    def test_relay_between_two_tls_connections(self) -> None:
        """Carrying every line untouched from one TLS connection to another fails, as their channel bindings differ."""
        pair = SessionPair(bindings=(TLS, OTHER_TLS))
        pair.run()
        self.client_gives_up(pair, Reject, "does not open")
        self.assertEqual(self.failure(pair, Side.SERVER).error.code, "bad_frame")

    def test_relayed_signature_of_another_binding(self) -> None:
        """Even with the same transcript and keys, a signature over another channel binding does not verify."""
        pair = SessionPair()
        core: Any = pair.server

        def sign(message: bytes) -> bytes:
            t1 = core._transcript._hash.digest()
            self.assertEqual(message, to_sign("server auth", server_auth_message(t1, TLS, server_id())))
            return pss_sign(rsa_key("server"), to_sign("server auth", server_auth_message(t1, OTHER_TLS, server_id())))

        pair.sign = sign
        pair.run()
        self.client_gives_up(pair, Reject, "RSA signature")

    def test_channel_binding_stripped_from_client_hello(self) -> None:
        """A hello that was made to say "no TLS" is refused by a server that has TLS, before it signs anything."""
        pair = attacked(Side.CLIENT, 0, client_hello(binding_type=0))
        self.server_gives_up(pair, "bad_frame")
        self.assertEqual([event for event in pair.events(Side.SERVER) if isinstance(event, SignatureWanted)], [])
        self.told(pair, "bad_frame")
        self.reveals_nothing(pair)

    def test_channel_binding_stripped_from_server_hello(self) -> None:
        """A server that claims to have no TLS is left by a client that has."""
        pair = attacked(Side.SERVER, 0, server_hello(binding_type=0))
        self.client_gives_up(pair, Reject, "channel binding")

    def test_channel_binding_stripped_on_both_legs(self) -> None:
        """TLS to the client, none to the server, and both hellos edited to fit: the keys differ."""
        pair = SessionPair(bindings=(TLS, PLAIN))
        pair.tamper[Side.CLIENT] = on_record(0, client_hello(binding_type=0))
        pair.tamper[Side.SERVER] = on_record(0, server_hello(binding_type=1))
        pair.run()
        self.client_gives_up(pair, Reject, "does not open")

    def test_plain_client_of_a_tls_server(self) -> None:
        """A client without TLS, relayed into a TLS connection, is refused, and the other way round."""
        for bindings in ((PLAIN, TLS), (TLS, PLAIN)):
            pair = SessionPair(bindings=bindings)
            pair.run()
            self.server_gives_up(pair, "bad_frame")
            self.told(pair, "bad_frame")
            self.reveals_nothing(pair)

    def test_suite_taken_out(self) -> None:
        """A hello whose suite was changed to another is refused as such."""
        pair = attacked(Side.CLIENT, 0, client_hello(suites=(2,)))
        self.server_gives_up(pair, "suite")
        self.told(pair, "suite")
        self.reveals_nothing(pair)

    def test_suite_added(self) -> None:
        """A suite added to the list changes the transcript, and with it the keys."""
        for suites in ((1, 2), (2, 1), (1, 1)):
            pair = attacked(Side.CLIENT, 0, client_hello(suites=suites))
            self.client_gives_up(pair, Reject, "does not open")

    def test_suite_of_server_hello_edited(self) -> None:
        """A suite that the client did not offer is refused by it."""
        pair = attacked(Side.SERVER, 0, lambda record: record[:3] + b"\x00\x02" + record[5:])
        self.client_gives_up(pair, SuiteUnsupported)

    def test_version_edited(self) -> None:
        """Another version in either hello is refused by whoever reads it."""
        for version in (b"\0\0", b"\0\2"):

            def edit(record: bytes, version: bytes = version) -> bytes:
                return record[:1] + version + record[3:]

            pair = attacked(Side.CLIENT, 0, edit)
            self.server_gives_up(pair, "version")
            self.told(pair, "version")
            self.reveals_nothing(pair)
            self.client_gives_up(attacked(Side.SERVER, 0, edit), VersionUnsupported)

    def test_greeting_edited(self) -> None:
        """The version in the greeting cannot be edited either."""
        for side in Side:
            pair = SessionPair()
            pair.tamper[side] = on_line(0, lambda line: [line.replace(b"CHATSERV/1 ", b"CHATSERV/0 ")])
            pair.run()
            self.assertEqual(self.failure(pair, side.other).error.code, "bad_frame")
            self.reveals_nothing(pair)
            self.nobody_known(pair)

    def test_random_edited(self) -> None:
        """A change of nothing but a random value changes the keys."""
        for side, edit in (
            (Side.CLIENT, client_hello(random=bytes(32))),
            (Side.SERVER, server_hello(random=bytes(32))),
        ):
            self.client_gives_up(attacked(side, 0, edit), Reject, "does not open")

    def test_pin_edited(self) -> None:
        """What the hello says that the client expects cannot be edited unseen."""
        for pin in (b"", bytes(32)):
            pair = attacked(Side.CLIENT, 0, client_hello(expected_server_id=pin))
            self.client_gives_up(pair, Reject, "does not open")

    def test_extension_added(self) -> None:
        """An extension added to either hello changes the keys."""
        for side, edit in (
            (Side.CLIENT, client_hello(extensions=b"\x09\x00\x00")),
            (Side.SERVER, server_hello(extensions=b"\x09\x00\x00")),
        ):
            self.client_gives_up(attacked(side, 0, edit), Reject, "does not open")

    def test_error_line_injected(self) -> None:
        """An ``ERR`` line can be forged by anybody, and does no more than what cutting the connection does."""
        pair = SessionPair()
        pair.tamper[Side.SERVER] = on_line(0, lambda _line: [b"ERR 5"])
        pair.run()
        self.told(pair, "busy")
        self.reveals_nothing(pair)

    def test_refusal_before_the_proof_is_no_word_of_the_server(self) -> None:
        """Whoever answers without the identity key can refuse, but not make the client believe that its server did."""
        for code in ("auth_failed", "invite_invalid", "name_taken", "version"):
            pair = SessionPair.at(Side.CLIENT, State.AUTH)
            line = pair.forge(Side.SERVER, RecordType.ALERT, encode_alert(wire_error(code)))
            failed = pair.client.receive_line(line)[-1]
            self.assertTrue(
                isinstance(failed, Failed) and isinstance(failed.error, Unproven) and failed.error.retryable
            )
            self.assertEqual((said(failed.error), failed.error.code), (code, "internal"))  # type: ignore[union-attr]


class EphemeralTests(AttackCase):
    """The halves of the key exchange put in by somebody else."""

    def test_mlkem_key_swapped(self) -> None:
        """With the attacker's ML-KEM key the server's keys are not the client's."""
        key = mlkem.MLKEM768PrivateKey.from_seed_bytes(bytes(64)).public_key().public_bytes_raw()
        self.client_gives_up(attacked(Side.CLIENT, 0, client_hello(mlkem_key=key)), Reject, "does not open")

    def test_mlkem_ciphertext_swapped(self) -> None:
        """With the attacker's ML-KEM ciphertext the client's keys are not the server's."""

        def swap(pair: SessionPair) -> Edit:
            def edit(record: bytes) -> bytes:
                key = ClientHello.decode(pair.records(Side.CLIENT)[0]).mlkem_key
                _secret, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(key).encapsulate()
                return replace(ServerHello.decode(record), mlkem_ciphertext=ciphertext).encode()

            return edit

        pair = SessionPair()
        pair.tamper[Side.SERVER] = on_record(0, swap(pair))
        pair.run()
        self.client_gives_up(pair, Reject, "does not open")

    def test_x25519_swapped(self) -> None:
        """With the attacker's X25519 key in either hello the keys differ."""
        key = x25519.X25519PrivateKey.from_private_bytes(b"m" * 32).public_key().public_bytes_raw()
        for side, edit in ((Side.CLIENT, client_hello(x25519_key=key)), (Side.SERVER, server_hello(x25519_key=key))):
            self.client_gives_up(attacked(side, 0, edit), Reject, "does not open")

    def test_both_swapped_on_both_legs(self) -> None:
        """A full man in the middle knows all keys of both legs and stands before the signature, which fits neither."""
        to_server = SessionPair.at(Side.SERVER, State.SIGNING)  # the attacker as a client of the real server
        (wanted,) = to_server.wanted
        assert isinstance(wanted, SignatureWanted)
        victim = SessionPair()  # the attacker as a server of the victim, showing the real public key
        victim.sign = lambda _message: to_server.sign(wanted.to_sign)
        victim.run()
        self.client_gives_up(victim, Reject, "RSA signature")

    def test_low_order_point_to_server(self) -> None:
        """A point that makes the X25519 secret zero is refused by the server before it signs anything."""
        for point in LOW_ORDER:
            pair = attacked(Side.CLIENT, 0, client_hello(x25519_key=point))
            self.server_gives_up(pair, "bad_frame")
            self.assertEqual([event for event in pair.events(Side.SERVER) if isinstance(event, SignatureWanted)], [])
            self.told(pair, "bad_frame")

    def test_low_order_point_to_client(self) -> None:
        """A point that makes the X25519 secret zero is refused by the client, without a word."""
        for point in LOW_ORDER:
            pair = attacked(Side.SERVER, 0, server_hello(x25519_key=point))
            self.client_gives_up(pair, Reject, "cannot be used")
            self.assertEqual(len(pair.lines(Side.CLIENT)), 1)

    def test_mlkem_key_not_reduced(self) -> None:
        """An ML-KEM key with coefficients out of range is refused (FIPS 203 section 7.2)."""
        pair = attacked(Side.CLIENT, 0, client_hello(mlkem_key=b"\xff" * 1184))
        self.server_gives_up(pair, "bad_frame")


class NoPinTests(AttackCase):
    """There is no unpinned session."""

    def test_no_pin(self) -> None:
        """A man in the middle of a client without a pin cannot happen: an empty or wrong pin fits no server at all."""
        for pin in (b"", bytes(31), bytes(32), server_id()[:-1], server_id()[:16]):
            pair = SessionPair(pin=pin)
            pair.run()
            if len(pin) in {0, 32}:
                self.assertIsInstance(self.failure(pair, Side.CLIENT).error, PinMismatch)
            else:
                self.server_gives_up(pair, "bad_frame")
            self.nobody_known(pair)
            self.assertNotIn(RecordType.CLIENT_AUTH, [record[0] for record in pair.records(Side.CLIENT)])


class LoginTests(AttackCase):
    """Somebody who wants to be alice."""

    def login(self, pair: SessionPair, request: DeviceLogin | RegistrationRequest) -> None:
        """Delivers a ClientAuth of the attacker's making, sealed as it must be."""
        pair.answering = True
        pair.inbox[Side.SERVER].clear()
        pair.deliver(Side.SERVER, pair.forge(Side.CLIENT, RecordType.CLIENT_AUTH, request.encode()))
        pair.run()

    def test_client_auth_replayed(self) -> None:
        """The record of a ClientAuth does not open on another connection."""
        earlier = SessionPair.opened()
        pair = SessionPair(client=session_context("second"))
        pair.tamper[Side.CLIENT] = on_line(1, lambda _line: [earlier.lines(Side.CLIENT)[1]])
        pair.run()
        self.server_gives_up(pair, "bad_frame")
        self.told(pair, "bad_frame")

    def test_whole_client_replayed(self) -> None:
        """All lines of an earlier client, played again, get no further than the server's hello."""
        earlier = SessionPair.opened()
        pair = SessionPair()
        for line in earlier.lines(Side.CLIENT):
            pair.deliver(Side.SERVER, line)
        self.server_gives_up(pair, "bad_frame")
        self.assertEqual([event for event in pair.events(Side.SERVER) if isinstance(event, DeviceWanted)], [])

    def test_client_auth_signature_replayed(self) -> None:
        """A signature that alice made on one connection, sealed properly on another, is of no use there."""
        earlier: Any = SessionPair.at(Side.SERVER, State.FINISHED).server
        pair = SessionPair.at(Side.SERVER, State.AUTH, who=MALLORY)
        pair.devices[ALICE.user, ALICE.device_id] = ALICE.certificate
        self.login(pair, DeviceLogin(ALICE.user, ALICE.device_id, earlier._signature))
        self.server_gives_up(pair, "auth_failed")

    def test_client_auth_relayed_to_another_server(self) -> None:
        """A server that alice trusts cannot log in as her at another one, even over the same transcript."""
        pair = SessionPair.at(Side.SERVER, State.AUTH)
        core: Any = pair.server
        message = client_auth_message(core._t2, TLS, server_id("other server"), ALICE.user, ALICE.device_id)
        signature = ed_sign(ALICE.signing_key, "client auth", message)
        self.login(pair, DeviceLogin(ALICE.user, ALICE.device_id, signature))
        self.server_gives_up(pair, "auth_failed")

    def test_client_auth_of_another_user_or_device(self) -> None:
        """What was signed for one user and device does not log in another with the same key."""
        other = Person("bob")
        for signed, claimed in (((ALICE.user, bytes(16)), ALICE), ((other.user, ALICE.device_id), ALICE)):
            pair = SessionPair.at(Side.SERVER, State.AUTH)
            core: Any = pair.server
            message = client_auth_message(core._t2, TLS, server_id(), *signed)
            signature = ed_sign(ALICE.signing_key, "client auth", message)
            self.login(pair, DeviceLogin(claimed.user, claimed.device_id, signature))
            self.server_gives_up(pair, "auth_failed")

    def test_wrong_ed25519(self) -> None:
        """The RSA key without the Ed25519 key logs nobody in."""
        pair = SessionPair()
        core: Any = pair.client
        core._credentials = replace(ALICE.credentials, signing_key=MALLORY.signing_key)
        pair.run()
        self.server_gives_up(pair, "auth_failed")
        self.told(pair, "auth_failed")
        self.assertEqual(len(pair.lines(Side.SERVER)), 3)
        self.assertEqual(pair.records(Side.SERVER)[2][0], RecordType.ALERT)

    def test_wrong_rsa(self) -> None:
        """The Ed25519 key without the RSA key logs nobody in, and the server's answer tells nothing about the ciphertext."""
        thefts: Sequence[Callable[[Any], bytes | None]] = (
            lambda _wanted: None,
            lambda _wanted: bytes(32),
            MALLORY.unwrap,
        )
        for theft in thefts:
            pair = SessionPair()
            pair.unwrap = theft
            pair.run()
            self.server_gives_up(pair, "bad_frame")
            self.assertEqual(
                list(map(len, pair.records(Side.SERVER))), [1160, 844, 422, 18 + len(encode_alert(BadFrame()))]
            )

    def test_wrong_device(self) -> None:
        """Somebody else's whole device logs nobody in under alice's name."""
        pair = SessionPair(who=Person("mallory"))
        pair.devices = {("mallory", MALLORY.device_id): ALICE.certificate}
        pair.run()
        self.server_gives_up(pair, "auth_failed")
        self.told(pair, "auth_failed")

    def test_unknown_device(self) -> None:
        """An unknown device is refused like a wrong signature."""
        pair = SessionPair()
        pair.devices = {}
        pair.run()
        self.server_gives_up(pair, "auth_failed")
        self.told(pair, "auth_failed")

    def test_unknown_device_signed_with_the_stand_in(self) -> None:
        """The key that stands in for unknown devices is public and opens nothing, even to those who hold its other half."""
        seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        signing = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.assertEqual(signing.public_key().public_bytes_raw(), server_session.NOBODY_ED25519)
        pair = SessionPair()
        core: Any = pair.client
        core._credentials = replace(ALICE.credentials, signing_key=signing)
        pair.devices = {}
        pair.run()
        self.server_gives_up(pair, "auth_failed")

    def test_unknown_and_wrong_look_alike(self) -> None:
        """Unknown user, unknown device and wrong signature get the same number of lines, bytes, checks and the same code."""
        seen = []
        for case in ("unknown user", "unknown device", "wrong signature"):
            checks: list[bytes] = []

            def counted(public: bytes, *rest: Any, checks: list[bytes] = checks) -> None:
                checks.append(public)
                ed_verify(public, *rest)

            patched = self.patch(server_session, "ed_verify", counted)
            pair = SessionPair()
            core: Any = pair.client
            core._credentials = replace(ALICE.credentials, signing_key=MALLORY.signing_key)
            if case == "unknown user":
                pair.devices = {}
            elif case == "unknown device":
                pair.devices = {(ALICE.user, bytes(16)): ALICE.certificate}
            pair.run()
            patched.restore()
            failed = self.failure(pair, Side.CLIENT)
            detail = self.failure(pair, Side.SERVER).error.detail
            seen.append(
                (len(checks), [len(line) for line in pair.lines(Side.SERVER)], failed.error.code, failed.told, detail)
            )
            self.nobody_known(pair)
        self.assertEqual(seen[0][2], "auth_failed")
        self.assertEqual(seen[0][0], 1)
        self.assertEqual([seen[0]] * 3, seen)

    def test_finished_skipped(self) -> None:
        """A login without FINISHED is none: messages before it are refused."""
        pair = SessionPair()
        pair.tamper[Side.CLIENT] = on_line(2, lambda _line: [])
        pair.run()
        self.assertIs(pair.server.state, State.FINISHED)
        pair.say(Side.CLIENT, b"\x01")
        self.server_gives_up(pair, "bad_frame")
        self.assertEqual(pair.received(Side.SERVER), [])

    def test_finished_forged(self) -> None:
        """A FINISHED with another proof is refused, even under the right key."""
        for body in (bytes(32), b""):
            pair = SessionPair.at(Side.SERVER, State.FINISHED)
            pair.deliver(Side.SERVER, pair.forge(Side.CLIENT, RecordType.FINISHED, body))
            self.server_gives_up(pair, "auth_failed")


class RegistrationTests(AttackCase):
    """Somebody who wants an account that is not theirs."""

    def request(self, pair: SessionPair, who: Person, **changes: Any) -> RegistrationRequest:
        """A request on this connection, changed before the device signs it."""
        core: Any = pair.server
        request = RegistrationRequest(TOKEN, who.user, who.identity_spki, who.certificate, who.verifier, b"")
        request = replace(request, **changes)
        message = client_auth_message(core._t2, TLS, server_id(), request.user, who.device_id)
        return replace(request, signature=ed_sign(who.signing_key, "client auth", message))

    def send(self, change: Callable[[SessionPair], RegistrationRequest], who: Person = ALICE) -> SessionPair:
        """Delivers a request to a server that would admit anybody."""
        pair = SessionPair.at(Side.SERVER, State.AUTH, who=who, token=TOKEN)
        pair.answering = True
        pair.deliver(Side.SERVER, pair.forge(Side.CLIENT, RecordType.CLIENT_AUTH, change(pair).encode()))
        return pair

    def refused(self, pair: SessionPair, code: str = "bad_frame") -> None:
        """Asserts that the request did not reach the edge."""
        self.server_gives_up(pair, code)
        self.assertEqual([event for event in pair.events(Side.SERVER) if isinstance(event, RegistrationWanted)], [])
        self.assertEqual(pair.devices, {})

    def test_good_request(self) -> None:
        """The request that the other tests change is taken."""
        pair = self.send(lambda pair: self.request(pair, ALICE))
        self.assertIs(pair.server.state, State.FINISHED)

    def test_registration_replayed(self) -> None:
        """The record of a registration does not open on another connection."""
        earlier = SessionPair.opened(token=TOKEN)
        pair = SessionPair(token=TOKEN)
        pair.tamper[Side.CLIENT] = on_line(1, lambda _line: [earlier.lines(Side.CLIENT)[1]])
        pair.run()
        self.refused(pair)

    def test_registration_replayed_by_one_who_read_it(self) -> None:
        """A whole request, with its token and signature, sealed properly on another connection, is refused."""
        earlier = SessionPair.opened(token=TOKEN)
        wanted = next(event for event in earlier.events(Side.SERVER) if isinstance(event, RegistrationWanted))
        self.refused(self.send(lambda _pair: wanted.request, who=MALLORY))

    def test_registration_taken_over(self) -> None:
        """Alice's certificate with mallory's signature on the connection registers nobody."""

        def change(pair: SessionPair) -> RegistrationRequest:
            return replace(
                self.request(pair, MALLORY),
                user="alice",
                identity_spki=ALICE.identity_spki,
                certificate=ALICE.certificate,
            )

        self.refused(self.send(change, who=MALLORY))

    def test_invite_for_another_name(self) -> None:
        """The edge's refusal of an invite reaches the client as such, and nobody is known."""
        pair = SessionPair(token=TOKEN)
        pair.admit = lambda wanted: InviteInvalid(f"for another name than {wanted.request.user}")
        pair.run()
        self.server_gives_up(pair, "invite_invalid")
        self.told(pair, "invite_invalid")
        self.assertEqual(pair.devices, {})
        self.assertEqual(len(pair.lines(Side.SERVER)), 3)

    def test_certificate_for_another_name(self) -> None:
        """A request for one name with a certificate for another is refused."""
        self.refused(self.send(lambda pair: self.request(pair, ALICE, user="alicia")))

    def test_name_not_canonical(self) -> None:
        """A name in another spelling than its canonical one is refused, with the code for names."""
        for name in ("Alice", "ALICE", "\uff41lice", "al ice", "", "x" * 33, "#alice", "ali\u0301ce"):
            who = Person("alice")
            certificate = who.certify(replace(who.facts, user=name))
            pair = self.send(lambda pair, n=name, c=certificate: self.request(pair, ALICE, user=n, certificate=c))  # type: ignore[misc]
            self.refused(pair, NameInvalid.code)

    def test_wrong_self_signature(self) -> None:
        """A certificate over a device key that does not sign it is refused."""
        at = len(ALICE.certificate) - 64
        certificate = ALICE.certificate[:at] + MALLORY.certificate[-64:]
        self.refused(self.send(lambda pair: self.request(pair, ALICE, certificate=certificate)))

    def test_wrong_identity_signature(self) -> None:
        """A certificate that another identity key signed is refused."""
        self.refused(self.send(lambda pair: self.request(pair, ALICE, identity_spki=MALLORY.identity_spki)))
        self.refused(self.send(lambda pair: self.request(pair, ALICE, certificate=flip(ALICE.certificate, 600))))

    def test_certificate_for_another_server(self) -> None:
        """A certificate that was made for another server is refused."""
        elsewhere = Person("alice", server="other server")
        self.refused(self.send(lambda pair: self.request(pair, ALICE, certificate=elsewhere.certificate)))

    def test_one_key_for_two_purposes(self) -> None:
        """A device that decrypts with its user's identity key is refused."""
        certificate = ALICE.certify(replace(ALICE.facts, rsa_spki=ALICE.identity_spki))
        self.refused(self.send(lambda pair: self.request(pair, ALICE, certificate=certificate)))

    def test_keys_that_break_the_server(self) -> None:
        """An RSA key that loads but does not encrypt is refused before an account is made with it."""
        modulus = rsa_key("device of alice").public_key().public_numbers().n.to_bytes(384, "big")
        last = spki("device of alice").index(modulus) + 383
        for broken in (flip(spki("device of alice"), last), flip(spki("device of alice"), 8)):
            certificate = ALICE.certify(replace(ALICE.facts, rsa_spki=broken))
            self.refused(self.send(lambda pair, c=certificate: self.request(pair, ALICE, certificate=c)))  # type: ignore[misc]

    def test_weak_verifier(self) -> None:
        """A password verifier below the floor, or with two lanes, is refused."""
        good = ALICE.verifier
        for verifier in (
            b"",
            good[:-1],
            good + b"\0",
            good[:24] + b"\x02" + good[25:],
            good[:16] + bytes(4) + good[20:],
        ):
            self.refused(self.send(lambda pair, v=verifier: self.request(pair, ALICE, verifier=v)))  # type: ignore[misc]


class RecordTests(AttackCase):
    """Records of an open session in the hands of somebody who owns the network."""

    def check(self, pair: SessionPair, side: Side, received: list[bytes]) -> None:
        """Asserts that ``side`` got this much, then ended the session and told why under seal."""
        failed = self.failure(pair, side)
        self.assertEqual((failed.error.code, failed.told), ("bad_frame", False))
        self.assertEqual(pair.received(side), received)
        self.assertEqual(pair.records(side)[-1][0], RecordType.ALERT)

    def both(self, attack: Callable[[SessionPair, Side], list[bytes]]) -> None:
        """Plays an attack against each side; ``attack`` gives what must have come through."""
        for side in Side:
            pair = SessionPair.opened()
            self.check(pair, side, attack(pair, side))

    def sealed(self, pair: SessionPair, side: Side, *parts: bytes) -> list[bytes]:
        """Lines that ``side`` would send, kept back."""
        return [pair.core(side).seal([part])[0][:-2] for part in parts]

    def test_replay(self) -> None:
        """A record that comes twice ends the session, and its message came once."""

        def attack(pair: SessionPair, side: Side) -> list[bytes]:
            (line,) = self.sealed(pair, side.other, b"\x01")
            pair.deliver(side, line)
            pair.deliver(side, line)
            return [b"\x91\x01"]

        self.both(attack)

    def test_reorder(self) -> None:
        """Two records in the wrong order end the session at the first."""

        def attack(pair: SessionPair, side: Side) -> list[bytes]:
            first, second = self.sealed(pair, side.other, b"\x01", b"\x02")
            pair.deliver(side, second)
            pair.deliver(side, first)
            return []

        self.both(attack)

    def test_drop(self) -> None:
        """A record that is missing ends the session at the next one."""

        def attack(pair: SessionPair, side: Side) -> list[bytes]:
            first, _lost, third = self.sealed(pair, side.other, b"\x01", b"\x02", b"\x03")
            pair.deliver(side, first)
            pair.deliver(side, third)
            return [b"\x91\x01"]

        self.both(attack)

    def test_flip(self) -> None:
        """A record with any bit changed ends the session."""
        for at in (0, 1, 2, 10, -16, -1):

            def attack(pair: SessionPair, side: Side, at: int = at) -> list[bytes]:
                (line,) = self.sealed(pair, side.other, b"\x01")
                pair.deliver(side, with_record(line, lambda record: flip(record, at)))
                return []

            self.both(attack)

    def test_truncated_record(self) -> None:
        """A record that lost its end, or has one too many, ends the session."""
        edits: tuple[Edit, ...] = (lambda record: record[:-1], lambda record: record[:5], lambda record: record + b"\0")
        for edit in edits:

            def attack(pair: SessionPair, side: Side, edit: Edit = edit) -> list[bytes]:
                (line,) = self.sealed(pair, side.other, b"\x01")
                pair.deliver(side, with_record(line, edit))
                return []

            self.both(attack)

    def test_type_change(self) -> None:
        """A message cannot be made into a CLOSE, an ALERT or a KEY_UPDATE."""
        for kind in (*RecordType, 0, 255):
            if kind is not RecordType.DATA:

                def attack(pair: SessionPair, side: Side, kind: int = kind) -> list[bytes]:
                    (line,) = self.sealed(pair, side.other, b"\x01")
                    pair.deliver(side, with_record(line, lambda record: bytes((kind,)) + record[1:]))
                    return []

                self.both(attack)

    def test_reflection(self) -> None:
        """A side's own records, sent back to it, do not open."""

        def attack(pair: SessionPair, side: Side) -> list[bytes]:
            (line,) = self.sealed(pair, side, b"\x01")
            pair.deliver(side, line)
            return []

        self.both(attack)

    def test_reflection_in_the_handshake(self) -> None:
        """A side's own handshake records, sent back to it, do not open either."""
        pair = SessionPair()
        pair.tamper[Side.CLIENT] = on_line(1, lambda _line: [pair.lines(Side.SERVER)[1]])
        pair.run()
        self.server_gives_up(pair, "bad_frame")
        self.assertEqual([event for event in pair.events(Side.SERVER) if isinstance(event, DeviceWanted)], [])

    def test_splice(self) -> None:
        """A record of another session at the same place does not open."""
        other = SessionPair.opened()

        def attack(pair: SessionPair, side: Side) -> list[bytes]:
            (line,) = self.sealed(other, side.other, b"\x01")
            pair.deliver(side, line)
            return []

        self.both(attack)

    def test_handshake_record_in_open_session(self) -> None:
        """A handshake record, played again later, does not open."""

        def attack(pair: SessionPair, side: Side) -> list[bytes]:
            pair.deliver(side, pair.lines(side.other)[1])
            return []

        self.both(attack)

    def test_truncation(self) -> None:
        """A stream that is cut is no CLOSE: nothing tells either side that the session was ended on purpose."""
        pair = SessionPair.opened()
        pair.tamper[Side.CLIENT] = on_line(3, lambda _line: [])
        pair.close(Side.CLIENT)
        self.assertIs(pair.server.state, State.OPEN)
        self.assertIsNone(pair.failed(Side.SERVER))

    def test_nothing_after_a_failure(self) -> None:
        """After a record that failed, good ones are not taken any more."""
        pair = SessionPair.opened()
        first, second = self.sealed(pair, Side.CLIENT, b"\x01", b"\x02")
        pair.deliver(Side.SERVER, flip(first, 5))
        for line in (first, second):
            self.assertEqual(pair.deliver(Side.SERVER, line), [])
        self.assertEqual(pair.received(Side.SERVER), [])


class RekeyTests(AttackCase):
    """Changes of keys in the hands of somebody who owns the network."""

    def play(self, choose: Callable[[list[bytes]], Sequence[bytes]], received: int) -> None:
        """Delivers a choice of the lines; so many messages must come through, and then the session must end."""
        pair = SessionPair.opened(client=session_context("client", rekey=RekeyLimits(records=3)))
        lines = [line[:-2] for at in range(4) for line in pair.client.seal([bytes((at,))])]
        self.assertEqual([to_record(line)[0] for line in lines], [16, 16, 6, 16, 16])  # FINISHED was the first record
        for line in choose(lines):
            pair.deliver(Side.SERVER, line)
        failed = self.failure(pair, Side.SERVER)
        self.assertEqual((failed.error.code, failed.told), ("bad_frame", False))
        self.assertEqual(len(pair.received(Side.SERVER)), received)
        self.assertEqual(sum(isinstance(event, PlaintextReceived) for event in pair.events(Side.SERVER)), received)

    def test_key_update_dropped(self) -> None:
        """Without the KEY_UPDATE the first record of the new phase is refused."""
        self.play(lambda lines: [*lines[:2], lines[3]], 2)

    def test_key_update_replayed(self) -> None:
        """A KEY_UPDATE that comes twice does not move the key twice."""
        self.play(lambda lines: [*lines[:3], lines[2]], 2)

    def test_key_update_early(self) -> None:
        """A KEY_UPDATE before its turn does not open."""
        self.play(lambda lines: [lines[0], lines[2]], 1)

    def test_old_record_after_key_update(self) -> None:
        """A record of the old phase is refused after the change."""
        self.play(lambda lines: [*lines[:3], lines[0]], 2)

    def test_phase_edited(self) -> None:
        """A phase in the header is neither skipped nor made up for."""
        self.play(lambda lines: [*lines[:2], with_record(lines[3], lambda record: flip(record, 1))], 2)
        self.play(lambda lines: [with_record(lines[0], lambda record: flip(record, 1))], 0)

    def test_key_update_made_from_message(self) -> None:
        """A message does not become a KEY_UPDATE by its header."""
        self.play(lambda lines: [with_record(lines[0], lambda record: b"\x06" + record[1:])], 0)

    def test_key_update_with_body(self) -> None:
        """A KEY_UPDATE with anything in it, from the peer itself, ends the session."""
        pair = SessionPair.opened()
        pair.deliver(Side.SERVER, pair.forge(Side.CLIENT, RecordType.KEY_UPDATE, b"\x00"))
        self.assertEqual(self.failure(pair, Side.SERVER).error.code, "bad_frame")

    def test_key_update_reflected(self) -> None:
        """A KEY_UPDATE of one direction does nothing to the other."""
        pair = SessionPair.opened()
        pair.deliver(Side.CLIENT, pair.forge(Side.CLIENT, RecordType.KEY_UPDATE, b""))
        self.assertEqual(self.failure(pair, Side.CLIENT).error.code, "bad_frame")

    def test_key_update_before_finished(self) -> None:
        """There is no change of keys inside the handshake."""
        for side, state in (
            (Side.SERVER, State.AUTH), (Side.CLIENT, State.AUTH), (Side.CLIENT, State.FINISH), (Side.SERVER, State.FINISHED),
        ):  # fmt: skip
            pair = SessionPair.at(side, state)
            pair.deliver(side, pair.forge(side.other, RecordType.KEY_UPDATE, b""))
            self.assertEqual(self.failure(pair, side).error.code, "bad_frame")


class BudgetTests(AttackCase):
    """How much a stranger may send."""

    def limited(self, total: int) -> SessionPair:
        """A login at a server that takes so many bytes before FINISHED."""
        pair = SessionPair(token=TOKEN, server=session_context("server", login_total_bytes=total))
        pair.run()
        return pair

    def test_bound(self) -> None:
        """Exactly the bytes of a login, line ends counted, are enough, and an open session is not counted any more."""
        total = sum(len(line) + 2 for line in SessionPair.opened(token=TOKEN).lines(Side.CLIENT))
        pair = self.limited(total)
        self.assertTrue(pair.is_open)
        pair.say(Side.CLIENT, bytes((0xC5, 0x40, 0)) + bytes(16_384))
        self.assertTrue(pair.is_open)

    def test_bound_and_one(self) -> None:
        """One byte more than allowed ends the handshake, under seal where there are keys."""
        lines = SessionPair.opened(token=TOKEN).lines(Side.CLIENT)
        for count in (1, 2, 3):
            total = sum(len(line) + 2 for line in lines[:count])
            pair = self.limited(total - 1)
            self.server_gives_up(pair, TooLarge.code)
            self.told(pair, TooLarge.code)
            last = pair.lines(Side.SERVER)[-1]
            self.assertEqual(last == b"ERR 4", count == 1)
            self.assertEqual(pair.devices == {}, count < 3)

    def test_default(self) -> None:
        """A stranger gets at most 8,192 bytes in, whatever they are."""
        self.assertEqual(session_context().login_total_bytes, 8192)
        pair = SessionPair()
        pair.deliver(Side.SERVER, GREETING + b"A" * 8192)
        self.server_gives_up(pair, TooLarge.code)
