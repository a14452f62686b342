"""Tests of `chatserv.store.sql` on real files, with its real threads."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy import event as hooks
from twisted.internet.base import ReactorBase
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from chatserv.errors import Busy, Internal, LocalProtocolError, ReadOnly, StorageFull
from chatserv.ports import Appended, Duplicate, Event
from chatserv.store import statements
from chatserv.store.database import prepare, writing_engine
from chatserv.store.limits import StoreLimits
from chatserv.store.sql import SqlStore
from tests.store.contract import EPOCH, NOW_MS, StoreContract, draft, invite, registration, together


def real_reactor() -> ReactorBase:
    """The reactor that runs the tests."""
    from twisted.internet import reactor  # noqa: TID251 - trial runs the real one

    return cast(ReactorBase, reactor)


def pragma(text: str) -> Callable[[Connection], Any]:
    """Work for a lane: the value of a PRAGMA."""

    def read(conn: Connection) -> Any:
        cursor = cast(sqlite3.Connection, conn.connection.dbapi_connection).execute(f"PRAGMA {text}")
        return cursor.fetchone()[0]

    return read


class SqlStoreCase(TestCase):
    """Makes stores in files."""

    async def open_store(self, limits: StoreLimits | None = None, *, second_room: bool = False) -> SqlStore:
        """A new open store in the file ``self.path``."""
        self.path = Path(self.mktemp())
        prepare(self.path)
        if second_room:
            engine = writing_engine(self.path)
            with engine.begin() as conn:
                statements.add_room(conn, "second", public=True, epoch=EPOCH)
        return await self.reopen_store(limits)

    async def reopen_store(self, limits: StoreLimits | None = None) -> SqlStore:
        """An open store in the file that is there."""
        store = SqlStore(self.path, limits or StoreLimits(), real_reactor())
        await store.open()
        self.addCleanup(store.close)
        return store


class SqlStoreTests(SqlStoreCase, StoreContract):
    """`SqlStore` keeps the contract."""


class LifeTests(SqlStoreCase):
    """Opening, closing and opening again."""

    async def test_threads(self) -> None:
        """No thread and no file exists before the opening and after the closing."""
        path = Path(self.mktemp())
        prepare(path)
        before = set(threading.enumerate())
        store = SqlStore(path, StoreLimits(), real_reactor())
        self.assertEqual(before, set(threading.enumerate()))
        await store.open()
        self.assertEqual(2, len(set(threading.enumerate()) - before))
        await store.close()
        self.assertEqual(before, set(threading.enumerate()))
        self.assertEqual([path.name], [each.name for each in path.parent.glob(path.name + "*")])

    async def test_not_open(self) -> None:
        """Nothing works before the opening, which happens once."""
        self.path = Path(self.mktemp())
        prepare(self.path)
        store = SqlStore(self.path, StoreLimits(), real_reactor())
        with self.assertRaises(LocalProtocolError):
            await store.rooms()
        with self.assertRaises(LocalProtocolError):
            _ = store.incarnation
        await store.open()
        self.addCleanup(store.close)
        with self.assertRaises(LocalProtocolError):
            await store.open()

    async def test_no_file(self) -> None:
        """A file that cannot be opened fails the opening and leaves no thread."""
        before = set(threading.enumerate())
        store = SqlStore(Path(self.mktemp()), StoreLimits(), real_reactor())
        with self.assertRaises(Internal):
            await store.open()
        self.assertEqual(before, set(threading.enumerate()))

    async def test_reopen(self) -> None:
        """Everything is there after a restart: rooms, events, accounts, used invites, the incarnation."""
        store = await self.open_store()
        lobby = (await store.rooms())[0].room_id
        await store.add_invite(invite(1), NOW_MS)
        alice = registration("alice", invite(1).token_hash)
        account = await store.register(alice, NOW_MS)
        await together([store.append(draft(lobby, number)) for number in range(100)])
        kept = [await store.rooms(), await store.events(lobby, 0, 1000), await store.device("alice", alice.device_id)]
        await store.close()
        again = await self.reopen_store()
        self.assertEqual(store.incarnation, again.incarnation)
        found = [await again.rooms(), await again.events(lobby, 0, 1000), await again.device("alice", alice.device_id)]
        self.assertEqual(kept, found)
        self.assertEqual(account, await again.register(alice, NOW_MS))
        self.assertEqual(Duplicate(5, NOW_MS), await again.append(draft(lobby, 4)))

    async def test_pragmas(self) -> None:
        """The writer syncs every commit and overwrites what is deleted; the reader cannot write."""
        store = await self.open_store()
        expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "query_only": 0}
        self.assertEqual(expected, {name: await store._writing.run(pragma(name)) for name in expected})
        expected = {"query_only": 1, "wal_autocheckpoint": 0}
        self.assertEqual(expected, {name: await store._reading.run(pragma(name)) for name in expected})


class GroupCommitTests(SqlStoreCase):
    """What shares a commit, and what does not fit."""

    async def test_one_turn_one_commit(self) -> None:
        """The appends of one turn are one commit, those made during it the next, a batch at most each."""
        store = await self.open_store(StoreLimits(batch=4))
        lobby = (await store.rooms())[0].room_id
        commits: list[int] = []
        store.subscribe(lambda events: commits.append(len(events)))
        await together([store.append(draft(lobby, number)) for number in range(10)])
        self.assertEqual([4, 4, 2], commits)

    async def test_during_a_commit(self) -> None:
        """Calls made while a commit runs wait and are committed together."""
        store = await self.open_store()
        lobby = (await store.rooms())[0].room_id
        commits: list[int] = []
        store.subscribe(lambda events: commits.append(len(events)))
        go, started = threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def hold(_conn: Connection) -> None:
            started.set()
            go.wait(10)

        held = Deferred.fromCoroutine(store._writer.write(hold))
        while not started.is_set():
            turn: Deferred[None] = Deferred()
            real_reactor().callLater(0.001, turn.callback, None)
            await turn
        appends = [Deferred.fromCoroutine(store.append(draft(lobby, 1)))]
        turn = Deferred()
        real_reactor().callLater(0.01, turn.callback, None)
        await turn
        appends.append(Deferred.fromCoroutine(store.append(draft(lobby, 2))))
        go.set()
        await held
        for each in appends:
            await each
        self.assertEqual([2], commits)

    async def test_queue_bounded(self) -> None:
        """One call above the bound is refused at once; the others are stored."""
        store = await self.open_store(StoreLimits(queue=3))
        lobby = (await store.rooms())[0].room_id
        waiting = [Deferred.fromCoroutine(store.append(draft(lobby, number))) for number in range(3)]
        for call in (store.append(draft(lobby, 3)), store.register(registration("alice"), NOW_MS)):
            self.failureResultOf(Deferred.fromCoroutine(call), Busy)
        for each in waiting:
            self.assertIsInstance(await each, Appended)
        self.assertIsInstance(await store.append(draft(lobby, 3)), Appended)

    async def test_reads_bounded(self) -> None:
        """Reads above the bound are refused too."""
        store = await self.open_store(StoreLimits(queue=2))
        waiting = [Deferred.fromCoroutine(store.rooms()) for _ in range(2)]
        self.failureResultOf(Deferred.fromCoroutine(store.rooms()), Busy)
        for each in waiting:
            self.assertEqual(1, len(await each))

    async def test_cancelled(self) -> None:
        """A caller that no longer waits changes nothing: its draft is stored, the others are answered."""
        store = await self.open_store()
        lobby = (await store.rooms())[0].room_id
        gone, stays = [Deferred.fromCoroutine(store.append(draft(lobby, number))) for number in range(2)]
        gone.cancel()
        await self.assertFailure(gone, CancelledError)
        result = await stays
        self.assertEqual(2, result.event.seq if isinstance(result, Appended) else None)


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
        store = await self.open_store()
        lobby = (await store.rooms())[0].room_id
        await store.append(draft(lobby, 0))
        heard: list[Event] = []
        store.subscribe(heard.extend)
        pages = await store._writing.run(pragma("max_page_count=1"))
        calls = [Deferred.fromCoroutine(store.append(draft(lobby, number))) for number in range(1, 500)]
        for call in calls:
            await self.assertFailure(call, StorageFull)
        self.assertEqual([], heard)
        self.assertEqual(1, (await store.rooms())[0].head)
        await store._writing.run(pragma(f"max_page_count={pages + 1000}"))
        results = await together([store.append(draft(lobby, number)) for number in range(1, 500)])
        self.assertEqual({Appended}, {type(result) for result in results})
        self.assertEqual(list(range(2, 501)), [event.seq for event in heard])

    async def test_full_at_the_commit(self) -> None:
        """A disk that fills up while committing leaves nothing behind either."""
        store = await self.open_store()
        lobby = (await store.rooms())[0].room_id
        error = sqlite_error(sqlite3.SQLITE_FULL, "SQLITE_FULL")
        undo = await store._writing.run(fail_commits(error))
        await self.assertFailure(Deferred.fromCoroutine(store.append(draft(lobby, 0))), StorageFull)
        await store._writing.run(lambda _conn: undo())
        result = await store.append(draft(lobby, 0))
        self.assertEqual(1, result.event.seq if isinstance(result, Appended) else None)

    async def test_io_error(self) -> None:
        """After a failed sync nothing is acknowledged any more, even when the disk seems well again; reads go on."""
        store = await self.open_store(StoreLimits(batch=2))
        lobby = (await store.rooms())[0].room_id
        await store.append(draft(lobby, 0))
        error = sqlite_error(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC")
        undo = await store._writing.run(fail_commits(error))
        for call in [Deferred.fromCoroutine(store.append(draft(lobby, number))) for number in range(1, 6)]:
            await self.assertFailure(call, ReadOnly)
        await store._writing.run(lambda _conn: undo())
        with self.assertRaises(ReadOnly):
            await store.append(draft(lobby, 1))
        with self.assertRaises(ReadOnly):
            await store.register(registration("alice"), NOW_MS)
        self.assertEqual([1], [event.seq for event in await store.events(lobby, 0, 10)])
        await store.close()

    async def test_closing_while_failing(self) -> None:
        """A failed commit does not keep the store from closing."""
        store = await self.open_store(StoreLimits(batch=2))
        lobby = (await store.rooms())[0].room_id
        await store._writing.run(fail_commits(OSError(5, "Input/output error")))
        calls = [Deferred.fromCoroutine(store.append(draft(lobby, number))) for number in range(5)]
        await store.close()
        for call in calls:
            self.failureResultOf(call, ReadOnly)

    async def test_bug(self) -> None:
        """Any other failure is logged, without the values of the statement, and the store goes on."""
        store = await self.open_store()
        lobby = (await store.rooms())[0].room_id
        secret = "a body that nobody may log"

        def violate(conn: Connection) -> None:
            for _ in range(2):
                conn.exec_driver_sql("INSERT INTO meta VALUES (?, ?)", (secret, b""))

        calls = [
            Deferred.fromCoroutine(store.append(draft(lobby, 0))),
            Deferred.fromCoroutine(store._writer.write(violate)),
        ]
        for call in calls:
            await self.assertFailure(call, Internal)
        (failure,) = self.flushLoggedErrors()
        self.assertNotIn(secret, failure.getTraceback())
        self.assertIsInstance(await store.append(draft(lobby, 0)), Appended)
