"""Connections to PostgreSQL: how they are made, and what each is told first."""

from functools import partial
from traceback import clear_frames
from typing import Any, Final

import psycopg
from psycopg.abc import Buffer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as hooks
from sqlalchemy.dialects.sqlite.dml import OnConflictDoNothing, OnConflictDoUpdate
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.compiler import SQLCompiler

SECONDS: Final = 5.0
"""How long PostgreSQL may take for an answer before a call is refused as busy; what hangs longer is given up."""

_FIRST: Final = """
SELECT set_config('synchronous_commit',
         CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
       set_config('statement_timeout', %(ms)s, false), set_config('lock_timeout', %(ms)s, false),
       set_config('idle_in_transaction_session_timeout', %(ms)s, false), set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false),
       set_config('tcp_user_timeout', '10000', false), set_config('idle_session_timeout', '0', false),
       set_config('default_transaction_isolation', 'read committed', false)
"""
"""The ``tcp`` ones let PostgreSQL notice that our machine has gone, and let go of what it has locked for us, whether it has
something to say to us (then keepalives do nothing) or not. The last ones are not left to what was set for the database or
its user: the lock of one server a database lasts as long as its connection, and a statement has to see what was committed
while it waited for a lock.
"""


@compiles(OnConflictDoNothing, "postgresql")
@compiles(OnConflictDoUpdate, "postgresql")
def _on_conflict(clause: Any, compiler: SQLCompiler, **options: Any) -> str:
    """The upserts of `chatserv.store`, which are SQLAlchemy's for SQLite: the same, but for naming constraints.

    Those for PostgreSQL would do for both, and cost each start on SQLite the import of another dialect.
    """
    clause.constraint_target = None
    return str(getattr(compiler, f"visit_{clause.__visit_name__}")(clause, **options))


def connect(url: str, seconds: float = SECONDS) -> psycopg.Connection[Any]:
    """A connection that begins no transaction by itself. Raises `psycopg.Error`.

    What ``url`` does not say is: only to a server that takes writes, and noticing one that does not answer.
    """
    waits = str(max(2, round(seconds)))
    usual = {
        "application_name": "chatserv", "target_session_attrs": "read-write", "connect_timeout": waits,
        "tcp_user_timeout": str(round(seconds * 1000)), "keepalives_idle": waits, "keepalives_interval": "2",
        "keepalives_count": "2",
    }  # fmt: skip
    wanted: dict[str, Any] = {**usual, **conninfo_to_dict(url), "client_encoding": "utf8"}
    try:
        conn = psycopg.connect(make_conninfo(**wanted), autocommit=True)
    except psycopg.Error as error:
        _let_go(error)
        raise
    try:
        conn.execute(_FIRST, {"ms": str(round(seconds * 1000))})
    except BaseException:
        conn.close()
        raise
    return conn


def _let_go(error: BaseException) -> None:
    """Closes what a connecting that timed out has left open: psycopg's frames refer to the error, and it to them."""
    each: BaseException | None = error
    while each is not None:
        clear_frames(each.__traceback__)
        each = each.__context__


def _engine(url: str, seconds: float) -> Engine:
    return create_engine(
        "postgresql+psycopg://",
        creator=partial(connect, url, seconds),
        poolclass=NullPool,
        hide_parameters=True,
        use_native_hstore=False,
    )


def writing_engine(url: str, seconds: float = SECONDS) -> Engine:
    """An engine whose connections have a transaction from ``begin`` to its end, and none else."""
    engine = _engine(url, seconds)
    hooks.listen(engine, "begin", _begin)
    return engine


def _begin(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN")


def reading_engine(url: str, seconds: float = SECONDS) -> Engine:
    """An engine whose connections read: every statement sees the newest commit."""
    engine = _engine(url, seconds)
    hooks.listen(engine, "connect", _ask_without_nul)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


class _Asked(StrDumperUnknown):
    """A text that something is looked up by. No name has a control character, and PostgreSQL refuses NUL where SQLite finds
    nothing: the next one finds nothing in both, and stands at the same place of an order.
    """

    def dump(self, obj: str) -> Buffer | None:
        """The bytes."""
        return super().dump(obj.replace("\0", "\x01"))


def _ask_without_nul(driver: "psycopg.Connection[Any]", _record: object) -> None:
    driver.adapters.register_dumper(str, _Asked)
