"""Commands under way: one answer each, or the end of the connection."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred

from chatserv.client.state.context import Interrupted, Offline
from chatserv.domain.texts import TextInvalid
from chatserv.errors import BadMessage, wire_error
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

Row = TypeVar("Row")
LABELS: Final = 2**32
MAX_UNDER_WAY: Final = 10_000  # more wait for nothing: the server answers 64 at once


class Requests:
    """Asks the server, and hands its answers back to who asked.

    Args:
        write: Takes an encoded message that is to leave now.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._labels = count(1)
        self._waiting: dict[int, Deferred[Any]] = {}
        self._connected = False

    @property
    def connected(self) -> bool:
        """Whether a session is open."""
        return self._connected

    def up(self) -> None:
        """A session is open."""
        self._connected = True

    def down(self) -> None:
        """The session is over: everything under way fails with `Interrupted`."""
        self._connected = False
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer.errback(Interrupted("the connection was lost"))

    def ask(self, make: type[messages.Command], **fields: object) -> "Deferred[Any]":
        """Sends a command; fires with its reply, or fails: with the `WireError` of an error reply, or what was in the way.

        That is `Interrupted` where the connection went, and `TextInvalid` where no wire can carry a text.
        """
        answer: Deferred[Any] = Deferred()
        if not self._connected or len(self._waiting) >= MAX_UNDER_WAY:
            answer.errback(Offline("not connected"))
            return answer
        label = next(self._labels) % LABELS
        try:
            encoded = encode_message(make(label=label, **fields))
        except UnicodeEncodeError:
            answer.errback(TextInvalid(f"{make.__name__}: a lone surrogate"))
            return answer
        self._waiting[label] = answer
        self._write(encoded)
        return answer

    async def expect(self, kind: type[Any], make: type[messages.Command], **fields: object) -> Any:
        """The reply, which has to be of this kind. Raises `BadMessage` for another."""
        reply = await self.ask(make, **fields)
        if not isinstance(reply, kind):
            raise BadMessage(f"{make.__name__}: answered by {type(reply).__name__}")
        return reply

    async def rows(
        self,
        kind: type[Any],
        make: type[messages.Command],
        rows: Callable[[Any], Sequence[Row]],
        name: Callable[[Row], str],
    ) -> list[Row]:
        """A whole list that comes page by page.

        Args:
            kind: What a page is.
            make: The command that asks for the page after a name.
            rows: Gives the rows of a page.
            name: What the list is in order of.

        Raises:
            BadMessage: The server answers with something else.
        """
        found: list[Row] = []
        more = True
        while more:
            page = await self.expect(kind, make, after=name(found[-1]) if found else "")
            found += rows(page)
            more = page.more and bool(rows(page))
        return found

    def answered(self, reply: messages.ServerMessage) -> bool:
        """Takes a reply in; says whether anybody waited for it."""
        answer = self._waiting.pop(getattr(reply, "label", -1), None)
        if answer is None:
            return False
        if isinstance(reply, messages.Error):
            answer.errback(wire_error(reply.code, reply.text, reply.after_seconds, reply.by))
        else:
            answer.callback(reply)
        return True
