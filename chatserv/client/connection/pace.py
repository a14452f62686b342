"""How much we may say now, by the rates that the server has announced (docs/protocol.rst 12): what leaves is never refused.

The account's other devices have a share in the same rates, which we do not see; what is refused because of them comes again.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from chatserv.crypto.envelope import ENVELOPE_BYTES_MIN
from chatserv.domain.buckets import ALMOST, Bucket, Purse, Rate, Tariff
from chatserv.wire import messages

Row = TypeVar("Row")
CHAT: Final = frozenset({messages.Send, messages.SetPresence, messages.MarkRead, messages.SetTyping, messages.Announce})


class Pace:
    """What we have said, for as long as the program runs: the server does not forget it between two connections.

    Args:
        seconds: A clock that never goes back.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds, self._purse = seconds, Purse()
        self._tariff: Tariff | None = None

    def announced(self, limits: messages.LimitInfo) -> None:
        """The server names its rates; one that names none has none."""
        numbers = (limits.chat_burst, limits.chat_per_second, limits.chat_burst_bytes, limits.chat_bytes_per_second)
        self._tariff = None
        if all(0 < number < float("inf") for number in numbers):
            count, per_second, size, bytes_per_second = numbers
            self._tariff = Tariff(Rate(count, per_second), Rate(size, bytes_per_second))

    def spend(self, command: type[messages.Command], envelope: bytes = b"") -> None:
        """A command leaves."""
        if self._tariff is not None and command in CHAT:
            size = max(0, len(envelope) - ENVELOPE_BYTES_MIN)
            self._purse.take(Bucket.CHAT, self._tariff, 1, size, self._seconds())

    def wait(self) -> float:
        """How many seconds until one more message may leave."""
        return 0.0 if self._tariff is None else self._purse.wait(Bucket.CHAT, self._tariff, 1, 1, self._seconds())

    def pick(self, rows: Sequence[Row], size: Callable[[Row], int]) -> list[Row]:
        """As many of these, from the first on, as may leave now."""
        if self._tariff is None:
            return list(rows)
        count, left = self._purse.left(Bucket.CHAT, self._tariff, self._seconds())
        found: list[Row] = []
        for row in rows:
            if len(found) + 1 > count + ALMOST or left < 1:
                break
            found.append(row)
            left -= size(row)
        return found
