"""What is wrong with a server and its machine: more than a start needs, for whoever wonders. Nothing is changed."""

import os
import platform
import re
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import cryptography
from cryptography.hazmat.backends.openssl import backend
from msgspec.structs import asdict

import twisted
from chatserv import VERSION
from chatserv.backup.last_backup import last_backup
from chatserv.clocks import now_ms
from chatserv.config import Config
from chatserv.crypto.suite import rsa_key_id
from chatserv.i18n import _
from chatserv.launch import owner_of
from chatserv.net.keys import read_identity
from chatserv.operations.backups import LITTLE_BYTES
from chatserv.operations.blob_place import files
from chatserv.operations.checking import Check, check_config, looked_at
from chatserv.operations.registry import Result
from chatserv.operations.remote import ask
from chatserv.operations.world import World
from chatserv.settings_loading import load
from chatserv.state_directory import StatePaths

FILES_BESIDE: Final = 100  # open files of a server beside its connections
FEW_BYTES: Final = 2**30
BEYOND: Final = 1.25  # of retention.bytes: a little more is what has come since the last look
LOG_BYTES: Final = 2**20  # of the end of the log that are looked at
ERROR: Final = re.compile(rb"^\S+ \[(?:ERROR|CRITICAL)\] .*$", re.MULTILINE)
AHEAD_SECONDS: Final = 60.0
SHOWN: Final = 200  # characters of a line of the log


async def doctor(world: World, arguments: Mapping[str, Any]) -> Result:
    """All that ``check-config`` looks at, and versions, disk, open files, clock, log, and whether the server answers."""
    first = await check_config(world, arguments)
    config = load(world.sources()).config
    found = [*versions()]
    for check in CHECKS:
        rights = owner_of(world.paths.path).acting()  # whose links and files there root does not follow
        found += looked_at(check, config, world.paths, rights)
    checks = [*first.data["checks"], *map(asdict, found)]
    return Result({"checks": checks}, code=1 if any(each["level"] == "error" for each in checks) else 0)


def versions() -> Iterator[Check]:
    """What runs here."""
    parts = (
        f"chatserv {VERSION}",
        f"Python {platform.python_version()}",
        f"Twisted {twisted.__version__}",
        f"cryptography {cryptography.__version__}",
        backend.openssl_version_text(),
        f"SQLite {sqlite3.sqlite_version}",
        f"{platform.system()} {platform.release()}",
    )
    yield Check("versions", "ok", ", ".join(parts))


def disk(_config: Config, paths: StatePaths) -> Iterator[Check]:
    """How much the disk of the state directory takes."""
    place = next(each for each in (paths.path, *paths.path.parents) if each.exists())
    free = shutil.disk_usage(place).free
    level = "error" if free < LITTLE_BYTES else "warning" if free < FEW_BYTES else "ok"
    yield Check("disk", level, _("{path}: {free} MB are free").format(path=place, free=free // 2**20))


def open_files(config: Config, _paths: StatePaths) -> Iterator[Check]:
    """Whether as many files may be open as there may be connections; of this process, which the server's may differ from."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = config.server.max_connections + FILES_BESIDE
    few = hard != resource.RLIM_INFINITY and hard < wanted
    shown = _("any number of") if hard == resource.RLIM_INFINITY else str(hard)
    said = _("{files} files may be open here; {wanted} are as many as server.max_connections can take")
    yield Check("open_files", "warning" if few else "ok", said.format(files=shown, wanted=wanted))


def clock(_config: Config, paths: StatePaths) -> Iterator[Check]:
    """Whether the clock is behind what was written here before: then dates are wrong, now or then."""
    written = [file.stat().st_mtime for file in (paths.database, paths.lock) if file.exists()]
    now = now_ms() / 1000
    date = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if written and max(written) > now + AHEAD_SECONDS:
        yield Check(
            "clock", "warning", _("the clock says {date}, and files here are younger than that").format(date=date)
        )
    else:
        yield Check("clock", "ok", _("the clock says {date}").format(date=date))


def backup(config: Config, paths: StatePaths) -> Iterator[Check]:
    """When the last backup was made, and whether by the key that the server has now."""
    if config.store.url:
        said = _(
            "the store is a PostgreSQL database: this cannot tell when it was copied, by pg_dump or a standby; "
            "pg_dump takes no files of people: copy {path} after each dump"
        )
        yield Check("backup", "ok", said.format(path=config.blobs.path(paths.path)))
    if not paths.database.exists():
        return
    last, key = last_backup(paths), read_identity(paths.identity_key)
    if last is None:
        yield Check("backup", "warning", _("no backup was made here yet: chatserv backup makes one"))
    elif key is not None and last.key_id != rsa_key_id(key):
        said = _("the last backup, of {date}, holds a key that the server has given up since: make one now")
        yield Check("backup", "warning", said.format(date=last.date))
    else:
        yield Check("backup", "ok", _("the last backup is of {date}: {file}").format(date=last.date, file=last.file))


def retention(config: Config, paths: StatePaths) -> Iterator[Check]:
    """Whether the rule for the database's size can be kept to: much in it is never deleted."""
    most = config.retention.bytes
    if not most or not paths.database.exists():
        return
    size = paths.database.stat().st_size
    said = _("the database takes {size} MB, and retention.bytes is {most} MB")
    if size > most * BEYOND:
        said = _(
            "the database takes {size} MB, and retention.bytes is {most} MB: accounts, keys and changes of rooms are never "
            "deleted, so messages go after an hour; allow more"
        )
    level = "warning" if size > most * BEYOND else "ok"
    yield Check("retention", level, said.format(size=size // 2**20, most=most // 2**20))


def log_file(config: Config, paths: StatePaths) -> Iterator[Check]:
    """The newest errors in the log."""
    file = paths.path / config.logging.file
    if not file.is_file():
        return
    with file.open("rb") as log:
        log.seek(max(0, os.fstat(log.fileno()).st_size - LOG_BYTES))
        found = ERROR.findall(log.read())
    if found:
        last = found[-1][:SHOWN].decode("utf-8", "replace")
        said = _("{file}: {count} errors of late, the last one: {line}")
        yield Check("log", "warning", said.format(file=file, count=len(found), line=last))
    else:
        yield Check("log", "ok", _("{file}: no error of late").format(file=file))


def answer(_config: Config, paths: StatePaths) -> Iterator[Check]:
    """Whether the server that holds the directory answers."""
    if paths.holder() is None:
        yield Check("answer", "warning", _("no server runs there"))
        return
    status: Mapping[str, Any] = ask(paths.control, "status", {}, lambda _line: None)
    if "error" in status:
        yield Check("answer", "error", str(status["error"]["text"]))
        return
    said = _("the server answers: {sessions} sessions, {connections} connections")
    facts = status["result"]
    yield Check("answer", "ok", said.format(sessions=facts["sessions"], connections=facts["connections"]))


CHECKS: Final[tuple[Callable[[Config, StatePaths], Iterator[Check]], ...]] = (
    disk,
    open_files,
    clock,
    backup,
    retention,
    files,
    log_file,
    answer,
)
