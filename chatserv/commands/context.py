"""What a handler may use."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from chatserv.commands.ban_list import BanList
from chatserv.commands.broadcast import notify_if_place
from chatserv.commands.certificates import CertificateCache
from chatserv.commands.delivery import deliver
from chatserv.commands.effects import Effects
from chatserv.commands.leases import Leases
from chatserv.commands.log_keeper import LogKeeper
from chatserv.commands.room_registry import RoomRegistry
from chatserv.config import Config
from chatserv.domain.hub import Hub, LiveRoom
from chatserv.domain.rates import Rates
from chatserv.models import Ban, ConsentAt, Event, Room
from chatserv.ports import Store


@dataclass(frozen=True)
class RateTables:
    """Who has done what how often.

    ``commits``: by device and room. ``joins``: by account and room. ``prekeys``: by requester and device.
    ``unused_prekeys``: the same, and by requester, of those that no commit has used. ``messages``: by room and user, for
    slow mode.
    """

    commits: Rates
    joins: Rates
    prekeys: Rates
    unused_prekeys: Rates
    messages: Rates

    @classmethod
    def of(cls, seconds: Callable[[], float], most: int) -> "RateTables":
        """Empty ones, each with at most so many entries."""
        return cls(*(Rates(seconds, most) for _ in range(5)))


@dataclass(frozen=True)
class Context:
    """The world of the handlers.

    Args:
        store: What survives.
        hub: Who is online.
        config: Settings and limits.
        effects: Clocks, timers, randomness.
        server_key: The server's identity key, DER.
        registry: The rooms as they stand.
        log: The transparency log.
        leases: Who may commit.
        rates: Who has done what how often.
        certificates: What certificates say.
        bans: Who is banned from the server.
    """

    store: Store
    hub: Hub
    config: Config
    effects: Effects
    server_key: bytes
    registry: RoomRegistry
    log: LogKeeper
    leases: Leases
    rates: RateTables
    certificates: CertificateCache
    bans: BanList

    @classmethod
    def of(
        cls,
        store: Store,
        config: Config,
        effects: Effects,
        server_key: bytes,
        sign: Callable[[bytes], Awaitable[bytes]],
    ) -> "Context":
        """An empty world over ``store``; the arguments as of the class and of `LogKeeper`. The log hears of new leaves."""
        limits, hub = config.limits, Hub(config.server.max_connections)
        log = LogKeeper(server_key, limits, effects, sign, lambda part: notify_if_place(hub.sessions, part))
        store.subscribe_log(log.take)
        return cls(
            store=store,
            hub=hub,
            config=config,
            effects=effects,
            server_key=server_key,
            registry=RoomRegistry(),
            log=log,
            leases=Leases(limits, effects),
            rates=RateTables.of(effects.seconds, limits.counters),
            certificates=CertificateCache(store, limits.cached_certificates),
            bans=BanList(),
        )

    def take_in(
        self, rooms: Sequence[Room], consents: Iterable[ConsentAt], leaves: Iterable[bytes], bans: Iterable[Ban]
    ) -> None:
        """Takes in what the store holds, before anybody can log in."""
        self.registry.take_in(rooms, consents)
        self.hub.add_rooms(LiveRoom(r.room_id, r.name, r.epoch, r.head, r.commit_hash) for r in rooms)
        self.log.take_in(leaves)
        self.bans.take_in(bans)

    def deliver(self, events: Sequence[Event]) -> None:
        """Takes committed events from the backplane; see `chatserv.commands.delivery`."""
        deliver(self.hub, self.registry, events)

    @property
    def now_ms(self) -> Callable[[], int]:
        """The clock, in milliseconds since 1970."""
        return self.effects.now_ms

    @property
    def random(self) -> Callable[[int], bytes]:
        """Gives so many random bytes."""
        return self.effects.random
