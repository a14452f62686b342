"""When something was said that may be lost. Pure: the clock comes in.

Who reaches the bus can make no message, and say again what a node has said. With events, leaves and orders that changes
nothing, as they have numbers. Everything else has a time that rises with each message of its node, and is heard once and for
two minutes: so nodes that are gone do not come back, and nobody is shown who was there yesterday.
"""

from collections.abc import Callable
from typing import Final

OLD_MS: Final = 120_000  # nodes' clocks may differ by so much
MAX_NODES: Final = 256  # of which it is known what they have said last


class Stamps:
    """Those of one node's messages, and of what it hears.

    Args:
        now_ms: The clock, in milliseconds since 1970.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms, self._own = now_ms, 0
        self._last: dict[bytes, int] = {}  # of each node, those that were heard last behind the others

    def __len__(self) -> int:
        return len(self._last)

    def next(self) -> int:
        """Of the next message of this node: now, and later than the one before, unless the clock was set back by far."""
        now = self._now_ms()
        self._own = now if self._own - now > OLD_MS else max(now, self._own + 1)
        return self._own

    def age_ms(self, at_ms: int) -> int:
        """How long ago that was, by this node's clock; below 0: it is yet to come."""
        return self._now_ms() - at_ms

    def is_new(self, node: bytes, at_ms: int) -> bool:
        """Whether a message counts. If so, none of that node that is not later does any more."""
        if abs(self.age_ms(at_ms)) > OLD_MS or at_ms <= self._last.get(node, at_ms - 1):
            return False
        self._last.pop(node, None)
        if len(self._last) >= MAX_NODES:
            del self._last[next(iter(self._last))]
        self._last[node] = at_ms
        return True
