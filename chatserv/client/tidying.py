"""What was taken back leaves the disk, soon; what is kept for some time only, in its time."""

from typing import Final

from chatserv.client.state.context import ClientContext

SKIPPED_MS: Final = 7 * 86_400_000  # docs/rooms.rst 7.3: keys of messages that never came are kept so long
TIDY_SECONDS: Final = 300.0  # how long what was taken back may stay on the disk


class Tidying:
    """Cleans the file, now and then.

    Args:
        context: What the client's parts share.
    """

    def __init__(self, context: ClientContext) -> None:
        self._context, self._waiting = context, False

    def drop_old(self) -> None:
        """Forgets what was to be kept for some time only."""
        vault, now_ms = self._context.vault, self._context.now_ms()
        vault.chains.drop_skipped(now_ms - SKIPPED_MS)
        vault.kept_events.drop_old(now_ms)

    def soon(self) -> None:
        """Something was deleted."""
        if not self._waiting:
            self._waiting = True
            self._context.later(TIDY_SECONDS, self.now)

    def now(self) -> None:
        """What was deleted leaves the file."""
        self._waiting = False
        self._context.vault.archive.words.clean()
        self._context.vault.database.checkpoint()
