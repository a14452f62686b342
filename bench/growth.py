"""What a full store costs: a row that is appended, a page of history, and a start whose file is in nobody's memory."""

import os
import secrets
import time
from collections.abc import Iterator
from statistics import median
from typing import Final

from bench.audience import audiences
from bench.founding import found_room
from bench.ground import Ours
from bench.member import Device, Seat
from bench.options import Options
from bench.server import BenchError
from bench.start import BODY_BYTES, fill
from chatserv.crypto.envelope import HEADER_BYTES, Header
from chatserv.models import Appended, EventDraft
from chatserv.store import statements
from chatserv.store.appending import append_batch
from chatserv.store.database import reading_engine, writing_engine

SIZES = (10_000, 1_000_000)
FULL_SIZES: Final = (10_000, 1_000_000, 10_000_000)
BATCH: Final = 64  # rows of a commit
BATCHES = 200
PAGE: Final = 50
PAGES: Final = 500


def growth(options: Options) -> Iterator[dict[str, object]]:
    """A store of each size, at a server that made a room in it before; and rooms with few people and with many."""
    for stored in FULL_SIZES if options.full else SIZES:
        with Ours(options) as server:
            people = server.newcomers(1)
            found_room(people.devices, server.link.fingerprint)
            people.leave()
            server.stop()
            fill(server.store, stored)
            yield {
                "scenario": "growth",
                "what": f"{stored:,} messages stored",
                "stored": stored,
                "append_us": round(_append(server, people.devices[0]), 2),
                "page_us": round(_page(server), 1),
                "start_s": round(_start(server), 3),
            }
    yield from audiences()


def _append(server: Ours, device: Device) -> float:
    """Us of CPU a row, the median of the commits."""
    seat, times, generation = device.seat, [], 0
    engine = writing_engine(server.store)
    with engine.connect() as conn:
        for _ in range(BATCHES):
            drafts = [_draft(device, seat, generation + number) for number in range(BATCH)]
            generation += BATCH
            began = time.thread_time()
            with conn.begin():
                outcomes = append_batch(conn, drafts)
            times.append((time.thread_time() - began) * 1e6 / BATCH)
            if not all(isinstance(outcome, Appended) for outcome in outcomes):
                raise BenchError(f"a message was not stored: {outcomes[0]}")
    engine.dispose()
    return median(times)


def _draft(device: Device, seat: Seat, generation: int) -> EventDraft:
    header = Header(seat.room, seat.epoch, seat.leaf, generation, b"some").encode()
    return EventDraft(
        room_id=seat.room, id=secrets.token_bytes(16), epoch=seat.epoch, at_ms=0, leaf=seat.leaf, generation=generation,
        body=header + os.urandom(BODY_BYTES - HEADER_BYTES),
        account_id=bytes(16), device_id=device.account.device_id, sender=device.account.user,
    )  # fmt: skip


def _page(server: Ours) -> float:
    """Us of CPU of a page somewhere in the middle of a room, the median of many."""
    times, engine = [], reading_engine(server.store)
    with engine.connect() as conn:
        rooms = conn.exec_driver_sql("SELECT room_id, head FROM room ORDER BY head DESC LIMIT 50").all()
        for number in range(PAGES):
            room_id, head = rooms[number % len(rooms)]
            before = PAGE + secrets.randbelow(max(1, head - PAGE)) + 1
            began = time.thread_time()
            statements.events_before(conn, room_id, before, 0, PAGE)
            times.append((time.thread_time() - began) * 1e6)
    engine.dispose()
    return median(times)


def _start(server: Ours) -> float:
    """Seconds until the port is there, with nothing of the file in memory."""
    with server.store.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    began = time.monotonic()
    server.restart()
    return time.monotonic() - began
