"""Keeps the log's heads while the server runs: in another thread, and again where the disk does not take one."""

from collections.abc import Awaitable, Callable
from functools import partial

from twisted.logger import Logger

from chatserv.backup.highest_head import HeadFile
from chatserv.errors import Busy
from chatserv.private_files import PrivateFileError

AGAIN_SECONDS = 1.0


class HeadKeeper:
    """What `chatserv.commands.log_keeper.LogKeeper` calls before it tells anybody of a head.

    Args:
        file: Where they are kept.
        run: Runs a function that blocks in another thread; may raise `Busy`.
    """

    _log = Logger()

    def __init__(self, file: HeadFile, run: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
        self._file, self._run = file, run
        self._fails = False

    async def __call__(self, signed: bytes, lower: bool) -> None:
        """Keeps a signed head, as `HeadFile.keep`. Raises `Busy` where the disk does not take it; said once in the log."""
        try:
            await self._run(partial(self._file.keep, signed, lower=lower))
        except PrivateFileError as error:
            if not self._fails:
                self._fails = True
                self._log.critical(
                    "The log's head cannot be kept ({reason}): whoever registers waits.", reason=error.detail
                )
            raise Busy(error.detail, after_seconds=AGAIN_SECONDS) from error
        if self._fails:
            self._fails = False
            self._log.info("The log's head is kept again.")
