"""Tests of `chatserv.store.sql` on real files, with its real threads."""

import sqlite3
import threading
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater

from chatserv.control_models import LeaveKept, RoomClosed, decode_order
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.domain.roles import Role
from chatserv.errors import Busy, Draining, Internal, NotFound, ReadOnly
from chatserv.local_errors import LocalProtocolError
from chatserv.models import Appended, Ban, BanKind, Duplicate, PairTaken
from chatserv.store import sql, writer
from chatserv.store.database import prepare
from chatserv.store.limits import StoreLimits
from chatserv.store.sql import SqlStore
from chatserv.turnstile import LONG_SECONDS, turnstile_of
from tests.store.contract import StoreContract
from tests.store.contract_base import seq_of
from tests.store.drafts import (
    NOW_MS,
    cert_hash,
    device_id,
    draft,
    following,
    founding,
    invite,
    log_leaf,
    prekeys,
    registration,
    signer,
    start,
    together,
    wrap,
)
from tests.store.sql_case import ROOM, SqlStoreCase, pragma, real_reactor


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
        self.assertLessEqual(set(threading.enumerate()), before)
        await store.open()
        self.assertEqual(2, len(set(threading.enumerate()) - before))
        await store.close()
        self.assertLessEqual(set(threading.enumerate()), before)
        self.assertEqual([path.name], [each.name for each in path.parent.glob(path.name + "*")])

    async def test_answers_that_wait(self) -> None:
        """Who is answered a turn later is answered before the end as well, and in order."""
        store = await self.open_store()
        self.patch(turnstile_of(real_reactor()), "_most", 1e-9)
        answered: list[int] = []

        async def put(number: int) -> None:
            await store.add_invite(invite(number), NOW_MS)
            answered.append(number)

        for number in range(20):
            Deferred.fromCoroutine(put(number))
        await store.close()
        self.assertEqual([*range(20)], answered)

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

    async def test_asked_while_it_opens(self) -> None:
        """Who asks while it opens is answered when it is open, or refused where it does not open."""
        self.path = Path(self.mktemp())
        prepare(self.path)
        store = SqlStore(self.path, StoreLimits(), real_reactor())
        self.addCleanup(store.close)
        opening = Deferred.fromCoroutine(store.open())
        asked = [
            Deferred.fromCoroutine(each) for each in (store.rooms(), store.mark_read(b"a" * 16, ROOM, 1), store.ping())
        ]
        self.assertFalse(any(each.called for each in asked))
        await opening
        self.assertFalse(await asked[0])
        await self.assertFailure(asked[1], NotFound)
        await asked[2]
        missing = SqlStore(Path(self.mktemp()), StoreLimits(), real_reactor())
        opening = Deferred.fromCoroutine(missing.open())
        refused = self.assertFailure(Deferred.fromCoroutine(missing.rooms()), Draining)
        await self.assertFailure(opening, Internal)
        await refused

    async def test_no_file(self) -> None:
        """A file that cannot be opened fails the opening and leaves no thread."""
        before = set(threading.enumerate())
        store = SqlStore(Path(self.mktemp()), StoreLimits(), real_reactor())
        with self.assertRaises(Internal):
            await store.open()
        self.assertLessEqual(set(threading.enumerate()), before)

    async def test_reopen(self) -> None:
        """Everything is there after a restart."""
        store = await self.open_store()
        await store.add_invite(invite(1, role=Role.ADMIN), NOW_MS)
        alice = registration("alice", invite(1).token_hash, leaves=(log_leaf(0),))
        account = await store.register(alice, NOW_MS)
        await store.register(registration("bob"), NOW_MS)
        room = founding(1, name="Garden", wraps=(wrap(b"e", 0),), leaves=(log_leaf(1),))
        await store.commit(room)
        await together([store.append(draft(ROOM, number)) for number in range(100)])
        await store.commit(following(room, removed=(device_id(b"e"),), wraps=(wrap(b"f", 1),)))
        await store.commit(founding(2, pair=b"p" * 32))
        await store.commit(founding(3))
        await store.close_room(founding(3).room_id, log_leaf(2))
        await store.leave(ROOM, "bob", b"leave")
        await store.mark_read(account.account_id, ROOM, 9)
        await store.publish_prekeys(alice.device_id, prekeys(1, 2, LAST_RESORT_BIT), 9)
        await store.set_ban(Ban(BanKind.ADDRESS, "192.0.2.1", "alice", NOW_MS), on=True)
        await store.set_account("bob", muted=True, suspended=True)
        await store.revoke(cert_hash("bob"), log_leaf(3), NOW_MS, signer("bob"))

        async def content(store: SqlStore) -> list[object]:
            return [
                store.incarnation,
                await store.rooms(),
                await store.events(ROOM, 0, 1000),
                await store.commits(ROOM, 0, 9),
                [(await store.standing(device_id(letter))).places for letter in (b"d", b"e")],
                [await store.wrap(ROOM, epoch, device_id(letter)) for epoch, letter in ((0, b"e"), (1, b"f"))],
                await store.log(),
                await store.accounts("", 9),
                [await store.device(each.name, each.device_id) for each in (alice, registration("bob"))],
                await store.prekeys_left(alice.device_id),
                await store.bans(),
                await store.read_marks(account.account_id),
            ]

        kept = await content(store)
        await store.close()
        again = await self.reopen_store()
        self.assertEqual(kept, await content(again))
        self.assertEqual(4, len(await again.log()))
        self.assertEqual(account, await again.register(alice, NOW_MS))
        self.assertEqual(Duplicate(6, NOW_MS), await again.append(draft(ROOM, 4)))
        self.assertEqual(PairTaken(founding(2).room_id), await again.commit(founding(4, pair=b"p" * 32)))
        await self.assertFailure(Deferred.fromCoroutine(again.commit(founding(3))), NotFound)
        self.assertEqual(2, await again.publish_prekeys(alice.device_id, prekeys(1, 2), 9))

    async def test_pragmas(self) -> None:
        """The writer syncs every commit and overwrites what is deleted; the reader cannot write."""
        store = await self.open_store()
        expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "query_only": 0}
        expected |= {"temp_store": 2}
        self.assertEqual(expected, {name: await store._writing.run(pragma(name)) for name in expected})
        expected = {"query_only": 1, "wal_autocheckpoint": 0}
        self.assertEqual(expected, {name: await store._reading.run(pragma(name)) for name in expected})


class GroupCommitTests(SqlStoreCase):
    """What shares a commit, and what does not fit."""

    async def test_one_turn_one_commit(self) -> None:
        """The appends of one turn are one commit, those made during it the next, a batch at most each."""
        store = await self.open_with_room(StoreLimits(batch=4))
        commits: list[int] = []
        store.subscribe(lambda events: commits.append(len(events)))
        await together([store.append(draft(ROOM, number)) for number in range(10)])
        self.assertEqual([4, 4, 2], commits)

    def in_the_database(self) -> int:
        """How many events the file has without its log."""
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?immutable=1", uri=True)) as conn:
            return int(conn.execute("SELECT count(*) FROM event").fetchone()[0])

    async def test_copied_when_nothing_waits(self) -> None:
        """Once much was written, and nothing waits, it is copied into the database; not with each commit."""
        self.patch(writer, "TIDY_CHANGES", 20)
        store = await self.open_with_room(StoreLimits(batch=4))
        waiting: list[int] = []

        def tidy() -> None:
            waiting.append(store._writer.waiting)
            store._tidy()

        self.patch(store._writer, "_tidy", tidy)
        await together([store.append(draft(ROOM, number)) for number in range(12)])
        await store._writing.run(pragma("user_version"))
        self.assertEqual(([0], 13), (waiting, self.in_the_database()))
        await store.append(draft(ROOM, 13))
        await store._writing.run(pragma("user_version"))
        self.assertEqual(([0], 13), (waiting, self.in_the_database()))

    async def test_copying_fails(self) -> None:
        """Nobody hears of it where that fails, and all goes on."""
        self.patch(writer, "TIDY_CHANGES", 1)
        self.patch(sql, "checkpoint", lambda _: 1 // 0)
        store = await self.open_with_room()
        await store.append(draft(ROOM, 1))
        await store._writing.run(pragma("user_version"))
        self.assertEqual(Duplicate(2, NOW_MS), await store.append(draft(ROOM, 1)))

    async def test_orders_between_events(self) -> None:
        """What one commit holds is heard in the order of the calls: a Leave before the commit of the room that takes it."""
        store = await self.open_with_room()
        heard: list[object] = []
        store.subscribe(lambda events: heard.append([event.seq for event in events]))
        store.subscribe_control(lambda first, orders: heard.append((first, *map(decode_order, orders))))
        first = founding(1)
        calls: list[Awaitable[Any]] = [
            store.append(draft(ROOM, 1)),
            store.leave(ROOM, "alice", b"leave"),
            store.append(draft(ROOM, 2)),
            store.commit(following(first, left=("alice",))),
            store.leave(ROOM, "bob", b"leave"),
            store.leave(b"x" * 16, "bob", b"leave"),
            store.close_room(ROOM, None),
        ]
        await DeferredList([start(call) for call in calls], consumeErrors=True)
        leaves = LeaveKept(ROOM, 0, 2, "alice", b"leave"), LeaveKept(ROOM, 1, 4, "bob", b"leave")
        # the first order was of the devices with which the room was made
        self.assertEqual([[2], (2, leaves[0]), [3, 4], (3, leaves[1]), (4, RoomClosed(ROOM, 0))], heard)

    async def hold(self, store: SqlStore) -> tuple[threading.Event, Deferred[None]]:
        """A commit that runs until the event is set; and its answer."""
        go, started = threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def hold(_conn: Connection) -> None:
            started.set()
            go.wait(100)

        held = store._writer.write(hold)
        while not started.is_set():
            await deferLater(real_reactor(), 0.001)
        return go, held

    async def test_during_a_commit(self) -> None:
        """Calls made while a commit runs wait and are committed together."""
        store = await self.open_with_room()
        commits: list[int] = []
        store.subscribe(lambda events: commits.append(len(events)))
        go, held = await self.hold(store)
        appends = [start(store.append(draft(ROOM, 1)))]
        await deferLater(real_reactor(), 0.01)
        appends.append(start(store.append(draft(ROOM, 2))))
        go.set()
        await held
        for each in appends:
            await each
        self.assertEqual([2], commits)

    async def test_after_a_commit(self) -> None:
        """What the end of a commit brings goes into the next one where only such talk as send much, and else not."""
        store = await self.open_with_room()
        turnstile = turnstile_of(real_reactor())
        commits: list[int] = []
        store.subscribe(lambda events: commits.append(len(events)))
        self.patch(turnstile, "_most", LONG_SECONDS)
        for number, talk in (1, False), (3, True):
            go, held = await self.hold(store)
            first = start(store.append(draft(ROOM, number)))
            if talk:
                turnstile.others_talk()
            go.set()
            await held
            await together([store.append(draft(ROOM, number + 1))])
            await first
        self.assertEqual([2, 1, 1], commits)

    async def test_closing_after_a_commit(self) -> None:
        """What waits for the next commit is committed and answered before a store closes."""
        store = await self.open_with_room()
        go, held = await self.hold(store)
        append = start(store.append(draft(ROOM, 1)))
        go.set()
        await held
        await store.close()
        self.assertEqual(2, seq_of(self.successResultOf(append)))

    async def test_giving_up_before_a_commit(self) -> None:
        """Where nothing is written any more, nothing waits for the end of its turn, and the store closes."""
        store = await self.open_with_room()
        append = start(store.append(draft(ROOM, 1)))
        closing = start(store.close())
        store.give_up("damaged")
        self.failureResultOf(append, ReadOnly)
        await closing

    async def test_queue_bounded(self) -> None:
        """One call above the bound is refused at once; the others are stored."""
        store = await self.open_with_room(StoreLimits(queue=3))
        waiting = [Deferred.fromCoroutine(store.append(draft(ROOM, number))) for number in range(3)]
        for call in (store.append(draft(ROOM, 3)), store.register(registration("alice"), NOW_MS)):
            self.failureResultOf(Deferred.fromCoroutine(call), Busy)
        for each in waiting:
            self.assertIsInstance(await each, Appended)
        self.assertIsInstance(await store.append(draft(ROOM, 3)), Appended)

    async def test_reads_bounded(self) -> None:
        """Reads above the bound are refused too."""
        store = await self.open_with_room(StoreLimits(queue=2))
        waiting = [Deferred.fromCoroutine(store.rooms()) for _ in range(2)]
        self.failureResultOf(Deferred.fromCoroutine(store.rooms()), Busy)
        for each in waiting:
            self.assertEqual(1, len(await each))

    async def test_cancelled(self) -> None:
        """A caller that no longer waits changes nothing: its draft is stored, the others are answered."""
        store = await self.open_with_room()
        gone, stays = [Deferred.fromCoroutine(store.append(draft(ROOM, number))) for number in range(2)]
        gone.cancel()
        await self.assertFailure(gone, CancelledError)
        self.assertEqual(3, seq_of(await stays))
