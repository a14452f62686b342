"""What is committed and may not be on disk yet: whoever tells or sends what comes of it waits for that here.

A commit that waits for the disk holds up the reactor's thread, and with it a window. So the client commits what it receives
and sends without waiting (`chatserv.client.storage.database.Database.transaction`), has the file synced in a thread, and
goes on when that is done: nothing is told, and nothing leaves, that a power failure could undo.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from chatserv.client.storage.database import Database
from chatserv.client.storage.failures import StorageError
from chatserv.errors import ChatError


class Keeping:
    """Syncs one database, one sync at a time: all that was committed before it begins is on disk after it.

    Args:
        database: Which.
        in_thread: Runs a function off the reactor; fails with a `ChatError` where the client has ended meanwhile.
    """

    def __init__(self, database: Database, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._log, self._in_thread = database.write_ahead, in_thread
        self._waiting: deque[tuple[int, Deferred[None]]] = deque()
        self._running = False

    def kept(self) -> "Deferred[None]":
        """Fires when all that was committed so far is on disk; where that fails, once the disk is repaired.

        Those who wait are called in the order in which they came.
        """
        if self._log.committed <= self._log.on_disk and not self._waiting:
            return succeed(None)
        return self._synced()

    async def emptied(self) -> bool:
        """Tries to empty the write-ahead log, which holds pages with deleted secrets until then; whether that was done."""
        self._log.to_move = True
        await self._synced()
        return not self._log.to_move

    def _synced(self) -> "Deferred[None]":
        waiter: Deferred[None] = Deferred()
        self._waiting.append((self._log.committed, waiter))
        if not self._running and self._log.doubt is None:  # a second sync might succeed without having written anything
            self._running = True
            Deferred.fromCoroutine(self._run())
        return waiter

    async def _run(self) -> None:
        try:
            while self._waiting:
                until = self._log.committed
                await self._in_thread(self._log.sync)
                self._log.synced(until)
                self.settle()
        except StorageError as error:
            self._log.cannot_sync(error)
        except ChatError:
            pass  # the client has ended, and whoever waits with it
        finally:
            self._running = False

    def settle(self) -> None:
        """Calls whoever waits for what is on disk by now."""
        while self._waiting and self._waiting[0][0] <= self._log.on_disk:
            self._waiting.popleft()[1].callback(None)

    def keep_now(self) -> None:
        """Waits for the disk here and now, at an end. Raises `StorageError`."""
        self._log.sync_now()
        self.settle()
