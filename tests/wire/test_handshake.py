"""The structures of the handshake: sizes, round trips, refusals, and what random damage does to all that is parsed."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import u8, u16, v8, v16
from chatserv.crypto.password import PasswordParameters, PasswordVerifier
from chatserv.crypto.session import RecordKey
from chatserv.crypto.statements import verify_certificate
from chatserv.crypto.suite import SPKI_BYTES, load_rsa_spki, pad, unpad
from chatserv.errors import AuthFailed, Reject, SuiteUnsupported, VersionUnsupported, WireError
from chatserv.wire.codec import client_decoder, encode_message, join, server_decoder
from chatserv.wire.framing import line_to_record, record_to_line
from chatserv.wire.handshake import (
    ALL_METHODS,
    ClientAuth,
    ClientHello,
    DeviceLogin,
    RegistrationRequest,
    ServerAuth,
    ServerFinish,
    ServerHello,
    decode_client_auth,
    decode_extensions,
    encode_extensions,
)
from chatserv.wire.messages import History, Send, Sent, Sync
from chatserv.wire.password_login import GuestOffer, PasswordChallenge, PasswordLogin, PasswordProof
from chatserv.wire.records import RecordType, decode_alert, encode_alert
from chatserv.wire.session import WAITING_FOR_US, Failed, State
from tests.support.sessions import ALICE, SALTED, TOKEN, SessionPair, Side, flip, seeded, server_id, spki

MUTATIONS = int(os.environ.get("CHATSERV_MUTATIONS", "20000"))  # in all; 100,000 for each parser is 1,700,000


def exactly(size: int) -> st.SearchStrategy[bytes]:
    """Bytes of one length."""
    return st.binary(min_size=size, max_size=size)


names = st.text(max_size=20)
extensions = st.dictionaries(st.integers(0, 255), st.binary(max_size=20), max_size=4)
encoded_extensions = extensions.map(encode_extensions)
suites = st.lists(st.integers(2, 65_535), max_size=5).map(lambda others: (*others, 1))
client_hellos = st.builds(
    ClientHello, exactly(32), exactly(1184), exactly(32), st.integers(0, 1), st.sampled_from([b"", b"p" * 32]), suites,
    encoded_extensions,
)  # fmt: skip
server_hellos = st.builds(ServerHello, exactly(32), exactly(1088), exactly(32), st.integers(0, 1), encoded_extensions)
server_auths = st.builds(
    ServerAuth, st.binary(max_size=500), st.binary(max_size=500), st.integers(0, 2**64 - 1), encoded_extensions
)
logins = st.builds(DeviceLogin, names, exactly(16), exactly(64))
password_logins = st.builds(PasswordLogin, names, exactly(32))
costs = st.builds(PasswordParameters, st.integers(19_456, 2**20), st.integers(2, 64))
challenges = st.builds(PasswordChallenge, exactly(16), costs, exactly(32))
offers = st.builds(GuestOffer, exactly(16), exactly(SPKI_BYTES), exactly(32), st.integers(0, 2**64 - 1))
proofs = st.builds(PasswordProof, exactly(32), offers, exactly(64))
requests = st.builds(
    RegistrationRequest, st.sampled_from([b"", TOKEN]), names, st.binary(max_size=500), st.binary(max_size=500),
    st.binary(max_size=255), exactly(64),
)  # fmt: skip
finishes = st.builds(ServerFinish, exactly(16), st.binary(max_size=500), encoded_extensions)
CHALLENGE = PasswordChallenge(b"s" * 16, PasswordParameters(), b"n" * 32)
HELLO = ClientHello(b"r" * 32, b"m" * 1184, b"x" * 32, 1, b"p" * 32)


class RoundTripTests(SynchronousTestCase):
    """What is encoded decodes to the same, and nothing longer or shorter does."""

    def check(self, structure: Any, decode: Callable[[bytes], Any]) -> None:
        """Encodes, decodes, compares; then one byte more and one less."""
        data = structure.encode()
        self.assertEqual(decode(data), structure)
        self.assertRaises(Reject, decode, data + b"\0")
        self.assertRaises(Reject, decode, data[:-1])

    @given(client_hellos)
    def test_client_hello(self, hello: ClientHello) -> None:
        """A ClientHello comes back."""
        self.check(hello, ClientHello.decode)

    @given(server_hellos)
    def test_server_hello(self, hello: ServerHello) -> None:
        """A ServerHello comes back."""
        self.check(hello, ServerHello.decode)

    @given(server_auths)
    def test_server_auth(self, auth: ServerAuth) -> None:
        """A ServerAuth comes back."""
        self.check(auth, ServerAuth.decode)

    @given(logins | password_logins | requests)
    def test_client_auth(self, request: ClientAuth) -> None:
        """Each form of ClientAuth comes back."""
        self.check(request, decode_client_auth)

    @given(finishes)
    def test_server_finish(self, finish: ServerFinish) -> None:
        """A ServerFinish comes back."""
        self.check(finish, ServerFinish.decode)

    @given(challenges)
    def test_challenge(self, challenge: PasswordChallenge) -> None:
        """A PasswordChallenge comes back."""
        self.check(challenge, PasswordChallenge.decode)

    @given(proofs)
    def test_proof(self, proof: PasswordProof) -> None:
        """A PasswordProof comes back."""
        self.check(proof, PasswordProof.decode)

    @given(extensions)
    def test_extensions(self, given_extensions: dict[int, bytes]) -> None:
        """Extensions come back, unknown ones too."""
        self.assertEqual(decode_extensions(encode_extensions(given_extensions)), given_extensions)


class SizeTests(SynchronousTestCase):
    """The sizes that the limits of the handshake rest on."""

    def test_login(self) -> None:
        """A device login takes the sizes that the design names; its first line has 1,731 bytes."""
        pair = SessionPair.opened()
        hello, auth, finished = map(len, pair.records(Side.CLIENT))
        self.assertEqual((hello, auth, finished), (1290, 100 + len(ALICE.user), 50))
        methods = len(encode_extensions({1: ALL_METHODS}))
        self.assertEqual(list(map(len, pair.records(Side.SERVER))), [1160, 838 + methods, 422])
        self.assertEqual(len(pair.lines(Side.CLIENT)[0]) + 2, 1733)

    def test_password(self) -> None:
        """A login by password takes one round trip more, and less than half of what it may send before login."""
        pair = SessionPair.opened(password=SALTED)
        _, login, proof, finished = map(len, pair.records(Side.CLIENT))
        self.assertEqual((login, proof, finished), (52 + len(ALICE.user), 594, 50))
        self.assertEqual(list(map(len, pair.records(Side.SERVER)))[2:], [75, 457])
        self.assertLess(sum(len(line) + 2 for line in pair.lines(Side.CLIENT)), 4096)

    def test_registration(self) -> None:
        """A registration with the longest name fits a line of 2,500 bytes before login."""
        pair = SessionPair.opened(token=TOKEN)
        longest = len(pair.lines(Side.CLIENT)[1]) + (64 - len(ALICE.user)) * 2 * 4 // 3 + 4
        self.assertLess(longest, 2500)


class RefusalTests(SynchronousTestCase):
    """Values that a structure cannot have."""

    def test_version(self) -> None:
        """Another version is refused as such, in both hellos."""
        data = HELLO.encode()
        self.assertRaises(VersionUnsupported, ClientHello.decode, data[:1] + u16(2) + data[3:])
        server = ServerHello(b"r" * 32, b"c" * 1088, b"x" * 32, 1).encode()
        self.assertRaises(VersionUnsupported, ServerHello.decode, server[:1] + u16(0) + server[3:])

    def test_suites(self) -> None:
        """A hello without our suite is refused as such; one without any, or with half a suite, is none."""
        self.assertRaises(SuiteUnsupported, ClientHello.decode, replace(HELLO, suites=(2, 3)).encode())
        self.assertEqual(ClientHello.decode(replace(HELLO, suites=(2, 1)).encode()).suites, (2, 1))
        self.assertRaises(Reject, ClientHello.decode, replace(HELLO, suites=()).encode())
        data = HELLO.encode()
        self.assertRaises(Reject, ClientHello.decode, data[:3] + v8(b"\0\1\0") + data[6:])
        server = ServerHello(b"r" * 32, b"c" * 1088, b"x" * 32, 1).encode()
        self.assertRaises(SuiteUnsupported, ServerHello.decode, server[:3] + u16(2) + server[5:])

    def test_structure(self) -> None:
        """One hello is not taken for the other."""
        self.assertRaises(Reject, ClientHello.decode, u8(2) + HELLO.encode()[1:])
        self.assertRaises(Reject, ServerHello.decode, HELLO.encode())

    def test_binding_and_pin(self) -> None:
        """Binding types above 1 and pins of another size are refused."""
        for broken in (replace(HELLO, binding_type=2), replace(HELLO, binding_type=255)):
            self.assertRaises(Reject, ClientHello.decode, broken.encode())
        for size in (1, 31, 33, 255):
            self.assertRaises(Reject, ClientHello.decode, replace(HELLO, expected_server_id=bytes(size)).encode())

    def test_extensions(self) -> None:
        """Extensions that are doubled, out of order or cut are refused wherever they stand."""
        one, two = u8(1) + v16(b"a"), u8(2) + v16(b"b")
        self.assertEqual(decode_extensions(one + two), {1: b"a", 2: b"b"})
        for broken in (one + one, two + one, one[:-1], one + u8(2), b"\x01\x00"):
            self.assertRaises(Reject, decode_extensions, broken)
            self.assertRaises(Reject, ClientHello.decode, replace(HELLO, extensions=broken).encode())
            for structure in (
                ServerHello(b"r" * 32, b"c" * 1088, b"x" * 32, 1, broken),
                ServerAuth(b"s", b"g", 0, broken),
                ServerFinish(b"i" * 16, b"w", broken),
            ):
                self.assertRaises(Reject, type(structure).decode, structure.encode())

    def test_methods(self) -> None:
        """Methods that are not there, such as the reserved ones, are refused."""
        login = DeviceLogin("alice", bytes(16), bytes(64)).encode()
        for method in (0, 4, 255):
            self.assertRaises(Reject, decode_client_auth, u8(method) + login[1:])

    def test_token(self) -> None:
        """A token has 32 bytes or none."""
        for size in (0, 1, 16, 31, 32, 33, 255):
            request = RegistrationRequest(bytes(size), "alice", b"", b"", b"", bytes(64))
            if size in {0, 32}:
                self.assertEqual(decode_client_auth(request.encode()), request)
            else:
                self.assertRaises(Reject, decode_client_auth, request.encode())

    def test_names(self) -> None:
        """A name that is not UTF-8 is refused."""
        data = u8(1) + v8(b"\xff") + bytes(80)
        self.assertRaises(Reject, decode_client_auth, data)


def mutation(data: bytes, random: Callable[[int], bytes]) -> bytes:
    """``data`` with one to three things done to it: bits flipped, bytes set, cut, taken out, doubled or added."""
    for _ in range(1 + random(1)[0] % 3):
        what, where, other, value = random(1)[0] % 8, random(4), random(4), random(1)
        at = int.from_bytes(where, "big") % (len(data) + 1)
        end = min(len(data), at + int.from_bytes(other, "big") % 40)
        match what:
            case 0 | 1 if at < len(data):
                data = flip(data, at, 1 << value[0] % 8)
            case 2 if at < len(data):
                data = data[:at] + (b"\0", b"\xff", b"\x7f", value)[other[0] % 4] + data[at + 1 :]
            case 3:
                data = data[:at]
            case 4:
                data = data[:at] + data[end:]
            case 5:
                data = data[:end] + data[at:]
            case 6:
                data = data[:at] + random(1 + other[3] % 8) + data[at:]
            case _:
                data += random(1 + other[3] % 40)
    return data


class MutationTests(SynchronousTestCase):
    """Random damage to anything that is parsed is refused with an error of the tree, or changes nothing that matters.

    ``CHATSERV_MUTATIONS`` says how many are tried in all.
    """

    def targets(self) -> dict[str, tuple[bytes, Callable[[bytes], Any]]]:
        """Everything that parses what a stranger sends, with something good to damage."""
        login = SessionPair.opened().server
        registration = RegistrationRequest(
            TOKEN, "alice", ALICE.identity_spki, ALICE.certificate, ALICE.verifier, bytes(64)
        )
        record = RecordKey(bytes(32)).seal(16, b"hello")
        commands = [
            encode_message(message)
            for message in (Send(1, bytes(16), bytes(16), 3, b"e" * 50), Sync(2, bytes(16), ((bytes(16), 5),)))
        ]
        self.assertIs(login.state, State.OPEN)
        return {
            "ClientHello": (HELLO.encode(), ClientHello.decode),
            "ServerHello": (ServerHello(b"r" * 32, b"c" * 1088, b"x" * 32, 1).encode(), ServerHello.decode),
            "ServerAuth": (ServerAuth(spki("server"), bytes(384), 5, b"\1\0\2\1\3").encode(), ServerAuth.decode),
            "DeviceLogin": (DeviceLogin("alice", bytes(16), bytes(64)).encode(), decode_client_auth),
            "RegistrationRequest": (registration.encode(), decode_client_auth),
            "PasswordLogin": (PasswordLogin("alice", bytes(32)).encode(), decode_client_auth),
            "PasswordChallenge": (CHALLENGE.encode(), PasswordChallenge.decode),
            "PasswordProof": (PasswordProof(bytes(32), ALICE.guest.offer, bytes(64)).encode(), PasswordProof.decode),
            "ServerFinish": (ServerFinish(bytes(16), bytes(384)).encode(), ServerFinish.decode),
            "extensions": (encode_extensions({1: b"a", 7: b"bc", 9: b""}), decode_extensions),
            "certificate": (
                ALICE.certificate, lambda data: verify_certificate(data, ALICE.identity_spki, server_id())
            ),
            "RSA key": (spki("server"), load_rsa_spki),
            "verifier": (ALICE.verifier, PasswordVerifier.decode),
            "padding": (pad(b"hello"), unpad),
            "line": (record_to_line(record)[:-2], line_to_record),
            "record": (record, lambda data: RecordKey(bytes(32)).open(data)),
            "alert": (encode_alert(AuthFailed()), decode_alert),
            "commands": (join(commands), client_decoder.decode),
            "command": (join([encode_message(History(1, bytes(16), 7))]), client_decoder.decode),
            "reply": (join([encode_message(Sent(1, bytes(16), 2, 3))]), server_decoder.decode),
        }  # fmt: skip

    def test_parsers(self) -> None:
        """No parser raises anything but a `WireError`."""
        targets = self.targets()
        for name, (data, parse) in targets.items():
            parse(data)
            random = seeded(f"mutations of {name}")
            for count in range(MUTATIONS * 9 // 10 // len(targets)):
                broken = mutation(data, random)
                try:
                    parse(broken)
                except WireError:
                    pass
                except Exception as error:  # noqa: BLE001 - that is the test
                    self.fail(f"{name}, mutation {count}: {error!r} for {broken.hex()}")

    def test_handshakes(self) -> None:
        """No damage to a line makes a core raise; the session opens with what was meant or not at all."""
        random = seeded("mutations of handshakes")
        for count in range(MUTATIONS // 10 // 20):
            which = random(1)[0]
            side = Side.CLIENT if which & 1 else Side.SERVER
            number = which % 4
            pair = SessionPair(token=TOKEN if which & 2 else None, password=SALTED if which & 6 == 4 else None)

            def damage(at: int, line: bytes, number: int = number) -> list[bytes]:
                return [mutation(line, random)] if at == number else [line]

            pair.tamper[side] = damage
            pair.run()
            known = pair.authenticated(Side.SERVER)
            self.assertTrue(known is None or (known.user, known.device_id) == (ALICE.user, ALICE.device_id), count)
            for end in Side:
                pair.deliver(end, b"the end")
                self.assertIs(pair.core(end).state, State.CLOSED, count)


class SealedMutationTests(SynchronousTestCase):
    """A peer that holds the right keys may still send rubbish inside its records."""

    def bodies(self) -> dict[tuple[Side, State], tuple[RecordType, bytes]]:
        """What each end waits for in each state after the hellos."""
        registration = RegistrationRequest(
            TOKEN, "alice", ALICE.identity_spki, ALICE.certificate, ALICE.verifier, bytes(64)
        )
        return {
            (Side.CLIENT, State.AUTH): (RecordType.SERVER_AUTH, ServerAuth(spki("server"), bytes(384), 5).encode()),
            (Side.SERVER, State.AUTH): (RecordType.CLIENT_AUTH, registration.encode()),
            (Side.CLIENT, State.FINISH): (RecordType.SERVER_FINISH, ServerFinish(bytes(16), bytes(384)).encode()),
            (Side.SERVER, State.FINISHED): (RecordType.FINISHED, bytes(32)),
            (Side.CLIENT, State.CHALLENGE): (RecordType.PASSWORD_CHALLENGE, CHALLENGE.encode()),
            (Side.SERVER, State.PROOF): (
                RecordType.PASSWORD_PROOF,
                PasswordProof(bytes(32), ALICE.guest.offer, bytes(64)).encode(),
            ),
        }

    def test_bodies(self) -> None:
        """Damaged structures in good records end the session, or go on to the next question; nothing is raised."""
        random = seeded("mutations of bodies")
        bodies = self.bodies()
        for (side, state), (kind, body) in bodies.items():
            for _ in range(max(5, MUTATIONS // 20 // 10 // len(bodies))):
                by_password = state in (State.CHALLENGE, State.PROOF)
                pair = SessionPair.at(side, state, password=SALTED if by_password else None)
                pair.deliver(side, pair.forge(side.other, kind, mutation(body, random)))
                self.assertIn(pair.core(side).state, WAITING_FOR_US | {State.CLOSED})
                self.assertIsNone(pair.authenticated(side))
                if pair.core(side).state is State.CLOSED:
                    self.assertIsInstance(pair.events(side)[-1], Failed)
