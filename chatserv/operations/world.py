"""What an operation may use."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from chatserv.operations.registry import Way
from chatserv.state_directory import StatePaths

if TYPE_CHECKING:  # an operation alone has no use for them, and they take long to import
    from chatserv.commands.context import Context
    from chatserv.config import Config
    from chatserv.settings_sources import Sources


class RunningServer(Protocol):
    """What operations ask of the server that runs.

    Attributes:
        running: Whether it is not stopping.
    """

    running: Any

    def status(self) -> dict[str, Any]:
        """How it is doing; plain values alone."""
        ...

    def reload(self) -> dict[str, Any]:
        """Reads settings and certificate anew, all or nothing. Raises `ChatError`."""
        ...

    def drain(self) -> dict[str, Any]:
        """Begins the end; gives how many sessions there are."""
        ...

    async def at_node(self, node: str, operation: str, way: str, who: str) -> dict[str, Any] | None:
        """What another node of the cluster answers to an operation; None: that is this one. Raises `ChatError`.

        Args:
            node: Its address, or how its number begins.
            operation: Which, without arguments.
            way: By which it was reached here.
            who: Who asks, as of `World`.
        """
        ...


def _silent(_line: str) -> None:
    """Nobody is told."""


class World(Struct, frozen=True):
    """What there is depends on the way: a running server has all of it, and an operation alone has no ``context``.

    Args:
        way: By which it was reached.
        who: Who asks, for the audit log: the name of an administrator, or ``uid 0``.
        paths: The state directory.
        named: The settings file that the command line names, where it names one.
        said: Settings that the command line says, ``server.port=6000``.
        server: The server that runs, and that this is part of.
        progress: Tells who waits what is being done, a line at a time.
    """

    way: Way
    who: str
    paths: StatePaths
    named: str | None = None
    said: tuple[str, ...] = ()
    server: RunningServer | None = None
    progress: Callable[[str], None] = _silent
    _context: "Context | None" = None

    @property
    def context(self) -> "Context":
        """The world of the commands, over the store."""
        if self._context is None:
            raise AssertionError(f"no store by way of {self.way}")
        return self._context

    def sources(self) -> "Sources":
        """Where a server that starts here has its settings from."""
        from chatserv.settings_sources import Sources, given_settings  # noqa: PLC0415 - as above

        return Sources.of_process(self.named, os.environ, given_settings([], list(self.said)))

    @property
    def config(self) -> "Config":
        """The settings as they are in force."""
        return self.context.config

    @property
    def running(self) -> RunningServer:
        """The running server."""
        if self.server is None:
            raise AssertionError(f"no server by way of {self.way}")
        return self.server

    def audit(self, event: str, result: str, **fields: object) -> None:
        """Notes what was done or tried; nothing where there is no store."""
        if self._context is not None:
            self._context.effects.audit(event, who=self.who, way=self.way.value, result=result, **fields)
