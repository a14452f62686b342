"""How often somebody has done something: sliding windows in a table of bounded size. Pure: time is a parameter."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Rates:
    """What was done, by whom, in the last while.

    Args:
        seconds: A clock in seconds that never goes back.
        most: How many keys are kept; the one that was used longest ago goes first.
    """

    def __init__(self, seconds: Callable[[], float], most: int) -> None:
        self._seconds, self._most = seconds, most
        # Lists, as most have one entry: a deque takes 600 bytes for it.
        self._times: OrderedDict[Hashable, list[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def wait(self, key: Hashable, limit: int, window: float) -> float:
        """How many seconds ``key`` has to wait before it may do one more within ``limit`` a ``window``; 0: none."""
        times = self._times.get(key)
        if times is None:
            return 0.0
        now = self._seconds()
        del times[: bisect_right(times, now - window)]
        if not times:
            del self._times[key]
        if len(times) < limit:
            return 0.0
        return times[-limit] + window - now

    def take(self, key: Hashable) -> None:
        """Notes that ``key`` does it now."""
        self._times.setdefault(key, []).append(self._seconds())
        self._times.move_to_end(key)
        if len(self._times) > self._most:
            self._times.popitem(last=False)

    def give_back(self, key: Hashable) -> None:
        """Takes the newest note of ``key`` back: it came to nothing."""
        times = self._times.get(key)
        if times:
            times.pop()
            if not times:
                del self._times[key]
