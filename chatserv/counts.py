"""What the server counts: plain numbers in memory, by name and label. They cost an addition, and know nobody who asks."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

MOST_LABELS: Final = 64  # of one name; whatever comes beyond is counted as OTHER
OTHER: Final = "other"

COUNTED: Final[Mapping[str, tuple[str, str]]] = {
    # name: what it is, and what its label says; an empty one: it has none
    "messages": ("Messages stored", ""),
    "commits": ("Changes of rooms stored", ""),
    "logins": ("Sessions begun, by device or by password", "by"),
    "turned_away": ("Connections closed at once, by reason", "reason"),
    "connections_ended": ("Connections that have ended, by how far they had come: login, session", "phase"),
    "refusals": ("Commands and logins refused, by error code", "code"),
    "slowed": ("Times that nothing more was read of a connection because it was too fast", ""),
    "retained": ("Messages deleted by the rule of how long they are kept", ""),
    "blobs_removed": ("Files that ended, expired, or lacked their row or bytes, and were removed", ""),
    "damage": ("Times that the database was found damaged", ""),
    "stalls": ("Times that the reactor stood still for 100 ms or more", ""),
}
"""All that can be counted; `chatserv.metrics` shows each as ``chatserv_NAME_total``. Labels are a few fixed words: never the
name of a person, room or address."""


class Count(Protocol):
    """Counts."""

    def __call__(self, name: str, label: str = "", by: int = 1) -> None:
        """``by`` more of ``name``, a key of `COUNTED`."""


class Counts:
    """The numbers since the start."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {
            name: {} if label else {"": 0} for name, (_, label) in COUNTED.items()
        }

    def add(self, name: str, label: str = "", by: int = 1) -> None:
        """As `Count`. Raises KeyError for a name that is not in `COUNTED`, ValueError for a label of one without."""
        numbers = self._numbers[name]
        if bool(label) is not bool(COUNTED[name][1]):
            raise ValueError(f"{name}: {label or 'no label'}")
        if label not in numbers and len(numbers) >= MOST_LABELS:
            label = OTHER
        numbers[label] = numbers.get(label, 0) + by

    def of(self, name: str) -> Mapping[str, int]:
        """The numbers of a name, by label; of one without labels, by the empty one."""
        return self._numbers[name]


class Histogram:
    """How often a figure was how large.

    Args:
        bounds: The upper ends, in order.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.numbers = [0] * (len(self.bounds) + 1)  # the last: above all bounds
        self.total = 0.0

    def observe(self, figure: float) -> None:
        """Takes one in."""
        self.numbers[bisect_left(self.bounds, figure)] += 1
        self.total += figure
