"""The two loads: a window kept full (S1), and messages at fixed times (S2). One thread, one epoll, no waiting but in it."""

import secrets
import select
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Final

from bench.member import Member
from bench.server import BenchError
from bench.tally import FILLER_BYTES, Tally, make_body, make_filler
from chatserv.crypto.content import ID_BYTES
from chatserv.crypto.envelope import GUARD_BYTES
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

SETTLE_SECONDS: Final = 15.0
SPIN_SECONDS: Final = 0.0015  # epoll waits whole milliseconds; what is due sooner is waited for awake


class Load:
    """Everything that is connected, and the counts.

    Args:
        receivers: Members that follow the room; the first ``sampled`` decode every event and time it.
        senders: Members that send. One that follows as well stands in both lists.
        sampled: How many receivers are sampled.
    """

    def __init__(self, receivers: Sequence[Member], senders: Sequence[Member], sampled: int) -> None:
        self._receivers, self._senders = receivers, senders
        self.latencies: array[int] = array("q")
        self.tallies: list[Tally] = []
        self.sent = self.deliveries = 0
        self._filler = make_filler(secrets.token_bytes(FILLER_BYTES))
        self._sources: dict[int, tuple[Member, Tally]] = {}
        self._epoll = select.epoll()
        for index, member in enumerate(receivers):
            self._add(member, Tally(member.follow(), self.latencies if index < sampled else None))
        for member in senders:
            if member.fileno() not in self._sources:
                self._add(member, Tally(0))

    def _add(self, member: Member, tally: Tally) -> None:
        self.tallies.append(tally)
        self._sources[member.fileno()] = (member, tally)
        self._epoll.register(member.fileno(), select.EPOLLIN)

    @property
    def lines(self) -> int:
        """Lines with events that receivers have got."""
        return sum(tally.lines for tally in self.tallies)

    def _poll(self, seconds: float) -> None:
        sources = self._sources
        for descriptor, _ in self._epoll.poll(seconds):
            member, tally = sources[descriptor]
            for plaintext in member.receive():
                self.deliveries += tally.take(plaintext)

    def _send(self, sender: int, due_ns: int, count: int) -> None:
        member, first = self._senders[sender], self.sent
        member.send([self._envelope(member, label, due_ns) for label in range(first, first + count)])
        self.sent += count

    def _envelope(self, member: Member, label: int, due_ns: int) -> bytes:
        seat, body = member.seat, make_body(member.next_header(secrets.token_bytes(GUARD_BYTES)), due_ns, self._filler)
        return encode_message(
            messages.Send(label & 0xFFFFFFFF, seat.room, secrets.token_bytes(ID_BYTES), seat.epoch, body)
        )

    def saturate(self, seconds: float, outstanding: int) -> None:
        """Keeps ``outstanding`` messages a sender under way.

        A message is under way until its share of all deliveries has been received (bench of the peers, same rule).
        """
        end, fan_out, turn = time.monotonic() + seconds, len(self._receivers), 0
        window = len(self._senders) * outstanding
        delivered_before, sent_before = self.deliveries, self.sent
        under_way = self.under_way
        while time.monotonic() < end:
            self._poll(0.1)
            done = (self.deliveries - delivered_before) // fan_out
            room = window - under_way - (self.sent - sent_before - done)
            if room <= 0:
                continue
            shares = [0] * len(self._senders)
            for _ in range(room):
                shares[turn % len(shares)] += 1
                turn += 1
            for sender, count in enumerate(shares):
                if count:
                    self._send(sender, time.monotonic_ns(), count)

    @property
    def under_way(self) -> int:
        """How many messages have not had their share of all deliveries."""
        return self.sent - self.deliveries // len(self._receivers)

    def pace(self, seconds: float, rate: float) -> None:
        """Sends ``rate`` messages a second in all, each at its time, the senders in turn."""
        start = time.monotonic()
        for number in range(int(seconds * rate)):
            due = start + number / rate
            while (left := due - time.monotonic()) > 0:
                self._poll(0 if left < SPIN_SECONDS else left - SPIN_SECONDS / 2)
            self._send(self.sent % len(self._senders), int(due * 1e9), 1)
        while (left := start + seconds - time.monotonic()) > 0:
            self._poll(left)

    def settle(self) -> None:
        """Waits until every receiver has every event and every message is acknowledged.

        Raises:
            BenchError: Something is missing after `SETTLE_SECONDS`.
        """
        self._poll_until(lambda: self.under_way == 0 and sum(tally.acknowledged for tally in self.tallies) == self.sent)
        heads = {self._sources[member.fileno()][1].last_seq for member in self._receivers}
        if len(heads) != 1 or self.deliveries != self.sent * len(self._receivers):
            raise BenchError(f"{self.sent} messages, {self.deliveries} deliveries, last seqs {sorted(heads)}")

    def _poll_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise BenchError(f"{self.under_way} messages were not delivered to everybody")
            self._poll(0.05)

    def close(self) -> None:
        """Lets go of all connections."""
        self._epoll.close()
        for member, _ in self._sources.values():
            member.close()
