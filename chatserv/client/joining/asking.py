"""What a program that has joined asks, over one connection after the other, and gets answered once."""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from twisted.internet.defer import Deferred

from chatserv.client.joining.frames import ID_BYTES, MAX_UNDER_WAY, Ask, Result, Up, encode
from chatserv.client.joining.values import Values, promised
from chatserv.client.joining.verbs import LOOK, Verb, values_of
from chatserv.client.outbound.sent import Sent
from chatserv.client.room_handle import RoomHandle
from chatserv.client.state.context import Interrupted
from chatserv.errors import BadFrame, Quota

ANSWER_SECONDS: Final = 10.0
"""How long what is asked at once may take, a change of the program that holds the profile included."""
SEEK_SECONDS: Final = 0.02
MAX_WAITING: Final = 1000
"""Requests that wait here until others are answered."""


class Wire(Protocol):
    """The way to the program that holds the profile."""

    def write(self, data: bytes) -> None:
        """Sends bytes."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...

    def wait(self, seconds: float) -> bool:
        """Lets bytes come, for at most so long; False where none can come any more."""
        ...


@dataclass(eq=False)
class _Pending:
    """A request that is not over: without its answer, or with a promise that is not kept."""

    ask: Ask
    kind: Any
    awaited: "Deferred[Result] | None" = None
    result: Result | None = None
    promise: "Deferred[Any] | None" = None
    kept: Result | None = None


class Asking:
    """Asks; what is not answered when the connection goes is asked again, under the same ids.

    Args:
        reactor: The reactor.
        seconds: A clock that never goes back.
        sleep: Lets so many seconds pass.
        seek: Looks once for a program to join, or takes the profile over; says whether that worked.
        gone: Told of a connection that is over.
        room: Makes a room's handle of its id.

    Attributes:
        wire: To the program that holds the profile, while there is one.
    """

    def __init__(
        self,
        reactor: Any,
        seconds: Callable[[], float],
        sleep: Callable[[float], object],
        seek: Callable[[], bool],
        gone: Callable[[Wire], None],
        room: Callable[[bytes], RoomHandle],
    ) -> None:
        self._reactor, self._seconds, self._sleep = reactor, seconds, sleep
        self._seek, self._gone, self._room = seek, gone, room
        self.wire: Wire | None = None
        self._values = Values(self._give, self._take_value)
        self._pending: dict[bytes, _Pending] = {}
        self._waiting: deque[_Pending] = deque()
        self._views: dict[tuple[str, bytes], list[Result]] = {}
        self._later: deque[Callable[[], object]] = deque()  # what is told or answered while the program waits
        self._depth = 0
        self._promise: Deferred[Any] | None = None

    # -- the connection ------------------------------------------------------------------------------------------------

    def lost(self, wire: Wire) -> bool:
        """The connection is gone; says whether it was the one that we have."""
        if wire is not self.wire:
            return False
        self.wire = None
        self._views.clear()
        return True

    def ask_again(self) -> None:
        """There is another connection."""
        self._views.clear()
        for pending in list(self._pending.values()):
            pending.ask = msgspec.structs.replace(pending.ask, again=True)
            self._write(pending.ask)

    def interrupt(self) -> None:
        """The program wants nothing any more; promises are not kept."""
        pending, self._pending = list(self._pending.values()), {}
        waiting, self._waiting = self._waiting, deque()
        for each in (*pending, *waiting):
            if each.awaited is not None:
                each.awaited.errback(Interrupted("the client was stopped"))

    def promised_ids(self) -> list[bytes]:
        """Messages that are not known to be stored."""
        return [each.ask.id for each in self._pending.values() if each.promise is not None]

    def forget_promises(self) -> None:
        """They are given up."""
        for id_ in self.promised_ids():
            del self._pending[id_]

    def _write(self, message: Up) -> None:
        if self.wire is not None:
            self.wire.write(encode(message))

    @property
    def busy(self) -> bool:
        """Whether the program waits for an answer just now, and nothing else of it may run."""
        return bool(self._depth)

    def soon(self, what: Callable[[], object]) -> None:
        """Does something that calls the program: at once, or when it waits no more for what it has asked."""
        if not self._depth and not self._later:
            what()
            return
        self._later.append(what)

    def _catch_up(self) -> None:
        while self._later and not self._depth:
            what = self._later[0]
            try:
                what()
            finally:
                self._later.popleft()

    # -- what is asked -------------------------------------------------------------------------------------------------

    def value(self, verb: Verb, room: bytes) -> Any:
        """A value; all of one thing are asked for at once, and hold until something happens or this turn is over."""
        key = (verb.group, room)
        if key not in self._views:
            ask = Ask(os.urandom(ID_BYTES), f"{verb.group}.{LOOK}", room, msgspec.Raw(b"\x80"))
            self._keep_view(key, self._now(_Pending(ask, list[Result])))
        return self._values.result(self._views[key][values_of(verb.group).index(verb)], verb.result)

    def _keep_view(self, key: tuple[str, bytes], view: list[Result]) -> None:
        if not self._views:
            self._reactor.callLater(0, self._views.clear)
        self._views[key] = view

    def call(self, verb: Verb, room: bytes, args: dict[str, Any]) -> Any:
        """What a function gives at once. Raises what it raises, or `Interrupted`."""
        self._views.clear()
        return self._now(_Pending(self._ask(verb, room, args), verb.result))

    async def ask(self, verb: Verb, room: bytes, args: dict[str, Any]) -> Any:
        """What a function gives when it is done."""
        self._views.clear()
        pending = _Pending(self._ask(verb, room, args), verb.result, Deferred())
        if len(self._waiting) >= MAX_WAITING:
            raise Quota(f"{MAX_WAITING} requests wait")
        self._waiting.append(pending)
        self._send_more()
        assert pending.awaited is not None
        return self._values.result(await pending.awaited, verb.result)

    def _ask(self, verb: Verb, room: bytes, args: dict[str, Any]) -> Ask:
        return Ask(os.urandom(ID_BYTES), verb.name, room, msgspec.Raw(self._values.encode(verb.args(**args))))

    def _send_more(self) -> None:
        under_way = sum(each.awaited is not None for each in self._pending.values())
        while self._waiting and under_way < MAX_UNDER_WAY:
            under_way += 1
            self._send(self._waiting.popleft())

    def _send(self, pending: _Pending) -> None:
        self._pending[pending.ask.id] = pending
        self._write(pending.ask)

    def _now(self, pending: _Pending) -> Any:
        """Sends a request and waits for its answer; nothing else of the program runs meanwhile."""
        self._depth += 1
        try:
            self._send(pending)
            self._wait_for(pending)
            self._promise = None
            assert pending.result is not None
            value = self._values.result(pending.result, pending.kind)
            pending.promise, self._promise = self._promise, None
        except BaseException:
            self._over(pending)
            raise
        finally:
            self._depth -= 1
            if self._later and not self._depth:
                self._reactor.callLater(0, self._catch_up)
        if pending.promise is None:
            self._over(pending)
        elif pending.kept is not None:
            self._over(pending)
            self._fire(pending)
        return value

    def _wait_for(self, pending: _Pending) -> None:
        until = self._seconds() + ANSWER_SECONDS
        while pending.result is None:
            left = until - self._seconds()
            if left <= 0:
                raise Interrupted("the program that holds the profile does not answer")
            wire = self.wire
            if wire is None:
                if not self._seek():
                    self._sleep(SEEK_SECONDS)
            elif not wire.wait(left):
                self._gone(wire)

    # -- values --------------------------------------------------------------------------------------------------------

    def _give(self, value: Any) -> Any:
        raise BadFrame(f"{type(value).__name__}: does not travel")

    def _take_value(self, kind: Any, plain: Any) -> Any:
        if promised(kind) is not None:
            self._promise = Sent(plain) if kind is Sent else Deferred()
            return self._promise
        room_id, view = plain
        self._keep_view(("room", room_id), self._values.decode(view, list[Result]))
        return self._room(room_id)

    # -- answers -------------------------------------------------------------------------------------------------------

    def answered(self, id_: bytes, result: Result) -> None:
        """A request has its answer; one that was asked again may have had it before."""
        pending = self._pending.get(id_)
        if pending is None:
            return
        if pending.result is not None:
            if not result.good:
                self.kept(id_, result)
            return
        if pending.awaited is None:
            pending.result = result  # whoever waits for it goes on
            return
        self._over(pending)
        self._send_more()
        self.soon(lambda: None if pending.awaited is None else pending.awaited.callback(result))

    def kept(self, id_: bytes, result: Result) -> None:
        """What a request has promised is kept, or will not be."""
        pending = self._pending.get(id_)
        if pending is None:
            return
        pending.kept = result
        if pending.promise is not None:
            self._over(pending)
            self.soon(lambda: self._fire(pending))

    def _fire(self, pending: _Pending) -> None:
        assert pending.promise is not None
        assert pending.kept is not None
        try:
            value = self._values.result(pending.kept, promised(pending.kind))
        except Exception as error:  # noqa: BLE001 - what the promise fails with
            pending.promise.errback(error)
        else:
            pending.promise.callback(value)

    def _over(self, pending: _Pending) -> None:
        self._pending.pop(pending.ask.id, None)
