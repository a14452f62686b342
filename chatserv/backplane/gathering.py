"""Questions to the store that are asked together: one read at a time, however many want to know something."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct, field

from chatserv.commands.effects import Effects, Promise
from chatserv.errors import Busy, WireError

T = TypeVar("T")


class _Page(Struct, Generic[T], eq=False):
    """One read, and who waits for it. ``refusal``: why there is no answer once it is ``over``."""

    asked: list[bytes] = field(default_factory=list)
    found: T | None = None
    refusal: WireError = field(default_factory=lambda: Busy("store: a question", after_seconds=1))
    over: bool = False
    waiting: list[Promise] = field(default_factory=list)


class Gathering(Generic[T]):
    """Whoever asks while somebody else does is answered by the one read that follows, which is of after that.

    Args:
        effects: Runs the reads.
        read: Answers all that was asked for; raises `WireError`.
    """

    def __init__(self, effects: Effects, read: Callable[[Sequence[bytes]], Awaitable[T]]) -> None:
        self._effects, self._read = effects, read
        self._next: _Page[T] | None = None
        self._asking = False

    async def ask(self, *what: bytes) -> T:
        """What a read that begins from now on finds, which was asked for this too. Raises what that raises, or `Busy`."""
        page, begins = self._next, self._next is None and not self._asking
        if page is None:
            page = self._next = _Page()
        page.asked.extend(what)
        if begins:
            self._effects.spawn(self._ask())
        if page.found is None and not page.over:
            promise = self._effects.promise()
            page.waiting.append(promise)
            await promise
        if page.found is None:
            raise page.refusal
        return page.found

    async def _ask(self) -> None:
        page, self._next, self._asking = self._next, None, True
        assert page is not None
        try:
            page.found = await self._read(page.asked)
        except WireError as error:
            page.refusal = error
        finally:
            self._asking, page.over = False, True
            if self._next is not None:
                self._effects.spawn(self._ask())
            for promise in page.waiting:
                promise.callback(None)
