"""Who connects how often, and who has misbehaved: what one network may do, logged in or not. Pure: time is a parameter.

A network is an IPv4 address, or the /64 of an IPv6 address. Each may have so many connections at once, and so many new ones
in a while. Whoever does what no honest client does adds to a penalty (in the manner of OpenSSH's ``PerSourcePenalties``); as
long as that is above a threshold, nobody is let in from there. It wears off by itself, second by second.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from chatserv.domain.anteroom import block_of, network_of
from chatserv.domain.bans import LOOPBACK, AddressBans, parse_network
from chatserv.domain.buckets import Rate, Tokens
from chatserv.domain.hosts import address_of

MOST_NETWORKS: Final = 65_536  # of which something is known; OpenSSH's PerSourcePenalties in kind
BLOCK_FACTOR: Final = 8  # so much more of a penalty has to come from a block (IPv6 /48) than from one network
NOTE_SECONDS: Final = 10.0  # between two lines in the log about one network


class Fault(Enum):
    """What somebody did who was not logged in."""

    SILENCE = "a handshake or login that was never finished"
    GARBAGE = "what is no line of this protocol, or too much"
    FAILED_LOGIN = "an unknown device, a wrong signature or password"


PENALTIES: Final = {Fault.SILENCE: 10.0, Fault.GARBAGE: 10.0, Fault.FAILED_LOGIN: 5.0}  # seconds, as OpenSSH has them


class Refusal(Enum):
    """Why somebody is not let in."""

    TOO_MANY = "connections"
    TOO_FAST = "new_connections"
    PENALTY = "penalty"


@dataclass(frozen=True)
class VisitorLimits:
    """What one network may do: connections at once, new ones in so many seconds, and the penalty beyond which none comes in,
    which is never more than ``penalty_most_seconds``.
    """

    connections: int
    new_connections: int
    new_seconds: float
    penalty_seconds: float
    penalty_most_seconds: float

    @property
    def new(self) -> Rate:
        """The new ones, as tokens."""
        return Rate(self.new_connections, self.new_connections / self.new_seconds)


@dataclass(slots=True)
class _Network:
    """What is known of one. ``new``: a token for each new connection."""

    new: Tokens = field(default_factory=Tokens)
    noted: float = float("-inf")


class Visitors:
    """All networks of which something is known.

    Args:
        limits: The bounds as they are now.
        seconds: A clock that never goes back.
        most: Of how many networks new connections are kept, and of how many penalties: the one of which nothing was heard
            for longest goes first. How many connections a network has is known of all that have any.
    """

    def __init__(
        self, limits: Callable[[], VisitorLimits], seconds: Callable[[], float], most: int = MOST_NETWORKS
    ) -> None:
        self._limits, self._seconds, self._most = limits, seconds, most
        self._known: OrderedDict[str, _Network] = OrderedDict()
        self._penalties: OrderedDict[str, float] = OrderedDict()  # when each is gone
        self._inside: Counter[str] = Counter()
        self._trusted = AddressBans()
        self.trust(())

    def __len__(self) -> int:
        return len(self._known) + len(self._penalties)

    def trust(self, networks: Iterable[str]) -> None:
        """From now on nothing of this goes for these networks: those of whole schools or teams, or a proxy's."""
        self._trusted = AddressBans()
        for network in (*LOOPBACK, *map(parse_network, networks)):
            self._trusted.add(network)

    def _is_exempt(self, host: str) -> bool:
        """Trusted ones, the server's own machine, and what is no address: somebody who may open a socket of ours."""
        return address_of(host) is None or self._trusted.holds(host)

    def _of(self, host: str) -> _Network:
        name = network_of(host)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = _Network()
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(name)
        return known

    def refusal(self, host: str) -> Refusal | None:
        """Why nobody else is let in from there now, or None."""
        if self._is_exempt(host):
            return None
        name, limits, now = network_of(host), self._limits(), self._seconds()
        if self._penalties.get(name, now) - now > limits.penalty_seconds:
            return Refusal.PENALTY
        if self._penalties.get(_many(host), now) - now > BLOCK_FACTOR * limits.penalty_seconds:
            return Refusal.PENALTY
        if self._inside[name] >= limits.connections:
            return Refusal.TOO_MANY
        known = self._known.get(name)
        if known is None:
            return None
        return Refusal.TOO_FAST if known.new.wait(limits.new, 1, now) else None

    def came(self, host: str) -> None:
        """Somebody was let in."""
        self._inside[network_of(host)] += 1
        if not self._is_exempt(host):
            self._of(host).new.take(self._limits().new, 1, self._seconds())

    def left(self, host: str) -> None:
        """Somebody who was let in has gone."""
        name = network_of(host)
        self._inside[name] -= 1
        if not self._inside[name]:
            del self._inside[name]

    def punish(self, host: str, fault: Fault) -> None:
        """Somebody did what no honest client does."""
        if not self._is_exempt(host):
            most = self._limits().penalty_most_seconds
            self._add(network_of(host), PENALTIES[fault], most)
            if _many(host) != network_of(host):
                self._add(_many(host), PENALTIES[fault], BLOCK_FACTOR * most)

    def _add(self, name: str, seconds: float, most: float) -> None:
        now = self._seconds()
        self._penalties[name] = min(max(self._penalties.pop(name, now), now) + seconds, now + most)
        while len(self._penalties) > self._most or next(iter(self._penalties.values())) <= now:
            self._penalties.popitem(last=False)

    def notes(self, host: str) -> bool:
        """Whether a line about this network belongs into the log: the first in a while."""
        known, now = self._of(host), self._seconds()
        if now - known.noted < NOTE_SECONDS:
            return False
        known.noted = now
        return True


def _many(host: str) -> str:
    """Who uses up one IPv6 /64 after the other is kept out as a whole; an IPv4 address has neighbours of its own."""
    return f"all of {block_of(host)}" if ":" in network_of(host) else network_of(host)
