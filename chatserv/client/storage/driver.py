"""SQLite that can seal its file (SQLCipher), with the names, the errors and the types of the standard library's module."""

import os
from typing import TYPE_CHECKING, Never

from chatserv.local_errors import LocalProtocolError

if TYPE_CHECKING:
    import sqlite3 as driver
else:
    from sqlcipher3 import dbapi2 as driver

__all__ = ["Closed", "connect_file", "driver", "plain_name", "raw_key"]

# The driver takes numbers and texts as they are. For any other value it looks for an adapter, and without one it asks the
# value itself, in vain: 0.8 us each, of which a message has fifteen. These are found in 0.2, and give back what they get.
driver.register_adapter(bytes, bytes)
driver.register_adapter(bool, int)
driver.register_adapter(type(None), lambda none: none)


def connect_file(where: str, key: bytes | None = None) -> driver.Connection:
    """A connection in autocommit mode, without a look at the file.

    Args:
        where: The file, or ``:memory:``.
        key: 32 bytes, of which each page is sealed by AES-256-CBC and HMAC-SHA-512 (SQLCipher 4); None for a plain file.
    """
    connection = driver.connect(plain_name(where), isolation_level=None, timeout=1)
    if key is not None:
        connection.execute("PRAGMA cipher_log_level=NONE").fetchall()  # it would write to standard error
        connection.set_key(raw_key(key))  # type: ignore[attr-defined]
    return connection


class Closed:
    """In place of a connection that was ended, for who still holds a part of a client that was stopped."""

    def __getattr__(self, name: str) -> Never:
        raise LocalProtocolError("the client is stopped")


def plain_name(where: str) -> str:
    """A file's name that is no ``file:`` URI, which SQLCipher would take for one; ``:memory:`` stays."""
    return where if where == ":memory:" else os.path.abspath(where)


def raw_key(key: bytes) -> str:
    """A key as SQLCipher takes it without deriving another one from it."""
    return f"x'{key.hex()}'"
