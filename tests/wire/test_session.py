"""Both cores together: every way to an open session, messages, new keys, the end, and the tables of states."""

from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.password import PasswordParameters
from chatserv.crypto.suite import to_sign
from chatserv.domain.closing import CloseReason
from chatserv.errors import (
    AuthFailed,
    BadFrame,
    Draining,
    Forbidden,
    Internal,
    Reject,
    ServerFull,
    TimedOut,
    TooLarge,
    WireError,
)
from chatserv.local_errors import LocalProtocolError
from chatserv.wire.client_session import MethodRefused, PinMismatch
from chatserv.wire.core import HandshakeKeys
from chatserv.wire.framing import GREETING
from chatserv.wire.handshake import (
    DeviceLogin,
    ServerAuth,
    ServerFinish,
    client_auth_message,
    server_auth_message,
)
from chatserv.wire.parameters import ServerIdentity
from chatserv.wire.password_login import NONCE_BYTES, PasswordChallenge, PasswordProof
from chatserv.wire.records import RecordType, RekeyLimits, encode_alert
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import (
    EARLY_ERRORS,
    WAITING_FOR_US,
    Authenticated,
    CloseReceived,
    DeviceWanted,
    Failed,
    LineReady,
    PlaintextReceived,
    RegistrationWanted,
    SignatureWanted,
    State,
    UnwrapWanted,
)
from tests.support.sessions import (
    ALICE,
    PLAIN,
    SALTED,
    TLS,
    TOKEN,
    Hands,
    SessionPair,
    Side,
    said,
    server_id,
    session_context,
    spki,
    to_record,
    verifier_of,
)

CLIENT_STATES = [
    State.IDLE, State.HELLO, State.AUTH, State.CHALLENGE, State.DERIVE, State.FINISH, State.UNWRAP, State.OPEN, State.CLOSED,
]  # fmt: skip
SERVER_STATES = [
    State.HELLO, State.SIGNING, State.AUTH, State.LOOKUP, State.VERIFIER, State.PROOF, State.TURN, State.FINISHED,
    State.OPEN, State.CLOSED,
]  # fmt: skip
BY_PASSWORD = {State.CHALLENGE, State.DERIVE, State.VERIFIER, State.PROOF, State.TURN}  # of a login by password alone
STATES = {Side.CLIENT: CLIENT_STATES, Side.SERVER: SERVER_STATES}
# Which types of record each state takes, and where they lead; all others end the session.
TABLE: dict[tuple[Side, State], dict[RecordType, State]] = {
    (Side.CLIENT, State.AUTH): {RecordType.SERVER_AUTH: State.FINISH},
    (Side.CLIENT, State.FINISH): {RecordType.SERVER_FINISH: State.UNWRAP},
    (Side.SERVER, State.AUTH): {RecordType.CLIENT_AUTH: State.LOOKUP},
    (Side.SERVER, State.FINISHED): {RecordType.FINISHED: State.OPEN},
    (Side.CLIENT, State.CHALLENGE): {RecordType.PASSWORD_CHALLENGE: State.DERIVE},
    (Side.SERVER, State.PROOF): {RecordType.PASSWORD_PROOF: State.TURN},
    (Side.CLIENT, State.OPEN): {RecordType.DATA: State.OPEN, RecordType.KEY_UPDATE: State.OPEN},
    (Side.SERVER, State.OPEN): {RecordType.DATA: State.OPEN, RecordType.KEY_UPDATE: State.OPEN},
}


def standing(side: Side, state: State) -> SessionPair:
    """A pair whose ``side`` stands in ``state``."""
    if state is State.CLOSED:
        pair = SessionPair.opened()
        pair.close(side)
        return pair
    return at(side, state)


def at(side: Side, state: State) -> SessionPair:
    """`SessionPair.at`, with a login that goes through that state."""
    return SessionPair.at(side, state, password=SALTED if state in BY_PASSWORD else None)


class HappyTests(SynchronousTestCase):
    """The ways to an open session."""

    def check(self, pair: SessionPair) -> None:
        """Asserts that both ends agree on who is there, and that messages go both ways."""
        pair.run()
        self.assertTrue(pair.is_open)
        client, server = pair.authenticated(Side.CLIENT), pair.authenticated(Side.SERVER)
        assert client is not None
        self.assertEqual(client, server)
        self.assertEqual((client.user, client.device_id), (ALICE.user, ALICE.device_id))
        self.assertEqual((len(client.session_id), len(client.exporter)), (16, 32))
        pair.say(Side.CLIENT, b"\x01", b"\x02")
        pair.say(Side.SERVER, b"\x03")
        pair.say(Side.CLIENT, b"\x04")
        self.assertEqual(pair.received(Side.SERVER), [b"\x92\x01\x02", b"\x91\x04"])
        self.assertEqual(pair.received(Side.CLIENT), [b"\x91\x03"])

    def test_device_login(self) -> None:
        """A known device logs in, in three lines each way."""
        pair = SessionPair()
        self.check(pair)
        self.assertEqual([type(event) for event in pair.events(Side.SERVER)][:7], [
            SignatureWanted, LineReady, LineReady, DeviceWanted, LineReady, Authenticated, PlaintextReceived,
        ])  # fmt: skip
        self.assertEqual([type(event) for event in pair.events(Side.CLIENT)][:5], [
            LineReady, LineReady, UnwrapWanted, LineReady, Authenticated,
        ])  # fmt: skip

    def test_registration(self) -> None:
        """A new account is made with an invite, and the edge gets all that it has to store."""
        pair = SessionPair(token=TOKEN)
        self.check(pair)
        wanted = next(event for event in pair.events(Side.SERVER) if isinstance(event, RegistrationWanted))
        self.assertEqual(wanted.facts, ALICE.facts)
        request = wanted.request
        self.assertEqual(
            (request.token, request.user, request.identity_spki, request.certificate, request.verifier),
            (TOKEN, "alice", ALICE.identity_spki, ALICE.certificate, ALICE.verifier),
        )

    def test_registration_then_login(self) -> None:
        """What a registration left behind is enough to log in."""
        first = SessionPair.opened(token=TOKEN)
        second = SessionPair()
        second.devices = first.devices
        self.check(second)

    def test_open_registration(self) -> None:
        """A new account is made without an invite where the edge allows it."""
        self.check(SessionPair(token=b""))

    def test_plain(self) -> None:
        """Without TLS on either side the binding is of type 0, and all the rest is the same."""
        self.check(SessionPair(bindings=(PLAIN, PLAIN)))

    def test_first_line(self) -> None:
        """The first line of each side, and no other, has the greeting in front."""
        pair = SessionPair.opened()
        for side in Side:
            self.assertEqual([line.startswith(GREETING) for line in pair.lines(side)], [True, False, False])

    def test_fresh(self) -> None:
        """No two sessions have a session id, an exporter or a line in common."""
        pairs = [SessionPair.opened(server=session_context(f"server {at}")) for at in range(3)]
        known = [pair.authenticated(Side.CLIENT) for pair in pairs]
        self.assertEqual(len({one.session_id for one in known if one}), 3)
        self.assertEqual(len({one.exporter for one in known if one}), 3)
        lines = [line for pair in pairs for line in pair.lines(Side.SERVER) + pair.lines(Side.CLIENT)[1:]]
        self.assertEqual(len(set(lines)), len(lines))

    def test_data_with_finished(self) -> None:
        """Messages may follow in the flight of FINISHED, before the server has read it."""
        pair = SessionPair.at(Side.CLIENT, State.UNWRAP)
        pair.answer()
        self.assertIs(pair.server.state, State.FINISHED)
        pair.say(Side.CLIENT, b"\x05")
        self.assertEqual(pair.received(Side.SERVER), [b"\x91\x05"])

    def test_large(self) -> None:
        """A flight above the line limit arrives whole and in order."""
        pair = SessionPair.opened()
        parts = [b"\xc5\x40\x00" + bytes((at,)) * 16_384 for at in range(20)]
        pair.say(Side.SERVER, *parts)
        self.assertEqual(b"".join(plaintext[1:] for plaintext in pair.received(Side.CLIENT)), b"".join(parts))
        self.assertTrue(all(len(line) <= 65_536 for line in pair.lines(Side.SERVER)))

    def test_method_not_offered(self) -> None:
        """A client does not try what the server does not offer, and says nothing about itself."""
        for token, methods in ((TOKEN, b"\x01"), (None, b"\x03"), (None, b"")):
            pair = SessionPair(token=token, methods=methods)
            pair.run()
            failed = pair.failed(Side.CLIENT)
            assert failed is not None
            self.assertIsInstance(failed.error, MethodRefused)
            self.assertEqual([record[0] for record in pair.records(Side.CLIENT)], [1, RecordType.ALERT])


class RekeyTests(SynchronousTestCase):
    """Keys change while messages flow, both ways."""

    def check(self, limits: RekeyLimits, clock: Hands, seconds: float = 0.0) -> None:
        """Asserts that keys change and that no message is lost."""
        around = session_context(rekey=limits, monotonic=clock)
        pair = SessionPair.opened(client=around, server=around)
        for at in range(12):
            clock.seconds += seconds
            pair.say(Side.CLIENT, bytes((at,)))
            pair.say(Side.SERVER, bytes((at,)))
        for side in Side:
            self.assertEqual(pair.received(side), [bytes((0x91, at)) for at in range(12)])
            phases = [record[1] for record in pair.records(side)[3:]]
            self.assertEqual(phases, sorted(phases))
            self.assertGreater(phases[-1], 1)
            kinds = [record[0] for record in pair.records(side)[3:]]
            self.assertEqual(kinds.count(RecordType.KEY_UPDATE), phases[-1])
        self.assertTrue(pair.is_open)

    def test_records(self) -> None:
        """After so many records."""
        self.check(RekeyLimits(records=3), Hands())

    def test_bytes(self) -> None:
        """After so many bytes."""
        self.check(RekeyLimits(sealed_bytes=10), Hands())

    def test_seconds(self) -> None:
        """After so many seconds."""
        self.check(RekeyLimits(seconds=60.0), Hands(), seconds=25.0)

    def test_phase_wraps(self) -> None:
        """After 256 changes the phase begins anew, and nothing is lost."""
        pair = SessionPair.opened(client=session_context(rekey=RekeyLimits(records=1)))
        for _ in range(300):
            pair.say(Side.CLIENT, b"\x07")
        self.assertEqual(pair.received(Side.SERVER), [b"\x91\x07"] * 300)


class EndTests(SynchronousTestCase):
    """A session ends once, and both sides know why."""

    def test_close(self) -> None:
        """Either side may end it; the other is told the reason, and nothing is sent any more."""
        for side in Side:
            for reason in CloseReason:
                pair = SessionPair.opened()
                pair.close(side, reason)
                self.assertEqual(pair.events(side.other)[-1], CloseReceived(reason))
                self.assertEqual((pair.client.state, pair.server.state), (State.CLOSED, State.CLOSED))
                for end in Side:
                    self.assertRaises(LocalProtocolError, pair.core(end).seal, [b"\x01"])
                    self.assertRaises(LocalProtocolError, pair.core(end).close, reason)
                    self.assertEqual(pair.core(end).receive_line(b"anything"), [])

    def test_unknown_reason(self) -> None:
        """A reason that this version does not know still ends the session."""
        pair = SessionPair.opened()
        self.assertEqual(
            pair.deliver(Side.CLIENT, pair.forge(Side.SERVER, RecordType.CLOSE, b"\xfe")), [CloseReceived(254)]
        )

    def test_malformed_close(self) -> None:
        """A CLOSE without exactly one byte is a broken record."""
        for body in (b"", b"\0\0"):
            pair = SessionPair.opened()
            events = pair.deliver(Side.SERVER, pair.forge(Side.CLIENT, RecordType.CLOSE, body))
            self.assertIsInstance(events[-1], Failed)

    def test_after_close(self) -> None:
        """What comes after CLOSE is not looked at."""
        pair = SessionPair.opened()
        pair.client.seal([b"\x01"])
        pair.close(Side.CLIENT)
        self.assertEqual(pair.server.receive_line(pair.lines(Side.CLIENT)[-1]), [])

    def test_refuse_open(self) -> None:
        """An open session that is refused tells the code, sealed."""
        for side in Side:
            pair = SessionPair.opened()
            pair.refuse(side, ServerFull("detail", after_seconds=30))
            failed = pair.failed(side.other)
            assert failed is not None
            self.assertEqual((failed.error.code, failed.told, failed.error.after_seconds), ("server_full", True, 30))
            self.assertNotIn(b"detail", pair.lines(side)[-1])

    def test_refuse_everywhere(self) -> None:
        """A core may be refused in each state: it ends, says at most one line, and does nothing after it."""
        for side, states in STATES.items():
            for state in states:
                with self.subTest(side=side.name, state=state.name):
                    pair = standing(side, state)
                    core = pair.core(side)
                    events = core.refuse(TimedOut("login"))
                    self.assertLessEqual(len(events), 2)
                    self.assertEqual(any(isinstance(event, Failed) for event in events), state is not State.CLOSED)
                    self.assertIs(core.state, State.CLOSED)
                    self.assertEqual(core.refuse(TimedOut("login")), [])

    def test_refusal_arrives(self) -> None:
        """From the moment that both ends have the same keys, and before them too, the client learns the server's code."""
        for state in SERVER_STATES[:-1]:
            with self.subTest(state=state.name):
                pair = at(Side.SERVER, state)
                pair.answering = True
                if pair.client.state is State.IDLE:
                    pair.start()
                pair.inbox[Side.SERVER].clear()
                pair.refuse(Side.SERVER, Draining())
                while pair.wanted:
                    pair.answer()
                    pair.run()
                failed = pair.failed(Side.CLIENT)
                assert failed is not None
                self.assertEqual((said(failed.error), failed.told), ("draining", True))

    def test_early_errors(self) -> None:
        """Before there are keys the server says ``ERR`` and a number from a fixed list, or nothing."""
        for error, number in ((Reject("x"), 1), (TooLarge("x"), 4), (TimedOut("x"), 6), (Draining("x"), 7)):
            pair = SessionPair()
            self.assertEqual(pair.server.refuse(error)[0], LineReady(b"ERR %d\r\n" % number))
        for silent in (Internal("x"), Forbidden("x"), AuthFailed("x")):
            self.assertEqual(SessionPair().server.refuse(silent), [Failed(silent)])

    def test_early_error_lines(self) -> None:
        """A client takes each number for its code, and any other line that begins with ERR for rubbish."""
        for number, code in enumerate(EARLY_ERRORS, 1):
            pair = SessionPair.at(Side.CLIENT, State.HELLO)
            (event,) = pair.deliver(Side.CLIENT, b"ERR %d" % number)
            assert isinstance(event, Failed)
            self.assertEqual((said(event.error), event.told), (code, True))
        for line in (
            b"ERR ",
            b"ERR 0",
            b"ERR 8",
            b"ERR 99",
            b"ERR -1",
            b"ERR x",
            b"ERR 1 ",
            b"ERR " + b"9" * 5000,
            b"ERR \xb2",
        ):
            pair = SessionPair.at(Side.CLIENT, State.HELLO)
            (event,) = pair.deliver(Side.CLIENT, line)
            assert isinstance(event, Failed)
            self.assertEqual(said(event.error), "bad_frame")


class StateTableTests(SynchronousTestCase):
    """What may come in each state, and that nothing else may."""

    def good_bodies(self, pair: SessionPair, side: Side) -> dict[RecordType, bytes]:
        """For each type of record a body that ``side`` would take in the right state."""
        core: Any = pair.core(side)
        who = ALICE.credentials
        body: dict[RecordType, bytes] = {
            RecordType.ALERT: encode_alert(TimedOut()),
            RecordType.KEY_UPDATE: b"",
            RecordType.CLOSE: b"\0",
            RecordType.DATA: b"\x90",
            RecordType.SERVER_FINISH: ServerFinish(bytes(16), bytes(384)).encode(),
        }
        signature = b""
        if side is Side.CLIENT:
            signature = pair.sign(to_sign("server auth", server_auth_message(core._t1, TLS, server_id())))
        body[RecordType.SERVER_AUTH] = ServerAuth(spki("server"), signature, 0, b"\1\0\2\1\3").encode()
        message = client_auth_message(core._t2, TLS, server_id(), who.user, who.device_id)
        signed = who.signing_key.sign(to_sign("client auth", message))
        body[RecordType.CLIENT_AUTH] = DeviceLogin(who.user, who.device_id, signed).encode()
        challenge = PasswordChallenge(b"s" * 16, PasswordParameters(), bytes(NONCE_BYTES))
        body[RecordType.PASSWORD_CHALLENGE] = challenge.encode()
        body[RecordType.PASSWORD_PROOF] = PasswordProof(bytes(32), ALICE.guest.offer, signed).encode()
        body[RecordType.FINISHED] = getattr(core, "_finished", b"") or bytes(32)
        return body

    def test_records(self) -> None:
        """Each type of record, properly sealed, moves each state as the table says; all others end the session."""
        for (side, state), moves in TABLE.items():
            for kind in [*RecordType, 0, 10, 17, 255]:
                with self.subTest(side=side.name, state=state.name, kind=kind):
                    pair = at(side, state)
                    body = self.good_bodies(pair, side).get(kind, b"") if isinstance(kind, RecordType) else b""
                    events = pair.deliver(side, pair.forge(side.other, kind, body))
                    expected = {int(known): new for known, new in moves.items()}.get(kind, State.CLOSED)
                    self.assertIs(pair.core(side).state, expected)
                    told = kind == RecordType.ALERT
                    if kind == RecordType.CLOSE and state is State.OPEN:
                        self.assertEqual(events, [CloseReceived(0)])
                    elif kind not in moves:
                        failed = events[-1]
                        assert isinstance(failed, Failed)
                        self.assertEqual(
                            (failed.told, said(failed.error)), (told, "timed_out" if told else "bad_frame")
                        )

    def test_waiting(self) -> None:
        """While a core waits for its own side, a line is that side's mistake."""
        for side, states in STATES.items():
            for state in WAITING_FOR_US.intersection(states):
                pair = at(side, state)
                self.assertRaises(LocalProtocolError, pair.core(side).receive_line, b"AAAA")
                self.assertIs(pair.core(side).state, state)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.binary(max_size=60) | st.sampled_from([
        b"", b"A", b"AAAA", GREETING, GREETING + b"AAAA", b"ERR 1", b"ERR", b"A" * 24, b"-_" * 300, b"\r", b"\xff" * 30,
    ]), min_size=1, max_size=3))  # fmt: skip
    def test_arbitrary_lines(self, lines: list[bytes]) -> None:
        """A core that is fed arbitrary lines never raises, and is closed after the first one."""
        for pair, side in self.reading:
            core = pair.core(side)
            saved = core.state, core.__dict__.copy()
            for line in lines:
                core.receive_line(line)
                self.assertIs(core.state, State.CLOSED)
            core.__dict__.update(saved[1])
            core.state = saved[0]

    def setUp(self) -> None:
        """One pair for each state in which lines are read."""
        self.reading: Iterable[tuple[SessionPair, Side]] = [
            (at(side, state), side)
            for side, states in STATES.items()
            for state in states
            if state not in WAITING_FOR_US | {State.CLOSED}
        ]


class MisuseTests(SynchronousTestCase):
    """Our own side's mistakes raise `LocalProtocolError` and change nothing."""

    def test_every_step_out_of_order(self) -> None:
        """Each step is refused in each state that it does not belong to; a late answer to an ended session is ignored."""
        steps: dict[Side, list[tuple[State, bool, Callable[[Any], Any]]]] = {
            Side.CLIENT: [
                (State.IDLE, False, lambda core: core.start()),
                (State.DERIVE, True, lambda core: core.derived(SALTED)),
                (State.UNWRAP, True, lambda core: core.unwrapped(bytes(32))),
                (State.OPEN, False, lambda core: core.seal([b"\x01"])),
                (State.OPEN, False, lambda core: core.close(CloseReason.NORMAL)),
            ],
            Side.SERVER: [
                (State.SIGNING, True, lambda core: core.signed(bytes(384))),
                (State.LOOKUP, True, lambda core: core.device(ALICE.certificate)),
                (State.LOOKUP, True, lambda core: core.device(None)),
                (State.LOOKUP, True, lambda core: core.registered(ALICE.certificate)),
                (State.VERIFIER, True, lambda core: core.challenge(verifier_of(SALTED), known=True)),
                (State.TURN, True, lambda core: core.proved()),
                (State.OPEN, False, lambda core: core.seal([b"\x01"])),
                (State.OPEN, False, lambda core: core.close(CloseReason.NORMAL)),
            ],
        }
        for side, states in STATES.items():
            for state in states:
                for number, (right, is_answer, step) in enumerate(steps[side]):
                    with self.subTest(side=side.name, state=state.name, step=number):
                        core = standing(side, state).core(side)
                        if state is State.CLOSED and is_answer:
                            self.assertEqual(step(core), [])
                        elif state is not right:
                            self.assertRaises(LocalProtocolError, step, core)
                            self.assertIs(core.state, state)

    def test_late_answers(self) -> None:
        """Answers that come after a deadline has ended the session are ignored, and say nothing to the other side."""
        for side, state in (
            (Side.SERVER, State.SIGNING), (Side.SERVER, State.LOOKUP), (Side.CLIENT, State.UNWRAP),
            (Side.SERVER, State.VERIFIER), (Side.SERVER, State.TURN), (Side.CLIENT, State.DERIVE),
        ):  # fmt: skip
            pair = at(side, state)
            pair.core(side).refuse(TimedOut("login"))
            count = len(pair.events(side))
            pair.answer()
            self.assertEqual(len(pair.events(side)), count)
            self.assertIs(pair.core(side).state, State.CLOSED)

    def test_too_large(self) -> None:
        """A message that fits no line is refused, and the session goes on as if it had not been tried."""
        pair = SessionPair.opened()
        self.assertRaises(TooLarge, pair.client.seal, [b"\x01", bytes(50_000), b"\x02"])
        pair.say(Side.CLIENT, b"\x03")
        self.assertEqual(pair.received(Side.SERVER), [b"\x91\x03"])

    def test_no_keys(self) -> None:
        """A step that needs keys before there are any is refused."""
        core: Any = ServerSession(ServerIdentity(spki("server"), b"\x01"), session_context(), TLS)
        core.state = State.SIGNING
        self.assertRaises(LocalProtocolError, core.signed, bytes(384))

    def test_unwrapped_rubbish(self) -> None:
        """A secret of a wrong size counts as none: only the keys show that something is wrong."""
        for secret in (None, b"", bytes(31), bytes(33)):
            pair = SessionPair.at(Side.CLIENT, State.UNWRAP)
            events = pair.client.unwrapped(secret)
            self.assertEqual([type(event) for event in events], [LineReady, Authenticated])
            line = events[0]
            assert isinstance(line, LineReady)
            self.assertEqual(len(to_record(line.line[:-2])), 50)


class HidingTests(SynchronousTestCase):
    """Secrets stay out of what a log might show."""

    def test_events(self) -> None:
        """No event shows keys, lines, plaintexts or signatures."""
        pair = SessionPair.opened(token=TOKEN)
        pair.say(Side.CLIENT, b"\xa6secret")
        texts = [repr(event) for side in Side for event in pair.events(side)]
        for event in texts:
            self.assertNotIn("secret", event)
            self.assertNotIn("exporter", event)
            self.assertNotIn(repr(TOKEN)[2:-1], event)
            self.assertLess(len(event), 600)

    def test_keys(self) -> None:
        """The keys of a handshake have no telling representation."""
        pair = SessionPair.at(Side.CLIENT, State.AUTH)
        keys: Any = pair.client._keys
        self.assertIsInstance(keys, HandshakeKeys)
        self.assertNotIn(keys.secrets.secret.hex()[:8], repr(keys))

    def test_errors_are_wire_errors(self) -> None:
        """The two refusals of a client that the protocol does not name travel as bad frames."""
        for error in (PinMismatch("x"), MethodRefused("x")):
            self.assertIsInstance(error, WireError)
            self.assertEqual(error.code, BadFrame.code)
