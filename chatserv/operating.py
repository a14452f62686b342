"""What operators ask of the server that runs, by its socket or inside the chat, and how it is answered."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import asdict

from chatserv import VERSION
from chatserv.backup.last_backup import last_backup
from chatserv.bootstrap import Prepared
from chatserv.commands.asking import Asked
from chatserv.commands.context import Context
from chatserv.errors import Busy
from chatserv.i18n import _
from chatserv.local_errors import NotDone
from chatserv.net.control_socket import ControlSocket, Request
from chatserv.net.factory import ChatFactory
from chatserv.operations.performing import perform
from chatserv.operations.registry import Way
from chatserv.operations.world import World
from chatserv.probing import all_listeners
from chatserv.reloading import Reloading
from chatserv.wire.link import fingerprint_text

AT_NODES: Final = frozenset({"status", "reload", "drain"})  # what a node does for another
LEAST_DIGITS: Final = 4  # of a node's number that name it
MOST_NAMED: Final = 64  # characters of a name that no node has
DRAIN_SECONDS: Final = 0.2  # in which the answer to who wants the end is on its way


class Operating:
    """The running server, as operations see it (`chatserv.operations.world.RunningServer`); ``running`` until it stops.

    Args:
        prepared: What was made before the fork.
        context: The world of the commands.
        factory: The connections.
        reloading: Reads settings anew.
        stop: Begins the end.
        reactor: The reactor.
    """

    def __init__(
        self,
        prepared: Prepared,
        context: Context,
        factory: ChatFactory,
        reloading: Reloading,
        stop: Callable[[], None],
        reactor: Any,
    ) -> None:
        self._prepared, self._context, self._factory = prepared, context, factory
        self._reloading, self._stop, self._reactor = reloading, stop, reactor
        self._started = reactor.seconds()
        self._inside = 0
        self.running: Any = False
        self.socket = ControlSocket(prepared.state.control, context.settings, self._over_socket, reactor)

    def start(self) -> None:
        """From now on there is an answer."""
        self.running = True
        self.socket.start()
        self._context.desk.operate = self._inside_chat
        self._context.asking.perform = self._for_another_node

    async def stop(self) -> None:
        """Answers nobody any more."""
        self.running = False
        self._context.desk.operate = None
        self._context.asking.perform = None
        await self.socket.stop()

    async def _over_socket(self, request: Request) -> dict[str, Any]:
        return await self._perform(
            Way.SOCKET, f"uid {request.uid}", request.operation, request.arguments, request.progress
        )

    async def _inside_chat(self, name: str, arguments: Mapping[str, str], who: str) -> dict[str, Any]:
        if self._inside >= self._context.config.limits.control_connections:
            raise Busy("too many operations are under way", after_seconds=1)
        self._inside += 1
        try:
            return await self._perform(Way.CHAT, who, name, arguments, lambda _: None)
        finally:
            self._inside -= 1

    async def _for_another_node(self, asked: Asked) -> dict[str, Any]:
        if asked.operation not in AT_NODES or asked.way not in {way.value for way in (Way.SOCKET, Way.CHAT)}:
            raise NotDone(_("not something that a node does for another"))
        who = f"{asked.who}, {asked.asker.hex()}"
        return await self._perform(Way(asked.way), who, asked.operation, {}, lambda _: None)

    async def _perform(
        self, way: Way, who: str, name: str, arguments: Mapping[str, Any], progress: Callable[[str], None]
    ) -> dict[str, Any]:
        world = World(way, who, self._prepared.state, server=self, progress=progress, _context=self._context)
        result = await perform(world, name, arguments)
        return {"result": result.data, "code": result.code}

    # -- what operations ask -------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """How this server is doing."""
        context, last = self._context, last_backup(self._prepared.state)
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "uptime_seconds": round(self._reactor.seconds() - self._started, 1),
            "listening": [each.text for each in all_listeners(self._prepared.config.server)],
            "fingerprint": fingerprint_text(self._prepared.public.server_id),
            "sessions": len(context.hub.sessions),
            "connections": len(self._factory.connections),
            "rooms": len(context.hub.rooms),
            "log_size": context.log.size,
            "mending": context.mending.active,
            "waits_for_restart": list(context.settings.waiting),
            "last_backup": "" if last is None else last.date,
            "backup_has_old_key": last is not None and last.key_id != self._prepared.public.key_id,
            "state": str(self._prepared.state.path),
            "store": self._prepared.database.name,
            "node": context.backplane.node_id.hex(),
            "nodes": [
                {
                    "node": each.node.hex(),
                    "address": each.address,
                    "sessions": each.sessions,
                    "draining": each.draining,
                    "store_reached": each.store_reached,
                }
                for each in sorted(context.backplane.nodes, key=lambda each: (each.address, each.node))
            ],
        }

    async def at_node(self, node: str, operation: str, way: str, who: str) -> dict[str, Any] | None:
        """What another node of the cluster answers; None: that is this one. Raises `ChatError`."""
        backplane = self._context.backplane
        if backplane.node_id and _is_named(node, backplane.node_id, backplane.address):
            return None
        found = [each.node for each in backplane.nodes if _is_named(node, each.node, each.address)]
        if len(found) != 1:
            said = _("{count} other nodes are called {node}: chatserv status shows them")
            raise NotDone(said.format(count=len(found), node=node[:MOST_NAMED]))
        return await self._context.asking.ask(found[0], way, who, operation, {})

    def reload(self) -> dict[str, Any]:
        """Reads settings and certificate anew, all or nothing. Raises `ChatError`."""
        return asdict(self._reloading.reload())

    def drain(self) -> dict[str, Any]:
        """Begins the end: nobody is taken in, and who is there is asked to come back later."""
        self._reactor.callLater(DRAIN_SECONDS, self._stop)
        return {"sessions": len(self._context.hub.sessions)}


def _is_named(name: str, node: bytes, address: str) -> bool:
    return name == address or (len(name) >= LEAST_DIGITS and node.hex().startswith(name.lower()))
