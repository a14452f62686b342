"""The way back to an older version of the program, on the same database."""

from collections.abc import Mapping
from typing import Any

from chatserv.backup.last_place import check_last_place
from chatserv.launch import owner_of
from chatserv.local_errors import StateDirectoryError
from chatserv.operations.files_only import require_file
from chatserv.operations.noting import note_done
from chatserv.operations.registry import Result
from chatserv.operations.server_rows import OLDER
from chatserv.operations.world import World
from chatserv.settings_loading import load
from chatserv.state_directory import StateDirectory
from chatserv.store.database import take_back


async def downgrade(world: World, arguments: Mapping[str, Any]) -> Result:
    """Takes the schema of the database back, step by step, in one transaction.

    Raises:
        StateDirectoryError: A server runs there, or none ever did.
        DatabaseRefused: The database cannot be used.
    """
    config = load(world.sources()).config
    require_file(config)
    if not world.paths.database.exists():
        raise StateDirectoryError(f"{world.paths.path}: no server has run there")
    with owner_of(world.paths.path).acting():
        state = StateDirectory(world.paths.path)
        try:
            check_last_place(state.database, state.last_place)
            before = take_back(state.database, OLDER[arguments["version"]])
            note_done(world, config, "downgrade", before=before, **arguments)
        finally:
            state.release()
    return Result({"version": arguments["version"], "schema": OLDER[arguments["version"]], "before": before})
