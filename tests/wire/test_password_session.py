"""Logging in by password, both cores together: the way to an open session, and one test for each attack on it."""

from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import u8
from chatserv.crypto.password import (
    CEILING_ITERATIONS,
    CEILING_MEMORY_KIB,
    FLOOR_ITERATIONS,
    FLOOR_MEMORY_KIB,
    PasswordKeys,
    PasswordParameters,
    password_keys,
    server_proof,
    verifier_of_nobody,
)
from chatserv.crypto.suite import ed_sign, sha256
from chatserv.wire.client_session import MethodRefused
from chatserv.wire.handshake import ServerFinish, client_auth_message, encode_extensions
from chatserv.wire.password_login import (
    EXTENSION_SERVER_PROOF,
    GuestOffer,
    PasswordChallenge,
    PasswordLogin,
    PasswordProof,
    password_auth_message,
)
from chatserv.wire.records import RecordType
from chatserv.wire.session import Failed, PasswordKeyWanted, ProofWanted, State, VerifierWanted
from tests.support.sessions import (
    ALICE,
    MALLORY,
    OTHER_TLS,
    SALTED,
    TLS,
    SessionPair,
    Side,
    flip,
    server_id,
    session_context,
    spki,
    verifier_of,
)

WRONG = b"what Argon2id gives for another."


class HappyTests(SynchronousTestCase):
    """The way to an open session."""

    def test_the_right_password(self) -> None:
        """Both ends agree on who is there and as what device; messages go both ways."""
        pair = SessionPair.opened(password=SALTED)
        client, server = pair.authenticated(Side.CLIENT), pair.authenticated(Side.SERVER)
        assert client is not None
        self.assertEqual(client, server)
        self.assertEqual((client.user, client.device_id), (ALICE.user, ALICE.device_id))
        pair.say(Side.CLIENT, b"\x01")
        pair.say(Side.SERVER, b"\x02")
        self.assertEqual((pair.received(Side.SERVER), pair.received(Side.CLIENT)), ([b"\x91\x01"], [b"\x91\x02"]))

    def test_what_the_edges_are_asked(self) -> None:
        """The server for the verifier and for a turn, the client for the key of its password."""
        pair = SessionPair.opened(password=SALTED)
        wanted = [
            e for s in Side for e in pair.events(s) if isinstance(e, (VerifierWanted, ProofWanted, PasswordKeyWanted))
        ]
        self.assertEqual(
            {type(event): event for event in wanted},
            {
                VerifierWanted: VerifierWanted("alice"),
                ProofWanted: ProofWanted("alice", ALICE.guest.offer),
                PasswordKeyWanted: PasswordKeyWanted(b"s" * 16, PasswordParameters()),
            },
        )

    def test_nothing_secret_is_shown(self) -> None:
        """No event of either end shows a salt, a nonce, a key or a proof."""
        pair = SessionPair.opened(password=SALTED)
        for side in Side:
            for event in pair.events(side):
                for secret in (b"s" * 16, SALTED, verifier_of(SALTED).stored_key):
                    self.assertNotIn(repr(secret)[2:-1], repr(event))

    def test_not_offered(self) -> None:
        """A client does not try where the server takes no passwords; a server that takes none refuses who does."""
        pair = SessionPair(password=SALTED, methods=b"\x01\x03")
        pair.run()
        failed = pair.failed(Side.CLIENT)
        assert failed is not None
        self.assertIsInstance(failed.error, MethodRefused)
        pair = SessionPair.at(Side.SERVER, State.AUTH, methods=b"\x01\x03")
        line = pair.forge(Side.CLIENT, RecordType.CLIENT_AUTH, PasswordLogin("alice", bytes(32)).encode())
        (*_, refused) = pair.deliver(Side.SERVER, line)
        assert isinstance(refused, Failed)
        self.assertEqual(refused.error.code, "bad_frame")


class AttackCase(SynchronousTestCase):
    """What every attack is checked for."""

    def refused(self, pair: SessionPair, code: str) -> None:
        """Asserts that the server itself ended it with this code, and took nobody for known."""
        failed = pair.failed(Side.SERVER)
        assert failed is not None, pair.events(Side.SERVER)
        self.assertEqual((failed.error.code, failed.told), (code, False))
        self.assertIsNone(pair.authenticated(Side.SERVER))
        self.assertIs(pair.server.state, State.CLOSED)

    def told(self, side: Side, state: State, kind: RecordType, body: bytes, **changes: Any) -> SessionPair:
        """A login by password in which ``side``, as soon as it stands in ``state``, gets this record, properly sealed."""
        pair = SessionPair.at(side, state, password=SALTED, **changes)
        pair.answering = True
        pair.deliver(side, pair.forge(side.other, kind, body))
        return pair

    def proof_of(self, pair: SessionPair, offer: GuestOffer = ALICE.guest.offer, **changes: Any) -> bytes:
        """The right proof, with the right signature, for a session that stands in PROOF; ``changes`` are fields of it."""
        core: Any = pair.server
        message = client_auth_message(core._t2, TLS, server_id(), ALICE.user, offer.device_id)
        signed = ed_sign(ALICE.signing_key, "client auth", message)
        proof = PasswordProof(password_keys(SALTED).proof(core._auth_message), offer, signed)
        return replace(proof, **changes).encode()


class GuesserTests(AttackCase):
    """Somebody without the password."""

    def test_wrong_password(self) -> None:
        """It is refused, as ``auth_failed``."""
        pair = SessionPair(password=WRONG)
        pair.run()
        self.refused(pair, "auth_failed")

    def test_unknown_user_and_wrong_password_look_the_same(self) -> None:
        """Kind, number and length of all that either side sends, and what each end is told."""
        pairs = []
        for users in ((ALICE.user,), ()):
            pair = SessionPair(password=WRONG)
            pair.verifiers = {user: verifier_of(SALTED) for user in users}
            pair.run()
            self.refused(pair, "auth_failed")
            pairs.append(pair)
        for side in Side:
            shapes = [[(record[:2], len(record)) for record in pair.records(side)[1:]] for pair in pairs]
            self.assertEqual(*shapes)
            errors = [pair.failed(side) for pair in pairs]
            self.assertEqual(*[failed and (failed.error.code, failed.error.detail, failed.told) for failed in errors])

    def test_nobody_has_a_password(self) -> None:
        """Whatever fits the stand-in for a user who does not exist, it lets nobody in."""
        pair = SessionPair.at(Side.SERVER, State.VERIFIER, password=SALTED)
        pair.answering = True
        pair.wanted.clear()
        pair._handle(Side.SERVER, pair.server.challenge(verifier_of(SALTED), known=False))
        pair.run()
        self.refused(pair, "auth_failed")

    def test_the_stand_in_is_always_the_same_for_a_name(self) -> None:
        """Two challenges for a name that nobody has have one salt, other names and other servers another."""
        first = verifier_of_nobody(bytes(32), "nobody")
        self.assertEqual(first, verifier_of_nobody(bytes(32), "nobody"))
        for other in (verifier_of_nobody(bytes(32), "nobodz"), verifier_of_nobody(b"k" * 32, "nobody")):
            self.assertNotEqual(first.salt, other.salt)
        self.assertEqual(first.parameters, PasswordParameters())

    def test_proof_of_nothing(self) -> None:
        """A stored key of zeros, as a broken store might give it, takes no proof that is made without a password."""
        zeros = replace(verifier_of(SALTED), stored_key=bytes(32))
        for client_key in (bytes(32), zeros.stored_key, sha256(bytes(32))):
            pair = SessionPair.at(Side.SERVER, State.PROOF, password=SALTED)
            core: Any = pair.server
            core._verifier = zeros
            proof = PasswordKeys(client_key, bytes(32), bytes(32)).proof(core._auth_message)
            pair.deliver(
                Side.SERVER, pair.forge(Side.CLIENT, RecordType.PASSWORD_PROOF, self.proof_of(pair, proof=proof))
            )
            pair.answer()
            self.refused(pair, "auth_failed")


class ReplayTests(AttackCase):
    """A proof is good for one session."""

    def setUp(self) -> None:
        """Two sessions that wait for a proof."""
        self.first = SessionPair.at(Side.SERVER, State.PROOF, password=SALTED)
        self.second = SessionPair.at(Side.SERVER, State.PROOF, password=SALTED, server=session_context("another"))

    def show(self, pair: SessionPair, body: bytes) -> None:
        """The server gets this proof, and tries it."""
        pair.answering = True
        pair.deliver(Side.SERVER, pair.forge(Side.CLIENT, RecordType.PASSWORD_PROOF, body))

    def test_the_right_one(self) -> None:
        """What is shown here is taken where it belongs; the tests below change one thing each."""
        self.show(self.first, self.proof_of(self.first))
        self.assertIs(self.first.server.state, State.FINISHED)

    def test_another_session(self) -> None:
        """The proof of one session, with a signature that is right in the other, does not hold there."""
        proof = PasswordProof.decode(self.proof_of(self.first)).proof
        self.show(self.second, self.proof_of(self.second, proof=proof))
        self.refused(self.second, "auth_failed")

    def test_the_signature_of_another_session(self) -> None:
        """The device that is offered signs for this session alone."""
        signature = PasswordProof.decode(self.proof_of(self.first)).signature
        self.show(self.second, self.proof_of(self.second, signature=signature))
        self.refused(self.second, "bad_frame")

    def test_the_whole_record(self) -> None:
        """The line of another session does not open."""
        line = SessionPair.opened(password=SALTED).lines(Side.CLIENT)[2]
        self.second.deliver(Side.SERVER, line)
        self.refused(self.second, "bad_frame")

    def test_another_transcript_binding_server_or_user(self) -> None:
        """What is proved names all of them: with one that is another, the proof does not hold."""
        for at, other in enumerate((None, OTHER_TLS, server_id("other"), "mallory")):
            pair = SessionPair.at(Side.SERVER, State.PROOF, password=SALTED)
            core: Any = pair.server
            said: list[Any] = [core._t2, TLS, server_id(), "alice"]
            said[at] = other or flip(core._t2, 0)
            proof = password_keys(SALTED).proof(password_auth_message(*said))
            self.show(pair, self.proof_of(pair, proof=proof))
            self.refused(pair, "auth_failed")

    def test_relay_between_two_connections(self) -> None:
        """With another channel binding at each end, nothing gets as far as a password."""
        pair = SessionPair(password=SALTED, bindings=(TLS, OTHER_TLS))
        pair.run()
        self.assertFalse(any(isinstance(event, PasswordKeyWanted) for event in pair.events(Side.CLIENT)))
        self.assertIsNone(pair.authenticated(Side.SERVER))


class OfferTests(AttackCase):
    """The device that somebody would like to be, who has the password."""

    def test_a_key_that_is_none(self) -> None:
        """Keys that nobody could wrap to, or under which anything is signed, are refused, and a signature by another."""
        for changes in (
            {"rsa_spki": bytes(422)},
            {"ed25519": bytes(32)},
            {"ed25519": u8(1) + bytes(31)},
            {"ed25519": MALLORY.facts.ed25519},
        ):
            pair = SessionPair.at(Side.SERVER, State.PROOF, password=SALTED)
            body = self.proof_of(pair, replace(ALICE.guest.offer, **changes))
            pair.deliver(Side.SERVER, pair.forge(Side.CLIENT, RecordType.PASSWORD_PROOF, body))
            self.refused(pair, "bad_frame")

    def test_a_key_of_somebody_else(self) -> None:
        """Who cannot open what is wrapped to the offered key does not get through FINISHED."""
        pair = SessionPair(password=SALTED)
        core: Any = pair.client
        core._credentials = replace(ALICE.guest, offer=replace(ALICE.guest.offer, rsa_spki=spki("device of mallory")))
        pair.run()
        self.refused(pair, "bad_frame")


class FalseServerTests(AttackCase):
    """A server that has the pinned key, and is not honest or not the one that it was."""

    def client_refuses(self, pair: SessionPair, detail: str) -> None:
        """Asserts that the client itself ended it, and took the server for nothing."""
        failed = pair.failed(Side.CLIENT)
        assert failed is not None, pair.events(Side.CLIENT)
        self.assertFalse(failed.told)
        self.assertIn(detail, failed.error.detail)
        self.assertIsNone(pair.authenticated(Side.CLIENT))

    def test_it_cannot_show_the_verifier(self) -> None:
        """Without the proof of the server key, with zeros or rubbish for it, the client goes no further."""
        for extensions in ({}, {EXTENSION_SERVER_PROOF: b""}, {EXTENSION_SERVER_PROOF: bytes(32)}, {1: bytes(32)}):
            finish = ServerFinish(bytes(16), bytes(384), encode_extensions(extensions)).encode()
            pair = self.told(Side.CLIENT, State.FINISH, RecordType.SERVER_FINISH, finish)
            self.client_refuses(pair, "does not have the verifier")

    def test_it_answers_for_another_account(self) -> None:
        """With the keys of somebody else's account, or with ours for somebody else's name: that is not ours."""
        for salted, user, taken in ((SALTED, "alice", True), (WRONG, "alice", False), (SALTED, "mallory", False)):
            pair = SessionPair.at(Side.CLIENT, State.FINISH, password=SALTED)
            core: Any = pair.client
            message = password_auth_message(core._t2, TLS, server_id(), user)
            shown = server_proof(password_keys(salted).server_key, message)
            finish = ServerFinish(bytes(16), bytes(384), encode_extensions({EXTENSION_SERVER_PROOF: shown}))
            pair.deliver(Side.CLIENT, pair.forge(Side.SERVER, RecordType.SERVER_FINISH, finish.encode()))
            self.assertEqual(pair.client.state is State.UNWRAP, taken)
            if not taken:
                self.client_refuses(pair, "does not have the verifier")

    def test_cheap_or_absurd_parameters(self) -> None:
        """Below the floor, above the ceiling, with more lanes than one: the client derives nothing and says nothing more."""
        for memory, iterations, lanes in (
            (FLOOR_MEMORY_KIB - 1, 3, 1),
            (65_536, FLOOR_ITERATIONS - 1, 1),
            (65_536, 3, 2),
            (65_536, 3, 0),
            (CEILING_MEMORY_KIB + 1, 3, 1),
            (65_536, CEILING_ITERATIONS + 1, 1),
            (2**32 - 1, 2**32 - 1, 1),
        ):
            challenge = PasswordChallenge(bytes(16), PasswordParameters(memory, iterations, lanes), bytes(32))
            pair = self.told(Side.CLIENT, State.CHALLENGE, RecordType.PASSWORD_CHALLENGE, challenge.encode())
            self.client_refuses(pair, "password parameters")
            self.assertFalse(any(isinstance(event, PasswordKeyWanted) for event in pair.events(Side.CLIENT)))
            self.assertEqual(len(pair.records(Side.CLIENT)), 3)  # hello, name, and the alert

    def test_it_skips_the_challenge(self) -> None:
        """A server that lets us in without asking for a proof shows nothing, and is refused."""
        finish = ServerFinish(bytes(16), bytes(384)).encode()
        pair = self.told(Side.CLIENT, State.CHALLENGE, RecordType.SERVER_FINISH, finish)
        self.client_refuses(pair, "in state CHALLENGE")
