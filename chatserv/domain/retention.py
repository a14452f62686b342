"""How long messages are kept: the clock that says how old they are, and what the store is asked for. Pure.

A clock that was set must delete nothing. So age is counted by a clock of its own, which goes on by the time that the server
runs, as its monotonic clock has it, and is kept from start to start. Where the machine's clock is ahead of it, since no
server ran for a while or since somebody has set it, it follows only after the machine's clock has been so for a week of
running: by then a wrong date has been noticed. It never goes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

CONFIRM_SECONDS: Final = 7 * 86_400.0
LEAST_KEPT_MS: Final = 3_600_000
"""Messages of the last hour stay, however large the database is: what stays for ever may be larger than the rule allows."""
STEADY_MS: Final = 60_000
"""A lead that changes by less is the same: NTP slews, and clocks drift."""


class ConfirmedClock:
    """The clock.

    Args:
        kept_ms: Where it stood when it was kept last; 0: it begins now.
        wall_ms: What the machine's clock says, in milliseconds since 1970.
        seconds: What the monotonic clock says.
    """

    def __init__(self, kept_ms: int, wall_ms: int, seconds: float) -> None:
        self.now_ms = kept_ms or wall_ms
        self._ticked = self._since = seconds
        self._lead_ms = wall_ms - self.now_ms

    def tick(self, wall_ms: int, seconds: float) -> int:
        """Goes on, and says where it is, in milliseconds since 1970 or behind that."""
        self.now_ms += round((seconds - self._ticked) * 1000)
        self._ticked = seconds
        lead_ms = wall_ms - self.now_ms
        if abs(lead_ms - self._lead_ms) > STEADY_MS:
            self._lead_ms, self._since = lead_ms, seconds
        elif seconds - self._since >= CONFIRM_SECONDS:
            self.now_ms += max(0, lead_ms)
            self._lead_ms, self._since = wall_ms - self.now_ms, seconds
        return self.now_ms


@dataclass(frozen=True)
class RetentionDue:
    """What may go.

    Args:
        now_ms: The confirmed clock.
        age_ms: Messages that are so old; 0: none for their age.
        bytes: The oldest while the database takes more, all that is in it, but none of the last hour; 0: none for its size.
        most: How many at once.
    """

    now_ms: int
    age_ms: int
    bytes: int
    most: int


@dataclass(frozen=True)
class Kept:
    """What came of it.

    Args:
        floors: By room in which messages went, the highest seq that did.
        gone: How many.
        more: Whether there may be more to do.
    """

    floors: Mapping[bytes, int]
    gone: int
    more: bool
