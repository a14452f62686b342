"""What the commands need of whatever brings here what is committed anywhere: a part of the seams of `chatserv.ports`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from chatserv.bus_models import Notice, Shown
from chatserv.models import Event
from chatserv.node_models import Numbers, RoomAt

CommitListener = Callable[[Sequence[Event]], None]
LogListener = Callable[[int, Sequence[bytes]], None]


class HeadSink(Protocol):
    """Who tells the sessions of this node of signed heads of the log."""

    def told(self, signed: bytes) -> None:
        """Gets a signed head that another node has kept."""
        ...

    async def up_to(self, size: int, signed: bytes) -> None:
        """Answers when so many leaves were taken in, and a head is told to sessions that is not below this one.

        Empty: any. Raises `Busy`.
        """
        ...


class OtherNode(Protocol):
    """What another node has said of itself last; ``address``: where clients reach it, or empty."""

    @property
    def node(self) -> bytes:
        """Its number, 8 bytes, new at each start."""
        ...

    @property
    def address(self) -> str:
        """Where clients reach it, or empty."""
        ...

    @property
    def draining(self) -> bool:
        """Whether it takes nobody in."""
        ...

    @property
    def store_reached(self) -> bool:
        """Whether it reaches the store."""
        ...

    @property
    def sessions(self) -> int:
        """How many people's devices are there."""
        ...

    @property
    def reading(self) -> bool:
        """Whether some of them catch up."""
        ...


class Backplane(Protocol):
    """Carries what is committed to the sessions of every node, in the order of its numbers.

    What a node does about a room, a device or an account it does for what it has heard. So who has to go by the newest, or
    tells somebody of it, waits here first. On a single node nothing has to be waited for.

    Attributes:
        node_id: The number of this node, 8 bytes, new at each start; empty where there are no others.
    """

    node_id: bytes

    @property
    def address(self) -> str:
        """Where clients reach this node, or empty."""
        ...

    @property
    def nodes(self) -> Sequence[OtherNode]:
        """The other nodes, as far as they are heard."""
        ...

    def publish(self, events: Sequence[Event]) -> None:
        """Hands on events of an own transaction; the store calls it."""
        ...

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` with events as they come, those of one room in order."""
        ...

    def publish_log(self, first: int, leaves: Sequence[bytes]) -> None:
        """Hands on leaves of the log of an own transaction, the first with index ``first``; the store calls it."""
        ...

    def subscribe_log(self, listener: LogListener) -> None:
        """Calls ``listener`` with leaves as they come, all of them in order."""
        ...

    def subscribe_heads(self, heads: HeadSink) -> None:
        """Tells ``heads`` of signed heads as they come."""
        ...

    async def keep_head(self, signed: bytes, last: bytes) -> bytes:
        """Keeps a signed head of the log where all nodes see it; gives the one that they go by from now on.

        Raises `NotFound` where ``last`` is not the last leaf that it covers, and what the store does.
        """
        ...

    async def current(self) -> None:
        """Answers when what the store had as this was called, but for rooms, has been taken in here. Raises `Busy`."""
        ...

    def publish_control(self, first: int, entries: Sequence[bytes]) -> None:
        """Hands on control entries of an own transaction, the first with number ``first``; the store calls it."""
        ...

    def subscribe_control(self, listener: LogListener) -> None:
        """Calls ``listener`` with control entries as they come, all of them in order."""
        ...

    def subscribe_rooms(self, reload: Callable[[RoomAt], None], gone: Callable[[bytes], object]) -> None:
        """Calls ``reload`` where too much of a room was missed, or it comes here, and ``gone`` where the store has none."""
        ...

    def subscribe_takeovers(self, listener: Callable[[bytes, int], None]) -> None:
        """Calls ``listener`` with the id of a device that is here and has logged in elsewhere, and its number there."""
        ...

    async def load(self, room_id: bytes) -> None:
        """Answers when the room is here, and it stays for a while, or the store has none of that id. Raises `Busy`."""
        ...

    def unload(self, room_id: bytes) -> None:
        """The room has ended, or nobody here needs it: nothing that is still said of it counts."""
        ...

    @property
    def control(self) -> int:
        """The number of the last control entry that was handed on here."""
        ...

    async def keep_up(self, device_id: bytes) -> None:
        """Answers when the rooms of a device are here as the store had them when this was called. Raises `WireError`."""
        ...

    async def ordered(self) -> None:
        """Answers when all control entries of own transactions have been carried out here. Raises `Busy`."""
        ...

    async def reached(self, room_id: bytes, seq: int) -> None:
        """Answers when what the store has at ``seq`` was handed to the sessions here. Raises `Busy`.

        Nobody is told that something is stored before that: an answer must not overtake the room.
        """
        ...

    async def arrive(self, heads: Mapping[bytes, int], numbers: Numbers) -> None:
        """Answers when this node has come as far as the store has told: rooms, log, control entries. Raises `Busy`.

        The rooms stay for a while.
        """
        ...

    async def attend(self, device_id: bytes) -> None:
        """A device is about to be here: what is for it alone is heard from now on. Raises `Busy`."""
        ...

    def miss(self, device_id: bytes) -> None:
        """It is not here any more."""
        ...

    def take_over(self, device_id: bytes, number: int) -> None:
        """A device has logged in here, under this number of the store: sessions of it with a smaller one end elsewhere."""
        ...

    def tell(self, notice: Notice) -> None:
        """Tells the other nodes something that may be lost, at most once."""
        ...

    def show(self, shown: Shown) -> None:
        """Tells the other nodes how somebody is here, or a guest, after a change; they may come to know later."""
        ...
