"""The backplane of a single node: committed events go straight to the listeners."""

from collections.abc import Sequence

from chatserv.models import Event
from chatserv.ports import CommitListener


class LocalBackplane:
    """Implements `chatserv.ports.Backplane` within one process."""

    def __init__(self) -> None:
        self._listeners: list[CommitListener] = []

    def publish(self, events: Sequence[Event]) -> None:
        """Hands on events that are committed."""
        for listener in self._listeners:
            listener(events)

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` with events as they come."""
        self._listeners.append(listener)
