"""Alice and bob in the lobby, with files."""

import os
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import FileProgress, MessageReceived, Sent
from chatserv.testing.world import Person, World
from tests.support.blob_watch import BlobWatch


class FilesCase(SynchronousTestCase):
    """Both are there, on a server that takes files."""

    limits: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        """Both are there."""
        self.world = World(self.mktemp(), **self.limits)
        self.addCleanup(self.world.close)
        self.alice, self.bob = (self.world.person(name, admin=name == "alice") for name in ("alice", "bob"))
        self.watch = BlobWatch(self)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.addCleanup(lambda: self.assertEqual(self.flushLoggedErrors(), []))

    def file(self, name: str = "report.pdf", size: int = 100_000) -> tuple[str, bytes]:
        """A file with any bytes; its path, and they."""
        path, data = self.folder / name, os.urandom(size)
        path.write_bytes(data)
        return str(path), data

    def send(self, person: Person, path: str, words: str = "", **more: Any) -> Sent:
        """Sends a file to the lobby."""
        return person.room("lobby").send_file(path, words, **more)

    def sent(self, name: str = "report.pdf", size: int = 100_000, words: str = "") -> tuple[MessageReceived, bytes]:
        """A file that alice has sent, as bob has got it."""
        path, data = self.file(name, size)
        self.alice.do(self.send(self.alice, path, words))
        self.world.settle()
        return self.bob.events(MessageReceived)[-1], data

    def save(self, message_id: bytes, directory: str = "") -> str:
        """Bob saves a file; its path."""
        target = Path(directory or self.mktemp())
        target.mkdir(exist_ok=True)
        return self.bob.do(self.bob.room("lobby").save_file(message_id, str(target)))

    def spool(self, person: Person) -> list[str]:
        """What lies in somebody's spool."""
        folder = person.profile.directory / "files"
        return sorted(os.listdir(folder)) if folder.exists() else []

    def states(self, person: Person, direction: str) -> list[str]:
        """The states that somebody was told, each change of them."""
        found: list[str] = []
        for event in person.events(FileProgress):
            if event.direction == direction and found[-1:] != [event.state]:
                found.append(event.state)
        return found
