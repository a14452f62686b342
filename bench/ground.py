"""What a load needs of the server under test, whichever it is; and ours."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from bench.accounts import Accounts
from bench.connection import Steps
from bench.crowd import AT_ONCE, Crowd
from bench.founding import found_rooms
from bench.load import Room
from bench.member import Device
from bench.options import Options
from bench.server import BenchError, BenchServer
from bench.voice import Voice
from chatserv.crypto.room_state import Kind

MOST_MEMBERS: Final = 500  # whom one commit can bring in
SAMPLED_MEMBERS: Final = 5
ROOM: Final = 10  # members, where people only come
CROWDED: Final = {  # what would be in the way of many who do in a minute what people do in a day
    "unauthenticated_connections": 100_000,
    "unauthenticated_per_network": 100_000,
    "connections_per_network": 100_000,
    "new_connections_per_network": 10_000_000,
    "crypto_queue": 100_000,
    "commits_per_hour_moderator": 100_000,
    "tls_handshake_seconds": 600,
    "login_seconds": 600,
    "idle_seconds": 3600,
}


@dataclass(frozen=True)
class Scenario:
    """What is run: ``rate`` is messages a second in all, 0 for a window of so many under way in each room.

    Args:
        members: Of each room.
        senders: The same; if they are as many, they are the members.
        direct: The rooms are those of two people.
    """

    name: str
    members: int
    senders: int
    window: int = 0
    rate: float = 0.0
    rooms: int = 1
    direct: bool = False

    @property
    def listens(self) -> bool:
        """Whether who sends listens as well."""
        return self.senders == self.members

    def __str__(self) -> str:
        load = f"{self.rate:g} messages a second" if self.rate else f"{self.senders} sender{'s' * (self.senders > 1)}"
        if self.direct:
            return f"{self.name}, {self.rooms} pairs"
        where = f"{self.members} members" if self.rooms == 1 else f"{self.rooms} rooms of {self.members}"
        return f"{self.name}, {where}, {load}"


class Person(Protocol):
    """Somebody who is known, and not there."""

    def fileno(self) -> int:
        """Of the socket, once there is one."""

    def coming(self) -> Steps[object]:
        """Connects, logs in, and is in a room of ten then."""

    def close(self) -> None:
        """Goes."""


class Ground(Protocol):
    """A server that runs, from ``with`` to the end of the block."""

    def __enter__(self) -> Self:
        """It runs already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""

    @property
    def pid(self) -> int:
        """Of the process."""

    def rooms(self, scenario: Scenario, latencies: "array[int]") -> Sequence[Room]:
        """Rooms with everybody in them; those who are sampled put their latencies there. Raises `BenchError`."""

    def people(self, count: int) -> Sequence[Person]:
        """So many; the server has nothing to do. Raises `BenchError`."""

    def cpu_seconds(self) -> float:
        """User and system time of the server."""

    def child_cpu_seconds(self) -> float:
        """The same of what watches it."""

    def memory_kib(self) -> float:
        """What it takes of the machine's memory."""

    def commits(self) -> int:
        """Transactions so far, modulo 2^32."""

    def rest(self) -> None:
        """Returns once it does nothing more."""


Opened = Callable[[Options], Ground]
"""Starts a server."""


class Ours(BenchServer):
    """The real server, with nothing bounded that would turn people away who all come at once.

    Args:
        options: Where, and on which core.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options.directory, options.core, CROWDED)
        self._accounts, self._made = Accounts(self.link.fingerprint), 0

    def newcomers(self, count: int, at_once: int = AT_ONCE) -> Crowd:
        """So many more people, who have registered and are connected."""
        crowd = Crowd(self.link, self._accounts, range(self._made, self._made + count))
        self._made += count
        crowd.do(Device.registering, at_once)
        return crowd

    def rooms(self, scenario: Scenario, latencies: "array[int]") -> list[Room]:
        """By a commit each."""
        size = scenario.members + (0 if scenario.listens else scenario.senders)
        if size > MOST_MEMBERS:
            raise BenchError(f"{size} members and senders: {MOST_MEMBERS} at most, whom one commit can bring in")
        groups = self._together(scenario.rooms * size, size, Kind.DM if scenario.direct else Kind.ROOM)
        return [self._room(scenario, group, latencies) for group in groups]

    def _room(self, scenario: Scenario, group: Sequence[Device], latencies: "array[int]") -> Room:
        sampled = scenario.members if scenario.listens else SAMPLED_MEMBERS
        listeners = [
            Voice(device, latencies=latencies if number < sampled else None)
            for number, device in enumerate(group[: scenario.members])
        ]
        if scenario.listens:
            return Room(listeners, listeners)
        return Room(listeners, [Voice(device, follows=False) for device in group[scenario.members :]])

    def people(self, count: int) -> list[Device]:
        """They have accounts and rooms; the server has started since, and a few have been there meanwhile."""
        people = [device for group in self._together(count, ROOM) for device in group]
        for device in people:
            device.close()
        self.restart()
        for device in people[:ROOM]:
            device.wait(device.coming())
            device.close()
        self.rest()
        return people

    def _together(self, count: int, size: int, kind: Kind = Kind.ROOM) -> list[list[Device]]:
        """So many people, connected, in private rooms of this size."""
        crowd = self.newcomers(count)
        groups = [crowd.devices[at : at + size] for at in range(0, count, size)]
        found_rooms(groups, self.link.fingerprint, kind)
        return groups
