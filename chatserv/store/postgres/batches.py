"""One transaction after the other, each exactly once, whatever becomes of the connection.

A connection that is lost while it commits leaves it open whether that was done. So each transaction begins by noting its
number in a row of this store: who comes back locks the row, which waits for a transaction that is not over, and reads it.
Messages alone go in one call without that: the same drafts again are duplicates, and nothing is stored twice.
"""

import secrets
from collections.abc import Sequence
from itertools import chain, groupby
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import text

from chatserv.errors import ChatError
from chatserv.failpoints import failpoint
from chatserv.models import EventDraft
from chatserv.store.control_statements import keep_orders
from chatserv.store.locks import Lock, needs
from chatserv.store.log_statements import log, log_size
from chatserv.store.postgres.appending import append_batch
from chatserv.store.postgres.errors import RAISED, is_lost, refusal_of
from chatserv.store.postgres.functions import store_batch
from chatserv.store.transaction import Done, Work, attempt, refusal

_STORE_BYTES: Final = 16
_first = sqlite.insert(store_batch).values(store=bindparam("of"), batch=0).on_conflict_do_nothing()
_begin = text("SELECT begin_batch(:store, :batch, :rooms, :locks)")
_number = select(store_batch.c.batch).where(store_batch.c.store == bindparam("of")).with_for_update()


class Unknown(Struct):
    """A batch that may have been committed. ``done``: what it came to then; None: messages alone."""

    works: Sequence[Work]
    number: int
    done: Done | None


class Batches:
    """Makes the transactions of one store, one at a time; `execute` may be repeated with the same works.

    Args:
        keeps_orders: Whether there are other nodes, which have to hear of them.

    Attributes:
        store: By what the store is known in the database.
        keeps_orders: As given.
    """

    def __init__(self, *, keeps_orders: bool = False) -> None:
        self.store, self.keeps_orders = secrets.token_bytes(_STORE_BYTES), keeps_orders
        self._number = 0
        self._unknown: Unknown | None = None

    def execute(self, works: Sequence[Work], conn: Connection) -> Done:
        """One transaction: all of ``works`` in their order. A refused function does not undo the others.

        Returns:
            What it came to; ``before`` is that of an earlier one which was given up, and was committed after all.
        """
        before, again = None, False
        if self._unknown is not None:
            unknown, found = self._unknown, self._settle(self._unknown, conn)
            self._unknown = None
            if unknown.works is not works:
                before = found
            elif found is not None:
                return found
            again = unknown.works is works
        drafts = [work for work in works if type(work) is EventDraft]
        alone = len(drafts) == len(works)
        failpoint("store.beginning")
        done = self._append(works, drafts, again, conn) if alone else self._transact(works, conn)
        failpoint("store.committed")
        done.before = before
        return done

    def _settle(self, unknown: Unknown, conn: Connection) -> Done | None:
        """What has become of a batch; None: nothing."""
        if unknown.done is None:
            drafts = [work for work in unknown.works if type(work) is EventDraft]
            return Done(list(append_batch(conn, drafts, again=True)))
        with conn.begin():
            committed = conn.execute(_number, {"of": self.store}).scalar() == unknown.number
        return unknown.done if committed else None

    def _append(self, works: Sequence[Work], drafts: Sequence[EventDraft], again: bool, conn: Connection) -> Done:
        self._unknown = Unknown(works, 0, None)
        try:
            done = Done(list(append_batch(conn, drafts, again)))
        except RAISED as error:
            if not is_lost(error):
                self._unknown = None
            raise
        self._unknown = None
        return done

    def _transact(self, works: Sequence[Work], conn: Connection) -> Done:
        if not self._number:
            with conn.begin():
                conn.execute(_first, {"of": self.store})  # there is a row to lock from now on
        self._number += 1
        done, transaction = Done([]), conn.begin()
        try:
            locks = self._take_locks(works, conn)
            if Lock.LOG in locks:
                done.first_leaf = log_size(conn)
            for is_draft, run in groupby(works, lambda work: type(work) is EventDraft):
                if is_draft:
                    done.outcomes.extend(append_batch(conn, list(run)))  # type: ignore[arg-type]
                else:
                    for work in run:
                        done.take(conn, work, attempt(conn, work, _refusal_of))  # type: ignore[arg-type]
            if Lock.LOG in locks:
                done.leaves = log(conn, done.first_leaf)
            if done.orders and self.keeps_orders:
                done.first_order = keep_orders(conn, [order for _, order in done.orders])
            failpoint("store.committing")
            self._unknown = Unknown(works, self._number, done)
            transaction.commit()
        except BaseException as error:
            if not (isinstance(error, RAISED) and is_lost(error)):
                self._unknown = None
            if transaction.is_active:
                transaction.rollback()
            raise
        self._unknown = None
        return done

    def _take_locks(self, works: Sequence[Work], conn: Connection) -> set[Lock]:
        declared = [needs(work) for work in works if not isinstance(work, EventDraft)]
        locks = set(chain.from_iterable(need.locks for need in declared))
        rooms = {work.room_id for work in works if isinstance(work, EventDraft)}
        for need in declared:
            rooms.update(need.rooms(conn) if callable(need.rooms) else need.rooms)
        conn.execute(
            _begin,
            {"store": self.store, "batch": self._number, "rooms": sorted(rooms), "locks": sorted(map(int, locks))},
        )
        return locks


def _refusal_of(error: Exception) -> ChatError | None:
    return refusal(error) or (refusal_of(error) if isinstance(error, RAISED) else None)
