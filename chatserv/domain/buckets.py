"""Token buckets: so much at once, and so much a second after that. Pure: time is a parameter, and never goes back.

A bucket is kept as the moment at which it is full again, so it costs one number and no timer. What is taken before it is
there is a debt: the wait until it is paid is known at once, and who came first waits least.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Final

ALMOST: Final = 1e-6  # of a token: what a sum of times is off by


class Bucket(Enum):
    """What a command is paid from."""

    __hash__ = object.__hash__  # asked for with each command: an enumeration's own is Python

    CHAT = "what is said to others"
    UPKEEP = "what keeps rooms, keys and the connection going; chat never empties it"
    READ = "what is read"
    BLOB = "pieces of files, up and down: bytes, and 4 KiB for each at least"
    FREE = "costs nothing, since it ends the session"


@dataclass(frozen=True, slots=True)
class Rate:
    """How big a bucket is, and how fast it fills: ``burst`` tokens, ``per_second`` tokens a second."""

    burst: float
    per_second: float


class Tokens:
    """One bucket. Its rate comes with each call, since settings may change while it stands."""

    __slots__ = ("_full_at",)

    def __init__(self) -> None:
        self._full_at = float("-inf")

    def wait(self, rate: Rate, cost: float, now: float) -> float:
        """How many seconds until ``cost`` tokens are there, or all that it holds where ``cost`` is more than that."""
        owed = self._full_at - now
        if owed <= 0:
            return 0.0
        missing = min(cost, rate.burst) - rate.burst + owed * rate.per_second
        return missing / rate.per_second if missing > ALMOST else 0.0

    def left(self, rate: Rate, now: float) -> float:
        """How many tokens are there; less than 0: so many are owed."""
        return rate.burst - max(self._full_at - now, 0.0) * rate.per_second

    def take(self, rate: Rate, cost: float, now: float) -> None:
        """Takes ``cost`` tokens, also where they are not there yet."""
        full_at = self._full_at
        self._full_at = (full_at if full_at > now else now) + cost / rate.per_second


@dataclass(frozen=True, slots=True)
class Tariff:
    """The rates of one kind of command: of how many, and of their bytes, where these count."""

    count: Rate
    size: Rate | None = None


class Purse:
    """What one payer has: a bucket of counts and one of bytes for each kind of thing, made when it is first used."""

    __slots__ = ("_counts", "_sizes")

    def __init__(self) -> None:
        self._counts: dict[Enum, Tokens] = {}
        self._sizes: dict[Enum, Tokens] = {}

    def wait(self, bucket: Enum, tariff: Tariff, cost: float, size: float, now: float) -> float:
        """How many seconds until ``cost`` and ``size`` are both there."""
        counts, sizes = self._counts.get(bucket), self._sizes.get(bucket)
        wait = 0.0 if counts is None else counts.wait(tariff.count, cost, now)
        if sizes is None or tariff.size is None:
            return wait
        return max(wait, sizes.wait(tariff.size, size, now))

    def left(self, bucket: Enum, tariff: Tariff, now: float) -> tuple[float, float]:
        """How many tokens are there, and how many bytes."""
        counts, sizes = self._counts.get(bucket), self._sizes.get(bucket)
        count = tariff.count.burst if counts is None else counts.left(tariff.count, now)
        if tariff.size is None:
            return count, float("inf")
        return count, tariff.size.burst if sizes is None else sizes.left(tariff.size, now)

    def take(self, bucket: Enum, tariff: Tariff, cost: float, size: float, now: float) -> None:
        """Takes both."""
        counts = self._counts.get(bucket)
        if counts is None:
            counts = self._counts[bucket] = Tokens()
        counts.take(tariff.count, cost, now)
        if size and tariff.size is not None:
            sizes = self._sizes.get(bucket)
            if sizes is None:
                sizes = self._sizes[bucket] = Tokens()
            sizes.take(tariff.size, size, now)

    def fill(self, bucket: Enum) -> None:
        """Nothing is missing any more."""
        self._counts.pop(bucket, None)
        self._sizes.pop(bucket, None)


class Purses:
    """Many payers, by key. The one that was used longest ago goes first where there are more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._purses: OrderedDict[Hashable, Purse] = OrderedDict()

    def __len__(self) -> int:
        return len(self._purses)

    def of(self, key: Hashable) -> Purse:
        """The purse of this payer, a full one where it is not known."""
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = Purse()
            if len(self._purses) > self._most:
                self._purses.popitem(last=False)
        else:
            self._purses.move_to_end(key)
        return purse
