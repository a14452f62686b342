"""A client that is killed, whatever it was at: what is on its disk then goes on, and nothing is wrong or doubled."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred

from chatserv.client import MessageReceived
from chatserv.client.connection.current import Connection
from chatserv.client.connection.requests import Requests
from chatserv.client.files.spool import PIECE_BYTES, Spool
from chatserv.client.storage.files import KeptFileTable, UploadTable
from chatserv.crypto.e2e.file import sealed_size
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.files.cases import FilesCase

SIZE = 3 * PIECE_BYTES + 123


class KilledTests(FilesCase):
    """From the first byte to the end."""

    def killed(self, person: Person, owner: type[Any], name: str, time: int, work: Callable[[], object]) -> bool:
        """Lets ``work`` begin, and has the person's program die when it reaches a call for this time; whether it did."""
        real, count, disk = getattr(owner, name), [0], Path(self.mktemp())
        flush = Connection._flush
        connection = person.client._lifecycle.connection

        def reached(*given: Any, **named: Any) -> Any:
            result = real(*given, **named)
            if not disk.exists():
                count[0] += 1
                if count[0] == time:
                    shutil.copytree(person.profile.directory, disk, symlinks=True)
            return result

        def flushed(self: Connection) -> None:
            if self is not connection or not disk.exists():  # a dead program says nothing
                flush(self)

        with mock.patch.object(owner, name, reached), mock.patch.object(Connection, "_flush", flushed):
            work()
            self.world.settle(3)
        if not disk.exists():
            return False
        self.world.server.cut()
        person.leave_the_machine()
        shutil.rmtree(person.profile.directory)
        shutil.copytree(disk, person.profile.directory, symlinks=True)
        person.come_back()
        return True

    def test_sending(self) -> None:
        """At most a MiB is sent again; the file comes once, whole, and nothing is left in the spool."""
        moments: list[tuple[type[Any], str, int]] = [(Spool, "append", time) for time in (1, 2, 5, 14)]
        moments += [(UploadTable, name, 1) for name in ("sealed", "said", "delete")]
        moments += [(Requests, "ask", time) for time in (1, 2, 3, 40, 95)]
        for owner, name, time in moments:
            self.watch.asked.clear()
            self.bob.told.clear()
            path, data = self.file(size=SIZE)
            died = self.killed(self.alice, owner, name, time, lambda path=path: self.send(self.alice, path))  # type: ignore[misc]
            self.assertTrue(died, (name, time))
            self.world.settle(15)
            came = [each for each in self.bob.events(MessageReceived) if each.file is not None]
            self.assertEqual(len(came), 1, (name, time))
            self.assertEqual(Path(self.save(came[0].message_id)).read_bytes(), data, (name, time))
            self.assertLessEqual(self.watch.put, sealed_size(SIZE) + PIECE_BYTES, (name, time))
            self.assertEqual(self.spool(self.alice), [], (name, time))
            self.assertEqual(self.alice.room("lobby").waiting(), [])

    def test_receiving(self) -> None:
        """The next try goes on where it was, and nothing half is where it was to go."""
        moments: list[tuple[type[Any], str, int]] = [(Spool, "append", time) for time in (1, 2, 4)]
        moments += [(KeptFileTable, "put", time) for time in (1, 2)]
        moments += [(Requests, "ask", time) for time in (1, 2, 50)]
        for owner, name, time in moments:
            message, data = self.sent(size=SIZE)
            self.watch.asked.clear()
            target = Path(self.mktemp())
            target.mkdir()

            def begin(message: MessageReceived = message, target: Path = target) -> None:
                saving = self.bob.room("lobby").save_file(message.message_id, str(target))
                Deferred.fromCoroutine(saving).addErrback(lambda _: None)

            self.assertTrue(self.killed(self.bob, owner, name, time, begin), (name, time))
            self.assertEqual([each for each in target.iterdir() if each.suffix == ".part"], [])
            self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data, (name, time))
            read = sum(command.limit for command in self.watch.of(messages.ReadBlob))
            self.assertLessEqual(read, sealed_size(SIZE) + PIECE_BYTES + 2 * 32_768, (name, time))
