"""What a node (`chatserv.backplane.node`) needs: a bus, what it says of itself, the streams of the store."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from chatserv.backplane.numbered_feed import NumberedFeed
from chatserv.node_models import Numbers


class Carrier(Protocol):
    """What a node needs of a bus (`chatserv.backplane.bus.Bus`)."""

    def publish(self, subject: str, body: bytes) -> bool:
        """Says something to the others, or not. Raises `TooLarge`."""
        ...

    def subscribe(self, subject: str, listener: Callable[[bytes], None]) -> Awaitable[None]:
        """Hears a subject; answers when that is so. Raises `Busy`."""
        ...

    def unsubscribe(self, subject: str) -> None:
        """Hears it no more."""
        ...


class NodeState(Struct):
    """What a beat says of this node: ``address``, where clients reach it; whether it drains, and reaches the store.

    ``count`` and ``reads`` are asked how many sessions there are, and whether some of them catch up.
    """

    address: str = ""
    draining: bool = False
    store_reached: bool = True
    count: Callable[[], int] = int
    reads: Callable[[], bool] = bool

    @property
    def sessions(self) -> int:
        """How many there are."""
        return self.count()


class Streams(Protocol):
    """The two streams that every node follows, and how far the store has them. Raises `WireError`."""

    log: NumberedFeed
    control: NumberedFeed

    def numbers(self) -> Awaitable[Numbers]:
        """How far the store has them."""
        ...
