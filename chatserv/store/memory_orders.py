"""Orders of the store in memory: told at once, and kept for who models several nodes."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from itertools import islice

from twisted.logger import Logger

from chatserv.control_models import KEPT, Announced, Order, encode_order
from chatserv.errors import ReadOnly
from chatserv.node_ports import LogListener


class OrderCalls(ABC):
    """What is told to all nodes, and how sessions are numbered."""

    _logger = Logger()

    def __init__(self) -> None:
        super().__init__()
        self._control_listeners: list[LogListener] = []
        self._orders: deque[bytes] = deque(maxlen=KEPT)
        self._ordered = self._sessions = 0

    @abstractmethod
    def _check_open(self) -> None: ...

    def subscribe_control(self, listener: LogListener) -> None:
        """Calls ``listener`` with orders; one that raises is logged and disturbs nobody."""
        self._control_listeners.append(listener)

    async def orders(self, after: int, limit: int) -> Sequence[bytes]:
        """Up to ``limit`` orders behind a number, in order. Raises `ReadOnly` where more were missed than are kept."""
        self._check_open()
        gone = self._ordered - len(self._orders)
        if after < gone:
            raise ReadOnly("more orders were missed than are kept")
        return list(islice(self._orders, after - gone, after - gone + max(limit, 0)))

    async def announce(self, text: str, at_ms: int) -> None:
        """Tells every node."""
        self._check_open()
        self._order(Announced(text, at_ms))

    async def session_number(self) -> int:
        """One more than before."""
        self._check_open()
        self._sessions += 1
        return self._sessions

    def _order(self, order: Order) -> None:
        self._ordered += 1
        self._orders.append(body := encode_order(order))
        for listener in self._control_listeners:
            with self._logger.failuresHandled("A listener for orders failed."):
                listener(self._ordered, [body])
