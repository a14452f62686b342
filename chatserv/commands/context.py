"""What a handler may use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from chatserv.config import Config
from chatserv.domain.hub import Hub
from chatserv.ports import Event, Store
from chatserv.wire import messages
from chatserv.wire.codec import encode_message


@dataclass(frozen=True)
class Context:
    """The world of the handlers.

    Args:
        store: What survives.
        hub: Who is online.
        config: Settings and limits.
        now_ms: The clock, in milliseconds since 1970.
        random: Gives so many random bytes.
    """

    store: Store
    hub: Hub
    config: Config
    now_ms: Callable[[], int]
    random: Callable[[int], bytes]

    def deliver(self, events: Sequence[Event]) -> None:
        """Encodes committed events once and hands them to the live sessions of their rooms. The backplane calls it."""
        for room_id, group in groupby(events, key=lambda event: event.room_id):
            ordered = list(group)
            self.hub.deliver(room_id, [encode_event(event) for event in ordered], ordered[-1].seq)


def wire_event(event: Event) -> messages.Event:
    """A stored event as it travels."""
    return messages.Event(event.room_id, event.seq, event.at_ms, event.sender, event.kind, event.body)


def encode_event(event: Event) -> bytes:
    """A stored event, encoded."""
    return encode_message(wire_event(event))
