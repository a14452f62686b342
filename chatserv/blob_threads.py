"""The bytes of files, off the reactor: `chatserv.blob_ports.BlobFiles` over a directory."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from chatserv.blob_directory import BlobDirectory
from chatserv.errors import Busy
from chatserv.live_settings import LiveSettings
from chatserv.workers import Workers

T = TypeVar("T")


class ThreadedBlobs:
    """One thread writes, in the order of the calls; another reads, so that nobody who reads waits for a sync.

    Args:
        directory: Where the files are.
        settings: ``limits.blob_queue`` bounds what waits.
        reactor: Where the answers arrive.
    """

    def __init__(self, directory: BlobDirectory, settings: LiveSettings, reactor: Any) -> None:
        self.directory, self._settings, self._waiting = directory, settings, 0
        self._writing, self._reading = Workers("blob-writer", 1, reactor), Workers("blob-reader", 1, reactor)

    def start(self) -> None:
        """Starts the threads; after the fork."""
        self._writing.start()
        self._reading.start()

    def stop(self) -> None:
        """Ends the threads, when what was asked for is done; harmless where there are none."""
        self._writing.stop()
        self._reading.stop()

    async def write(self, blob_id: bytes, offset: int, data: bytes) -> None:
        """Puts bytes at their place."""
        await self._call(self._writing, self.directory.write, blob_id, offset, data)

    async def sync(self, blob_id: bytes) -> None:
        """Answers when all that was written is on the disk."""
        await self._call(self._writing, self.directory.sync, blob_id)

    async def finish(self, blob_ids: Collection[bytes]) -> None:
        """Makes files final."""
        await self._call(self._writing, self.directory.finish, blob_ids)

    async def read(self, blob_id: bytes, offset: int, limit: int) -> bytes:
        """Up to ``limit`` bytes from ``offset`` on."""
        return await self._call(self._reading, self.directory.read, blob_id, offset, limit)

    async def digest(self, blob_id: bytes) -> bytes:
        """The SHA-256 of the whole file."""
        return await self._call(self._writing, self.directory.digest, blob_id)

    async def remove(self, blob_ids: Collection[bytes]) -> Collection[bytes]:
        """Removes files."""
        return await self._call(self._writing, self.directory.remove, blob_ids)

    async def sizes(self, blob_ids: Sequence[bytes]) -> Sequence[int]:
        """How long these are; -1: there is no such file."""
        return await self._call(self._reading, self.directory.sizes, blob_ids)

    async def shelf(self, number: int) -> Sequence[bytes]:
        """The ids of all files whose ids begin with this byte."""
        return await self._call(self._reading, self.directory.shelf, number)

    async def has_place(self, size: int, share: float) -> bool:
        """Whether so many bytes more leave no more of the disk in use than this share of it."""
        return await self._call(self._reading, self.directory.has_place, size, share)

    def _call(self, threads: Workers, work: Callable[..., T], *arguments: Any) -> "Deferred[T]":
        if self._waiting >= self._settings.limits.blob_queue:
            raise Busy("blobs: too many wait for the disk", after_seconds=1)
        self._waiting += 1
        return threads.call(work, *arguments).addBoth(self._done)

    def _done(self, result: T) -> T:
        self._waiting -= 1
        return result
