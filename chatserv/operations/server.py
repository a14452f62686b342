"""The operations on a server as a whole."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatserv import VERSION
from chatserv.i18n import _
from chatserv.local_errors import NotDone
from chatserv.operations.registry import Result, Way
from chatserv.operations.world import World


async def version(_world: World, _arguments: Mapping[str, Any]) -> Result:
    """Which version this is."""
    return Result({"version": VERSION})


async def _elsewhere(world: World, name: str, arguments: Mapping[str, Any]) -> Result | None:
    """What the node that is named has done; None where that is this one, or none is named. Raises `NotDone`."""
    if not arguments["node"]:
        return None
    answer = await world.running.at_node(arguments["node"], name, world.way.value, world.who)
    if answer is None:
        return None
    if "error" in answer:
        raise NotDone(str(answer["error"]["text"]))
    return Result(answer["result"], int(answer["code"]))


async def status(world: World, arguments: Mapping[str, Any]) -> Result:
    """How the running server is doing; inside the chat nobody is told where its files and its database are."""
    if (elsewhere := await _elsewhere(world, "status", arguments)) is not None:
        return elsewhere
    data = world.running.status()
    return Result({**data, "state": "", "store": ""} if world.way is Way.CHAT else data)


async def reload(world: World, arguments: Mapping[str, Any]) -> Result:
    """Reads settings and certificate anew; inside the chat nobody is told where the machine's files are."""
    if (elsewhere := await _elsewhere(world, "reload", arguments)) is not None:
        return elsewhere
    data = world.running.reload()
    if world.way is Way.CHAT:
        warned = (
            [_("warnings in the server's log: {count}").format(count=len(data["warnings"]))] if data["warnings"] else []
        )
        data = {**data, "certificate": Path(data["certificate"]).name, "warnings": warned}
    return Result(data)


async def drain(world: World, arguments: Mapping[str, Any]) -> Result:
    """Begins the end of the server."""
    if (elsewhere := await _elsewhere(world, "drain", arguments)) is not None:
        return elsewhere
    return Result(world.running.drain())
