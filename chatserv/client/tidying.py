"""What was taken back leaves the disk, soon; what is kept for some time only, in its time."""

from typing import Final

from chatserv.client.state.context import ClientContext

SKIPPED_MS: Final = 7 * 86_400_000  # docs/rooms.rst 7.3: keys of messages that never came are kept so long
TIDY_SECONDS: Final = 300.0  # how long what was taken back may stay on the disk
SLICE_SECONDS: Final = 0.02  # between two slices of work: others have their turn
AGAIN_SECONDS: Final = 1.0  # until the log is tried once more


class Tidying:
    """Cleans the file, now and then; in slices, and what waits for the disk in a thread.

    Args:
        context: What the client's parts share.
    """

    def __init__(self, context: ClientContext) -> None:
        self._context, self._waiting, self._cleaning = context, False, False

    def drop_old(self) -> None:
        """Forgets what was to be kept for some time only."""
        vault, now_ms = self._context.vault, self._context.now_ms()
        with vault.transaction(wait=False):
            vault.chains.drop_skipped(now_ms - SKIPPED_MS)
            vault.kept_events.drop_old(now_ms)

    def soon(self) -> None:
        """Something was deleted."""
        if not self._waiting:
            self._waiting = True
            self._context.later(TIDY_SECONDS, self.now)

    def now(self) -> None:
        """What was deleted leaves the file, in a moment."""
        self._waiting = False
        if not self._cleaning:
            self._cleaning = True
            self._context.spawn(self._clean(), "tidying")

    async def _clean(self) -> None:
        try:
            while self._context.vault.archive.words.clean_some():
                await self._context.pause(SLICE_SECONDS)
            while not await self._context.keeping.emptied():
                await self._context.pause(AGAIN_SECONDS)
        finally:
            self._cleaning = False
