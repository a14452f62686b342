"""What a client tells its program: every event, whether it is online, and what has become of each message."""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from chatserv.client.events import (
    ClientEvent,
    SendAcknowledged,
    SendFailed,
    Status,
    StatusChanged,
)
from chatserv.client.outbound.pending import Withdrawn
from chatserv.client.state.context import log
from chatserv.local_errors import LocalProtocolError


class Notifier:
    """The side of a client that faces its program.

    Args:
        on_event: Told everything.
    """

    def __init__(self, on_event: Callable[[ClientEvent], None] | None) -> None:
        self._on_event = on_event
        self.status, self._failure = Status.STOPPED, None  # type: tuple[Status, Exception | None]
        self._online: list[Deferred[None]] = []
        self._acknowledgements: dict[bytes, Deferred[int]] = {}

    async def online(self) -> None:
        """Returns when everything is here; waits as long as the server is away. Raises a final refusal of the server."""
        if self.status is Status.ONLINE:
            return
        if self.status is Status.FAILED and self._failure is not None:
            raise self._failure
        waiting: Deferred[None] = Deferred()
        self._online.append(waiting)
        await waiting

    def await_acknowledgement(self, message_id: bytes) -> "Deferred[int]":
        """Fires with the ``seq`` of a message of ours when it is stored."""
        acknowledged: Deferred[int] = Deferred()
        self._acknowledgements[message_id] = acknowledged
        return acknowledged

    def emit(self, event: ClientEvent) -> None:
        """Something happened."""
        if isinstance(event, StatusChanged):
            self.status, self._failure = event.status, event.error
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:  # noqa: BLE001 - a bug of the program must not lose what comes behind
                log.failure("the program failed on {event}", event=type(event).__name__)
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

    def withdraw_all(self) -> None:
        """Nobody waits for any message any more."""
        self._acknowledgements.clear()

    def _status_changed(self) -> None:
        if self.status not in {Status.ONLINE, Status.FAILED, Status.STOPPED}:
            return
        waiting, self._online = self._online, []
        for waiter in waiting:
            if self.status is Status.ONLINE:
                waiter.callback(None)
            else:
                waiter.errback(self._failure or LocalProtocolError("the client was stopped"))
