"""Tests of `chatserv.store.sql` where the disk fails."""

import sqlite3
from collections.abc import Callable, Sequence

from sqlalchemy import Connection
from sqlalchemy import event as hooks
from twisted.internet.defer import Deferred

from chatserv.errors import Internal, ReadOnly, StorageFull
from chatserv.models import Appended, Event
from chatserv.store.limits import StoreLimits
from tests.store.contract_base import seq_of
from tests.store.drafts import NOW_MS, draft, following, founding, log_leaf, registration, start, together
from tests.store.sql_case import ROOM, SqlStoreCase, pragma


def fail_commits(error: Exception) -> Callable[[Connection], Callable[[], None]]:
    """Work for the writer's thread: makes every commit raise ``error``; returns what ends that."""

    def install(conn: Connection) -> Callable[[], None]:
        def fail(_conn: Connection) -> None:
            raise error

        hooks.listen(conn.engine, "commit", fail)
        return lambda: hooks.remove(conn.engine, "commit", fail)

    return install


def sqlite_error(code: int, name: str) -> sqlite3.OperationalError:
    """An error as the driver raises it."""
    error = sqlite3.OperationalError(name)
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


class FailureTests(SqlStoreCase):
    """Commits that fail."""

    async def test_full(self) -> None:
        """A full database refuses the whole commit, unheard, and works again when there is space."""
        store = await self.open_with_room()
        await store.append(draft(ROOM, 0))
        heard: list[Event] = []
        store.subscribe(heard.extend)
        pages = await store._writing.run(pragma("max_page_count=1"))
        calls = [Deferred.fromCoroutine(store.append(draft(ROOM, number))) for number in range(1, 500)]
        for call in calls:
            await self.assertFailure(call, StorageFull)
        self.assertEqual([], heard)
        self.assertEqual(2, (await store.rooms())[0].head)
        await store._writing.run(pragma(f"max_page_count={pages + 1000}"))
        results = await together([store.append(draft(ROOM, number)) for number in range(1, 500)])
        self.assertEqual({Appended}, {type(result) for result in results})
        self.assertEqual(list(range(3, 502)), [event.seq for event in heard])

    async def test_failing_log_listener(self) -> None:
        """Leaves that somebody could not take in are there, and in no memory: nothing is written after them."""
        store = await self.open_store()
        ended: list[str] = []
        store.gave_up = ended.append

        def fail(_first: int, _leaves: Sequence[bytes]) -> None:
            raise AssertionError("a listener's fault")

        store.subscribe_log(fail)
        await store.register(registration("alice", leaves=(log_leaf(0),)), NOW_MS)
        await self.assertFailure(start(store.register(registration("bob"), NOW_MS)), ReadOnly)
        self.assertEqual((1, True), (len(ended), store.broken))
        self.assertEqual(1, len(self.flushLoggedErrors(AssertionError)))

    async def test_leaves_of_a_failed_commit(self) -> None:
        """Leaves of the log that were not stored are not heard of, and their indices are given again."""
        store = await self.open_with_room()
        heard: list[tuple[int, list[bytes]]] = []
        store.subscribe_log(lambda first, leaves: heard.append((first, list(leaves))))
        undo = await store._writing.run(fail_commits(sqlite_error(sqlite3.SQLITE_FULL, "SQLITE_FULL")))
        failing = store.commit(following(founding(1), leaves=(log_leaf(0),)))
        await self.assertFailure(Deferred.fromCoroutine(failing), StorageFull)
        self.assertEqual([], heard)
        await store._writing.run(lambda _conn: undo())
        await store.commit(following(founding(1), leaves=(log_leaf(1),)))
        self.assertEqual([(0, [b"leaf 1"])], heard)

    async def test_full_at_the_commit(self) -> None:
        """A disk that fills up while committing leaves nothing behind either."""
        store = await self.open_with_room()
        error = sqlite_error(sqlite3.SQLITE_FULL, "SQLITE_FULL")
        undo = await store._writing.run(fail_commits(error))
        await self.assertFailure(Deferred.fromCoroutine(store.append(draft(ROOM, 0))), StorageFull)
        await store._writing.run(lambda _conn: undo())
        self.assertEqual(2, seq_of(await store.append(draft(ROOM, 0))))

    async def test_io_error(self) -> None:
        """After a failed sync nothing is acknowledged any more, even when the disk seems well again; reads go on."""
        store = await self.open_with_room(StoreLimits(batch=2))
        await store.append(draft(ROOM, 0))
        error = sqlite_error(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC")
        undo = await store._writing.run(fail_commits(error))
        for call in [Deferred.fromCoroutine(store.append(draft(ROOM, number))) for number in range(1, 6)]:
            await self.assertFailure(call, ReadOnly)
        await store._writing.run(lambda _conn: undo())
        with self.assertRaises(ReadOnly):
            await store.append(draft(ROOM, 1))
        with self.assertRaises(ReadOnly):
            await store.register(registration("alice"), NOW_MS)
        self.assertEqual([1, 2], [event.seq for event in await store.events(ROOM, 0, 10)])
        await store.close()

    async def test_closing_while_failing(self) -> None:
        """A failed commit does not keep the store from closing."""
        store = await self.open_with_room(StoreLimits(batch=2))
        await store._writing.run(fail_commits(OSError(5, "Input/output error")))
        calls = [Deferred.fromCoroutine(store.append(draft(ROOM, number))) for number in range(5)]
        await store.close()
        for call in calls:
            self.failureResultOf(call, ReadOnly)

    async def test_bug(self) -> None:
        """Any other failure is logged, without the values of the statement, and the store goes on."""
        store = await self.open_with_room()
        secret = "a body that nobody may log"

        def violate(conn: Connection) -> None:
            for _ in range(2):
                conn.exec_driver_sql("INSERT INTO meta VALUES (?, ?)", (secret, b""))

        calls = [
            Deferred.fromCoroutine(store.append(draft(ROOM, 0))),
            store._writer.write(violate),
        ]
        for call in calls:
            await self.assertFailure(call, Internal)
        (failure,) = self.flushLoggedErrors()
        self.assertNotIn(secret, failure.getTraceback())
        self.assertIsInstance(await store.append(draft(ROOM, 0)), Appended)
