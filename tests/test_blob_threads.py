"""The bytes of files in threads: bounded, and readers wait for no sync."""

import threading
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from chatserv.blob_directory import BlobDirectory
from chatserv.blob_threads import ThreadedBlobs
from chatserv.config import Config
from chatserv.crypto.suite import sha256
from chatserv.errors import Busy, NotFound
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from tests.store.drafts import start
from tests.store.sql_case import real_reactor

ONE = bytes(range(16))


class ThreadedBlobsTests(TestCase):
    """With real threads and files."""

    def setUp(self) -> None:
        """At most three calls wait."""
        directory = BlobDirectory(Path(self.mktemp()))
        directory.make()
        settings = LiveSettings(Config(limits=Limits(blob_queue=3)))
        self.files = ThreadedBlobs(directory, settings, real_reactor())
        self.files.start()
        self.addCleanup(self.files.stop)

    async def test_calls(self) -> None:
        """Each does what it does in the directory."""
        await self.files.write(ONE, 0, b"hello")
        await self.files.sync(ONE)
        self.assertEqual(b"ell", await self.files.read(ONE, 1, 3))
        self.assertEqual(sha256(b"hello"), await self.files.digest(ONE))
        self.assertEqual(([5], [ONE]), (await self.files.sizes([ONE]), await self.files.shelf(0)))
        self.assertTrue(await self.files.has_place(1, 1.0))
        await self.files.remove([ONE])
        await self.assertFailure(start(self.files.read(ONE, 0, 1)), NotFound)

    async def test_bound(self) -> None:
        """One more than may wait is busy; when they are done there is place again. A reader waits for no writer."""
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        await self.files.write(ONE, 0, b"hello")
        self.patch(self.files.directory, "sync", lambda _: go_on.wait(60))
        waiting: list[Deferred[None]] = [start(self.files.sync(ONE)) for _ in range(2)]
        self.assertEqual(b"hello", await self.files.read(ONE, 0, 9))
        waiting.append(start(self.files.sync(ONE)))
        await self.assertFailure(start(self.files.read(ONE, 0, 9)), Busy)
        go_on.set()
        for each in waiting:
            await each
        self.assertEqual(b"hello", await self.files.read(ONE, 0, 9))
