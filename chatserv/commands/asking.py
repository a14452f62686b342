"""What one node asks another to do: an operation of an operator, which is carried out there, and what came of it.

It goes by way of notices, which may be lost: who asked is then told that it is not known what came of it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.effects import Effects, Promise
from chatserv.decoding import UNREADABLE
from chatserv.errors import Busy, ChatError, TooLarge
from chatserv.local_errors import NotDone, words

WAIT_SECONDS: Final = 15.0
MOST: Final = 16  # that are waited for, and that are carried out, at once
MOST_BYTES: Final = 60_000  # of a question or an answer
MOST_KNOWN: Final = 10_000  # questions that are not carried out once more: who reaches the bus can say them again


class Asked(Struct, frozen=True, array_like=True):
    """One question. ``way``: by which the operator came (`chatserv.operations.registry.Way`); ``who``: for the audit log."""

    asker: Annotated[bytes, Meta(min_length=8, max_length=8)]
    way: Annotated[str, Meta(max_length=16)]
    who: Annotated[str, Meta(max_length=200)]
    operation: Annotated[str, Meta(max_length=64)]
    arguments: dict[str, Any]


Perform = Callable[[Asked], Awaitable[Mapping[str, Any]]]
_decoder: Final = msgspec.msgpack.Decoder(Asked)


class Asking:
    """This node's part.

    Args:
        effects: Timers, promises, and who runs what is asked for.
        node_id: This node's, 8 bytes.
        tell: Tells the others.

    Attributes:
        perform: Carries out what is asked for here, and gives ``result`` and ``code``; None: nothing is.
    """

    def __init__(self, effects: Effects, node_id: bytes, tell: Callable[[Notice], None]) -> None:
        self._effects, self._id, self._tell = effects, node_id, tell
        self._waiting: dict[int, tuple[Promise, list[dict[str, Any]]]] = {}
        self._under_way = 0
        self._known: dict[tuple[bytes, int], None] = {}
        self.perform: Perform | None = None

    async def ask(
        self, node: bytes, way: str, who: str, operation: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What another node answers: ``result`` and ``code``, or ``error``.

        Raises:
            Busy: Too many are asked already.
            NotDone: There is no answer; whether it was done is not known.
        """
        if len(self._waiting) >= MOST:
            raise Busy("asking: too many questions to other nodes", after_seconds=1)
        number = int.from_bytes(self._effects.random(7), "big")
        promise, answers = self._waiting[number] = self._effects.promise(), []
        timer = self._effects.later(WAIT_SECONDS, lambda: self._end(number))
        body = msgspec.msgpack.encode(Asked(self._id, way, who, operation, dict(arguments)))
        self._tell(Notice(NoticeKind.ASKED, node, "", number, body))
        await promise
        if not answers:
            raise NotDone("the node does not answer; whether it was done is not known")
        timer.cancel()
        return answers[0]

    def heard(self, notice: Notice) -> None:
        """A question to this node, or an answer; what cannot be read, or is nobody's, is passed over."""
        if notice.about != self._id:
            return
        try:
            if notice.kind == NoticeKind.ASKED:
                asked = _decoder.decode(notice.body)
                if self.perform is not None and self._under_way < MOST and self._is_new(asked.asker, notice.number):
                    self._under_way += 1
                    self._effects.spawn(self._answer(self.perform, asked, notice.number))
            elif notice.number in self._waiting:
                self._waiting[notice.number][1].append(msgspec.msgpack.decode(notice.body, type=dict[str, Any]))
                self._end(notice.number)
        except UNREADABLE:
            return

    def _is_new(self, asker: bytes, number: int) -> bool:
        if (asker, number) in self._known:
            return False
        self._known[asker, number] = None
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return True

    def _end(self, number: int) -> None:
        found = self._waiting.pop(number, None)
        if found is not None:
            found[0].callback(None)

    async def _answer(self, perform: Perform, asked: Asked, number: int) -> None:
        try:
            answer = await perform(asked)
            body = msgspec.msgpack.encode(answer)
            if len(body) > MOST_BYTES:
                raise TooLarge("asking: the answer")
        except ChatError as error:
            body = msgspec.msgpack.encode({"error": {"code": error.code, "text": words(error)}})
        finally:
            self._under_way -= 1
        self._tell(Notice(NoticeKind.ANSWERED, asked.asker, "", number, body))
