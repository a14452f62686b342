"""Records that are written down, and a server that leaks."""

import os
import secrets
import socket
import sqlite3
import sys
from contextlib import closing
from io import StringIO
from pathlib import Path
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatserv.crypto.session import RecordKey
from chatserv.errors import Reject
from chatserv.testing.blindness import leaking, places
from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.recording import HOST
from chatserv.testing.blindness.searching import Searcher
from chatserv.testing.blindness.watched import OPENED, SEALED, watch
from tests.support.postgres import cluster


class WatchTests(SynchronousTestCase):
    """What `watch` writes."""

    def setUp(self) -> None:
        """A directory, watched."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.before = RecordKey.open, RecordKey.seal
        self.end = watch(self.directory)

    def tearDown(self) -> None:
        """Ends it; the functions are those of before."""
        self.end()
        self.assertEqual((RecordKey.open, RecordKey.seal), self.before)

    def test_records(self) -> None:
        """Both directions are written down, in files of their own, and the records are what they would be."""
        secret = os.urandom(32)
        record = RecordKey(secret).seal(16, b"what was said")
        self.assertEqual((self.directory / SEALED).read_bytes(), b"what was said\n")
        self.assertEqual((self.directory / OPENED).read_bytes(), b"")
        self.assertEqual(RecordKey(secret).open(record), (16, b"what was said"))
        self.assertEqual((self.directory / OPENED).read_bytes(), b"what was said\n")

    def test_garbage(self) -> None:
        """What does not open is refused as before, and is no record."""
        with self.assertRaises(Reject):
            RecordKey(bytes(32)).open(bytes(40))
        self.assertEqual((self.directory / OPENED).read_bytes(), b"")

    def test_leaking_records(self) -> None:
        """A leak of records leaves one in each file, and what is opened was not sealed here."""
        flock = Flock.hatch(places.LEAKS)
        leaking.leak_records({canary.name: canary.text for canary in flock.canaries})
        for name, place in ((OPENED, places.OPENED), (SEALED, places.SEALED)):
            finds = Searcher(flock).file(self.directory / name)
            self.assertEqual([(find.canary, find.encoding) for find in finds], [(place, places.LEAKS[place])])


class LeakTests(SynchronousTestCase):
    """All leaks at once, without a server."""

    def test_places(self) -> None:
        """Each text goes where it belongs, as what it is said to be."""
        state = Path(self.mktemp())
        state.mkdir()
        listener = socket.create_server((HOST, 0))
        self.addCleanup(listener.close)
        database = state / places.DATABASE_FILE
        keeper = sqlite3.connect(database)
        self.addCleanup(keeper.close)  # as the server does; the log would be gone with the last connection
        keeper.execute("PRAGMA journal_mode=WAL")
        keeper.execute("CREATE TABLE rooms (name TEXT)")
        flock = Flock.hatch(places.LEAKS)
        texts = {canary.name: canary.text for canary in flock.canaries}
        unsealed = Path(self.mktemp())
        unsealed.mkdir()
        (unsealed / "film").write_bytes(b"in a film")
        orders = leaking.Orders(texts, str(unsealed), str(database), listener.getsockname()[1])
        events: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            events.append(str(event.get("text")))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        clock = Clock()
        clock.callWhenRunning = lambda what, *args: clock.callLater(0, what, *args)  # type: ignore[attr-defined]
        with mock.patch.object(sys, "stdout", StringIO()) as printed:
            leaking.leak_when_running(clock, orders, ["-n", "--state-dir", str(state)])
            self.assertEqual(list(state.glob("leak")), [])
            clock.advance(0)
        connection, _ = listener.accept()
        with closing(connection):
            wire = connection.recv(4096)
        found: dict[str, bytes] = {
            places.LOGS: "".join(events).encode(),
            places.OUTPUT: printed.getvalue().encode(),
            places.MEMORY: leaking._kept[-1],
            places.WIRE: wire,
        }
        state_places = {
            place.name: place.files
            for place in places.state_places([places.copy_state(state, state.with_name("copy"))])
        }
        found |= {name: b"".join(file.read_bytes() for file in files) for name, files in state_places.items() if files}
        for place, encoding in places.LEAKS.items():
            if place in {places.OPENED, places.SEALED, places.STOLEN}:
                continue
            kinds = {(find.canary, find.encoding) for find in Searcher(flock).data(found[place])}
            self.assertIn((place, encoding), kinds)
        self.assertIn(b"in a film", found[places.BLOBS])


class PostgresLeakTests(SynchronousTestCase):
    """The leaks where the store is in PostgreSQL."""

    def test_places(self) -> None:
        """One is in a table, and the other in the write-ahead log alone."""
        in_table, in_wal = secrets.token_hex(16).encode(), secrets.token_hex(16).encode()
        leaking.leak_into_postgres(cluster().create(), in_table, in_wal)
        cluster().execute("CHECKPOINT")
        copy = places.copy_state(cluster().directory, Path(self.mktemp()))
        found = {
            place.name: b"".join(file.read_bytes() for file in place.files) for place in places.state_places([copy])
        }
        self.assertIn(in_table, found[places.DATABASE])
        self.assertNotIn(in_wal, found[places.DATABASE])
        self.assertIn(in_wal, found[places.WAL])


class PlaceTests(SynchronousTestCase):
    """What of a state directory is what."""

    def test_state(self) -> None:
        """Files are sorted by what they are, those of a copy beside those of the end."""
        state = Path(self.mktemp())
        for folder in ("logs", "blobs"):
            (state / folder).mkdir(parents=True)
        names = (
            *("chatserv.db", "chatserv.db-wal", "chatserv.db-shm", "identity.pem"),
            *("logs/server.log", "logs/server.log.1", "blobs/ab"),
        )
        for name in names:
            (state / name).write_text(name)
        copy = places.copy_state(state, state.with_name(f"{state.name}-copy"))
        (state / "chatserv.db-wal").unlink()
        found = {place.name: list(place.files) for place in places.state_places([copy, state])}
        wanted = {
            places.DATABASE: [copy / "chatserv.db", state / "chatserv.db"],
            places.WAL: [copy / "chatserv.db-shm", copy / "chatserv.db-wal", state / "chatserv.db-shm"],
            places.LOGS: [each / name for each in (copy, state) for name in ("logs/server.log", "logs/server.log.1")],
            places.BLOBS: [copy / "blobs" / "ab", state / "blobs" / "ab"],
            places.FILES: [copy / "identity.pem", state / "identity.pem"],
        }
        self.assertEqual(found, wanted)
