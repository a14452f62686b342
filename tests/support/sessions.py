"""Both session cores wired together in memory, with fixed keys and hooks to change lines in flight.

A login, then a message each way::

    pair = SessionPair()                      # alice's device over TLS
    pair.run()                                # until nothing moves any more
    pair.say(Side.CLIENT, b"one encoded message")
    pair.received(Side.SERVER)                # [join([b"one encoded message"])]

Somebody in the middle::

    pair = SessionPair()
    pair.tamper[Side.CLIENT] = on_line(1, lambda line: [])     # the client's second line is lost
    pair.run()
    pair.failed(Side.SERVER)                  # the Failed event, or None

A session that stands still in a state: ``SessionPair.at(Side.SERVER, State.LOOKUP)``. Each method of a pair may be replaced
by assignment: ``sign``, ``look_up``, ``admit`` and ``unwrap`` are what the edges would do.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from chatserv.crypto.password import PasswordParameters, PasswordVerifier, password_keys, verifier_of_nobody
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.session import RecordKey, channel_binding
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import generate_rsa, oaep, pss_sign, rsa_spki, sha256
from chatserv.domain.closing import CloseReason
from chatserv.errors import WireError
from chatserv.wire.client_session import ClientSession, Unproven
from chatserv.wire.framing import DELIMITER, GREETING, line_to_record, record_to_line
from chatserv.wire.handshake import ALL_METHODS
from chatserv.wire.parameters import (
    DeviceCredentials,
    GuestCredentials,
    NewAccount,
    ServerIdentity,
    SessionContext,
)
from chatserv.wire.password_login import GuestOffer
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import (
    WAITING_FOR_US,
    Authenticated,
    DeviceWanted,
    Event,
    Failed,
    LineReady,
    PasswordKeyWanted,
    PlaintextReceived,
    ProofWanted,
    RegistrationWanted,
    SignatureWanted,
    State,
    UnwrapWanted,
    VerifierWanted,
)

NOW_MS = 1_750_000_000_000
TOKEN = b"i" * 32
TLS = channel_binding(b"e" * 32)
OTHER_TLS = channel_binding(b"f" * 32)
PLAIN = channel_binding(None)
SALTED = b"what Argon2id gives for alice..."  # of the right password; nothing here takes the time to derive it

Wanted = (
    SignatureWanted
    | DeviceWanted
    | RegistrationWanted
    | VerifierWanted
    | ProofWanted
    | PasswordKeyWanted
    | UnwrapWanted
)
Edit = Callable[[bytes], bytes]
Tamper = Callable[[int, bytes], Sequence[bytes]]


class Side(Enum):
    """One end of a pair."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> "Side":
        """The end that this one talks to."""
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


# -- keys and people, the same in a whole run --------------------------------------------------------------------------


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:  # noqa: ARG001 - the cache's key
    """The RSA-3072 key called ``name``, made when first asked for and kept for the life of the process."""
    return generate_rsa()


@cache
def spki(name: str) -> bytes:
    """The public half of `rsa_key`, DER."""
    return rsa_spki(rsa_key(name).public_key())


def server_id(name: str = "server") -> bytes:
    """What clients pin of the server whose key is called ``name``, 32 bytes."""
    return sha256(spki(name))


def seeded(seed: str) -> Callable[[int], bytes]:
    """A source of bytes that look random and are the same in each run."""
    count = 0

    def give(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed} {count}".encode()).digest(size)

    return give


@dataclass(frozen=True)
class Person:
    """A user with one device. ``server`` is the name of the key of the server that they belong to."""

    user: str
    server: str = "server"

    @property
    def device_id(self) -> bytes:
        """16 bytes."""
        return sha256(b"device of ", self.user.encode())[:16]

    @cached_property
    def signing_key(self) -> ed25519.Ed25519PrivateKey:
        """The device's Ed25519 key."""
        return ed25519.Ed25519PrivateKey.from_private_bytes(sha256(b"signing key of ", self.user.encode()))

    @property
    def identity_spki(self) -> bytes:
        """The user's identity key, DER."""
        return spki(f"identity of {self.user}")

    @property
    def facts(self) -> DeviceFacts:
        """What the device's certificate says."""
        return DeviceFacts(
            server_id=server_id(self.server),
            user=self.user,
            device_id=self.device_id,
            rsa_spki=spki(f"device of {self.user}"),
            ed25519=self.signing_key.public_key().public_bytes_raw(),
            created_ms=NOW_MS,
            identity_fingerprint=sha256(self.identity_spki),
        )

    def certify(self, facts: DeviceFacts) -> bytes:
        """A certificate that says ``facts``, signed by this user and device."""
        return make_certificate(facts, rsa_key(f"identity of {self.user}"), self.signing_key)

    @cached_property
    def certificate(self) -> bytes:
        """The device's certificate."""
        return self.certify(self.facts)

    @property
    def verifier(self) -> bytes:
        """A password verifier that no password fits."""
        return PasswordVerifier(b"s" * 16, PasswordParameters(), b"k" * 32, b"K" * 32).encode()

    @property
    def credentials(self) -> DeviceCredentials:
        """What a session logs in with."""
        return DeviceCredentials(self.user, self.device_id, self.signing_key)

    @property
    def guest(self) -> GuestCredentials:
        """What a new machine with the keys of this device logs in with, by password."""
        facts = self.facts
        offer = GuestOffer(facts.device_id, facts.rsa_spki, facts.ed25519, facts.created_ms)
        return GuestCredentials(self.user, offer, self.signing_key)

    def new_account(self, token: bytes = TOKEN) -> NewAccount:
        """What a session registers with."""
        return NewAccount(token, self.identity_spki, self.certificate, self.verifier)

    def unwrap(self, wanted: UnwrapWanted) -> bytes | None:
        """Opens what was wrapped to the device's RSA key."""
        try:
            return rsa_key(f"device of {self.user}").decrypt(wanted.ciphertext, oaep(wanted.label))
        except ValueError:
            return None


def verifier_of(salted: bytes, parameters: PasswordParameters | None = None) -> PasswordVerifier:
    """What the server keeps of the password that gives ``salted``."""
    keys = password_keys(salted)
    return PasswordVerifier(b"s" * 16, parameters or PasswordParameters(), keys.stored_key, keys.server_key)


ALICE = Person("alice")
MALLORY = Person("mallory")


# -- what happens to lines in flight -----------------------------------------------------------------------------------


def flip(data: bytes, at: int, mask: int = 1) -> bytes:
    """``data`` with bits of one byte flipped."""
    changed = bytearray(data)
    changed[at] ^= mask
    return bytes(changed)


def to_record(line: bytes) -> bytes:
    """The record of a line as a pair keeps it: without CRLF, with or without the greeting."""
    return line_to_record(line.removeprefix(GREETING))


def with_record(line: bytes, edit: Edit) -> bytes:
    """``line`` with its record changed by ``edit``; a greeting stays in front."""
    greeting = GREETING if line.startswith(GREETING) else b""
    return greeting + record_to_line(edit(to_record(line))).removesuffix(DELIMITER)


def on_line(number: int, change: Callable[[bytes], Sequence[bytes]]) -> Tamper:
    """Puts what ``change`` gives in place of the line with this number; the first one is 0."""
    return lambda count, line: change(line) if count == number else [line]


def on_record(number: int, edit: Edit) -> Tamper:
    """Changes the record in the line with this number; the first one is 0."""
    return on_line(number, lambda line: [with_record(line, edit)])


def untouched(count: int, line: bytes) -> Sequence[bytes]:  # noqa: ARG001 - the signature of all of them
    """Lets every line through."""
    return [line]


# -- the pair ----------------------------------------------------------------------------------------------------------


@dataclass
class Hands:
    """A clock that only moves when told."""

    seconds: float = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


def session_context(seed: str = "surroundings", **changes: Any) -> SessionContext:
    """SessionContext with a fixed clock and a seeded source; ``changes`` are fields of `SessionContext`."""
    given: dict[str, Any] = {"random": seeded(seed), "now_ms": lambda: NOW_MS, "monotonic": Hands()}
    return SessionContext(**(given | changes))


@dataclass
class Log:
    """What one side has done: ``lines`` that it sent, without CRLF and as they left, and all ``events`` of its core."""

    lines: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def said(error: WireError) -> str:
    """The code of an error, or the code that the other side gave before it had proved to be our server."""
    return error.said if isinstance(error, Unproven) else error.code


class SessionPair:
    """A client and a server with a wire between them, one line at a time.

    Args:
        who: Whose device logs in.
        token: Register with this invite (32 bytes, or empty) instead of logging in.
        password: Log in by password: what the client derives from it, 32 bytes, `SALTED` for the right one.
        pin: What the client expects; by default the right server.
        key: Name of the server's key.
        methods: The methods that the server offers.
        bindings: Channel bindings of the client's and of the server's connection.
        client: SessionContext of the client.
        server: SessionContext of the server.
        answering: False leaves what the cores want in ``wanted`` until `answer` is called.
    """

    def __init__(
        self,
        who: Person = ALICE,
        *,
        token: bytes | None = None,
        password: bytes | None = None,
        pin: bytes | None = None,
        key: str = "server",
        methods: bytes = ALL_METHODS,
        bindings: tuple[bytes, bytes] = (TLS, TLS),
        client: SessionContext | None = None,
        server: SessionContext | None = None,
        answering: bool = True,
    ) -> None:
        self.who = who
        self.client = ClientSession(
            ServerKeys(server_id() if pin is None else pin),
            who.credentials if password is None else who.guest,
            client or session_context("client"),
            bindings[0],
            None if token is None else who.new_account(token),
        )
        self.server = ServerSession(
            ServerIdentity(spki(key), methods), server or session_context("server"), bindings[1]
        )
        self.tamper: dict[Side, Tamper] = {Side.CLIENT: untouched, Side.SERVER: untouched}
        self.log = {side: Log() for side in Side}
        self.inbox: dict[Side, deque[bytes]] = {side: deque() for side in Side}
        self.wanted: deque[Wanted] = deque()
        self.answering = answering
        self.sign: Callable[[bytes], bytes] = lambda message: pss_sign(rsa_key(key), message)
        self.devices = {} if token is not None else {(who.user, who.device_id): who.certificate}
        self.look_up: Callable[[DeviceWanted], bytes | None] = self._look_up
        self.admit: Callable[[RegistrationWanted], WireError | None] = self._admit
        self.unwrap: Callable[[UnwrapWanted], bytes | None] = who.unwrap
        self.verifiers = {who.user: verifier_of(SALTED)}
        self.salted = password or b""

    @classmethod
    def opened(cls, **changes: Any) -> "SessionPair":
        """A pair whose session is open."""
        pair = cls(**changes)
        pair.run()
        if not pair.is_open:
            raise AssertionError(f"not open: {pair.client.state}, {pair.server.state}")
        return pair

    @classmethod
    def at(cls, side: Side, state: State, **changes: Any) -> "SessionPair":
        """A pair that stands still as soon as ``side`` is in ``state``; nothing is answered that is not needed for it."""
        pair = cls(answering=False, **changes)
        if pair.core(side).state is state:
            return pair
        pair.start()
        while pair.core(side).state is not state:
            if not pair.step():
                if not pair.wanted:
                    raise AssertionError(f"{side.name} never gets to {state.name}")
                pair.answer()
        return pair

    # -- looking -------------------------------------------------------------------------------------------------------

    def core(self, side: Side) -> ClientSession | ServerSession:
        """The core of a side."""
        return self.client if side is Side.CLIENT else self.server

    @property
    def is_open(self) -> bool:
        """Whether both sides may send messages."""
        return self.client.state is self.server.state is State.OPEN

    def lines(self, side: Side) -> list[bytes]:
        """The lines that ``side`` sent, without CRLF, before anybody changed them."""
        return self.log[side].lines

    def records(self, side: Side) -> list[bytes]:
        """The records of `lines`."""
        return [to_record(line) for line in self.lines(side)]

    def events(self, side: Side) -> list[Event]:
        """All events of a core."""
        return self.log[side].events

    def received(self, side: Side) -> list[bytes]:
        """The plaintexts that reached ``side``."""
        return [event.plaintext for event in self.events(side) if isinstance(event, PlaintextReceived)]

    def failed(self, side: Side) -> Failed | None:
        """How the session ended for ``side``, unless it is open or was closed on purpose."""
        return next((event for event in self.events(side) if isinstance(event, Failed)), None)

    def authenticated(self, side: Side) -> Authenticated | None:
        """Whom ``side`` takes the session for, once it is open."""
        return next((event for event in self.events(side) if isinstance(event, Authenticated)), None)

    # -- moving --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The client's first line."""
        self._handle(Side.CLIENT, self.client.start())

    def run(self) -> None:
        """Carries lines and gives answers until nothing moves any more."""
        if self.client.state is State.IDLE:
            self.start()
        while self.step():
            pass

    def step(self) -> bool:
        """Delivers one line to a side that reads; False where there is none."""
        for side in (Side.SERVER, Side.CLIENT):
            if self.inbox[side] and self.core(side).state not in WAITING_FOR_US:
                self.deliver(side, self.inbox[side].popleft())
                return True
        return False

    def deliver(self, to: Side, line: bytes) -> list[Event]:
        """Feeds one line (without CRLF) to ``to`` at once, past all others."""
        events = self.core(to).receive_line(line)
        self._handle(to, events)
        return events

    def say(self, side: Side, *parts: bytes) -> None:
        """``side`` sends encoded messages, and everything is carried."""
        for line in self.core(side).seal(parts):
            self._carry(side, line)
        self.run()

    def close(self, side: Side, reason: CloseReason = CloseReason.NORMAL) -> None:
        """``side`` ends the session on purpose, and everything is carried."""
        self._carry(side, self.core(side).close(reason))
        self.run()

    def refuse(self, side: Side, error: WireError) -> None:
        """``side`` ends the session with an error, and everything is carried."""
        self._handle(side, self.core(side).refuse(error))
        self.run()

    def forge(self, side: Side, kind: int, body: bytes) -> bytes:
        """A line with a record that the other side opens as the next one of ``side``; the core of ``side`` knows nothing."""
        receiver: Any = self.core(side.other)
        expected = receiver._keys.receiving if receiver._layer is None else receiver._layer._receiving
        key = RecordKey(expected._secret)
        key.phase, key.sequence = expected.phase, expected.sequence
        return record_to_line(key.seal(kind, body)).removesuffix(DELIMITER)

    def answer(self) -> None:
        """Gives the next answer that was left out."""
        self._answer(self.wanted.popleft())

    def _handle(self, side: Side, events: Sequence[Event]) -> None:
        self.log[side].events += events
        for event in events:
            match event:
                case LineReady(line):
                    self._carry(side, line)
                case _ if isinstance(event, Wanted):
                    if self.answering:
                        self._answer(event)
                    else:
                        self.wanted.append(event)
                case _:
                    pass

    def _carry(self, side: Side, line: bytes) -> None:
        sent = line.removesuffix(DELIMITER)
        if sent + DELIMITER != line or DELIMITER in sent:
            raise AssertionError(f"not one line: {line!r}")
        lines = self.lines(side)
        lines.append(sent)
        self.inbox[side.other].extend(self.tamper[side](len(lines) - 1, sent))

    def _answer(self, wanted: Wanted) -> None:
        match wanted:
            case SignatureWanted(to_sign):
                self._handle(Side.SERVER, self.server.signed(self.sign(to_sign)))
            case DeviceWanted():
                self._handle(Side.SERVER, self.server.device(self.look_up(wanted)))
            case RegistrationWanted():
                error = self.admit(wanted)
                certificate = wanted.request.certificate
                events = self.server.registered(certificate) if error is None else self.server.refuse(error)
                self._handle(Side.SERVER, events)
            case VerifierWanted(user):
                known = self.verifiers.get(user)
                verifier = verifier_of_nobody(bytes(32), user) if known is None else known
                self._handle(Side.SERVER, self.server.challenge(verifier, known=known is not None))
            case ProofWanted():
                self._handle(Side.SERVER, self.server.proved())
            case PasswordKeyWanted():
                self._handle(Side.CLIENT, self.client.derived(self.salted))
            case UnwrapWanted():
                self._handle(Side.CLIENT, self.client.unwrapped(self.unwrap(wanted)))

    def _look_up(self, wanted: DeviceWanted) -> bytes | None:
        return self.devices.get((wanted.user, wanted.device_id))

    def _admit(self, wanted: RegistrationWanted) -> WireError | None:
        self.devices[wanted.facts.user, wanted.facts.device_id] = wanted.request.certificate
        return None
