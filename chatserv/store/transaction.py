"""One transaction of all that is to be written together."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from msgspec import Struct, field
from sqlalchemy import Connection

from chatserv.control_models import encode_order
from chatserv.errors import ChatError
from chatserv.failpoints import failpoint
from chatserv.models import EventDraft
from chatserv.store.appending import append_batch
from chatserv.store.locks import Lock, Locked, needs
from chatserv.store.log_statements import log, log_size

Work = EventDraft | Callable[[Connection], object]
"""What goes into a commit: a draft, or a function that writes and may refuse with a `ChatError`."""


class Done(Struct):
    """What a transaction came to: an outcome for each call, and the new leaves of the log, the first with its index.

    ``orders``: what every node has to hear, each with the number of its call, from 0 on; ``first_order``: the number of the
    first order, 0 where none are kept. ``before``:
    what an earlier one came to, of which that was not known; its calls were refused, and it was committed. ``changes``: rows
    that were written since the connection was made, where its log has to be copied into the database by and by; else 0.
    """

    outcomes: list[object]
    first_leaf: int = 0
    leaves: list[bytes] = field(default_factory=list)
    first_order: int = 0
    orders: list[tuple[int, bytes]] = field(default_factory=list)
    before: "Done | None" = None
    changes: int = 0

    def take(self, conn: Connection, work: Callable[[Connection], object], outcome: object) -> None:
        """What a function has come to, with the orders that follow."""
        if isinstance(work, Locked) and work.orders is not None and not isinstance(outcome, ChatError):
            self.orders.extend((len(self.outcomes), encode_order(order)) for order in work.orders(conn, outcome))
        self.outcomes.append(outcome)


Execute = Callable[[Sequence[Work], Connection], Done]
"""Makes one transaction of what is to be written, all in its order; a refused call does not undo the others."""


def execute(works: Sequence[Work], conn: Connection) -> Done:
    """One transaction: all of ``works`` in their order. A refused function does not undo the others.

    Returns:
        An outcome for each, in the same order (a `ChatError` is one that was refused), and the leaves that they appended.
    """
    done = Done([])
    grows = any(Lock.LOG in needs(work).locks for work in works if not _is_draft(work))  # type: ignore[arg-type]
    try:
        failpoint("store.beginning")
        with conn.begin():
            if grows:
                done.first_leaf = log_size(conn)
            for is_draft, run in groupby(works, _is_draft):
                if is_draft:
                    done.outcomes.extend(append_batch(conn, list(run)))  # type: ignore[arg-type]
                else:
                    for work in run:
                        done.take(conn, work, attempt(conn, work))  # type: ignore[arg-type]
            if grows:
                done.leaves = log(conn, done.first_leaf)
            failpoint("store.committing")
    except BaseException:
        conn.connection.rollback()  # after a failed COMMIT SQLAlchemy leaves this to the driver; else it does nothing
        raise
    failpoint("store.committed")
    driver: Any = conn.connection.driver_connection
    done.changes = driver.total_changes
    return done


def _is_draft(work: Work) -> bool:
    return type(work) is EventDraft


def refusal(error: Exception) -> ChatError | None:
    """The refusal that an error is; None: it is none."""
    return error if isinstance(error, ChatError) else None


def attempt(
    conn: Connection,
    work: Callable[[Connection], object],
    refusal_of: Callable[[Exception], ChatError | None] = refusal,
) -> object:
    """What a function comes to, or with what it refuses; then nothing of it is there, and the transaction goes on.

    After any other error the transaction is over. The savepoint goes to the driver: through SQLAlchemy it would take longer
    than what most functions write.
    """
    driver: Any = conn.connection.driver_connection
    driver.execute("SAVEPOINT call")
    try:
        outcome = work(conn)
    except Exception as error:
        refused = refusal_of(error)
        if refused is None:
            raise
        driver.execute("ROLLBACK TO SAVEPOINT call")
        outcome = refused
    driver.execute("RELEASE SAVEPOINT call")
    return outcome
