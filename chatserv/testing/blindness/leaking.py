"""A server with a hole in every place: what ``make prove-blind LEAK=1`` must find, each canary in another disguise.

``python -m chatserv.testing.blindness.leaking ORDERS DIRECTORY [TWISTD ARGUMENTS]``. The canaries come in the file
ORDERS and not
with the command line, so that the memory holds no others than those that leak.
"""

import base64
import os
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
        state: The state directory.
        database: The server's database in it.
        port: Of the proxy whose recording is the wire.
        texts: A text for each of `chatserv.testing.blindness.places.LEAKS`.
    """

    state: str
    database: str
    port: int
    texts: dict[str, str]


def leak(orders: Orders) -> None:
    """Puts one text into each place. Blocks; the server has to be up, and `watch` in force."""
    texts = orders.texts
    with closing(sqlite3.connect(orders.database, timeout=LOCKED_SECONDS, isolation_level=None)) as database:
        database.execute("CREATE TABLE leaks (value BLOB)")
        database.execute("INSERT INTO leaks VALUES (?)", (texts[places.DATABASE].encode("utf-16-le"),))
        database.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        database.execute("INSERT INTO leaks VALUES (?)", (texts[places.WAL].encode("utf-16-be"),))
    log.info("{text}", text=base64.b64encode(f"wrote {texts[places.LOGS]}".encode()).decode())
    Path(orders.state, "leak").write_bytes(
        b"\0leak" + zlib.compress(f"{texts[places.FILES]} {'and so on ' * 50}".encode())
    )
    print(texts[places.OUTPUT].encode().hex(), flush=True)
    _kept.append(texts[places.MEMORY].encode().hex().upper().encode())
    with socket.create_connection((HOST, orders.port), LOCKED_SECONDS) as connection:
        connection.sendall(texts[places.WIRE].encode() + b"\r\n")
    leak_records(texts)


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


def leak_when_running(reactor: Any, orders: Orders) -> None:
    """Leaks as soon as the server is up."""
    reactor.callWhenRunning(leak, orders)


if __name__ == "__main__":
    from twisted.internet import reactor as the_reactor  # noqa: TID251 - the one that twistd takes

    watch(Path(sys.argv[2]))
    leak_when_running(the_reactor, msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders))
    run_twistd(sys.argv[3:])
