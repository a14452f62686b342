"""What the operations on copies of a server do: in a thread beside the server that runs, or while none does."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from twisted.internet.threads import deferToThread

from chatserv.audit_log import NAME as AUDIT_LOG
from chatserv.audit_log import Audit, audit_files, verify_audit
from chatserv.backup.exporting import export_store
from chatserv.backup.importing import import_store
from chatserv.backup.making import backup_path, make_backup
from chatserv.backup.refusals import Pace
from chatserv.backup.restoring import finish_restore, restore_backup
from chatserv.backup.verifying import Verified, verify_backup, verify_store
from chatserv.clocks import now_ms
from chatserv.config import Config
from chatserv.errors import Busy, Forbidden
from chatserv.i18n import _
from chatserv.launch import owner_of
from chatserv.local_errors import NotDone, StateDirectoryError
from chatserv.operations.files_only import require_file
from chatserv.operations.noting import note_done
from chatserv.operations.registry import Result, Way
from chatserv.operations.world import World
from chatserv.private_files import make_directory
from chatserv.settings_loading import load
from chatserv.state_directory import StateDirectory, StatePaths
from chatserv.store.databases import database_of

T = TypeVar("T")
BACKUPS: Final = "backups"
FROM_CHAT: Final = ".chat.backup"  # how the names of those end that were made from inside the chat
NIGHTLY: Final = ".nightly.backup"  # and of those of a timer, which removes the old ones of its own alone
BACKUP_COPIES: Final = 2  # of the database, that a backup takes while it is made
LITTLE_BYTES: Final = 100 * 2**20  # left on the disk: a server may stop storing at any time
_under_way: set[Path] = set()  # one at a time of a state directory: each keeps the store's log from being moved into it


async def backup(world: World, arguments: Mapping[str, Any]) -> Result:
    """Makes a backup."""
    target, identity = target_of(world, arguments["target"]), not arguments["without_identity"]
    config = _config(world)
    require_file(config)
    if world.way is Way.CHAT:
        target = _from_chat(world, target)
    elif arguments["nightly"] and target.is_dir():
        target = backup_path(target, now_ms()).with_suffix(NIGHTLY)

    def make(paths: StatePaths, pace: Pace) -> Any:
        blobs = config.blobs.path(paths.path)
        return make_backup(paths, target, now_ms(), pace, identity=identity, blobs=blobs)

    data = msgspec.to_builtins(await beside(world, make, "backup", target=str(target), identity=identity))
    return Result({**data, "file": target.name} if world.way is Way.CHAT else data)


def _config(world: World) -> Config:
    return load(world.sources()).config if world.way is Way.ALONE else world.config


def _from_chat(world: World, directory: Path) -> Path:
    """The file for a backup that an administrator asks for inside the chat, who must not fill the disk by that.

    Raises:
        NotDone: As many as may be lie there already, or there would hardly be room for the server beside one more.
    """
    there, most = len(list(directory.glob(f"*{FROM_CHAT}"))), world.config.limits.chat_backups
    if there >= most:
        said = _(
            "{there} backups that were made from the chat lie on the server, and {most} may: who runs it can remove some"
        )
        raise NotDone(said.format(there=there, most=most))
    wanted = BACKUP_COPIES * world.paths.database.stat().st_size + LITTLE_BYTES + _copied_bytes(world, directory)
    if shutil.disk_usage(directory).free < wanted:
        raise NotDone(_("the server's disk has too little space for a backup"))
    return backup_path(directory, now_ms()).with_suffix(FROM_CHAT)


def _copied_bytes(world: World, directory: Path) -> int:
    """What the files of people take beside a backup there: links cost nothing, and between two disks there are none."""
    blobs, uploads = world.config.blobs.path(world.paths.path), world.context.uploads
    if uploads is None or not blobs.exists() or blobs.stat().st_dev == directory.stat().st_dev:
        return 0
    return uploads.used_bytes


def target_of(world: World, given: str) -> Path:
    """Where a file goes. Raises `Forbidden` where it is not for who asks to say, and `NotDone` where it is not absolute."""
    if not given:
        directory = world.paths.path / BACKUPS
        with owner_of(world.paths.path).acting():  # root's would keep the server itself out
            if world.paths.database.exists():
                make_directory(directory)
        return directory
    if world.way is Way.CHAT:
        raise Forbidden("where a backup goes is for the operator to say")
    if not Path(given).is_absolute():
        raise NotDone(f"{given}: not an absolute path")
    return Path(given)


async def verify(world: World, arguments: Mapping[str, Any]) -> Result:
    """Verifies a backup, or the store."""
    if arguments["file"]:
        found = verify_backup(Path(arguments["file"]), Pace())
        return Result(msgspec.to_builtins(found), int(not found.files.good))
    config = _config(world)
    database = database_of(config.store, world.paths.database)
    log = (world.paths.path / config.logging.file).with_name(AUDIT_LOG)

    def check(paths: StatePaths, pace: Pace) -> tuple[Verified, Audit]:
        return verify_store(paths, pace, config.blobs.path(paths.path), database), verify_audit(audit_files(log))

    store, audit = await beside(world, check)
    data = {**msgspec.to_builtins(store), "audit": msgspec.to_builtins(audit)}
    return Result(data, 1 if audit.problems or not store.files.good else 0)


async def restore(world: World, arguments: Mapping[str, Any]) -> Result:
    """Puts a backup back, or ends the mending after that."""
    file = arguments["file"]
    if arguments["finish"]:
        return await _finish(world, file)
    if world.way is Way.ALONE and not file:
        raise NotDone(_("name the backup"))

    def put_back(state: StateDirectory, config: Config) -> Any:
        blobs = config.blobs.path(state.path)
        wanted = {"replace": arguments["replace"], "older_key": arguments["older_key"], "blobs": blobs}
        return restore_backup(Path(file), state, now_ms(), Pace(), **wanted)

    return _stopped(world, "restore", file, put_back)


async def _finish(world: World, file: str) -> Result:
    if file or world.way is Way.ALONE:
        raise NotDone(_("--finish is for the running server, and takes no backup"))
    report = await world.context.mending.finish()
    if not report:
        raise NotDone(_("nothing was restored"))
    return Result(report)


async def export(world: World, arguments: Mapping[str, Any]) -> Result:
    """Writes the store as lines."""
    target = target_of(world, arguments["file"])
    require_file(_config(world))

    def write(paths: StatePaths, pace: Pace) -> Any:
        return export_store(paths, target, pace)

    return Result(msgspec.to_builtins(await beside(world, write, "export", file=str(target))))


async def import_(world: World, arguments: Mapping[str, Any]) -> Result:
    """Reads lines into the store."""
    file = arguments["file"]
    return _stopped(world, "import", file, lambda state, _config: import_store(Path(file), state, now_ms(), Pace()))


def _stopped(world: World, name: str, file: str, work: Callable[[StateDirectory, Config], Any]) -> Result:
    """Does what replaces the store, while no server runs; the audit log says who has done it."""
    if world.way is not Way.ALONE:
        raise NotDone(_("a server runs there: stop it first"))
    config = load(world.sources()).config
    require_file(config)
    with owner_of(world.paths.path).acting():
        state = StateDirectory(world.paths.path)
        try:
            done = work(state, config)
            note_done(world, config, name, file=file, old=done.old)
        finally:
            state.release()
    return Result(msgspec.to_builtins(done))


async def beside(world: World, work: Callable[[StatePaths, Pace], T], name: str = "", **noted: object) -> T:
    """Does long work on the state directory: in a thread beside the server, or at once where none runs.

    Args:
        world: Where.
        work: What.
        name: What the audit log calls it where no server runs that would say so itself; empty: it says nothing.
        **noted: What it says of it.

    Raises:
        Busy: Such work is under way already, or the system starts no thread for it.
        StateDirectoryError: Another process holds the directory, or no server has run there.
    """
    if world.way is Way.ALONE:
        config = load(world.sources()).config
        with owner_of(world.paths.path).acting(), _held(world.paths, config) as state:
            done = work(state, Pace())
            if name:
                note_done(world, config, name, **noted)
            return done
    path, server = world.paths.path, world.running
    if path in _under_way:
        raise Busy("a backup is under way", after_seconds=1)
    try:
        running = deferToThread(work, world.paths, Pace(rests=True, stopped=lambda: not server.running))
    except RuntimeError as error:  # of threading: there are too many processes, or too little memory
        raise Busy(f"no thread can be started: {error}", after_seconds=1) from error
    _under_way.add(path)
    running.addBoth(_done, path)  # when the thread is done, and not when somebody has given up waiting
    result: T = await running
    return result


def _done(result: T, path: Path) -> T:
    _under_way.discard(path)
    return result


@contextmanager
def _held(paths: StatePaths, config: Config) -> Iterator[StateDirectory]:
    """The directory, held by this process."""
    if not database_of(config.store, paths.database).exists():
        raise StateDirectoryError(f"{paths.path}: no server has run there")
    state = StateDirectory(paths.path)
    try:
        finish_restore(state)
        yield state
    finally:
        state.release()
