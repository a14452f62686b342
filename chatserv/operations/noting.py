"""The audit log of a server that does not run: what is done to its state directory in the meantime."""

from twisted.logger import Logger

from chatserv.config import Config
from chatserv.logs import LogFiles
from chatserv.net.effects import note_audit
from chatserv.operations.world import World


def note_done(world: World, config: Config, name: str, **fields: object) -> None:
    """A line that says who has done what, in the form of those that a running server writes.

    Args:
        world: Where, and who.
        config: The settings, which name the file.
        name: The operation.
        **fields: What it was about.
    """
    files = LogFiles(config.logging, world.paths.path)
    audit = Logger("chatserv.audit", observer=files.observer)
    note_audit(audit, name, who=world.who, way=world.way.value, result="ok", **fields)
    files.close()
