"""One end of a connection, which keeps what comes."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol


class Collector(Protocol):
    """Collects."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Collects."""
        self.received.append(data)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002 - Twisted's name
        """Everything has come."""
        self.done.callback(b"".join(self.received))
