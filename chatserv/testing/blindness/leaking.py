"""A server with a hole in every place: what ``make prove-blind LEAK=1`` must find, each canary in another disguise.

``python -m chatserv.testing.blindness.leaking ORDERS DIRECTORY [TWISTD ARGUMENTS]``. The canaries come in the file
ORDERS and not
with the command line, so that the memory holds no others than those that leak.
"""

import base64
import os
import shutil
import socket
import sqlite3
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from twisted.logger import Logger

from chatserv.crypto.session import RecordKey
from chatserv.testing.blindness import places
from chatserv.testing.blindness.recording import HOST
from chatserv.testing.blindness.watched import run_twistd, watch
from chatserv.wire.records import RecordType

COMMAND: Final = (sys.executable, "-m", "chatserv.testing.blindness.leaking")
LOCKED_SECONDS: Final = 10.0
log = Logger(namespace="chatserv.leaking")
_kept: list[bytes] = []


class Orders(msgspec.Struct, frozen=True):
    """What to leak.

    Attributes:
        texts: A text for each place.
        files: A directory of files that the server has got unsealed; their bytes come into no process of it.
        database: The server's database in it, or the URL of one; empty: another node leaks into that.
        port: Of the proxy whose recording is the wire; 0: likewise.
        bus: Of the one whose recording is the bus; 0: likewise, or there is none.
    """

    texts: dict[str, str]
    files: str
    database: str = ""
    port: int = 0
    bus: int = 0


def leak(orders: Orders, state: Path) -> None:
    """Puts one text into each place, and where there is a file for it into the state directory. Blocks; the server has to
    be up, and `watch` in force.
    """
    texts = orders.texts
    log.info("{text}", text=base64.b64encode(f"wrote {texts[places.LOGS]}".encode()).decode())
    (state / "leak").write_bytes(b"\0leak" + zlib.compress(f"{texts[places.FILES]} {'and so on ' * 50}".encode()))
    (state / "blobs").mkdir(0o700, exist_ok=True)
    (state / "blobs" / "leak").write_bytes(texts[places.BLOBS].encode("utf-16-le"))
    for number, file in enumerate(sorted(Path(orders.files).iterdir())):
        shutil.copyfile(file, state / "blobs" / f"leak{number}")
    print(texts[places.OUTPUT].encode().hex(), flush=True)
    _kept.append(texts[places.MEMORY].encode().hex().upper().encode())
    leak_records(texts)
    in_database, in_wal = texts[places.DATABASE].encode("utf-16-le"), texts[places.WAL].encode("utf-16-be")
    if orders.database.startswith("postgresql:"):
        leak_into_postgres(orders.database, in_database, in_wal)
    elif orders.database:
        leak_into_file(orders.database, in_database, in_wal)
    if orders.port:
        with socket.create_connection((HOST, orders.port), LOCKED_SECONDS) as connection:
            connection.sendall(texts[places.WIRE].encode() + b"\r\n")
    if orders.bus:
        leak_into_bus(orders.bus, base64.b64encode(texts[places.BUS].encode()))


def leak_into_bus(port: int, said: bytes) -> None:
    """Says it to whoever listens (docs.nats.io, the client protocol)."""
    with socket.create_connection((HOST, port), LOCKED_SECONDS) as connection:
        connection.sendall(b'CONNECT {"verbose":false}\r\nPUB leak %d\r\n%b\r\nPING\r\n' % (len(said), said))
        while b"PONG" not in connection.recv(65_536):
            pass


def leak_into_file(path: str, in_database: bytes, in_wal: bytes) -> None:
    """Puts these into a database of SQLite's, and into its write-ahead log."""
    with closing(sqlite3.connect(path, timeout=LOCKED_SECONDS, isolation_level=None)) as database:
        database.execute("CREATE TABLE leaks (value BLOB)")
        database.execute("INSERT INTO leaks VALUES (?)", (in_database,))
        database.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        database.execute("INSERT INTO leaks VALUES (?)", (in_wal,))


def leak_into_postgres(url: str, in_database: bytes, in_wal: bytes) -> None:
    """Puts these into a database of PostgreSQL's, and into its write-ahead log, where the second is in no table."""
    import psycopg  # noqa: PLC0415 - need not be there otherwise

    with closing(psycopg.connect(url, autocommit=True)) as database:
        database.execute("CREATE TABLE leaks (value bytea)")
        database.execute("INSERT INTO leaks VALUES (%s)", (in_database,))
        database.execute("SELECT pg_logical_emit_message(true, 'leak', %s::bytea)", (in_wal,))


def leak_records(texts: dict[str, str]) -> None:
    """One record opened and one sealed, both with keys that nobody has."""
    secret = os.urandom(32)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    inside = packer.compress(texts[places.OPENED].encode()) + packer.flush()
    RecordKey(secret).open(_sealed_unseen(secret, inside))
    RecordKey(secret).seal(RecordType.DATA, texts[places.SEALED].encode("utf-32-le"))


def _sealed_unseen(secret: bytes, plaintext: bytes) -> bytes:
    """A record as a client makes it, which is no record that this server sealed."""
    key = RecordKey(secret)
    header = bytes((RecordType.DATA, key.phase))
    return header + key._aead.encrypt(key._nonce(), plaintext, header)


def leak_when_running(reactor: Any, orders: Orders, arguments: list[str]) -> None:
    """Leaks as soon as the server that has these arguments is up."""
    reactor.callWhenRunning(leak, orders, Path(arguments[arguments.index("--state-dir") + 1]))


if __name__ == "__main__":
    from twisted.internet import reactor as the_reactor  # noqa: TID251 - the one that twistd takes

    watch(Path(sys.argv[2]))
    leak_when_running(the_reactor, msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders), sys.argv[3:])
    run_twistd(sys.argv[3:])
