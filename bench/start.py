"""How long a start takes, from the program's first instruction to a port that listens, and to somebody's welcome.

Once with a store that has no message, once with a full one. The two start in turns, so that whatever else the machine does
meets both. Modules are compiled by then, as an installation has them, whatever the environment says of that.
"""

import os
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import psutil

from bench.accounts import Accounts
from bench.member import Member, tls_context
from bench.options import Options
from chatserv.crypto.envelope import HEADER_BYTES, ROOM_ID_BYTES, Header
from chatserv.store.message_key import message_key
from chatserv.testing.processes import ServerProgram
from chatserv.wire.link import parse_link

ROOMS: Final = 50
DEVICES: Final = 100
BODY_BYTES: Final = 309  # the smallest envelope
SETTINGS: Final = {"security": {"registration": "open"}}
Rows = Iterator[tuple[object, ...]]
Start = tuple[float, float, float]  # seconds to the port that listens, of CPU by then, and to the welcome


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `start_figures`."""
    yield start_figures(options.directory, options.messages, options.rounds)


def start_figures(parent: Path | None, messages: int, rounds: int) -> dict[str, object]:
    """Medians over so many starts of each, after one that makes the store.

    Args:
        parent: Where the temporary directories are made.
        messages: How many the full store has.
        rounds: How often each starts.
    """
    with tempfile.TemporaryDirectory(prefix="chatserv-bench-", dir=parent) as name:
        stores = {"empty": 0, "full": messages}
        servers: dict[str, tuple[ServerProgram, Member]] = {}
        for kind, count in stores.items():
            directory = Path(name, kind).absolute()
            directory.mkdir()
            server = ServerProgram(directory, SETTINGS)
            server.environment["PYTHONDONTWRITEBYTECODE"] = None
            with server:
                link = parse_link(server.link())
                servers[kind] = server, Member(link, tls_context(), Accounts(link.fingerprint), 0)
                servers[kind][1].close()
            if count:
                fill(server.state / "chatserv.db", count)
        found: dict[str, list[Start]] = {kind: [] for kind in stores}
        for _ in range(rounds):
            for kind, (server, resident) in servers.items():
                found[kind].append(_start(server, resident))
    figures: dict[str, object] = {"scenario": "start", "messages": messages, "rounds": rounds}
    for kind, each in found.items():
        listening, cpu, welcomed = zip(*each, strict=True)
        figures[f"{kind}_s"] = round(statistics.median(listening), 3)
        figures[f"{kind}_best_s"] = round(min(listening), 3)
        figures[f"{kind}_cpu_s"] = round(statistics.median(cpu), 3)
        figures[f"{kind}_login_s"] = round(statistics.median(welcomed), 3)
        figures[f"{kind}_login_best_s"] = round(min(welcomed), 3)
    return figures


def _start(server: ServerProgram, resident: Member) -> Start:
    began = time.monotonic()
    with server:
        listening, spent = time.monotonic() - began, psutil.Process(server.pid).cpu_times()
        resident.wait(resident.entering())
        resident.close()
        return listening, spent.user + spent.system, time.monotonic() - began


def fill(path: Path, messages: int) -> None:
    """Puts rooms and messages into a store that was prepared, as fast as SQLite takes them."""
    conn = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
        conn.execute(f"PRAGMA {pragma}")
    conn.execute("BEGIN")
    rooms = [secrets.token_bytes(ROOM_ID_BYTES) for _ in range(ROOMS)]
    (first,) = conn.execute("SELECT COALESCE(MAX(pk), 0) + 1 FROM room").fetchone()
    conn.executemany(
        "INSERT INTO room (room_id, closed, name, skeleton, epoch, head, commit_hash, kt_size, state) "
        "VALUES (?, 1, NULL, NULL, 0, ?, x'00', 0, x'00')",
        ((room, messages // ROOMS) for room in rooms),
    )
    conn.executemany(
        "INSERT INTO event (room, seq, msg_id, device_id, at_ms, sender, kind, body) VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
        _messages(messages, first, rooms),
    )
    conn.execute("COMMIT")
    conn.execute("PRAGMA journal_mode = WAL")
    conn.close()


def _messages(count: int, first: int, rooms: Sequence[bytes]) -> Rows:
    """Rows of all rooms in turns, each with a chain of each of its devices."""
    devices, text = [os.urandom(16) for _ in range(DEVICES)], os.urandom(BODY_BYTES - HEADER_BYTES)
    for number in range(count):
        room, seq, device = number % ROOMS, number // ROOMS + 1, number % DEVICES
        body = Header(rooms[room], 0, device, number // DEVICES, b"some").encode() + text
        yield room + first, seq, message_key(body, os.urandom(16)), devices[device], number, "alice", body
