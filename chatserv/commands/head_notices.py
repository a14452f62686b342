"""Tells all sessions how far the log's head has come: at once, or gathered where nobody has to hear of it at once.

See docs/protocol.rst 9.
"""

from collections.abc import Callable
from typing import Final

from chatserv.commands.effects import Effects, Timer
from chatserv.crypto.log_leaves import LEAF_BYTES, LeafType
from chatserv.live_settings import LiveSettings
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

GATHER_SECONDS: Final = 1.0
_NEWCOMERS: Final = {LeafType.UIK, LeafType.DEVICE}  # who needs them sooner asks for the log, and gets them


class HeadNotices:
    """What all sessions have been told of the log.

    New accounts and devices are told within `GATHER_SECONDS`, together: so a class that registers costs one notice to
    everybody who is here. All other leaves end something, or are looked for at once, and take those along that wait.

    Args:
        settings: How many leaves a notice has at most.
        effects: Timers.
        leaves: Gives the leaves from an index to before another, one after the other.
        publish: Queues an encoded notice for every session.
    """

    def __init__(
        self,
        settings: LiveSettings,
        effects: Effects,
        leaves: Callable[[int, int], bytes],
        publish: Callable[[bytes], None],
    ) -> None:
        self._settings, self._effects, self._leaves, self._publish = settings, effects, leaves, publish
        self._size = self._told = 0
        self._signed = b""
        self._waiting: Timer | None = None

    def adopted(self, size: int, signed: bytes) -> None:
        """There is a new head (432 bytes), over ``size`` leaves."""
        is_first, before = not self._signed, self._size
        self._size, self._signed = size, signed
        if is_first:  # before anybody is here
            self._told = size
        elif size - self._told < self._settings.limits.log_notice_leaves and all(
            kind in _NEWCOMERS for kind in self._leaves(before, size)[::LEAF_BYTES]
        ):
            self._waiting = self._waiting or self._effects.later(GATHER_SECONDS, self._tell)
        else:
            self._tell_now()

    def tell_up_to(self, size: int) -> None:
        """Tells at once what waits, unless all have been told of the first ``size`` leaves."""
        if self._waiting is not None and self._told < size:
            self._tell_now()

    def _tell_now(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._tell()

    def _tell(self) -> None:
        self._waiting = None
        few = self._size - self._told <= self._settings.limits.log_notice_leaves
        after = self._told if few else self._size
        self._told = self._size
        self._publish(encode_message(messages.LogHead(after, self._leaves(after, self._size), self._signed)))
