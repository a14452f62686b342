"""What is typed and not sent, room by room: a line that was begun for one room does not go into another."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

MAX_DRAFTS: Final = 200  # rooms; the ones that were left first are forgotten


class Drafts:
    """Keeps a line for each room but the current one, whose line is in the buffer.

    Args:
        buffer: Where one types.
        switching: Whether a command is under way that may lead to another room: what is typed meanwhile is for that one.
        later: Calls a function in the next turn of the reactor, and draws.
    """

    def __init__(
        self, buffer: Buffer, switching: Callable[[], bool], later: Callable[[Callable[[], None]], object]
    ) -> None:
        self._buffer, self._switching, self._later = buffer, switching, later
        self._kept: OrderedDict[Hashable, Document] = OrderedDict()
        self._room: Hashable = None
        self._before = ""
        self._accepting = self._ahead = False

    def changed(self) -> None:
        """Something was typed."""
        if not self._before:
            self._ahead = self._switching()
        self._before = self._buffer.text

    def put(self, document: Document | None = None) -> None:
        """This stands in the buffer now; nothing of what was there before can be brought back by undoing."""
        self._buffer.reset(document)
        self._before = self._buffer.text

    def accept(self, take: Callable[[str], None]) -> None:
        """Return: gives the line on, which may lead to another room. The buffer is emptied behind it."""
        self._before, self._accepting = "", True
        try:
            take(self._buffer.text)
        finally:
            self._accepting = False

    def enter(self, room: Hashable) -> None:
        """Another room is the current one: what was typed stays with the room that it was typed for."""
        if room == self._room:
            return
        typed_for_it = (self._buffer.text and self._ahead) or self._room is None
        if not self._accepting and not typed_for_it:
            self._keep(self._buffer.document)
            self.put()
        self._room, self._ahead = room, False
        if self._accepting:  # the line that led here is in the buffer still
            self._later(self._restore)
        else:
            self._restore()

    def _keep(self, document: Document) -> None:
        self._kept.pop(self._room, None)
        if document.text:
            self._kept[self._room] = document
            if len(self._kept) > MAX_DRAFTS:
                self._kept.popitem(last=False)

    def _restore(self) -> None:
        if not self._buffer.text:
            self.put(self._kept.pop(self._room, None))
