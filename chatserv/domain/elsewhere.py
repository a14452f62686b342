"""Who is online on other nodes, as these say; of a single server, nobody. Pure: no clock, no I/O."""

from collections.abc import Mapping
from typing import Final

MAX_PEOPLE: Final = 1_000_000  # of all nodes; one more is shown as offline
Seen = tuple[int, tuple[bytes, ...]]
"""A status, and which devices are there."""
_NOBODY: Final[Mapping[str, Seen]] = {}


class Elsewhere:
    """By name and node. A status is a number as people are told it: 0 offline, and of others the smaller one is the better.

    Args:
        most: How many are known at once.
    """

    def __init__(self, most: int = MAX_PEOPLE) -> None:
        self._most, self._count = most, 0
        self._nodes: dict[bytes, dict[str, Seen]] = {}
        self._people: dict[str, dict[bytes, Seen]] = {}

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: str) -> bool:
        return name in self._people

    def of(self, node: bytes) -> Mapping[str, Seen]:
        """Who is there, and how."""
        return self._nodes.get(node, _NOBODY)

    def status(self, name: str) -> int:
        """The best that any node says of somebody."""
        found = self._people.get(name)
        return 0 if found is None else min(status for status, _ in found.values())

    def devices(self, name: str) -> set[bytes]:
        """Those of somebody's that are on other nodes."""
        return {device for _, devices in self._people.get(name, {}).values() for device in devices}

    def put(self, node: bytes, name: str, status: int, devices: tuple[bytes, ...] = ()) -> None:
        """A node says so."""
        here = self._nodes.setdefault(node, {})
        if status:
            if name not in here:
                if self._count >= self._most:
                    return
                self._count += 1
            here[name] = self._people.setdefault(name, {})[node] = status, devices
        elif here.pop(name, None) is not None:
            self._count -= 1
            del self._people[name][node]
            if not self._people[name]:
                del self._people[name]
        if not here:
            del self._nodes[node]
