"""Rows 31 to 33: what no client says: lines without an end, bytes that mean nothing, records that are forged."""

import re
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from OpenSSL import SSL

from bench.accounts import Account, Accounts
from bench.member import Member, tls_context
from bench.server import BenchError
from chatserv.crypto.session import RecordKey
from chatserv.testing.processes import ServerProgram
from chatserv.wire import messages
from chatserv.wire.codec import encode_message, server_decoder
from chatserv.wire.link import ServerLink, parse_link
from chatserv.wire.records import RecordType
from tests.faults.crowd import Crowd, shared_keys
from tests.faults.health import Health
from tests.faults.peers import dial, is_ended, over_tls
from tests.faults.rows import Ground, check, row, wait_for
from tests.support.server import WireServer
from tests.support.sessions import ALICE

PEOPLE: Final = 3
LOGIN_LINE: Final = 4096  # limits.login_line_bytes
LINE: Final = 65_536  # limits.line_bytes
FIRST: Final = 2000  # the number of the first account that is not the crowd's
MEBIBYTE: Final = 2**20
READ_BYTES: Final = 65_536  # of a socket, at most, in one turn of Twisted's reactor
MOST_TURN_SECONDS: Final = 0.010
CLOSING: Final[dict[str, dict[str, Any]]] = {
    "limits": {"close_seconds": 0.3}
}  # the peers here do not close; row 27 has the rest


class Attacker(Member):
    """A device that has logged in, and says what it likes.

    Args:
        link: Where the server is.
        accounts: Made the account.
        account: Whose device this is.
    """

    def __init__(self, link: ServerLink, accounts: Accounts, account: Account) -> None:
        self.account, self._unwrap = account, accounts.unwrap
        self._connect(link, tls_context(), account.credentials())
        self._wait_for(messages.Welcome)

    def raw(self, data: bytes) -> None:
        """Says that, as far as the server takes it."""
        with suppress(BenchError, OSError, SSL.Error):
            self._write(data)

    def line(self, plaintext: bytes) -> bytes:
        """The next line, with anything in it."""
        return self._session._open_layer("attack").control(RecordType.DATA, plaintext)

    def answer(self) -> str:
        """What comes of what was said: the code of an error; ``ended``; or ``ok``, where a ping after it is answered."""
        label, codes = secrets.randbelow(2**31) + 1, []
        with suppress(BenchError, OSError, SSL.Error):
            self.send([encode_message(messages.Ping(label))])
            while True:
                self._wait_readable()
                for plaintext in self.receive():
                    for message in server_decoder.decode(plaintext):
                        if isinstance(message, messages.Error):
                            codes.append(message.code)
                        elif getattr(message, "label", 0) == label:
                            return codes[0] if codes else "ok"
        return "ended"


class Dribbling(Member):
    """Says everything a byte at a time, as a very bad network does."""

    def _write(self, data: bytes) -> None:
        for at in range(len(data)):
            super()._write(data[at : at + 1])


@dataclass
class Stage:
    """A server with honest people, and one account more for the attack."""

    server: ServerProgram
    link: ServerLink
    accounts: Accounts
    account: Account

    @classmethod
    def of(cls, server: ServerProgram) -> "Stage":
        """Makes the account."""
        link = parse_link(server.link())
        accounts = Accounts(link.fingerprint, shared_keys())
        member = Member(link, tls_context(), accounts, FIRST)
        member.close()
        return cls(server, link, accounts, member.account)

    def attacker(self) -> Attacker:
        """Logs in."""
        return Attacker(self.link, self.accounts, self.account)


def _is_cut(bare: socket.socket) -> bool:
    return wait_for(lambda: is_ended(bare), "the end of a connection")


@row(31, "lines that are too long, that do not end, that are empty a million times; a byte at a time")
def long_lines(ground: Ground) -> str:
    """Each is ended at its bound; who merely says everything byte by byte gets in."""
    times = ground.pick(1, 50)
    lines = {LOGIN_LINE: 0, LINE: 0}
    with ground.server(CLOSING) as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        stage = Stage.of(server)
        health = Health(ground, server, crowd)
        for _ in range(times):
            for most in lines:
                for said in _endless(most):
                    bare = _say(stage, said, logged_in=most == LINE)
                    _is_cut(bare)
                    bare.close()
                    lines[most] += 1
            Dribbling(stage.link, tls_context(), stage.accounts, FIRST + 1 + lines[LINE]).close()
        long = len(re.findall(r"refused: too_large", server.output))
        check(long >= 4 * times, f"only {long} were refused for their length")
        said_of = health.check(r"refused: too_large", metric=r'chatserv_refusals_total\{code="too_large"\}')
        figure = crowd.check()
    longest = max(_longest_turn(said, logged_in=most == LINE) for most in lines for said in _endless(most))
    ground.within(longest, MOST_TURN_SECONDS, "the reactor's time for what one read brings")
    return (
        f"{sum(lines.values())} connections ended, {times} came in byte by byte, {longest * 1000:.2f} ms of the reactor at "
        f"most for what one read brings, {figure}, {said_of}"
    )


def _endless(most: int) -> tuple[bytes, ...]:
    """What is said where a line may have so many bytes."""
    return b"x" * (most + 1) + b"\r\n", b"x" * (4 * most), b"\r\n" * (MEBIBYTE // 2)


def _longest_turn(said: bytes, *, logged_in: bool) -> float:
    """The processor time that the server's end takes for the dearest of its reads, in seconds; the best of three."""
    found = []
    for _ in range(3):
        server, turns = WireServer(), []
        client = server.join(ALICE.user) if logged_in else server.connect()
        assert client is not None
        for at in range(0, len(said), READ_BYTES):
            began = time.thread_time()
            client.protocol.dataReceived(said[at : at + READ_BYTES])
            turns.append(time.thread_time() - began)
        found.append(max(turns))
    return min(found)


def _say(stage: Stage, said: bytes, *, logged_in: bool) -> socket.socket:
    """Says it before or after a login; the socket below."""
    if logged_in:
        attacker = stage.attacker()
        attacker.raw(said)
        return attacker._socket
    bare = dial(stage.server)
    tls = over_tls(bare, tls_context())
    with suppress(OSError, SSL.Error):
        tls.sendall(said)
    return bare


def _of(**fields: Any) -> bytes:
    """A record with one message of these fields."""
    return msgspec.msgpack.encode([fields])


_HISTORY: Final[dict[str, Any]] = {"t": "history", "label": 7, "room": bytes(16), "before": 1, "limit": 1}
NONSENSE: Final[dict[str, bytes]] = {
    "nothing": b"",
    "no array": b"\xc0",
    "depth of 10,000": b"\x91" * 10_000,
    "a map of depth 10,000": b"\x91" + b"\x81\xa1t" * 10_000,
    "an array of four thousand million": b"\xdd\xff\xff\xff\xff",
    "bytes of four thousand million": b"\x91\xc6\xff\xff\xff\xff",
    "JSON": b'[{"t": "ping", "label": 7}]',
    "a key twice": b"\x91\x83\xa1t\xa4ping\xa5label\x07\xa5label\x08",
    "invalid UTF-8": b"\x91\x81\xa1t\xa4\xff\xfe\xfd\xfc",
    "a lone surrogate": b"\x91\x82\xa1t\xa8announce\xa4text\xa3\xed\xa0\x80",
    "NaN": _of(**_HISTORY | {"before": float("nan")}),
    "1e400": _of(**_HISTORY | {"before": float("inf")}),
    "a huge number": _of(**_HISTORY | {"before": 2**64 - 1}),
    "a negative number": _of(**_HISTORY | {"limit": -(2**63)}),
    "a label that is none": _of(**_HISTORY | {"label": "x"}),
    "a room of another length": _of(**_HISTORY | {"room": bytes(17)}),
    "no type": _of(label=7),
    "an unknown type": _of(t="sudo", label=7),
    "a type that is none": _of(t=7, label=7),
    "an extension": b"\x91\xd6\xff\x00\x00\x00\x00",
    "a thousand and more messages": msgspec.msgpack.encode([{"t": "ping", "label": 1}] * 1025),
    "a name of NULs": _of(t="rooms", label=7, after="\0" * 32),
}
MADE_TWICE: Final = "a key twice"  # the last one counts (docs/protocol.rst)
TEXTS: Final = (b"!!!!\r\n", b"A\r\n", b"AB==\r\n", b"\xff\xfe\xfd\xfc\r\n", b"AAAA\r\n", b"\0\0\0\0\r\n")


@row(32, "encodings that are invalid: MessagePack, UTF-8, numbers, depth, base64")
def invalid_encodings(ground: Ground) -> str:
    """A wrong message is answered by an error, a record that is none ends the session; neither is a crash."""
    found = {"ok": 0, "ended": 0, "refused": 0}
    rounds = ground.pick(60, 5000)
    with ground.server() as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        stage = Stage.of(server)
        health = Health(ground, server, crowd)
        attacker = stage.attacker()
        good = list(NONSENSE.values())
        mutated = [_mutated(good[each % len(good)]) for each in range(rounds)]
        for plaintext in (*good, *mutated):
            attacker.raw(attacker.line(plaintext[: LINE // 2]))
            answer = attacker.answer()
            found[answer if answer in found else "refused"] += 1
            if answer == "ended":
                attacker.close()
                attacker = stage.attacker()
        for text in TEXTS:
            attacker.raw(text)
            check(attacker.answer() == "ended", f"{text!r} did not end the session")
            attacker.close()
            attacker = stage.attacker()
        attacker.close()
        check(found["ended"] > 3 and found["refused"] > 3, f"not both came about: {found}")
        said = health.check(r"(bad_message|bad_frame)", metric=r"chatserv_refusals_total.*")
        figure = crowd.check()
    return f"{found['refused']} refused, {found['ended']} sessions ended, {found['ok']} harmless, {figure}, {said}"


def _mutated(data: bytes) -> bytes:
    """Some bytes of it are others, or missing, or there twice."""
    made = bytearray(data[:200] or b"\x91")
    for _ in range(1 + secrets.randbelow(3)):
        at = secrets.randbelow(len(made))
        made[at : at + secrets.randbelow(2)] = secrets.token_bytes(1 + secrets.randbelow(2))
    return bytes(made)


def _replayed(attacker: Attacker, stage: Stage) -> Sequence[bytes]:  # noqa: ARG001 - one face for all
    line = attacker.line(_of(t="ping", label=1))
    return line, line


def _swapped(attacker: Attacker, stage: Stage) -> Sequence[bytes]:  # noqa: ARG001
    first, second = (attacker.line(_of(t="ping", label=label)) for label in (1, 2))
    return second, first


def _left_out(attacker: Attacker, stage: Stage) -> Sequence[bytes]:  # noqa: ARG001
    attacker.line(_of(t="ping", label=1))
    return (attacker.line(_of(t="ping", label=2)),)


def _cut_short(attacker: Attacker, stage: Stage) -> Sequence[bytes]:  # noqa: ARG001
    return (attacker.line(_of(t="ping", label=1))[:-6] + b"\r\n",)


def _flipped(attacker: Attacker, stage: Stage) -> Sequence[bytes]:  # noqa: ARG001
    line = bytearray(attacker.line(_of(t="ping", label=1)))
    line[10] = ord("A") if line[10] != ord("A") else ord("B")
    return (bytes(line),)


def _of_an_old_session(attacker: Attacker, stage: Stage) -> Sequence[bytes]:  # noqa: ARG001
    other = stage.attacker()
    line = other.line(_of(t="ping", label=1))
    other.close()
    return (line,)


FORGERIES: Final[tuple[Callable[[Attacker, Stage], Sequence[bytes]], ...]] = (
    _replayed, _swapped, _left_out, _cut_short, _flipped,
)  # fmt: skip


@row(33, "cryptography misused: records replayed, swapped, cut, flipped, of an old key; lower versions")
def misused(ground: Ground) -> str:
    """Each ends its session, lower versions get nowhere, and no nonce comes twice."""
    times, sends = ground.pick(2, 50), ground.pick(20_000, 10_000_000)
    with ground.server(CLOSING) as server, Crowd(server, PEOPLE) as crowd, crowd.talking(60):
        crowd.flowing(30)
        stage = Stage.of(server)
        health = Health(ground, server, crowd)
        old = _of_an_old_session(stage.attacker(), stage)
        for _ in range(times):
            for forge in (*FORGERIES, lambda *_: old):
                attacker = stage.attacker()
                check(attacker.answer() == "ok", "the session does not work before")
                attacker.raw(b"".join(forge(attacker, stage)))
                check(attacker.answer() == "ended", f"{forge.__name__} was taken")
                attacker.close()
        lower = _lower_versions(server)
        said = health.check(r"refused: bad_frame", metric=r'chatserv_refusals_total\{code="bad_frame"\}')
        figure = crowd.check()
    key = RecordKey(bytes(32))
    seen = [int.from_bytes(key._nonce(), "big") ^ key._iv for _ in range(3)]
    last = seen[-1]
    for _ in range(sends):
        now = int.from_bytes(key._nonce(), "big") ^ key._iv
        check(now == last + 1, "a nonce that is not the next one")
        last = now
    return f"{times * 6} forgeries, {lower} lower versions refused, {sends} nonces, all different, {figure}, {said}"


def _lower_versions(server: ServerProgram) -> int:
    """How many were tried: TLS 1.0 to 1.2, no ALPN of ours, other greetings."""
    older = SSL.Context(SSL.TLS_CLIENT_METHOD)
    older.set_max_proto_version(SSL.TLS1_2_VERSION)
    try:
        over_tls(dial(server), older)
    except (SSL.Error, OSError):
        pass
    else:
        check(False, "TLS 1.2 was taken")
    nameless = SSL.Context(SSL.TLS_CLIENT_METHOD)
    greetings = (b"CHATSERV/0 AAAA\r\n", b"CHATSERV/2 AAAA\r\n", b"chatserv/1 AAAA\r\n", b"CHATSERV/1 AAAA\r\n")
    for context, said in ((nameless, greetings[3]), *((tls_context(), each) for each in greetings)):
        bare = dial(server)
        with suppress(SSL.Error, OSError):
            over_tls(bare, context).send(said)
        _is_cut(bare)
        bare.close()
    return 2 + len(greetings)
