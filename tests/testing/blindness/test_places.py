"""What is searched of a state directory."""

import shutil
import socket
import tempfile
from pathlib import Path
from shutil import copyfile
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.blindness.places import BLOBS, DATABASE, FILES, LOGS, WAL, at_second, copy_state, state_places


class CopyTests(SynchronousTestCase):
    """A copy while the server runs."""

    def test_socket(self) -> None:
        """Every file is copied and searched; a socket, in which nothing lies, is in nobody's way."""
        with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listening:
            state = Path(name, "state")
            (state / "logs").mkdir(parents=True)
            for file in ("tls.key", "logs/server.log"):
                (state / file).write_text(file)
            listening.bind(str(state / "control"))
            copy = copy_state(state, Path(name, "copy"))
            found = {place.name: [file.name for file in place.files] for place in state_places([copy])}
            self.assertEqual((["tls.key"], ["server.log"]), (found[FILES], found[LOGS]))

    def test_vanished(self) -> None:
        """A file that goes while the others are copied is not there any more; that is no failure."""
        with tempfile.TemporaryDirectory() as name:
            state = Path(name, "state")
            state.mkdir()
            for file in ("here", "gone"):
                (state / file).write_text(file)

            def copy2(source: str, target: str) -> None:
                if source.endswith("gone"):
                    raise FileNotFoundError(source)
                copyfile(source, target)

            with mock.patch.object(shutil, "copy2", copy2):
                copy = copy_state(state, Path(name, "copy"))
            self.assertEqual(["here"], [file.name for file in copy.iterdir()])


class SecondTests(SynchronousTestCase):
    """The state of a second node."""

    def test_places(self) -> None:
        """Its logs and other files are places of their own; a database in it would be the database."""
        with tempfile.TemporaryDirectory() as name:
            for node in "12":
                for file in ("logs/server.log", "tls.key", "chatserv.db"):
                    path = Path(name, node, file)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(file)
            found = {place.name: [*place.files] for place in state_places([Path(name, "1")], second=[Path(name, "2")])}
            self.assertEqual(found[LOGS], [Path(name, "1/logs/server.log")])
            self.assertEqual(found[at_second(LOGS)], [Path(name, "2/logs/server.log")])
            self.assertEqual(found[at_second(FILES)], [Path(name, "2/tls.key")])
            self.assertEqual(found[DATABASE], [Path(name, "1/chatserv.db"), Path(name, "2/chatserv.db")])


class PostgresTests(SynchronousTestCase):
    """The directory of a PostgreSQL."""

    def test_places(self) -> None:
        """Its write-ahead log is one, all else of its data is the database, and what it says is searched too."""
        with tempfile.TemporaryDirectory() as name:
            for file in ("data/base/5/1", "data/pg_wal/0001", "data/PG_VERSION", "log"):
                path = Path(name, file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(file)
            found = {place.name: {file.name for file in place.files} for place in state_places([Path(name)])}
        self.assertEqual(
            {DATABASE: {"1", "PG_VERSION"}, WAL: {"0001"}, LOGS: set(), BLOBS: set(), FILES: {"log"}}, found
        )
