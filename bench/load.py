"""The two loads: windows kept full, and messages at fixed times. One thread, one epoll, no waiting but in it."""

import select
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from bench.server import BenchError

SETTLE_SECONDS: Final = 60.0
SPIN_SECONDS: Final = 0.0015  # epoll waits whole milliseconds; what is due sooner is waited for awake


class Talker(Protocol):
    """One connection, as a load sees it."""

    @property
    def acknowledged(self) -> int:
        """Messages of its own that the server has confirmed."""

    @property
    def lines(self) -> int:
        """What it got with deliveries in it, counted once however many there were."""

    def fileno(self) -> int:
        """Of the socket."""

    def say(self, count: int, due_ns: int) -> None:
        """Sends so many messages, due at this time (monotonic, in nanoseconds)."""

    def hear(self) -> int:
        """Reads what is there; how many messages were delivered with it."""

    def close(self) -> None:
        """Ends the connection."""


class Room:
    """Who hears whom, and the counts.

    Args:
        listeners: Who hears what is said.
        speakers: Who says it, in turn. One who listens as well stands in both lists.
        fan_out: Deliveries of a message; without, one to each listener.
    """

    def __init__(self, listeners: Sequence[Talker], speakers: Sequence[Talker], fan_out: int = 0) -> None:
        self.listeners, self._speakers, self.fan_out = listeners, speakers, fan_out or len(listeners)
        self.talkers = list({id(each): each for each in (*listeners, *speakers)}.values())
        self.sent = self.deliveries = 0

    @property
    def under_way(self) -> int:
        """How many messages have not had their share of all deliveries."""
        return self.sent - self.deliveries // self.fan_out

    def fill(self, window: int) -> None:
        """Says as much as makes so many under way (bench of the peers, same rule)."""
        missing, count, due = window - self.under_way, len(self._speakers), time.monotonic_ns()
        for turn in range(self.sent, self.sent + min(missing, count)):
            self._speakers[turn % count].say(1 + (missing - 1 - (turn - self.sent)) // count, due)
        self.sent += max(0, missing)

    def say(self, due_ns: int) -> None:
        """The next one says something."""
        self._speakers[self.sent % len(self._speakers)].say(1, due_ns)
        self.sent += 1


class Load:
    """Everything that is connected.

    Args:
        rooms: With people who follow already.
        latencies: Where those that are sampled put the nanoseconds from due to delivered.
    """

    def __init__(self, rooms: Sequence[Room], latencies: "array[int]") -> None:
        self._rooms, self.latencies = rooms, latencies
        self._sources = {talker.fileno(): (talker, room) for room in rooms for talker in room.talkers}
        self._epoll = select.epoll()
        for descriptor in self._sources:
            self._epoll.register(descriptor, select.EPOLLIN)

    @property
    def sent(self) -> int:
        """Messages, in all rooms."""
        return sum(room.sent for room in self._rooms)

    @property
    def deliveries(self) -> int:
        """Of all rooms."""
        return sum(room.deliveries for room in self._rooms)

    @property
    def lines(self) -> int:
        """What everybody got with deliveries in it."""
        return sum(talker.lines for talker, _ in self._sources.values())

    def _poll(self, seconds: float) -> Iterable[Room]:
        """Hears what there is, or waits so long for something; the rooms in which something was heard."""
        sources, heard = self._sources, {}
        for descriptor, _ in self._epoll.poll(seconds):
            talker, room = sources[descriptor]
            if count := talker.hear():
                room.deliveries += count
                heard[id(room)] = room
        return heard.values()

    def saturate(self, seconds: float, window: int) -> None:
        """Keeps so many messages under way in each room. One is under way until its share of all deliveries has come."""
        end = time.monotonic() + seconds
        for room in self._rooms:
            room.fill(window)
        while time.monotonic() < end:
            for room in self._poll(0.1):
                room.fill(window)

    def pace(self, seconds: float, rate: float) -> None:
        """Sends ``rate`` messages a second in all, each at its time, in the rooms in turn."""
        start = time.monotonic()
        for number in range(int(seconds * rate)):
            due = start + number / rate
            while (left := due - time.monotonic()) > 0:
                self._poll(0 if left < SPIN_SECONDS else left - SPIN_SECONDS / 2)
            self._rooms[number % len(self._rooms)].say(int(due * 1e9))
        while (left := start + seconds - time.monotonic()) > 0:
            self._poll(left)

    def settle(self) -> None:
        """Waits until everybody has heard everything and every message is acknowledged.

        Raises:
            BenchError: Something is missing after `SETTLE_SECONDS`, or there is too much.
        """
        self._poll_until(lambda: all(room.under_way <= 0 for room in self._rooms) and self._acknowledged >= self.sent)
        for room in self._rooms:
            if room.deliveries != room.sent * room.fan_out:
                raise BenchError(f"{room.sent} messages, {room.deliveries} deliveries to {room.fan_out} each")

    @property
    def _acknowledged(self) -> int:
        return sum(talker.acknowledged for talker, _ in self._sources.values())

    def _poll_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while not done():
            if time.monotonic() > deadline:
                missing = sum(room.under_way for room in self._rooms)
                raise BenchError(f"{missing} messages were not delivered to everybody, or are not acknowledged")
            self._poll(0.05)

    def close(self) -> None:
        """Lets go of all connections."""
        self._epoll.close()
        for talker, _ in self._sources.values():
            talker.close()
