"""From a plain file to a sealed one with the same in it."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from chatserv.client.storage.database import Database
from chatserv.client.storage.driver import connect_file, plain_name, raw_key
from chatserv.client.storage.failures import Explained, StorageError
from chatserv.client.storage.file import clear, sync_file
from chatserv.i18n import _
from chatserv.private_files import FILE_MODE, overwrite


def seal_file(plain: Path, sealed: Path, key: bytes, step: Callable[[str], object] = lambda _: None) -> None:
    """Writes all of ``plain`` to ``sealed``, durably; ``plain`` stays; its write-ahead log is overwritten.

    Args:
        plain: A database of ours, which nobody uses.
        sealed: Where the sealed one is made; what is there goes.
        key: 32 bytes.
        step: Told before each step. For tests.

    Raises:
        StorageError: One of the two cannot be used, or what was written is not what was read.
    """
    database = Database.open(plain)  # brought up to date, with the log of a crash played back
    with closing(database):
        database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        clear(sealed)
        os.close(os.open(sealed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE))
        step("copy the database")
        database.execute("ATTACH DATABASE ? AS sealed KEY ?", (plain_name(str(sealed)), raw_key(key)))
        database.execute("SELECT sqlcipher_export('sealed')").fetchall()
        for pragma in ("application_id", "user_version"):  # the export leaves these
            (value,) = database.one(f"PRAGMA main.{pragma}")
            database.execute(f"PRAGMA sealed.{pragma}={value}")
        database.execute("DETACH DATABASE sealed")
        overwrite(plain.with_name(f"{plain.name}-wal"))  # it is in the file by now, and about to be removed as it is
    step("check the copy")
    _check(sealed, key)


def _check(sealed: Path, key: bytes) -> None:
    with Explained(str(sealed)), closing(connect_file(str(sealed), key)) as connection:
        wrong = connection.execute("PRAGMA cipher_integrity_check").fetchall()
        wrong += [row for row in connection.execute("PRAGMA integrity_check").fetchall() if row != ("ok",)]
    if wrong:
        raise StorageError(f"{sealed}: {_('what was written is not what can be read')}", file=sealed)
    sync_file(sealed)
