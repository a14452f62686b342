"""Commands under way: one answer each, or the end of the connection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred

from chatserv.client.connection.pace import Pace
from chatserv.client.state.context import Interrupted, Offline, retry_delay
from chatserv.domain.texts import TextInvalid
from chatserv.errors import BadMessage, wire_error
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

Row = TypeVar("Row")
LABELS: Final = 2**32
MAX_UNDER_WAY: Final = 10_000  # more wait for nothing: the server answers 64 at once


FLOW: Final = "flow"  # who refuses a command that was not looked at, because the account was too fast
IN_ORDER: Final = frozenset({messages.Send})  # whoever asks for these decides when they go again


@dataclass(frozen=True, eq=False, slots=True)
class _Asked:
    answer: Deferred[Any]
    command: type[messages.Command]
    encoded: bytes


class Requests:
    """Asks the server, and hands its answers back to who asked.

    Args:
        write: Takes an encoded message that is to leave now.
        seconds: A clock that never goes back.
        later: Calls something after so many seconds.

    Attributes:
        pace: How much we may say now.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        seconds: Callable[[], float],
        later: Callable[[float, Callable[[], object]], Any],
    ) -> None:
        self._write, self._later = write, later
        self.pace = Pace(seconds)
        self._labels = count(1)
        self._waiting: dict[int, _Asked] = {}
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
        for asked in waiting.values():
            asked.answer.errback(Interrupted("the connection was lost"))

    def ask(self, make: type[messages.Command], **fields: Any) -> "Deferred[Any]":
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
        asked = self._waiting[label] = _Asked(answer, make, encoded)
        self.pace.spend(make, fields.get("envelope", b""))
        self._write(asked.encoded)
        return answer

    async def expect(self, kind: type[Any], make: type[messages.Command], **fields: Any) -> Any:
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
        label = getattr(reply, "label", -1)
        asked = self._waiting.get(label)
        if asked is None:
            return False
        if isinstance(reply, messages.Error):
            if reply.by == FLOW and asked.command not in IN_ORDER:
                self._later(retry_delay(reply.after_seconds), lambda: self._again(label, asked))
                return True
            del self._waiting[label]
            asked.answer.errback(wire_error(reply.code, reply.text, reply.after_seconds, reply.by))
        else:
            del self._waiting[label]
            asked.answer.callback(reply)
        return True

    def _again(self, label: int, asked: _Asked) -> None:
        """The server has not looked at it, as it came too fast: it is asked once more, unless the connection went."""
        if self._waiting.get(label) is asked:
            self._write(asked.encoded)
