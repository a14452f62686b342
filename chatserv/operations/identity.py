"""The operations on the server's identity."""

from collections.abc import Mapping
from typing import Any

from chatserv.clocks import now_ms
from chatserv.config import Config
from chatserv.launch import owner_of
from chatserv.operations.noting import note_done
from chatserv.operations.registry import Result
from chatserv.operations.world import World
from chatserv.own_identity import rotate_identity
from chatserv.settings_loading import load
from chatserv.store.databases import database_of
from chatserv.wire.link import fingerprint_text


async def rotate_key(world: World, _arguments: Mapping[str, Any]) -> Result:
    """Gives the server another identity key."""
    config = load(world.sources()).config
    with owner_of(world.paths.path).acting():
        return _rotate(world, config)


def _rotate(world: World, config: Config) -> Result:
    done = rotate_identity(world.paths.path, now_ms(), database_of(config.store, world.paths.database))
    told = {
        "fingerprint": fingerprint_text(done.server_id),
        "old_key": fingerprint_text(done.old_id),
        "new_key": fingerprint_text(done.new_id),
    }
    note_done(world, config, "rotate-key", **told)
    return Result(told)


async def advertise(world: World, arguments: Mapping[str, Any]) -> Result:
    """Tells clients of addresses, or of none any more; gives those that they are told of, and which the settings name."""
    addresses = world.context.addresses
    if arguments["forget"]:
        await addresses.forget()
    if arguments["address"]:
        await addresses.add(arguments["address"])
    return Result({"addresses": list(addresses.told), "from_settings": list(addresses.lasting)})
