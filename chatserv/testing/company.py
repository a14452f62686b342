"""A PostgreSQL in which no server is alone: each one that has its store there is a node of a cluster of two."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from chatserv.state_directory import StatePaths
from chatserv.testing.nats import NatsServer
from chatserv.testing.postgres import Cluster
from chatserv.testing.processes import TWISTD, ProgramError, ServerProgram

SHARED: Final = frozenset({"store", "cluster", "blobs", "security"})  # settings that nodes have in common


class Company(Cluster):
    """That, with the bus server for it. The other node of each server is there from its first start on, and only listens.

    Attributes:
        bus: The bus server.
        beside: Further settings of other nodes.
        program: Their command.

    Raises:
        ProgramError: Something is not installed, or does not start.
    """

    def __init__(self) -> None:
        self._others: dict[str, ServerProgram | None] = {}
        self._beside = Path(tempfile.mkdtemp(prefix="chatserv-company-"))
        self.beside: dict[str, dict[str, Any]] = {}
        self.program: tuple[str, ...] = TWISTD
        super().__init__()
        self.bus = NatsServer(self.directory)
        self.bus.start()
        self.bus.wait()
        ServerProgram.started.append(self._accompany)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Those by which a server has its store in a new database, which it shares."""
        found = super().settings()
        self._others[found["store"]["url"]] = None
        blobs = self.directory / "blobs" / str(len(self._others))
        bus = [f"nats://127.0.0.1:{self.bus.port}"]
        return {**found, "cluster": {"name": "chat", "bus": bus}, "blobs": {"directory": str(blobs)}}

    def _accompany(self, server: ServerProgram) -> None:
        url = str(server.tables.get("store", {}).get("url"))
        if self._others.get(url, server) is not None:
            return
        directory = self._beside / str(len(list(filter(None, self._others.values()))))
        directory.mkdir()
        shared = {name: table for name, table in server.tables.items() if name in SHARED}
        tables = {**shared, "monitoring": {"enabled": False}, **self.beside}
        other = self._others[url] = ServerProgram(directory, tables, self.program)
        other.state.mkdir(0o700)
        shutil.copy(StatePaths(server.state).identity_key, StatePaths(other.state).identity_key)
        other.start()

    def other_of(self, server: ServerProgram) -> ServerProgram:
        """The other node of a server that has started. Raises `ProgramError` where there is none."""
        found = self._others.get(server.tables["store"]["url"])
        if found is None:
            raise ProgramError("it has not started, or has its store elsewhere")
        return found

    def leave(self) -> None:
        """Ends the other nodes and the bus server; nothing of PostgreSQL's."""
        if self._accompany in ServerProgram.started:
            ServerProgram.started.remove(self._accompany)
        for other in self._others.values():
            if other is not None:
                other.stop()
        self.bus.stop()

    def end(self) -> None:
        """Stops everything, and removes all files."""
        self.leave()
        shutil.rmtree(self._beside, ignore_errors=True)
        super().end()
