"""The check of the whole database file, in a thread of its own, while the server runs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from twisted.internet.base import ReactorBase
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from chatserv.store.checking import Check, Damage
from chatserv.store.database import reading_engine
from chatserv.store.lane import Lane

BREAK_SECONDS: Final = 0.02  # between two slices, so that the disk has time for those who chat
LEAST_BREAK: Final = 1.0  # in times of the slice before: half of the disk at most


class BackgroundCheck:
    """Reads the file once, a slice at a time.

    Args:
        path: The database file.
        reactor: The reactor that waits; its threads are not used.
        found: Called with the first damage; then the check is over.
    """

    _log = Logger(namespace="chatserv.store.check")

    def __init__(self, path: Path, reactor: ReactorBase, found: Callable[[Damage], None]) -> None:
        self._lane = Lane("store-checker", partial(reading_engine, path), reactor)
        self._reactor, self._found = reactor, found
        self._check = Check()
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Begins. What fails without being damage (a file that cannot be opened again) is logged."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(lambda failure: failure.trap(CancelledError) and None)
        self._running.addErrback(lambda failure: self._log.failure("the database could not be checked", failure))

    async def stop(self) -> None:
        """Ends it, whole or not, with its thread."""
        if self._running is not None:
            self._running.cancel()
            await self._running

    async def _run(self) -> None:
        await self._lane.open()
        began = self._reactor.seconds()
        try:
            while True:
                before = self._reactor.seconds()
                if not await self._lane.run(self._check.step):
                    break
                took = self._reactor.seconds() - before
                await deferLater(self._reactor, max(BREAK_SECONDS, took * LEAST_BREAK))
            size, took = self._check.bytes, self._reactor.seconds() - began
            self._log.info("database checked: {rows} rows whole", rows=self._check.rows, bytes=size, took=took)
        except Damage as damage:
            self._found(damage)
        finally:
            await self._lane.close()
