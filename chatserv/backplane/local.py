"""The backplane of a single node: what is committed goes straight to the listeners, and nobody has to be waited for."""

from collections.abc import Callable, Mapping, Sequence

from chatserv.bus_models import Notice, Shown
from chatserv.models import Event
from chatserv.node_models import Numbers, RoomAt
from chatserv.node_ports import CommitListener, HeadSink, LogListener, OtherNode


class LocalBackplane:
    """Implements `chatserv.node_ports.Backplane` within one process."""

    node_id = b""
    address = ""
    nodes: Sequence[OtherNode] = ()

    def __init__(self) -> None:
        self._listeners: list[CommitListener] = []
        self._log_listeners: list[LogListener] = []
        self._control_listeners: list[LogListener] = []

    def publish(self, events: Sequence[Event]) -> None:
        """Hands on events that are committed."""
        for listener in self._listeners:
            listener(events)

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` with events as they come."""
        self._listeners.append(listener)

    def publish_log(self, first: int, leaves: Sequence[bytes]) -> None:
        """Hands on leaves that are committed."""
        for listener in self._log_listeners:
            listener(first, leaves)

    def subscribe_log(self, listener: LogListener) -> None:
        """Calls ``listener`` with leaves as they come."""
        self._log_listeners.append(listener)

    def subscribe_heads(self, heads: HeadSink) -> None:
        """Nobody else signs."""

    async def keep_head(self, signed: bytes, last: bytes) -> bytes:  # noqa: ARG002 - as of the port
        """Gives it back: nobody else goes by it."""
        return signed

    async def current(self) -> None:
        """At once: the store has handed everything on."""

    def publish_control(self, first: int, entries: Sequence[bytes]) -> None:
        """Hands on control entries that are committed."""
        for listener in self._control_listeners:
            listener(first, entries)

    def subscribe_control(self, listener: LogListener) -> None:
        """Calls ``listener`` with control entries as they come."""
        self._control_listeners.append(listener)

    def subscribe_rooms(self, reload: Callable[[RoomAt], None], gone: Callable[[bytes], object]) -> None:
        """Never called: nothing is missed."""

    def subscribe_takeovers(self, listener: Callable[[bytes, int], None]) -> None:
        """Never called: there is no other node."""

    async def load(self, room_id: bytes) -> None:
        """At once: all rooms are here."""

    def unload(self, room_id: bytes) -> None:
        """Nothing has to be done."""

    @property
    def control(self) -> int:
        """None has a number: nothing is written down."""
        return 0

    async def keep_up(self, device_id: bytes) -> None:
        """At once: the store has handed everything on."""

    async def ordered(self) -> None:
        """At once: the store has handed them on before it answered."""

    async def reached(self, room_id: bytes, seq: int) -> None:
        """At once: the store has handed it on before it answered."""

    async def arrive(self, heads: Mapping[bytes, int], numbers: Numbers) -> None:
        """At once, likewise."""

    async def attend(self, device_id: bytes) -> None:
        """At once: nobody else speaks to it."""

    def miss(self, device_id: bytes) -> None:
        """Nothing has to be done."""

    def take_over(self, device_id: bytes, number: int) -> None:
        """Nothing has to be done: the hub has let go of the session before."""

    def tell(self, notice: Notice) -> None:
        """Nobody else is there."""

    def show(self, shown: Shown) -> None:
        """Likewise."""
