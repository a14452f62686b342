"""Hedged random numbers (docs/rooms.rst 2.1): a weak generator of the operating system alone gives nothing away."""

from collections.abc import Callable
from itertools import count
from typing import Final

from chatserv.crypto.encoding import u64
from chatserv.crypto.suite import extract, xlabel

FRESH_BYTES: Final = 32


def hedge(seed: bytes, fresh: bytes, clock_ns: int, counter: int, length: int) -> bytes:
    """``random(n)``, in the manner of RFC 8937.

    Args:
        seed: ``rng_seed``, 32 bytes, made with the device keys and sealed beside them.
        fresh: 32 bytes of the operating system.
        clock_ns: The clock, nanoseconds.
        counter: Of this process, one more each time.
        length: Bytes wanted, at most 8160 (RFC 5869 section 2.3).
    """
    return xlabel(extract(seed, fresh), "rng", u64(clock_ns) + u64(counter), length)


class HedgedRandom:
    """``random(n)`` as a function: what every ``random`` parameter of this package is given.

    Args:
        seed: ``rng_seed``, 32 bytes.
        os_random: ``os.urandom``.
        clock_ns: The date in nanoseconds.
    """

    __slots__ = ("_clock_ns", "_counter", "_os_random", "_seed")

    def __init__(self, seed: bytes, os_random: Callable[[int], bytes], clock_ns: Callable[[], int]) -> None:
        self._seed = seed
        self._os_random = os_random
        self._clock_ns = clock_ns
        self._counter = count()

    def __call__(self, length: int) -> bytes:
        """``length`` random bytes."""
        return hedge(self._seed, self._os_random(FRESH_BYTES), self._clock_ns(), next(self._counter), length)
