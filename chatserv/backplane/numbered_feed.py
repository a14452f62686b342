"""The log's leaves and control entries, as a node hears them: every one counts, so what is missing is read to its end."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chatserv.backplane.feed import Budget, Feed
from chatserv.commands.effects import Effects
from chatserv.errors import Busy

PAGE: Final = 400  # entries in one read


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a stream; ``number`` counts from 1."""

    number: int
    body: bytes


class NumberedFeed(Feed[Entry]):
    """One such stream.

    Args:
        effects: Timers, promises.
        budget: What all streams share.
        head: The last number that this node has.
        read: Gives so many entries after a number, in order; raises `chatserv.errors.WireError`.
        deliver: Gets each entry once, in order.
    """

    def __init__(
        self,
        effects: Effects,
        budget: Budget,
        head: int,
        read: Callable[[int, int], Awaitable[Sequence[Entry]]],
        deliver: Callable[[Sequence[Entry]], None],
    ) -> None:
        super().__init__(effects, budget, head)
        self._read_entries, self._hand_out = read, deliver
        self._hole_at: int | None = None

    def _number(self, item: Entry) -> int:
        return item.number

    def _size(self, item: Entry) -> int:
        return len(item.body)

    def _deliver(self, run: Sequence[Entry]) -> None:
        self._hand_out(run)

    async def _mend(self) -> None:
        full = True
        while full and not self.ended:
            before = self.head
            page = await self._read_entries(before, PAGE)
            full = len(page) == PAGE
            self.offer(page)
            if page and self.head == before and not self.ended:
                self._complain()

    def _complain(self) -> None:
        """What was read does not follow: it is read again in a while; the first time, that is a bug to be logged."""
        if self._hole_at != self.head:
            self._hole_at = self.head
            raise LookupError(f"the store gave entries after {self.head}, and not the next one")
        raise Busy("feed: the next entry is not there")
