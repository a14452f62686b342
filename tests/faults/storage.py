"""Rows 3 to 6: the disk under the database loses power, is full, fails, or gives back something else."""

import os
import secrets
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from chatserv.crypto.content import ID_BYTES
from chatserv.testing.processes import TWISTD, ProgramError, ServerProgram
from tests.faults.commanding import command
from tests.faults.crowd import Crowd
from tests.faults.disk import Disk
from tests.faults.health import Health, p99
from tests.faults.points import backups
from tests.faults.rows import Ground, check, row, wait_for

TMPFS: Final = ("unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=16m,mode=700 tmpfs "$0" && exec "$@"')
LEFT_BYTES: Final = 300_000
SYNCED: Final = ("chatserv.db", "chatserv.db-wal")  # its index never is: that this is lost proves nothing
CHECKPOINT_FRAMES: Final = (
    1000  # SQLite's: with so many the write-ahead log is copied into the database, and begun anew
)


@row(
    3,
    "power loss: what was not synced is gone, and the last pages are torn",
    sqlite="PostgreSQL syncs its own files; row 57 kills it",
)
def power_lost(ground: Ground) -> str:
    """The server dies while the disk has not taken everything; it starts from what the disk has."""
    times, lost, losing = ground.pick(2, 100), Counter[str](), 0
    server = ground.server()
    disk = Disk(server.state, ground.directory / "disk")
    server.environment |= disk.environment
    with server, Crowd(server, 5) as crowd:
        with crowd.talking(200):
            for number in range(times):
                crowd.flowing()
                if number % 2:  # a commit is on its way to the disk
                    held = len(disk.happened("hold"))
                    disk.fail("hold", "-wal")
                    wait_for(lambda before=held: len(disk.happened("hold")) > before, "a sync that waits")  # type: ignore[misc]
                server.kill()
                gone = disk.lose_power()
                losing += any(gone[name] for name in SYNCED)
                lost += gone
                server.start()
                crowd.all_back()
        figure = crowd.check()
        server.stop()
        check_whole(server)
    base = sum(lost[name] for name in SYNCED)
    check(4 * losing >= times, f"of the database something was lost {losing} times: no power failed")
    return f"{times} times, {base >> 10} KiB of the database lost in {losing} of them, {figure}, integrity_check ok"


def check_whole(server: ServerProgram) -> None:
    """The database passes SQLite's own check."""
    base = sqlite3.connect(f"{(server.state / 'chatserv.db').as_uri()}?mode=ro", uri=True)
    found = base.execute("PRAGMA integrity_check").fetchall()
    base.close()
    check(found == [("ok",)], f"integrity_check: {found[:3]}")


@row(4, "the disk is full", sqlite="the disk is that of PostgreSQL, which has another")
def disk_full(ground: Ground) -> str:
    """On a file system of 16 MB: sends are refused, reading and logging in go on, and all is well once there is space."""
    directory = ground.directory / "server" / "state"
    server = ground.server(program=(*TMPFS, str(directory), *TWISTD))
    directory.mkdir(mode=0o700)
    if subprocess.run([*TMPFS, str(directory), "true"], check=False, capture_output=True).returncode:
        raise AssertionError("no namespace with a tmpfs can be made here")
    with server, Crowd(server, 4) as crowd, crowd.talking(200):
        inside = Path(f"/proc/{server.pid}/root{server.state}")
        health = Health(ground, server)
        crowd.flowing()
        log = _log_of(inside / "chatserv.db")
        # It keeps that length: who is refused was so after a checkpoint that failed.
        least = CHECKPOINT_FRAMES * FRAME_BYTES
        wait_for(lambda: log.stat().st_size >= least, "a write-ahead log that is copied")
        filler = fill(inside)
        wait_for(lambda: refusals(crowd, "storage_full") >= 20, "messages that are refused", 120.0)
        acknowledged = crowd.count()
        for person in crowd.people:
            crowd.cut(person)
        time.sleep(0.5)
        crowd.all_back()
        check(free(inside) < LEFT_BYTES, f"{free(inside)} bytes are free: the disk is not full")
        while_full = crowd.count() - acknowledged
        filler.unlink()
        crowd.flowing()
        crowd.rate = 0.0
        figure = crowd.check()
        said = health.check(r"The disk is full", metric=r'chatserv_refusals_total\{code="storage_full"\}')
        count = refusals(crowd, "storage_full")
    return f"{count} refused, {while_full} stored in what was left, {figure}, {said}"


def refusals(crowd: Crowd, code: str) -> int:
    """How many messages were refused so."""
    return sum(person.refusals.count(code) for person in crowd.people)


def free(directory: Path) -> int:
    """The bytes that the file system of a directory has left."""
    facts = os.statvfs(directory)
    return facts.f_bavail * facts.f_frsize


def fill(directory: Path) -> Path:
    """Fills its file system but for a few pages; the file that does so."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):  # somebody else may have been quicker
        file.write(bytes(max(0, free(directory) - LEFT_BYTES // 2)))
    return filler


@row(5, "a sync of the disk fails, once", sqlite="PostgreSQL ends itself where a sync fails; row 57 kills it")
def sync_failed(ground: Ground) -> str:
    """Nothing is acknowledged after a sync that failed; reading goes on, and a start makes all well again."""
    rounds, count = ground.pick(1, 20), 0
    server = ground.server()
    disk = Disk(server.state, ground.directory / "disk")
    server.environment |= disk.environment
    with server, Crowd(server, 4) as crowd:
        for _ in range(rounds):
            health = Health(ground, server)
            with crowd.talking(200):
                crowd.flowing()
                failed = len(disk.happened("fsync"))
                disk.fail("fsync", "-wal", 1)
                wait_for(lambda before=failed: len(disk.happened("fsync")) > before, "a sync that fails")  # type: ignore[misc]
                wait_for(lambda before=count: refusals(crowd, "read_only") > before, "messages that are refused")  # type: ignore[misc]
                acknowledged = crowd.count()
                crowd.cut(crowd.people[0])
                time.sleep(0.5)
                crowd.all_back()
                check(crowd.count() == acknowledged, "a message was acknowledged after the failure")
            crowd.settle()
            health.check(
                r"\[CRITICAL\] Nothing is stored until a restart", metric=r'chatserv_refusals_total\{code="read_only"\}'
            )
            count = refusals(crowd, "read_only")
            server.kill()
            server.start()
            crowd.all_back()
        with crowd.talking(200):
            crowd.flowing()
        figure = crowd.check()
    return f"{rounds} failures, {count} messages refused as read-only, {figure}"


PAGE_BYTES: Final = 4096
TREE_PAGES: Final = (2, 5, 10, 13)  # the first byte of a page of a tree (https://sqlite.org/fileformat.html 1.6)
WAY_BACK: Final = "chatserv restore"


def _damage_header(base: Path) -> str:
    with base.open("r+b") as file:
        file.write(secrets.token_bytes(100))
    return "header"


def _damage_page(base: Path) -> str:
    """Another page of a tree each time."""
    data = base.read_bytes()
    pages = [at for at in range(PAGE_BYTES, len(data), PAGE_BYTES) if data[at] in TREE_PAGES]
    at = secrets.choice(pages)
    with base.open("r+b") as file:
        file.seek(at)
        file.write(bytes(PAGE_BYTES))
    return f"page {at // PAGE_BYTES + 1}"


def _cut_off(base: Path) -> str:
    os.truncate(base, base.stat().st_size // 2)
    return "cut off"


def _empty(base: Path) -> str:
    os.truncate(base, 0)
    return "empty"


def _remove(base: Path) -> str:
    base.unlink()
    return "gone"


def _other_version(base: Path) -> str:
    with sqlite3.connect(base) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    return "version"


DAMAGES: Final[tuple[Callable[[Path], str], ...]] = (
    _damage_header, _damage_page, _cut_off, _empty, _remove, _other_version,
)  # fmt: skip


WAL_HEADER_BYTES: Final = 32  # https://sqlite.org/fileformat.html 4.1; a frame is 4.2
FRAME_BYTES: Final = 24 + PAGE_BYTES
LEAST_FRAMES: Final = 100  # of commits that were over: half of them hold what was acknowledged


def _log_of(base: Path) -> Path:
    return base.with_name(f"{base.name}-wal")


def _frames(log: bytes) -> int:
    """How many frames at its beginning are of its present turn; those behind them were left by the turn before."""
    found = 0
    for at in range(WAL_HEADER_BYTES, len(log) - FRAME_BYTES + 1, FRAME_BYTES):
        if log[at + 8 : at + 16] != log[16:24]:
            break
        found += 1
    return found


def _some_frame(log: bytes) -> int:
    """Where one of the first half begins."""
    return WAL_HEADER_BYTES + secrets.randbelow(_frames(log) // 2) * FRAME_BYTES


def _cut_in_frame(base: Path) -> str:
    log = _log_of(base)
    os.truncate(log, _some_frame(log.read_bytes()) + 1 + secrets.randbelow(FRAME_BYTES - 1))
    return "write-ahead log cut off within a frame"


def _cut_between_frames(base: Path) -> str:
    log = _log_of(base)
    os.truncate(log, _some_frame(log.read_bytes()))
    return "write-ahead log cut off at a frame's end"


def _flip_bit(base: Path) -> str:
    log = _log_of(base)
    data = bytearray(log.read_bytes())
    data[_some_frame(bytes(data)) + secrets.randbelow(FRAME_BYTES)] ^= 1 << secrets.randbelow(8)
    log.write_bytes(data)
    return "write-ahead log with a flipped bit"


def _empty_log(base: Path) -> str:
    os.truncate(_log_of(base), 0)
    return "write-ahead log empty"


def _damage_log_header(base: Path) -> str:
    log = _log_of(base)
    log.write_bytes(secrets.token_bytes(WAL_HEADER_BYTES) + log.read_bytes()[WAL_HEADER_BYTES:])
    return "header of the write-ahead log"


def _remove_log(base: Path) -> str:
    _log_of(base).unlink()
    return "write-ahead log gone"


LOG_DAMAGES: Final[tuple[Callable[[Path], str], ...]] = (
    _cut_in_frame, _remove_log, _cut_between_frames, _flip_bit, _empty_log, _damage_log_header,
)  # fmt: skip


def _die_with_log(server: ServerProgram, crowd: Crowd) -> None:
    """People talk, and the server is killed while its write-ahead log has much that the database has not."""
    for _ in range(30):
        with crowd.talking(150):
            crowd.all_back()
            crowd.flowing()
            server.kill()
        if _frames(_log_of(server.state / "chatserv.db").read_bytes()) >= LEAST_FRAMES:
            return
        server.start()
    check(False, "the write-ahead log never had enough")


@row(
    6,
    "the database or its write-ahead log is damaged: pages, header, length, version, bits, or it is gone",
    sqlite="PostgreSQL has checksums of its own",
)
def damaged(ground: Ground) -> str:
    """The server does not start, or stores nothing more; it says what is wrong and how to go back, and makes nothing new."""
    rounds, refused, found = ground.pick(1, 20), 0, 0
    with ground.server() as server:
        with Crowd(server, 3) as crowd:
            with crowd.talking(150):
                crowd.flowing()
            crowd.check()
        backups(server).mkdir()
        _, errors, code = command(server, "backup", str(backups(server) / "good"))
        check(code == "0", f"backup: {errors}")
        server.stop()
        whole = server.directory / "whole"
        shutil.copytree(server.state, whole)
        for _ in range(rounds):
            for damage in DAMAGES:
                refused_now = _refused(server, damage(server.state / "chatserv.db"))
                refused, found = refused + refused_now, found + (not refused_now)
                _put_back(server, whole)
        figure, logs = _damaged_logs(ground, server, rounds)
        _damage_header(server.state / "chatserv.db")
        _, errors, code = command(server, "restore", str(backups(server) / "good"), "--replace")
        check(code == "0", f"restore: {errors}")
        server.start()
    return (
        f"{refused} starts refused, {found} damages found while it ran, {logs} starts refused for the write-ahead log "
        f"alone; with all of it {figure}; one command put the backup back"
    )


def _put_back(server: ServerProgram, copy: Path) -> None:
    shutil.rmtree(server.state)
    shutil.copytree(copy, server.state)


def _damaged_logs(ground: Ground, server: ServerProgram, rounds: int) -> tuple[str, int]:
    """A dead server's write-ahead log lacks what was acknowledged: what comes of the whole one, how many were refused."""
    damages, figure, dead = LOG_DAMAGES[: ground.pick(2, None)], "", server.directory / "dead"
    server.start()
    with Crowd(server, 3, 10) as crowd:
        server.stop()  # what they have registered with is in the database now: their messages alone are in the log
        server.start()
        for _ in range(rounds):
            _die_with_log(server, crowd)
            shutil.copytree(server.state, dead, ignore=shutil.ignore_patterns("control"))
            for damage in damages:
                what = damage(server.state / "chatserv.db")
                begun = len(server.output)
                check(_refused(server, what), f"{what}: it started all the same")
                check("the newest messages are missing" in server.output[begun:], f"{what}: refused for something else")
                _put_back(server, dead)
            shutil.rmtree(dead)
            server.start()
            figure = crowd.check()
        server.stop()
    return figure, rounds * len(damages)


def _refused(server: ServerProgram, what: str) -> bool:
    """Whether the server did not start on a damaged database; else it has found the damage, and stores nothing."""
    begun = len(server.output)
    try:
        server.start()
    except ProgramError:
        said = server.output[begun:]
        check("Traceback" not in said, f"{what}: {said[-600:]}")
        check("chatserv.db" in said, f"{what}: the file is not named: {said[-600:]}")
        check(what == "version" or WAY_BACK in said, f"{what}: no way back is named: {said[-600:]}")
        return True
    try:
        check(what.startswith("page"), f"{what}: it started all the same")
        wait_for(lambda: "is damaged" in server.output[begun:], f"{what}: a damage that is found")
        said = server.output[begun:]
        check("chatserv.db is damaged" in said and "page" in said and WAY_BACK in said, f"{what}: {said[-600:]}")
    finally:
        server.stop()
    return False


@row(10, "a backup while people talk, then restored", sqlite="pg_dump makes the copies; row 57 stands for it")
def backed_up(ground: Ground) -> str:
    """What the backup holds is a prefix of the room, without a hole, with all that was acknowledged before it began."""
    times, counts = ground.pick(1, 20), []
    with ground.server() as server, Crowd(server, 4) as crowd:
        backups(server).mkdir()
        with crowd.talking(150):
            crowd.flowing()
            _, errors, code = command(server, "backup", str(backups(server) / "before"))  # it opens the audit log
            check(code == "0", f"backup: {errors}")
            health = Health(ground, server, crowd)
            quiet_since = time.monotonic()
            time.sleep(ground.pick(1.0, 10.0))
            since = time.monotonic()
            before = []
            for number in range(times):
                before.append(crowd.acknowledged())
                _, errors, code = command(server, "backup", str(backups(server) / str(number)))
                check(code == "0", f"backup: {errors}")
            during, quiet = p99(crowd.latencies(since)), p99(crowd.latencies(quiet_since, since))
            said = health.check()
        figure = crowd.check()
        shown = [message_id for _, _, message_id in crowd.people[0].shown]
        for number in range(times):
            place = server.directory / f"restored-{number}"
            _, errors, code = command(server, "restore", str(backups(server) / str(number)), state=place)
            check(code == "0", f"restore: {errors}")
            counts.append(prefix(place, crowd, shown, before[number]))
    if not ground.short:
        check(during <= 2 * quiet + 0.01, f"p99 {during * 1000:.0f} ms, {quiet * 1000:.0f} when quiet")
    return f"{times} backups of {min(counts)} to {max(counts)} messages, each a prefix, {figure}, {said}"


def prefix(place: Path, crowd: Crowd, shown: list[bytes], acknowledged: set[bytes]) -> int:
    """How many messages a restored store has; fails the row where they are not the first of those that were shown."""
    base = sqlite3.connect(f"{(place / 'chatserv.db').as_uri()}?mode=ro", uri=True)
    rows = base.execute(
        "SELECT seq, substr(msg_id, -?) FROM event JOIN room ON room.pk = room WHERE room_id = ? ORDER BY seq",
        [ID_BYTES, crowd.people[0].seat.room],
    ).fetchall()
    base.close()
    head = crowd.people[0].seat.head
    stored = [bytes(message_id) for seq, message_id in rows if seq > head]
    check([seq for seq, _ in rows if seq > head] == list(range(head + 1, head + 1 + len(stored))), "a hole")
    check(stored == shown[: len(stored)], "not a prefix of what people were shown")
    missing = acknowledged - set(stored)
    check(not missing, f"{len(missing)} messages that were acknowledged before the backup are not in it")
    return len(stored)
