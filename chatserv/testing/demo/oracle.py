"""The delivery oracle: compares what was written with what was read, knowing nothing of how it travelled."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What the comparison found, over all readers."""

    lost: int
    doubled: int
    order_equal: bool

    @property
    def good(self) -> bool:
        """Whether delivery kept its promise."""
        return self.lost == 0 and self.doubled == 0 and self.order_equal

    def __str__(self) -> str:
        return f"{self.lost} lost, {self.doubled} doubled, order {'equal' if self.order_equal else 'differs'}"


def compare(written: Mapping[str, Sequence[str]], read: Mapping[str, Sequence[tuple[str, str]]]) -> Verdict:
    """Validates a room.

    Args:
        written: Lines by who wrote them, each line different.
        read: By reader, the (writer, line) pairs in the order in which they were shown.

    Returns:
        How many lines any reader misses, how many copies too many there are, and whether all readers saw what they have in
        common in one order, with each writer's lines in the order of writing.
    """
    lost = doubled = 0
    order_equal = True
    wanted = Counter((writer, line) for writer, lines in written.items() for line in lines)
    orders = []
    for shown in read.values():
        counts = Counter(shown)
        lost += sum((wanted - counts).values())
        doubled += sum((counts - wanted).values())
        first = list(dict.fromkeys(shown))
        orders.append(first)
        for writer, lines in written.items():
            seen = [line for who, line in first if who == writer]
            known = set(seen)
            order_equal &= seen == [line for line in lines if line in known]
    common = set.intersection(*map(set, orders)) if orders else set()
    shared = [[item for item in order if item in common] for order in orders]
    return Verdict(lost, doubled, order_equal and all(order == shared[0] for order in shared))
