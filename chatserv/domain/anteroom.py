"""Connections that have not logged in: who has a place where there are too few. Pure: chance is a parameter.

Whoever attacks can fill any number of places, so a full anteroom is no reason to turn somebody away: the network that has
most in it loses its newest one. From half full on, newcomers of networks that have more than two are dropped, the more
often the fuller it is (the random early drop of OpenSSH's ``MaxStartups``), so that it seldom comes to that.
"""

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Generic, TypeVar

from chatserv.domain.hosts import KEPT, address_of

T = TypeVar("T")
FEW: Final = 2  # places that a network has at any rate, while there are any


@lru_cache(KEPT)
def network_of(host: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 of an IPv6 address."""
    return _network(host, 32, 64)


def block_of(host: str) -> str:
    """What one party can have many networks of: an IPv4 /24, or an IPv6 /48 (RFC 6177)."""
    return _network(host, 24, 48)


def _network(host: str, ipv4_bits: int, ipv6_bits: int) -> str:
    address = address_of(host)
    if address is None:
        return host
    bits = ipv4_bits if isinstance(address, ipaddress.IPv4Address) else ipv6_bits
    if bits == address.max_prefixlen:
        return str(address)
    return str(ipaddress.ip_network((address, bits), strict=False))


class _Groups(Generic[T]):
    """Who is in, by where they come from; the newest of each last."""

    def __init__(self) -> None:
        self._members: dict[str, dict[T, None]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def count(self, group: str) -> int:
        """How many of it are in."""
        return len(self._members.get(group, ()))

    def add(self, group: str, item: T) -> None:
        self._members.setdefault(group, {})[item] = None

    def remove(self, group: str, item: T) -> None:
        members = self._members[group]
        del members[item]
        if not members:
            del self._members[group]

    def newest_of_more_than(self, count: int) -> T | None:
        """The newest of the group that has most, if those are more than ``count``."""
        most = max(self._members.values(), key=len, default={})
        return next(reversed(most)) if len(most) > count else None


class Anteroom(Generic[T]):
    """Who is in it.

    Args:
        most: How many places there are; can be changed, and nobody is put out for it.
        per_network: How many of them one network may have; can be changed.
        chance: Gives some number from 0 up to 1.
    """

    def __init__(self, most: int, per_network: int, chance: Callable[[], float]) -> None:
        self.most, self.per_network, self._chance = most, per_network, chance
        self._inside: dict[T, tuple[str, str]] = {}
        self._networks: _Groups[T] = _Groups()
        self._blocks: _Groups[T] = _Groups()

    def __len__(self) -> int:
        return len(self._inside)

    @property
    def networks(self) -> int:
        """How many networks have somebody in it."""
        return len(self._networks)

    def near(self, host: str) -> int:
        """How many come from the same network."""
        return self._networks.count(network_of(host))

    def lets_in(self, host: str) -> bool:
        """Whether there is a place for somebody from there, or one can be made."""
        near = self.near(host)
        if near >= self.per_network:
            return False
        if near >= FEW and self._chance() < 2 * len(self._inside) / self.most - 1:
            return False
        return len(self._inside) < self.most or self._who_yields(host) is not None

    def _who_yields(self, host: str) -> T | None:
        """The newest of the network that has most, if it has more than the newcomer's would have; else of the block."""
        found = self._networks.newest_of_more_than(self._networks.count(network_of(host)) + 1)
        if found is None:
            found = self._blocks.newest_of_more_than(self._blocks.count(block_of(host)) + 1)
        return found

    def add(self, newcomer: T, host: str) -> T | None:
        """Takes somebody in that `lets_in` has a place for. Returns who had to go, and is out already."""
        yielding = self._who_yields(host) if len(self._inside) >= self.most else None
        if yielding is not None:
            self.remove(yielding)
        network, block = self._inside[newcomer] = network_of(host), block_of(host)
        self._networks.add(network, newcomer)
        self._blocks.add(block, newcomer)
        return yielding

    def remove(self, item: T) -> None:
        """Somebody has logged in, or gone; harmless for who is not in it."""
        groups = self._inside.pop(item, None)
        if groups is not None:
            self._networks.remove(groups[0], item)
            self._blocks.remove(groups[1], item)
