"""A node's part in its cluster: its backplane, and the bus below it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from twisted.logger import Logger

from chatserv.backplane.bus import MAX_SUBSCRIPTIONS, Bus
from chatserv.backplane.bus_messages import Sealer, Subjects
from chatserv.backplane.cluster import ClusterBackplane, SharedStore
from chatserv.backplane.reach import Reach
from chatserv.bootstrap import Prepared
from chatserv.bus_address import BusAddress
from chatserv.commands.context import Context
from chatserv.commands.effects import Effects
from chatserv.errors import WireError
from chatserv.live_settings import LiveSettings
from chatserv.local_errors import SettingsError
from chatserv.owners import reason
from chatserv.repeating import repeated
from chatserv.store.postgres.store import PostgresStore
from chatserv.store.sql_base import BaseSqlStore
from chatserv.units import join_address

log = Logger(namespace="chatserv.membership")
LOOK_SECONDS: Final = 30.0  # between two looks at who has the database in use
MOST_ROOMS: Final = MAX_SUBSCRIPTIONS * 9 // 10  # what the bus hears at once; the rest is for devices


class Membership:
    """What a node has beside what a server has that is alone; nothing of it runs before `begin`.

    Args:
        prepared: What was made before the fork.
        settings: The settings.
        effects: Time, timers, promises, randomness.
        store: In the database that the nodes share.
        reactor: Where connections come from.

    Attributes:
        backplane: For the world of the commands.
        bus: The way to the other nodes.

    Raises:
        SettingsError: The file with who vouches for the bus servers cannot be used.
    """

    def __init__(
        self, prepared: Prepared, settings: LiveSettings, effects: Effects, store: BaseSqlStore, reactor: Any
    ) -> None:
        cluster = settings.config.cluster
        self._prepared, self._store = prepared, cast(PostgresStore, store)
        shared = cast(SharedStore, store)
        self.backplane = ClusterBackplane(effects, shared, MOST_ROOMS, lambda: settings.config.cluster.poll_seconds)
        addresses = [BusAddress.parse(url) for url in cluster.bus]
        authority = prepared.state.path / cluster.authority if cluster.authority else None
        first = next(iter(settings.config.server.addresses), None)
        self.backplane.state.address = "" if first is None else join_address(*first)
        self._effects, self._reach = effects, None  # type: tuple[Effects, Reach | None]
        try:
            self.bus = Bus(reactor, addresses, f"chatserv {cluster.name}", self._back, self._away, authority)
        except (OSError, ValueError) as error:
            assert authority is not None
            raise _unusable(authority, error) from None
        self._unheard = 0
        self._looking = repeated(self.look, reactor)

    def look_after(self, leave: Callable[[], None], stay: Callable[[], None]) -> None:
        """From `begin` on people are sent to other nodes while those reach the store and this one does not.

        Args:
            leave: Sends everybody elsewhere, and takes nobody in.
            stay: Takes people in again.
        """
        backplane = self.backplane

        def send_away() -> None:
            log.warn("This node does not reach the store, and others do: its people are sent to them.")
            leave()

        def take_in() -> None:
            log.info("This node reaches the store again, and takes people in.")
            stay()

        store, state = self._store, backplane.state
        self._reach = Reach(
            *(self._effects, backplane.look, lambda: store.answers, lambda: backplane.nodes, state, send_away, take_in)
        )

    def begin(self, context: Context) -> None:
        """Hears the other nodes, and is heard; the store opens."""
        cluster, prepared = context.config.cluster, self._prepared
        sealer = Sealer(prepared.login_secret, cluster.name, prepared.incarnation)
        self.backplane.begin(context, self.bus, sealer, Subjects(cluster.name), prepared.stored.control)
        self._store.reached_again = self.backplane.node.polling.ask
        context.log.refresh()  # nobody is let in before there is a head that all nodes know of
        self.bus.start()
        if self._reach is not None:
            self._reach.start()
        self._looking.start(LOOK_SECONDS, now=False)

    def leave(self) -> None:
        """The node ends: the others are told, and nobody is taken in again."""
        self.backplane.state.draining = True
        if self._reach is not None:
            self._reach.stop()

    def stop(self) -> None:
        """Says and hears nothing more; harmless where it has not begun."""
        self.leave()
        if self._looking.running:
            self._looking.stop()
        if hasattr(self.backplane, "node"):
            self.backplane.stop()
        self.bus.stop()

    async def look(self) -> None:
        """Says so where others have the database in use and are not heard, now and the time before.

        They may have been given another bus: then all that they store comes late here, by polls.
        """
        with suppress(WireError):  # the store is away: the next time is soon enough
            unheard = await self._store.users() - len(self.backplane.nodes) - 1 if self.bus.there else 0
            missing, self._unheard = min(unheard, self._unheard), unheard
            if missing > 0:
                said = "{count} of the nodes that share the database are not heard: do all name the same cluster.bus?"
                log.warn(said, count=missing)

    def _back(self) -> None:
        self.backplane.node.bus_back()

    def _away(self) -> None:
        self.backplane.node.bus_away()


def _unusable(file: Path, error: OSError | ValueError) -> SettingsError:
    why = reason(file, error) if isinstance(error, OSError) else "holds no certificates"
    return SettingsError(str(file), "cluster.authority", why, "name a file with certificates in PEM")
