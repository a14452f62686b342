"""Tests of `chatserv.store.retention_statements` that need a file: what is left in it, and how it gets smaller."""

import sqlite3
from pathlib import Path
from unittest.mock import patch

from msgspec.structs import replace

from chatserv.domain.retention import RetentionDue
from chatserv.errors import ReadOnly
from chatserv.store import database, retention_statements
from chatserv.store.database import SMALL_BYTES, prepare
from tests.store.drafts import NOW_MS, draft
from tests.store.sql_case import ROOM, SqlStoreCase, pragma

DAY_MS = 86_400_000
SECRET = b"what nobody may find in the file any more"


def days(number: float, *, age: int = 0, most: int = 200, size: int = 0) -> RetentionDue:
    """A step at this day of the confirmed clock."""
    return RetentionDue(NOW_MS + int(number * DAY_MS), age * DAY_MS, size, most)


class FileTests(SqlStoreCase):
    """The file of a store that deletes."""

    async def fill(self, messages: int = 2000) -> None:
        """A store with long messages, and a mark behind them."""
        self.store = await self.open_with_room()
        for number in range(messages):
            await self.store.append(replace(draft(ROOM, number), body=SECRET + bytes(400)))
        await self.store.retain(days(0))

    async def empty(self) -> int:
        """Deletes it all; gives in how many steps."""
        steps = 1
        while (await self.store.retain(days(2, age=1))).more:
            steps += 1
        for _ in range(20):  # the pages that are still free
            await self.store.retain(days(2, age=1))
        await self.store._writing.run(pragma("wal_checkpoint(TRUNCATE)"))
        return steps

    async def test_shrinks(self) -> None:
        """The file gives back what is free, a few pages at a time, and nothing of what was said is in it."""
        await self.fill()
        await self.store._writing.run(pragma("wal_checkpoint(TRUNCATE)"))
        before = self.path.stat().st_size
        self.assertEqual(11, await self.empty())
        self.assertLess(self.path.stat().st_size, before / 2)
        self.assertEqual(0, await self.store._writing.run(pragma("freelist_count")))
        for path in self.path.parent.glob(f"{self.path.name}*"):
            self.assertNotIn(SECRET, path.read_bytes())

    async def test_size(self) -> None:
        """By size, so many go as it takes, and the rest stays."""
        await self.fill()
        used = await self.store._reading.run(retention_statements.used_bytes)
        self.assertEqual(0, (await self.store.retain(days(0, size=used // 2, most=50))).gone)  # none of the last hour
        while (await self.store.retain(days(0.1, size=used // 2, most=50))).more:
            pass
        left = len(await self.store.events(ROOM, 0, 5000))
        self.assertLess(await self.store._reading.run(retention_statements.used_bytes), used // 2 + 50 * 1000)
        self.assertGreater(left, 300)
        self.assertEqual(0, (await self.store.retain(days(0.1, size=used // 2, most=50))).gone)

    async def test_too_small_a_size(self) -> None:
        """Where what stays for ever is larger than the size, messages go all the same, but none of the last hour."""
        await self.fill(20)
        await self.store.retain(days(1))
        await self.store.append(draft(ROOM, 100))
        while (await self.store.retain(days(1.01, size=1))).more:
            pass
        self.assertEqual([1, 22], [event.seq for event in await self.store.events(ROOM, 0, 100)])

    async def test_digests_end(self) -> None:
        """What is kept of an id ends as well: as long behind the message as that was kept, and after 30 days at least."""
        await self.fill(5)
        await self.store.retain(days(2, age=1))
        counted = "SELECT count(*) FROM gone_message"
        for day, left in ((31.9, 5), (32, 0)):
            await self.store.retain(days(day, age=1))
            found = await self.store._reading.run(lambda conn: conn.exec_driver_sql(counted).scalar())
            self.assertEqual(left, found)

    async def test_marks_are_few(self) -> None:
        """A mark an hour, and none behind what has gone."""
        await self.fill(5)
        for number in range(1, 11):
            await self.store.append(draft(ROOM, 100 + number))
            for minute in range(0, 60, 10):
                await self.store.retain(days(number / 24 + minute / 1440))
        counted = "SELECT count(*) FROM retention_mark"
        self.assertEqual(11, await self.store._reading.run(lambda conn: conn.exec_driver_sql(counted).scalar()))
        await self.store.retain(days(2, age=1))
        self.assertEqual(1, await self.store._reading.run(lambda conn: conn.exec_driver_sql(counted).scalar()))

    async def test_read_only(self) -> None:
        """A store that takes nothing deletes nothing."""
        await self.fill(5)
        self.store._writer.break_off("damaged")
        with self.assertRaises(ReadOnly):
            await self.store.retain(days(2, age=1))
        self.assertEqual(6, len(await self.store.events(ROOM, 0, 9)))


class OldFileTests(SqlStoreCase):
    """Files that were made before."""

    def vacuum_mode(self) -> int:
        """Whether the file can give pages back: 2."""
        conn = sqlite3.connect(self.path)
        found: int = conn.execute("PRAGMA auto_vacuum").fetchone()[0]
        conn.close()
        return found

    def make_old(self) -> None:
        """A file of before, with something in it."""
        self.path = Path(self.mktemp())
        with patch.object(database, "_let_shrink"):
            prepare(self.path)
        conn = sqlite3.connect(self.path)
        conn.execute("INSERT INTO meta VALUES ('x', x'01')")
        conn.commit()
        conn.close()
        self.assertEqual(0, self.vacuum_mode())

    def test_small(self) -> None:
        """A small one is written anew at a start, whole; a new one never has to be."""
        self.make_old()
        prepare(self.path)
        self.assertEqual(2, self.vacuum_mode())
        conn = sqlite3.connect(self.path)
        self.assertEqual([(b"\x01",)], conn.execute("SELECT value FROM meta WHERE key = 'x'").fetchall())
        conn.close()
        self.path = Path(self.mktemp())
        with patch.object(database, "SMALL_BYTES", -1):
            prepare(self.path)
        self.assertEqual(2, self.vacuum_mode())

    def test_large(self) -> None:
        """A large one stays as it is, so that the start is quick."""
        self.make_old()
        self.assertLess(self.path.stat().st_size, SMALL_BYTES)
        with patch.object(database, "SMALL_BYTES", self.path.stat().st_size - 1):
            prepare(self.path)
        self.assertEqual(0, self.vacuum_mode())
