"""The generator at IRC servers: for comparisons, under the same loads as ours."""

import re
import select
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from bench.connection import Connection, Steps, tls13
from bench.crowd import together
from bench.ground import ROOM, SAMPLED_MEMBERS, Scenario
from bench.load import Room
from bench.options import Options
from bench.server import HOST, BenchError, Program
from chatserv.testing.processes import free_port

PAYLOAD_BYTES: Final = 100
_MESSAGE: Final = b" PRIVMSG "
_SENT_AT: Final = re.compile(rb"\^([0-9a-f]{16})")
_FILLER: Final = b"x" * (PAYLOAD_BYTES - 17)
_ERROR: Final = re.compile(rb"^(?:ERROR .*|:\S+ 4(?!22)\d\d .*)", re.MULTILINE)  # 422: there is no message of the day


@dataclass(frozen=True)
class Daemon:
    """A program that speaks IRC.

    Args:
        name: Of its Debian package.
        command: With ``{root}``, where the package is, and ``{directory}``.
        file: The name of its settings file.
        settings: What is in it, with ``{port}``, ``{cert}`` and ``{key}`` besides; nothing bounded that would be in the way.
    """

    name: str
    command: tuple[str, ...]
    file: str
    settings: str


class IrcPerson(Connection):
    """Somebody with a nickname.

    Args:
        port: Where the server listens.
        context: The TLS context that all share.
        number: Makes the nickname.
        channel: Where they are; empty: nowhere.
        target: Whom they talk to: the channel, or a nickname.
        latencies: As of `bench.voice.Voice`.
    """

    def __init__(
        self,
        port: int,
        context: SSL.Context,
        number: int,
        channel: str,
        target: str,
        latencies: "array[int] | None" = None,
    ) -> None:
        self._port, self._context, self._nick = port, context, f"u{number}"
        self._channel, self._target, self._latencies = channel, target.encode(), latencies
        self._unfinished = b""
        self.acknowledged = self.lines = 0

    def coming(self) -> Steps[None]:
        """Connects, says who it is, and joins the channel."""
        yield from self.dialing(HOST, self._port, self._context)
        self._write(f"NICK {self._nick}\r\nUSER {self._nick} 0 * :bench\r\n".encode())
        yield from self._until(b" 001 ")
        if self._channel:
            self._write(f"JOIN {self._channel}\r\n".encode())
            yield from self._until(b" 366 ")

    def _until(self, numeric: bytes) -> Steps[None]:
        lines = b""
        while numeric not in lines:
            yield select.POLLIN
            lines = self._lines()
            self._check(lines)

    def _check(self, lines: bytes) -> None:
        if found := _ERROR.search(lines):
            raise BenchError(f"{self._nick}: {found[0].decode()}")

    def _lines(self) -> bytes:
        """All whole lines that are there."""
        lines, end, self._unfinished = (self._unfinished + self.read()).rpartition(b"\n")
        return lines + end

    def say(self, count: int, due_ns: int) -> None:
        """So many lines of 100 bytes."""
        line = b"PRIVMSG %s :^%016x%s\r\n" % (self._target, due_ns, _FILLER)
        self._write(line * count)
        self.acknowledged += count  # nobody says so

    def hear(self) -> int:
        """Messages that were there. Raises `BenchError` where the server complains."""
        lines, now = self._lines(), time.monotonic_ns()
        count = lines.count(_MESSAGE)
        if not count:
            self._check(lines)
        if self._latencies is not None:
            self._latencies.extend(now - int(sent, 16) for sent in _SENT_AT.findall(lines))
        self.lines += count > 0
        return count


class IrcServer(Program):
    """One of them, with a certificate as ours has.

    Args:
        daemon: Which.
        root: Where its package is.
        options: Where, and on which core.
    """

    def __init__(self, daemon: Daemon, root: Path, options: Options) -> None:
        super().__init__(options.directory, options.core)
        self._port, self._context = free_port(), tls13()
        values = {"root": root, "directory": self._path, "port": self._port, **_certificate(self._path)}
        (self._path / daemon.file).write_text(daemon.settings.format(**values))
        libraries = root / "usr/lib/x86_64-linux-gnu"
        self._run([word.format(**values) for word in daemon.command], {"LD_LIBRARY_PATH": str(libraries)})
        try:
            self._wait_for_listener(self._port)
        except BaseException:
            self.close()
            raise

    def rooms(self, scenario: Scenario, latencies: "array[int]") -> list[Room]:
        """Channels; who only sends is in none. Nobody hears what they said themselves."""
        if scenario.direct:
            return self._pairs(scenario.rooms, latencies)
        rooms = []
        for room in range(scenario.rooms):
            channel, first = f"#r{room}", room * scenario.members
            sampled = scenario.members if scenario.listens else SAMPLED_MEMBERS
            there = [
                self._person(first + number, channel, channel, latencies if number < sampled else None)
                for number in range(scenario.members)
            ]
            outside = [] if scenario.listens else range(scenario.members, scenario.members + scenario.senders)
            senders = [self._person(number, "", channel) for number in outside]
            rooms.append(Room(there, senders or there, scenario.members - scenario.listens))
            self._let_in([*there, *senders])
        return rooms

    def _pairs(self, count: int, latencies: "array[int]") -> list[Room]:
        people = [self._person(number, "", f"u{number ^ 1}", latencies) for number in range(2 * count)]
        self._let_in(people)
        return [Room(people[at : at + 2], people[at : at + 2], 1) for at in range(0, 2 * count, 2)]

    def people(self, count: int) -> list[IrcPerson]:
        """For channels of ten; some have been there."""
        people = [self._person(number, f"#r{number // ROOM}", "") for number in range(count)]
        self._let_in(people[:ROOM])
        for person in people[:ROOM]:
            person.close()
        self.rest()
        return people

    def _person(self, number: int, channel: str, target: str, latencies: "array[int] | None" = None) -> IrcPerson:
        return IrcPerson(self._port, self._context, number, channel, target, latencies)

    @staticmethod
    def _let_in(people: list[IrcPerson]) -> None:
        together([(person, person.coming()) for person in people])


def _certificate(directory: Path) -> Mapping[str, Path]:
    """Files with a key on P-256 and its certificate."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(tz=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    encoding, paths = serialization.Encoding.PEM, {"cert": directory / "cert.pem", "key": directory / "key.pem"}
    paths["cert"].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(encoding))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths["key"].write_bytes(key.private_bytes(encoding, form, none))
    return paths
