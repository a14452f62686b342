"""What a client tells its program: every event, whether it is online, and what has become of each message."""

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred

from chatserv.client.engine import Engine
from chatserv.client.events import (
    ClientEvent,
    SendAcknowledged,
    SendFailed,
    Status,
    StatusChanged,
)
from chatserv.client.outbound.pending import Withdrawn
from chatserv.client.outbound.sent import Sent
from chatserv.client.standing import standing
from chatserv.client.state.listeners import MAX_LISTENERS, Listener
from chatserv.client.troubles import Troubles
from chatserv.errors import Quota
from chatserv.local_errors import LocalProtocolError


class Notifier:
    """The side of a client that faces its program.

    Args:
        first: The listener of the program that made the client.

    Attributes:
        listeners: Who is told.
        troubles: What is wrong now.
    """

    def __init__(self, first: Listener) -> None:
        self.listeners, self.troubles = [first], Troubles()
        self.status, self.failure = Status.STOPPED, None  # type: tuple[Status, Exception | None]
        self._online: list[Deferred[None]] = []
        self._acknowledgements: dict[bytes, Sent] = {}

    async def online(self) -> None:
        """Returns when everything is here; waits as long as the server is away. Raises a final refusal of the server."""
        if self.status is Status.ONLINE:
            return
        if self.status is Status.FAILED and self.failure is not None:
            raise self.failure
        waiting: Deferred[None] = Deferred()
        self._online.append(waiting)
        await waiting

    def listen(self, listener: Listener, engine: Engine | None) -> Callable[[], None]:
        """Tells one more, how things stand first. Returns what ends it. Raises `Quota`.

        Args:
            listener: Who is told.
            engine: Knows how things stand; None before the start.
        """
        if len(self.listeners) >= MAX_LISTENERS:
            raise Quota(f"{MAX_LISTENERS} listeners")

        def leave() -> None:
            listener.live = False
            if listener in self.listeners:
                self.listeners.remove(listener)

        self.listeners.append(listener)
        try:
            if engine is not None:
                self.tell_standing(listener, engine)
        except BaseException:
            leave()
            raise
        return leave

    def tell_standing(self, listener: Listener, engine: Engine) -> None:
        """Tells a listener how things stand, and what it was not shown. Raises `Quota`."""
        for event in (*standing(engine), *self.troubles.open(engine), StatusChanged(self.status)):
            listener.tell(event)
        engine.backlog.begin(listener)

    def await_acknowledgement(self, message_id: bytes) -> Sent:
        """Fires with the ``seq`` of a message of ours when it is stored."""
        acknowledged = Sent(message_id)
        self._acknowledgements[message_id] = acknowledged
        return acknowledged

    def emit(self, event: ClientEvent) -> None:
        """Something happened."""
        if isinstance(event, StatusChanged):
            self.status, self.failure = event.status, event.error
        self.troubles.hear(event)
        for listener in tuple(self.listeners):
            listener.tell(event)
        match event:
            case StatusChanged():
                self._status_changed()
            case SendAcknowledged(message_id, seq):
                if (acknowledged := self._acknowledgements.pop(message_id, None)) is not None:
                    acknowledged.callback(seq)
            case SendFailed(message_id, error_):
                if (acknowledged := self._acknowledgements.pop(message_id, None)) is not None:
                    acknowledged.errback(error_)

    def withdraw(self, message_id: bytes) -> None:
        """A message of ours will not leave."""
        if (acknowledged := self._acknowledgements.pop(message_id, None)) is not None:
            acknowledged.errback(Withdrawn())

    def forget(self, ids: Iterable[bytes]) -> None:
        """Nobody waits for these messages any more."""
        for message_id in ids:
            self._acknowledgements.pop(message_id, None)

    def _status_changed(self) -> None:
        if self.status not in {Status.ONLINE, Status.FAILED, Status.STOPPED}:
            return
        waiting, self._online = self._online, []
        for waiter in waiting:
            if self.status is Status.ONLINE:
                waiter.callback(None)
            else:
                waiter.errback(self.failure or LocalProtocolError("the client was stopped"))
