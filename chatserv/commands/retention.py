"""Deletes what has been kept long enough by the operator's rule, a little at a time, and knows what of each room is gone."""

from typing import Final

from chatserv.commands.context import Context
from chatserv.domain.hub import Hub
from chatserv.domain.retention import ConfirmedClock, RetentionDue
from chatserv.errors import WireError

BATCH: Final = 200  # messages that go in one transaction
BEAT_SECONDS: Final = 1.5  # in which every node says how it is
READERS_WAIT: Final = 300  # seconds that a sweep waits for those who catch up
PAUSE_SECONDS: Final = 0.05  # between two, so that who sends does not wait behind them


class Sweeper:
    """Goes through the store now and then.

    Args:
        context: The world.
        kept_ms: Where the confirmed clock stood.
    """

    def __init__(self, context: Context, kept_ms: int) -> None:
        self._context = context
        self._clock = ConfirmedClock(kept_ms, context.now_ms(), context.effects.seconds())

    async def sweep(self) -> int:
        """Deletes all that is due, and gives how many messages that were; stops where the store takes nothing."""
        effects, gone = self._context.effects, 0
        await self._let_them_read()
        while True:
            rule = self._context.config.retention
            now_ms = self._clock.tick(effects.now_ms(), effects.seconds())
            try:
                kept = await self._context.store.retain(RetentionDue(now_ms, round(rule.age * 1000), rule.bytes, BATCH))
            except WireError:  # full, closing, or being mended: later
                return gone
            gone += kept.gone
            effects.count("retained", by=kept.gone)
            if not kept.more:
                return gone
            await self._context.effects.pause(PAUSE_SECONDS)

    async def _let_them_read(self) -> None:
        """Waits while somebody catches up, on any node, who was told at the beginning what is there; not for ever."""
        context = self._context
        if context.backplane.nodes:
            await context.effects.pause(BEAT_SECONDS)  # who has come there until now is in the next beat
        for _ in range(READERS_WAIT):
            if not somebody_reads(context.hub) and not any(node.reading for node in context.backplane.nodes):
                return
            await context.effects.pause(1.0)


def somebody_reads(hub: Hub) -> bool:
    """Whether a session here catches up."""
    return any(session.behind for session in hub.sessions)
