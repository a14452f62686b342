"""Tests of `chatserv.store.checking`: damaged files are found, by the start or while the server runs."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import ReadOnly
from chatserv.store import checking
from chatserv.store.checking import Check, Damage
from chatserv.store.database import DatabaseRefused, prepare, reading_engine
from tests.store.drafts import draft, founding
from tests.store.sql_case import ROOM, SqlStoreCase, real_reactor

EVENTS = 3000
PAGE = 4096


def fill(path: Path, events: int = EVENTS) -> None:
    """A database with a room and so many events."""
    prepare(path)
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA wal_autocheckpoint = 0")
        conn.execute(
            "INSERT INTO room (pk, room_id, closed, epoch, head, commit_hash, kt_size, state) "
            "VALUES (1, ?, 0, 0, ?, x'00', 0, x'00')",
            (founding(1).room_id, events),
        )
        rows = [(number, number.to_bytes(16, "big"), bytes(200)) for number in range(1, events + 1)]
        conn.executemany(
            "INSERT INTO event (room, seq, msg_id, device_id, at_ms, sender, kind, body) "
            "VALUES (1, ?, ?, x'00', 0, 'alice', 0, ?)",
            rows,
        )
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()


def pages_of(path: Path, name: str) -> list[int]:
    """The leaf pages of a table or an index, in order."""
    conn = sqlite3.connect(path)
    found = conn.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (name,))
    pages = [row[0] for row in found]
    conn.close()
    return pages


def spoil(path: Path, page: int, change: Callable[[bytearray], None]) -> None:
    """Changes a page in the file."""
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        content = bytearray(file.read(PAGE))
        change(content)
        file.seek((page - 1) * PAGE)
        file.write(content)


def blank(content: bytearray) -> None:
    """A page that was never written."""
    content[:] = bytes(PAGE)


def scribble(content: bytearray) -> None:
    """Cells that lie outside of their page."""
    content[8:40] = b"\xff" * 32


def shuffle(content: bytearray) -> None:
    """Rows in another order: the pointers to two cells change places."""
    content[8:10], content[10:12] = content[10:12], content[8:10]


def checks() -> bool:
    """Whether a thread checks."""
    return any(thread.name == "store-checker" for thread in threading.enumerate())


class CheckTests(SynchronousTestCase):
    """The walk through a file."""

    def setUp(self) -> None:
        """Fills a database."""
        self.path = Path(self.mktemp())
        fill(self.path)

    def check(self) -> Check:
        """The whole walk."""
        check = Check()
        with reading_engine(self.path).connect() as conn:
            while check.step(conn):
                pass
        return check

    def test_whole(self) -> None:
        """A whole file is whole: every row is read once, and no slice is larger than it should be."""
        self.patch(checking, "MOST_ROWS", 100)
        self.assertGreaterEqual(self.check().rows, EVENTS + 1)
        self.assertLess(self.check().rows, EVENTS + 20)

    def test_slices(self) -> None:
        """A slice holds about so many bytes: more rows where they are short, fewer where they are long."""
        self.patch(checking, "SLICE_BYTES", 10_000)
        check, steps = Check(), 0
        with reading_engine(self.path).connect() as conn:
            before = 0
            while check.step(conn):
                self.assertLess(check.bytes - before, 20_000)
                before, steps = check.bytes, steps + 1
        self.assertGreater(steps, EVENTS * 200 / 20_000)

    def test_table(self) -> None:
        """A damaged page of a table is found and named, with its table; the start does not read that far."""
        page = pages_of(self.path, "event")[40]
        for change in (blank, scribble):
            with self.subTest(change=change.__name__):
                spoil(self.path, page, change)
                prepare(self.path)
                damage = self.assertRaises(Damage, self.check)
                self.assertEqual(('"event"', page), (damage.where, damage.page))
                self.assertIn(f"page {page}", str(damage))

    def test_order(self) -> None:
        """Rows out of order are damage, though every page is one."""
        spoil(self.path, pages_of(self.path, "event")[40], shuffle)
        self.assertIn("out of order", str(self.assertRaises(Damage, self.check)))

    def test_index(self) -> None:
        """So is a damaged page of an index, also of one that may hold NULL."""
        page = pages_of(self.path, "sqlite_autoindex_event_1")[5]
        spoil(self.path, page, scribble)
        damage = self.assertRaises(Damage, self.check)
        self.assertIn("sqlite_autoindex_event_1", damage.where)
        self.assertEqual(page, damage.page)

    def test_short_index(self) -> None:
        """An index of a column that may be empty is read as well."""
        conn = sqlite3.connect(self.path)
        for number in range(400):
            conn.execute(
                "INSERT INTO room (room_id, closed, name, epoch, head, commit_hash, kt_size, state) "
                "VALUES (?, 0, ?, 0, 0, x'00', 0, x'00')",
                (number.to_bytes(15, "big"), f"room {number:060}"),
            )
        conn.commit()
        conn.close()
        spoil(self.path, pages_of(self.path, "sqlite_autoindex_room_2")[2], blank)
        self.assertIn("sqlite_autoindex_room_2", str(self.assertRaises(Damage, self.check)))

    def test_newest(self) -> None:
        """The start looks at the newest rows, and names what to do."""
        page = pages_of(self.path, "event")[-1]
        spoil(self.path, page, blank)
        refusal = str(self.assertRaises(DatabaseRefused, prepare, self.path))
        for word in (str(self.path), f"page {page}", "event", "chatserv restore"):
            self.assertIn(word, refusal)

    def test_cut_off(self) -> None:
        """A file that is too short is refused, even where the newest rows are in front."""
        size = self.path.stat().st_size
        for gone in (1, PAGE, size // 2):
            with self.subTest(gone=gone), self.path.open("r+b") as file:
                file.truncate(size - gone)
                refusal = str(self.assertRaises(DatabaseRefused, prepare, self.path))
                self.assertIn("cut off", refusal)

    def test_log_has_the_rest(self) -> None:
        """After a crash in the middle of a checkpoint the file may be too short: the log has the rest."""
        with sqlite3.connect(self.path) as conn:
            conn.execute("UPDATE event SET body = zeroblob(300)")
        copies = {suffix: Path(f"{self.path}{suffix}").read_bytes() for suffix in ("", "-wal")}
        conn.close()
        for suffix, content in copies.items():
            Path(f"{self.path}{suffix}").write_bytes(content)
        conn = sqlite3.connect(self.path)
        self.assertEqual(EVENTS, conn.execute("SELECT count(*) FROM event WHERE length(body) = 300").fetchone()[0])
        conn.close()
        prepare(self.path)
        self.check()


class BackgroundTests(SqlStoreCase):
    """The check beside the work of a store."""

    async def wait(self, condition: Callable[[], object]) -> None:
        """Waits until something is so."""
        while not condition():
            await deferLater(real_reactor(), 0.01)

    async def test_damage(self) -> None:
        """A find makes the store read-only, with the page: what waits is refused, what is stored can be read."""
        self.path = Path(self.mktemp())
        fill(self.path)
        page = pages_of(self.path, "event")[40]
        spoil(self.path, page, blank)
        store = await self.reopen_store()
        found: list[Damage] = []
        store.begin_check(found.append)
        await self.wait(lambda: found)
        self.assertEqual([page], [damage.page for damage in found])
        await self.assertFailure(Deferred.fromCoroutine(store.append(draft(ROOM, 0))), ReadOnly)
        self.assertEqual(1, len(await store.events(ROOM, 0, 1)))
        self.assertEqual(1, len(found))

    async def test_read(self) -> None:
        """Whoever reads a damaged page before the check comes to it finds it as well."""
        self.path = Path(self.mktemp())
        fill(self.path)
        spoil(self.path, pages_of(self.path, "event")[0], blank)
        store = await self.reopen_store()
        found: list[Damage] = []
        self.patch(checking, "FIRST_ROWS", 1)
        store.begin_check(found.append)
        await self.assertFailure(Deferred.fromCoroutine(store.events(ROOM, 0, 10)), ReadOnly)
        await self.wait(lambda: found)
        await self.assertFailure(Deferred.fromCoroutine(store.append(draft(ROOM, 0))), ReadOnly)
        self.assertEqual(1, len(found))

    async def test_close(self) -> None:
        """A store that closes ends the check, and its thread."""
        store = await self.open_with_room()
        store.begin_check(self.fail)
        await store.close()
        self.assertFalse(checks())

    async def test_whole(self) -> None:
        """A whole file: the check ends by itself, and work goes on."""
        store = await self.open_with_room()
        store.begin_check(self.fail)
        assert store._check is not None
        check = store._check
        await self.wait(lambda: check._check.rows and not checks())
        await store.append(draft(ROOM, 0))
