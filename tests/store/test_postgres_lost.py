"""Tests of `chatserv.store.postgres` where connections and servers are lost: everything is done once, or refused."""

import gc
import os
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy import Connection
from sqlalchemy import event as hooks
from sqlalchemy.exc import OperationalError
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.envelope import HEADER_BYTES
from chatserv.errors import Busy, Internal, ReadOnly, StorageFull, WireError
from chatserv.models import Appended, Duplicate, Event, EventDraft
from chatserv.store import statements
from chatserv.store.database import DatabaseRefused
from chatserv.store.limits import StoreLimits
from chatserv.store.meta_statements import last_alone
from chatserv.store.postgres import batches
from chatserv.store.postgres.appending import append_batch
from chatserv.store.postgres.engines import writing_engine
from chatserv.store.postgres.errors import translate
from chatserv.store.postgres.lane import PostgresLane
from chatserv.store.postgres.store import PostgresStore
from chatserv.store.postgres.using import Use, require_company, require_unused
from tests.store.contract_base import seq_of
from tests.store.drafts import NOW_MS, draft, following, founding, log_leaf, registration, start, together
from tests.store.postgres_case import PostgresCase
from tests.store.sql_case import ROOM, real_reactor
from tests.store.test_postgres_races import settled
from tests.support.postgres import cluster, new_cluster

SECONDS = 3.0  # where it is waited for: what a busy machine does all the same
LONG_SECONDS = 60.0
LOST = "the connection was lost, as a test would have it"


def pid_of(conn: Connection) -> int:
    """Of the process at the other end."""
    driver: Any = conn.connection.driver_connection
    return int(driver.info.backend_pid)


def really_commit(conn: Connection) -> None:
    """Commits, and lets the connection die before anybody hears of it."""
    driver: Any = conn.connection.driver_connection
    driver.execute("COMMIT")
    driver.close()
    raise psycopg.OperationalError(LOST)


def lose_before(conn: Connection) -> None:
    """Lets the connection die, and nothing is committed."""
    driver: Any = conn.connection.driver_connection
    driver.close()
    raise psycopg.OperationalError(LOST)


def close_driver(conn: Connection) -> Connection:
    """Closes the connection below SQLAlchemy."""
    driver: Any = conn.connection.driver_connection
    driver.close()
    return conn


def invalidate(conn: Connection) -> Connection:
    """Gives the connection up, as SQLAlchemy does by itself after some errors."""
    conn.invalidate()
    return conn


async def insist(call: Callable[[], Awaitable[Any]]) -> Any:
    """The result of a call, which is made again while the store is busy."""
    while True:
        try:
            return await call()
        except Busy:
            await deferLater(real_reactor(), 0.05)


class LostTests(PostgresCase):
    """A store whose connections are lost."""

    async def opened(self) -> PostgresStore:
        """A store with `ROOM`; notes what is heard."""
        store = await self.open_with_room()
        self.heard: list[int] = []
        self.leaves: list[tuple[int, bytes]] = []
        store.subscribe(lambda events: self.heard.extend(event.seq for event in events))
        store.subscribe_log(lambda first, leaves: self.leaves.extend(enumerate(leaves, first)))
        return store

    async def break_commit(self, store: PostgresStore, broken: Callable[[Connection], None]) -> None:
        """The next commit of the writer is replaced by ``broken``, once."""

        def install(conn: Connection) -> None:
            def once(conn: Connection) -> None:
                hooks.remove(conn.engine, "commit", once)
                broken(conn)

            hooks.listen(conn.engine, "commit", once)

        await store._writing.run(install)

    async def test_between_batches(self) -> None:
        """A store whose connections the server has ended goes on; nobody notices."""
        store = await self.opened()
        for number in range(3):
            for lane in store._all:
                pid = await lane.run(pid_of)
                cluster().execute(f"SELECT pg_terminate_backend({pid})")
            self.assertIsInstance(await store.append(draft(ROOM, number)), Appended)
            await store.register(registration(f"user{number}"), NOW_MS)
            self.assertEqual(number + 2, (await store.rooms())[0].head)
        self.assertEqual([2, 3, 4], self.heard)
        self.assertGreaterEqual(store.repeated, 6)

    async def test_answer_lost(self) -> None:
        """A batch that was committed, and whose answer was lost, is not done again, and is heard of once."""
        store = await self.opened()
        await self.break_commit(store, really_commit)
        commit = following(founding(1), leaves=(log_leaf(1),))
        calls: list[Awaitable[Any]] = [store.append(draft(ROOM, 1)), store.commit(commit), store.rooms()]
        appended, committed, _ = await together(calls)
        self.assertEqual((2, 3), (seq_of(appended), seq_of(committed)))
        self.assertEqual(([2, 3], [(0, log_leaf(1).leaf)]), (self.heard, self.leaves))
        self.assertEqual([log_leaf(1).leaf], list(await store.log()))
        self.assertGreater(store.repeated, 0)

    async def test_orders_of_a_lost_answer(self) -> None:
        """Its orders are told once, under the numbers that they have in the database."""
        await self.open_with_room()
        store = await self.reopen_store(keeps_orders=True)
        told: list[tuple[int, bytes]] = []
        store.subscribe_control(lambda first, orders: told.extend(enumerate(orders, first)))
        await store.register(registration("alice"), NOW_MS)
        await store.set_account("alice", muted=True)
        await self.break_commit(store, really_commit)
        await store.set_account("alice", muted=False)
        await self.break_commit(store, lose_before)
        await store.set_account("alice", muted=True)
        self.assertEqual([1, 2, 3], [number for number, _ in told])
        self.assertEqual([body for _, body in told], await store.orders(0, 9))

    async def test_lost_before_the_commit(self) -> None:
        """A batch that was not committed is done again, once."""
        store = await self.opened()
        await self.break_commit(store, lose_before)
        await store.register(registration("alice", leaves=(log_leaf(1),)), NOW_MS)
        self.assertEqual([(0, log_leaf(1).leaf)], self.leaves)
        self.assertEqual([log_leaf(1).leaf], list(await store.log()))

    async def test_messages_lost(self) -> None:
        """Messages whose answer was lost are heard of once, under the seqs that they had; what was double is so still."""
        store = await self.opened()
        await store.append(draft(ROOM, 1, at_ms=NOW_MS - 5))
        append, left = append_batch, [True]

        def lose(conn: Connection, drafts: Sequence[EventDraft], again: bool = False) -> list[Any]:
            outcomes = append(conn, drafts, again)
            if left:
                left.pop()
                raise psycopg.OperationalError(LOST)
            return outcomes

        self.patch(batches, "append_batch", lose)
        found = await together([store.append(draft(ROOM, number)) for number in (1, 2, 3, 3)])
        self.assertEqual([Duplicate, Appended, Appended, Duplicate], list(map(type, found)))
        self.assertEqual([2, 3, 4], self.heard)
        self.assertEqual([1, 2, 3, 4], [event.seq for event in await store.events(ROOM, 0, 9)])

    async def test_given_up(self) -> None:
        """What the server does not answer is refused as busy; what became of it all the same is heard of with the next."""
        await self.open_with_room()
        store = await self.reopen_store(seconds=SECONDS)
        heard: list[Event] = []
        store.subscribe(heard.extend)
        pid = await store._writing.run(pid_of)
        os.kill(pid, signal.SIGSTOP)
        try:
            await self.assertFailure(start(store.append(draft(ROOM, 1))), Busy)
        finally:
            os.kill(pid, signal.SIGCONT)
        await insist(lambda: store.append(draft(ROOM, 2)))
        self.assertEqual([1, 2], sorted(int(event.body[HEADER_BYTES + 5 :]) for event in heard))
        self.assertEqual([2, 3], [event.seq for event in heard])
        self.assertIsInstance(await insist(lambda: store.append(draft(ROOM, 1))), Duplicate)

    async def test_looks_go_on(self) -> None:
        """A look at a connection that was closed, or given up, below the lane ends no looking, and connects nothing."""
        store = await self.open_with_room()
        lane = store._writing
        assert isinstance(lane, PostgresLane)
        for number, break_it in enumerate((close_driver, invalidate)):
            connection = await lane.run(break_it)
            lane._until = 0.0
            store._look()
            lane._until = None
            self.assertTrue(store._looking.running)
            self.assertEqual(bool(number), connection.invalidated)
            self.assertIsInstance(await store.append(draft(ROOM, number)), Appended)

    async def test_looks_survive(self) -> None:
        """Whatever a look raises, there is another one."""
        store = await self.open_with_room()
        self.patch(store, "_tell_if_down", lambda _down: 1 // 0)
        while not (errors := self.flushLoggedErrors(ZeroDivisionError)):
            await deferLater(real_reactor(), 0.05)
        self.assertTrue(errors and store._looking.running)
        self.patch(store, "_tell_if_down", bool)

    async def test_reads_given_up(self) -> None:
        """A read that is not answered is refused as busy too, and the next one has another connection."""
        await self.open_with_room()
        store = await self.reopen_store(seconds=SECONDS)
        pids = [await lane.run(pid_of) for lane in store._lanes]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            for call in [start(store.rooms()) for _ in pids]:
                await self.assertFailure(call, Busy)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        for rooms in await together([insist(store.rooms) for _ in pids]):
            self.assertEqual(1, len(rooms))


class UseTests(PostgresCase):
    """One server at a time."""

    def use(self, seconds: float = LONG_SECONDS) -> bool:
        """As a start does; True, or it is refused."""
        engine = writing_engine(self.url)
        try:
            with engine.begin() as conn:
                require_unused(conn, "the database", seconds)
                return True
        finally:
            engine.dispose()

    async def test_in_use(self) -> None:
        """While a server's store is open, no other start gets on; it has the lock back when a connection was lost."""
        self.url = cluster().prepared()
        self.use()
        store = await self.opened()
        error = await self.assertFailure(deferToThread(self.use, 0.3), DatabaseRefused)
        self.assertIn("the database: in use by another server", str(error))
        other = PostgresStore(self.url, 1, StoreLimits(), real_reactor(), 1.0, Use(1))
        await self.assertFailure(start(other.open()), Busy)
        pid = await store._writing.run(pid_of)
        os.kill(pid, signal.SIGSTOP)  # it holds the lock, and does not answer
        try:
            store._all[0]._until = 0.0
            store._all[0].cut()
        finally:
            os.kill(pid, signal.SIGCONT)
        await store.commit(founding(1))
        await self.assertFailure(deferToThread(self.use, 0.3), DatabaseRefused)
        await store.close()
        self.use()

    async def opened(self) -> PostgresStore:
        """The store of a server that has just counted its start."""
        engine = writing_engine(self.url)
        with engine.begin() as conn:
            number = statements.count_start(conn)
        engine.dispose()
        store = PostgresStore(self.url, 1, StoreLimits(), real_reactor(), LONG_SECONDS, Use(number))
        await store.open()
        self.addCleanup(store.close)
        return store

    async def overtaken(self) -> PostgresStore:
        """A store that has lost its lock, and another server has written meanwhile."""
        self.url = cluster().prepared()
        store = await self.opened()
        self.ended: list[str] = []
        store.gave_up = self.ended.append
        await store.register(registration("alice", leaves=(log_leaf(0),)), NOW_MS)
        pid = await store._writing.run(pid_of)
        cluster().execute(f"SELECT pg_terminate_backend({pid})")
        other = await self.opened()
        await other.register(registration("bob", leaves=(log_leaf(1),)), NOW_MS)
        await other.close()
        return store

    async def test_overtaken(self) -> None:
        """What is in a server's memory is old then: it writes nothing any more, says so once, and ends."""
        store = await self.overtaken()
        with capturedLogs() as logged:
            late = start(store.register(registration("carol", leaves=(log_leaf(2),)), NOW_MS))
            await self.assertFailure(late, ReadOnly)
            await self.assertFailure(start(store.append(draft(ROOM, 1))), ReadOnly)
            while not self.ended:
                await deferLater(real_reactor(), 0.05)
            await deferLater(real_reactor(), 1.2)
        self.assertEqual(2, len(await store.log()))
        self.assertEqual((1, True), (len(self.ended), store.broken))
        self.assertEqual(1, len(logged), logged)

    async def test_overtaken_idle(self) -> None:
        """It notices that where nobody writes, too: what it signs would be older than what clients know."""
        store = await self.overtaken()
        while not self.ended:
            await deferLater(real_reactor(), 0.05)
        await self.assertFailure(start(store.append(draft(ROOM, 1))), ReadOnly)

    async def test_overtaken_in_use(self) -> None:
        """While the other server has the lock, it is over as well, and not only busy."""
        self.url = cluster().prepared()
        store = await self.opened()
        pid = await store._writing.run(pid_of)
        cluster().execute(f"SELECT pg_terminate_backend({pid})")
        await self.opened()
        await self.assertFailure(start(store.commit(founding(1))), ReadOnly)

    async def test_overtaken_while_starting(self) -> None:
        """So is a start that another one came in between of."""
        self.url = cluster().prepared()
        await (await self.opened()).close()
        late = PostgresStore(self.url, 1, StoreLimits(), real_reactor(), LONG_SECONDS, Use(0))
        await self.assertFailure(start(late.open()), ReadOnly)


class CompanyTests(PostgresCase):
    """The nodes of a cluster share a database, and nobody else has it meanwhile."""

    timeout = 120

    def begin(self, name: str = "chat", *, look: bool = True, seconds: float = LONG_SECONDS) -> int:
        """As the start of a node does, or where the name is empty of a server that is alone. Gives what its store needs.

        A connection that was ended here has its lock there until PostgreSQL has seen that, so ``seconds`` are waited.
        """
        engine = writing_engine(self.url)
        try:
            with engine.begin() as conn:
                if look and name:
                    require_company(conn, "the database", name, seconds)
                elif look:
                    require_unused(conn, "the database", seconds)
                number = statements.count_start(conn, alone=not name)
                return last_alone(conn) if name else number
        finally:
            engine.dispose()

    async def opened(self, number: int, *, shared: bool) -> PostgresStore:
        """The store of one that has begun."""
        store = PostgresStore(self.url, 1, StoreLimits(), real_reactor(), LONG_SECONDS, Use(number, shared=shared))
        await store.open()
        self.addCleanup(store.close)
        return store

    async def refused(self, name: str) -> str:
        """Why somebody is not let in."""
        return str(await self.assertFailure(deferToThread(self.begin, name, seconds=0.3), DatabaseRefused))

    async def test_shared(self) -> None:
        """Nodes of one name come and go; one of another name, and who is alone, is told why not, until they have gone."""
        self.url = cluster().prepared()
        nodes = [await self.opened(self.begin(), shared=True) for _ in range(2)]
        self.assertEqual(2, await nodes[0].users())
        self.assertIn("the database: in use by another server: stop it first", await self.refused(""))
        self.assertIn("in use by nodes whose cluster.name is chat, not other", await self.refused("other"))
        self.begin()
        await nodes.pop().close()
        self.assertIn("in use by another server", await self.refused(""))
        await nodes.pop().close()
        self.begin("other")
        alone = await self.opened(self.begin(""), shared=False)
        self.assertIn("in use by a server that shares it with nobody: stop it first", await self.refused("other"))
        await alone.close()
        self.begin("chat")

    async def test_overtaken(self) -> None:
        """A node that was cut off while somebody had the database alone is over; other nodes do nothing to it."""
        self.url = cluster().prepared()
        node = await self.opened(self.begin(), shared=True)
        for _ in range(2):
            pid = await node._writing.run(pid_of)
            cluster().execute(f"SELECT pg_terminate_backend({pid})")
            self.begin()
            await insist(node.rooms)
            await node.set_addresses(["a.example:5000"])
        pid = await node._writing.run(pid_of)
        cluster().execute(f"SELECT pg_terminate_backend({pid})")
        self.begin("", look=False)
        await self.assertFailure(start(node.set_addresses([])), ReadOnly)

    async def test_alone_overtaken_by_nodes(self) -> None:
        """So is a server that was alone, where a node has begun meanwhile: it knows nothing of what that one stores."""
        self.url = cluster().prepared()
        alone = await self.opened(self.begin(""), shared=False)
        pid = await alone._writing.run(pid_of)
        cluster().execute(f"SELECT pg_terminate_backend({pid})")
        self.begin(look=False)
        await self.assertFailure(start(alone.set_addresses([])), ReadOnly)


class TimedOutTests(SynchronousTestCase):
    """A PostgreSQL that takes connections and says nothing."""

    def test_closed(self) -> None:
        """A connection that was given up is closed at once, and not when the garbage is collected."""
        with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"{name}/.s.PGSQL.5432")
            listening.listen()
            gc.disable()
            self.addCleanup(gc.enable)
            self.assertRaises(OperationalError, writing_engine(f"postgresql://chat@/chat?host={name}", 2.0).connect)
            taken, _ = listening.accept()
            with taken:
                taken.settimeout(60)
                while taken.recv(4096):  # its end
                    pass


class KilledTests(PostgresCase):
    """A server that dies."""

    timeout = 180

    async def test_killed(self) -> None:
        """While people write the server is killed and comes back: each message is there once, and all are acknowledged."""
        own = new_cluster()
        self.addCleanup(own.end)
        self.url = own.prepared()
        store = await self.reopen_store(StoreLimits(batch=20))
        await store.commit(founding(1))
        heard: list[int] = []
        store.subscribe(lambda events: heard.extend(event.seq for event in events))
        calls: list[Deferred[Any]] = []
        for turn in range(3):
            calls += [start(store.append(draft(ROOM, 1000 * turn + number))) for number in range(200)]
            await deferLater(real_reactor(), 0.01 * turn)
            own.stop()
            own.start()
        found = [await call for call in calls]
        self.assertEqual({Appended}, set(map(type, found)))
        self.assertEqual(list(range(2, 602)), [each.event.seq for each in found])
        self.assertEqual(list(range(2, 602)), heard)
        self.assertEqual(602, len(await store.events(ROOM, 0, 1000)) + 1)

    async def test_away(self) -> None:
        """While it is away one call waits for it, and those that come later are refused at once; then all goes on."""
        own = new_cluster()
        self.addCleanup(own.end)
        self.url = own.prepared()
        store = await self.reopen_store(seconds=SECONDS)
        await store.commit(founding(1))
        own.stop()
        tries: list[int] = []
        for number, lane in enumerate(store._all):
            self.patch(lane, "_connect", partial(self.count, tries, number, lane._connect))
        calls: list[Deferred[Any]] = [
            start(store.append(draft(ROOM, 1))),
            *(start(store.rooms()) for _ in store._lanes),
        ]
        for call in calls:
            await self.assertFailure(call, Busy)
        tries.clear()
        reads = [start(store.rooms()) for _ in range(500)]
        await settled([*reads, *(start(store.append(draft(ROOM, number))) for number in range(500))])
        self.assertLess(len(tries), 100)
        own.start()
        self.assertIsInstance(await insist(lambda: store.append(draft(ROOM, 1000))), Appended)
        self.assertGreaterEqual((await insist(store.rooms))[0].head, 2)

    async def test_told(self) -> None:
        """The log has one line when it cannot be reached, however many ask, and one when it can be, whoever asks then."""
        own = new_cluster()
        self.addCleanup(own.end)
        self.url = own.prepared()
        store = await self.reopen_store(seconds=SECONDS)
        told: list[str] = []
        store.reached_again = partial(told.append, "again")
        with capturedLogs() as logged:
            own.stop()
            for _ in range(2):
                reads: list[Deferred[Any]] = [start(store.rooms()) for _ in store._lanes]
                for call in (*reads, start(store.append(draft(ROOM, 1)))):
                    await self.assertFailure(call, Busy)
            await self.said(logged, "PostgreSQL cannot be reached")
            own.start()
            await self.said(logged, "PostgreSQL can be reached again, after ")
            self.assertEqual(["again"], told)
        self.assertEqual(2, len(logged), logged)

    async def said(self, logged: Sequence[dict[str, Any]], words: str) -> None:
        """Waits for that line."""
        while not any(words in event["log_format"] for event in logged):
            await deferLater(real_reactor(), 0.05)

    def count(self, tries: list[int], number: int, connect: Callable[[], None]) -> None:
        """Connects, and is counted."""
        tries.append(number)
        connect()


class TranslateTests(SynchronousTestCase):
    """What errors mean."""

    def test_states(self) -> None:
        """Full, busy or internal; through SQLAlchemy too."""
        expected: dict[type[psycopg.Error], type[WireError]] = {
            errors.DiskFull: StorageFull,
            errors.ReadOnlySqlTransaction: Busy,
            errors.AdminShutdown: Busy,
            errors.DeadlockDetected: Busy,
            errors.SerializationFailure: Busy,
            errors.LockNotAvailable: Busy,
            errors.QueryCanceled: Busy,
            errors.TooManyConnections: Busy,
            psycopg.OperationalError: Busy,
            psycopg.InterfaceError: Busy,
            errors.SyntaxError: Internal,
            errors.DataCorrupted: Internal,
        }
        for kind, meant in expected.items():
            for error in (kind("a value"), OperationalError("SELECT", None, kind("a value"))):
                said = translate(error)
                self.assertIs(meant, type(said), kind)
                self.assertNotIn("a value", said.detail)
        self.assertIs(Internal, type(translate(ValueError("a value"))))
