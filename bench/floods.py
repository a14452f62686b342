"""Floods by one account: what an honest room notices of them, with the limits as they are."""

import multiprocessing
import secrets
import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.accounts import Accounts
from bench.founding import found_room
from bench.member import Member, tls_context
from bench.options import Options
from bench.server import BenchError, BenchServer
from chatserv.crypto.envelope import ENVELOPE_BYTES_MIN, HEADER_BYTES
from chatserv.crypto.prekeys import SIGNED_PREKEY_BYTES
from chatserv.wire import messages
from chatserv.wire.codec import encode_message, server_decoder

HONEST: Final = 12
RATE: Final = 12.0  # messages a second in all: half of what each of them may say
PATIENCE_SECONDS: Final = 60.0
LARGEST: Final = 11_829  # of an envelope
Part = Callable[[Member, int], messages.Command | bytes]


def _send(member: Member, size: int) -> bytes:
    header = member.next_header(b"0000")
    body = header + bytes(size - HEADER_BYTES)
    return encode_message(messages.Send(1, member.seat.room, secrets.token_bytes(16), member.seat.epoch, body))


KINDS: Final[dict[str, tuple[int, Part]]] = {
    "messages": (64, lambda member, _: _send(member, ENVELOPE_BYTES_MIN)),
    "large messages": (4, lambda member, _: _send(member, 11_829)),
    "wrong messages": (8, lambda *_: b"\x82\xa1t\xa4send\xa5label\x01"),
    "unknown types": (8, lambda *_: b"\x82\xa1t\xa7no such\xa5label\x01"),
    "pings": (1024, lambda *_: messages.Ping(1)),
    "tells": (256, lambda *_: messages.Tell(1, b"", b"")),
    "large tells": (4, lambda *_: messages.Tell(1, b"", bytes(8192))),
    "typing": (256, lambda member, _: messages.SetTyping(1, member.seat.room)),
    "read marks": (256, lambda member, _: messages.MarkRead(1, member.seat.room, 1)),
    "presence": (256, lambda _, at: messages.SetPresence(1, away=bool(at % 2))),
    "leases of new rooms": (
        256, lambda _, at: (messages.EndCommit if at % 2 else messages.BeginCommit)(1, at.to_bytes(16, "big")),
    ),
    "leases said to be urgent": (
        256,
        lambda member, at: messages.EndCommit(1, member.seat.room)
        if at % 2
        else messages.BeginCommit(1, member.seat.room, urgent=True),
    ),
    "history": (256, lambda member, _: messages.History(1, member.seat.room, 10**9, 500)),
    "chains": (256, lambda member, _: messages.GetRoom(1, member.seat.room, 0)),
    "the log": (256, lambda *_: messages.GetLog(1, 0)),
    "certificates": (64, lambda *_: messages.GetCertificates(1, tuple(secrets.token_bytes(32) for _ in range(16)))),
    "backups": (1, lambda _, at: messages.PutBackup(1, at + 1, bytes(48_000), ())),
    "prekeys": (8, lambda *_: messages.PublishPrekeys(1, (bytes(SIGNED_PREKEY_BYTES),) * 32)),
    "revocations": (64, lambda *_: messages.Revoke(1, bytes(443))),
    "enrolments": (64, lambda *_: messages.Enrol(1, bytes(1024))),
}  # fmt: skip


class Honest:
    """People who say something now and then, and how long it takes until the server has stored it.

    Args:
        members: With a seat each.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members, self._under_way = members, dict[int, float]()
        self._poll, self._by_descriptor = select.poll(), {member.fileno(): member for member in members}
        for member in members:
            member.follow()
            self._poll.register(member.fileno(), select.POLLIN)
        self._label = 1000
        self.seconds: list[float] = []

    def talk(self, seconds: float) -> list[float]:
        """Talks for so long; gives how long each message took, in seconds. Raises `BenchError` where one is not stored."""
        self.seconds, began = [], time.monotonic()
        for number in range(int(seconds * RATE)):
            self._receive(began + number / RATE)
            self._label += 1
            member = self._members[self._label % len(self._members)]
            seat = member.seat
            body = member.next_header(b"0000") + bytes(ENVELOPE_BYTES_MIN - HEADER_BYTES)
            self._under_way[self._label] = time.monotonic()
            member.send(
                [encode_message(messages.Send(self._label, seat.room, secrets.token_bytes(16), seat.epoch, body))]
            )
        patience = time.monotonic() + PATIENCE_SECONDS
        while self._under_way and time.monotonic() < patience:
            self._receive(time.monotonic() + 0.1)
        if self._under_way:
            raise BenchError(f"{len(self._under_way)} messages of honest people were not stored")
        return self.seconds

    def _receive(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(left * 1000):
                for plaintext in self._by_descriptor[descriptor].receive():
                    for reply in server_decoder.decode(plaintext):
                        if isinstance(reply, messages.Sent) and reply.label in self._under_way:
                            self.seconds.append(time.monotonic() - self._under_way.pop(reply.label))


def flood(member: Member, kind: str, seconds: float) -> None:
    """Sends as much of one kind as the server reads, and reads what it answers, for so long or until it is cut off."""
    count, make = KINDS[kind]
    end, at = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        parts = []
        for _ in range(count):
            made = make(member, at)
            parts.append(made if isinstance(made, bytes) else encode_message(made))
            at += 1
        try:
            member.push(parts, end)
        except BenchError:
            return


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `flood_figures`."""
    return flood_figures(options.directory, options.core, options.seconds)


def flood_figures(
    parent: Path | None, core: int | None, seconds: float, kinds: Sequence[str] = tuple(KINDS)
) -> Iterator[dict[str, object]]:
    """Each kind of flood by an account of its own, beside people who talk; the server has its default limits.

    Args:
        parent: Where the server's temporary directory is made.
        core: The core that the server is pinned to.
        seconds: Of each flood, and of the quiet before it.
        kinds: Which.
    """
    with BenchServer(parent, core, rates=True) as server:
        accounts, context = Accounts(server.link.fingerprint), tls_context()
        members = [Member(server.link, context, accounts, number) for number in range(HONEST + len(kinds))]
        found_room(members, server.link.fingerprint)
        honest, flooders = Honest(members[:HONEST]), members[HONEST:]
        for kind in kinds:
            member = flooders.pop(0)
            member.follow()
            for other in flooders:
                other.ask(messages.Ok, messages.Ping(0))  # it is not to be cut for its silence
            quiet = honest.talk(seconds)
            process = multiprocessing.get_context("fork").Process(target=flood, args=(member, kind, seconds))
            process.start()
            noisy = honest.talk(seconds)
            process.join()
            member.close()
            yield {"scenario": "flood", "kind": kind, "quiet_ms": _shares(quiet), "flood_ms": _shares(noisy)}


def _shares(values: Sequence[float]) -> Mapping[str, float]:
    """In milliseconds."""
    ordered = sorted(values)
    return {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }
