"""The server in this process: by ``twistd``, which makes the reactor, switches users and goes into the background.

Nothing of the server is imported here: how OpenSSL is loaded is `chatserv.tap`'s to say.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from chatserv.operations.registry import Result
from chatserv.operations.world import World


async def run(world: World, arguments: Mapping[str, Any]) -> Result:
    """Runs the server; comes back when it has ended. A start that fails ends the process with its code."""
    from twisted.scripts.twistd import run as run_twistd  # noqa: PLC0415 - it takes long, and is for this one

    sys.argv = ["twistd", *command_line(world, arguments)]
    run_twistd()
    return Result({})


def command_line(world: World, arguments: Mapping[str, Any]) -> list[str]:
    """The arguments of ``twistd``. Paths are absolute, since a daemon may go elsewhere."""
    line = [] if arguments["daemon"] else ["--nodaemon"]
    line += [f"--pidfile={arguments['pidfile']}", "chatserv", "--state-dir", str(world.paths.path)]
    line += ["--config", os.path.abspath(world.named)] if world.named else []
    return line + [word for setting in world.said for word in ("--set", setting)]
