"""Sealed backups in the tables: one an account. Nobody here begins or ends a transaction."""

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import sqlite

from chatserv.account_models import SealedBackup
from chatserv.crypto.checks import read_list
from chatserv.crypto.encoding import Reader, v16
from chatserv.errors import StaleBackup
from chatserv.store.identity_statements import account_key
from chatserv.store.schema import account, backup

_of = (
    select(backup.c.counter, backup.c.at_ms, backup.c.blob, backup.c.slots)
    .join_from(backup, account)
    .where(account.c.name == bindparam("name"))
)
_counter = select(backup.c.counter).join_from(backup, account).where(account.c.name == bindparam("name"))
_new = sqlite.insert(backup)
_put = _new.on_conflict_do_update(
    index_elements=[backup.c.account],
    set_={name: _new.excluded[name] for name in ("counter", "at_ms", "blob", "slots")},
    where=backup.c.counter < _new.excluded.counter,
).execution_options(preserve_rowcount=True)


def put_backup(conn: Connection, name: str, new: SealedBackup) -> None:
    """Puts a backup in the place of the one before.

    Raises:
        NotFound: No such account.
        StaleBackup: The one that is there has the same counter or a greater one, and is not the same.
    """
    values = {
        "account": account_key(conn, name),
        "counter": new.counter,
        "at_ms": new.at_ms,
        "blob": new.blob,
        "slots": b"".join(map(v16, new.slots)),
    }
    if conn.execute(_put, values).rowcount == 0 and not _is_same(find_backup(conn, name), new):
        raise StaleBackup(f"backup {new.counter}")


def _is_same(there: SealedBackup | None, new: SealedBackup) -> bool:
    return there is not None and there.content == new.content


def find_backup(conn: Connection, name: str) -> SealedBackup | None:
    """The account's backup, or None."""
    row = conn.execute(_of, {"name": name}).first()
    if row is None:
        return None
    return SealedBackup(row.counter, row.at_ms, row.blob, read_list(row.slots, "slots", Reader.v16))


def backup_counter(conn: Connection, name: str) -> int:
    """The counter of the account's backup; 0 where there is none."""
    return conn.execute(_counter, {"name": name}).scalar() or 0
