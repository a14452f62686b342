"""One server at a time uses a database, or the nodes of one cluster: a lock of the writing connection says so.

A connection that is lost loses the lock, and another server may have had it until there is a new one. So each start has a
number in the database (`chatserv.store.meta_statements.count_start`): a server that has the database for itself is over
where it finds another one than its own. The nodes of a cluster share the lock, and are over when somebody has started since
who had the database for himself: what such a one does no node has heard of.
"""

import time
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy import event as hooks

from chatserv.store.database import DatabaseRefused
from chatserv.store.meta_statements import ALONE, CLUSTER, STARTS, meta_value, put_meta
from chatserv.store.postgres.errors import Overtaken
from chatserv.store.postgres.functions import LOCK_SPACE

SECONDS: Final = 12.0
"""How long a start waits for the lock of a server that has died: PostgreSQL may have to notice that first."""
OVERTAKEN: Final = "another server has used the database"
_PAUSE: Final = 0.1
_NUMBER: Final = 1000
_HOLD: Final = f"SELECT pg_try_advisory_lock({LOCK_SPACE}, {_NUMBER})".encode()
_SHARE: Final = f"SELECT pg_try_advisory_lock_shared({LOCK_SPACE}, {_NUMBER})".encode()
_VALUE: Final = b"SELECT value FROM meta WHERE key = %s"
_LOOK: Final = f"SELECT pg_try_advisory_xact_lock({LOCK_SPACE}, {_NUMBER})"
_LOOK_SHARED: Final = f"SELECT pg_try_advisory_xact_lock_shared({LOCK_SPACE}, {_NUMBER})"
_USERS: Final = f"""
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND classid = {LOCK_SPACE}
  AND objid = {_NUMBER} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # nosec B608  # noqa: S608 - our own
_END: Final = b"""
SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s AND classid = %s
  AND objid = %s AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Use:
    """The lock of a store, through all the connections that write for it, one after the other.

    Args:
        start: The number of the start that it belongs to; of a node, that of the last start which was alone.
        shared: Whether it is that of a node among others.

    Attributes:
        overtaken: Another server has started on the database since.
    """

    def __init__(self, start: int, *, shared: bool = False) -> None:
        self._start, self._pid = start, 0
        self._how, self._key = (_SHARE, ALONE) if shared else (_HOLD, STARTS)
        self.overtaken = False

    def hold(self, engine: Engine) -> Engine:
        """Lets each connection of the engine take the lock first.

        One that does not get it raises as a lost one, or `Overtaken`: none ever will.
        """
        hooks.listen(engine, "connect", self._take)
        return engine

    def _take(self, driver: "psycopg.Connection[Any]", _record: object) -> None:
        taken = driver.execute(self._how).fetchone() == (True,)
        row = driver.execute(_VALUE, [self._key]).fetchone()  # after the lock: nobody counts one more while we have it
        if int.from_bytes(row[0] if row else b"") != self._start:
            self.overtaken = True
            raise Overtaken(OVERTAKEN)
        if not taken:
            # Our own of before has it still where PostgreSQL has not noticed that it is dead.
            driver.execute(_END, [self._pid, LOCK_SPACE, _NUMBER])
            raise psycopg.OperationalError("another server uses the database")
        self._pid = driver.info.backend_pid


def require_unused(connection: Connection, name: str, seconds: float = SECONDS) -> None:
    """Nobody uses the database until the end of this transaction. Raises `DatabaseRefused` where somebody does."""
    hint = "stop it first: two servers on one database are not possible, but for the nodes of a cluster (cluster.bus)"
    _insist(connection, _LOOK, DatabaseRefused(name, "in use by another server", hint), seconds)


def users(connection: Connection) -> int:
    """How many stores other than by this connection have the database in use."""
    return int(connection.exec_driver_sql(_USERS).scalar() or 0)


def require_company(connection: Connection, name: str, cluster: str, seconds: float = SECONDS) -> None:
    """None but nodes of this cluster use the database until the end of this transaction, which is the only one here.

    Raises:
        DatabaseRefused: A server uses it that is alone, or nodes of another cluster do: they would not hear each other.
    """
    hint = "stop it first: the servers that share a database all have cluster.bus in their settings"
    _insist(
        connection, _LOOK_SHARED, DatabaseRefused(name, "in use by a server that shares it with nobody", hint), seconds
    )
    other = (meta_value(connection, CLUSTER) or b"").decode()
    if other not in {"", cluster} and users(connection):
        hint = "all nodes have the same name; to give them another one, stop all of them first"
        raise DatabaseRefused(name, f"in use by nodes whose cluster.name is {other}, not {cluster}", hint)
    put_meta(connection, CLUSTER, cluster.encode())


def _insist(connection: Connection, look: str, refusal: DatabaseRefused, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not connection.exec_driver_sql(look).scalar():
        if time.monotonic() > until:
            raise refusal
        time.sleep(_PAUSE)
