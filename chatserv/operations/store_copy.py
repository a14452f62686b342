"""The store moves: from the file into a PostgreSQL database, or back."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

from sqlalchemy import Connection

from chatserv.backup.highest_head import check_newest, known_newest
from chatserv.config import Store
from chatserv.i18n import _
from chatserv.launch import owner_of
from chatserv.local_errors import NotDone
from chatserv.operations.noting import note_done
from chatserv.operations.registry import Result
from chatserv.operations.world import World
from chatserv.settings_loading import load
from chatserv.state_directory import StateDirectory
from chatserv.store import statements
from chatserv.store.copying import Copied, CopyDiffers, copy_store
from chatserv.store.databases import Database, database_of
from chatserv.units import is_postgres_url, without_password

FILE: Final = "sqlite"  # the place that is in the state directory


async def copy(world: World, arguments: Mapping[str, Any]) -> Result:
    """Copies the store, and leaves the one that there was as it is.

    Raises:
        NotDone: There is nothing to copy, or something where it should go, or a copy is not the same.
        StateDirectoryError: A server runs there.
        DatabaseRefused: One of the two cannot be used, or is not the newest one.
    """
    given = arguments["copy_from"], arguments["copy_to"]
    if given == (FILE, FILE):
        raise NotDone(_("name one place that is a PostgreSQL database"))
    config = load(world.sources()).config
    with owner_of(world.paths.path).acting():
        state = StateDirectory(world.paths.path)
        try:
            source, target = (_place(each, state) for each in given)
            if not source.exists() or not state.identity_key.exists():
                raise NotDone(_("{place}: there is no store of this server").format(place=source.name))
            if target.exists():
                raise NotDone(_("{place}: there is a store already").format(place=target.name))
            copied = _copied(state, source, target, world.progress)
            note_done(world, config, "store-copy", copy_from=source.name, copy_to=target.name, root=copied.root.hex())
        finally:
            state.release()
    return Result({"from": source.name, "to": target.name, "rows": copied.rows, "root": copied.root.hex()})


def _place(given: str, state: StateDirectory) -> Database:
    if given != FILE and not is_postgres_url(given):
        said = _("{place}: write sqlite, or the URL of a PostgreSQL database")
        raise NotDone(said.format(place=without_password(given)))
    return database_of(Store("" if given == FILE else given, readers=1), state.database)


def _copied(state: StateDirectory, source: Database, target: Database, tell: Callable[[str], None]) -> Copied:
    known = known_newest(state, source)
    source.prepare()
    try:
        with source.refusals(), _connected(source) as reading:
            check_newest(reading, known, tuple(statements.log(reading)))
            with target.made() as writing:
                return copy_store(reading, writing, tell)
    except CopyDiffers as error:
        raise NotDone(_("nothing was copied: {error}").format(error=error)) from error


@contextmanager
def _connected(database: Database) -> Iterator[Connection]:
    """A transaction, while nobody else decides anything."""
    engine = database.engine()
    try:
        with closing(engine.connect()) as connection, connection.begin():
            database.lock(connection)
            yield connection
    finally:
        engine.dispose()
