"""What a handler may use."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct

from chatserv.commands.addresses import Addresses
from chatserv.commands.asking import Asking
from chatserv.commands.ban_list import BanList
from chatserv.commands.broadcast import notify_if_place
from chatserv.commands.certificates import CertificateCache
from chatserv.commands.delivery import deliver
from chatserv.commands.desk import OperatorDesk
from chatserv.commands.effects import Effects
from chatserv.commands.guests import Guests, GuestSession
from chatserv.commands.leases import Leases
from chatserv.commands.log_keeper import LogKeeper
from chatserv.commands.mending_state import Mending
from chatserv.commands.password_gate import PasswordGate
from chatserv.commands.rate_limits import Meter, RateLimits
from chatserv.commands.room_registry import RoomRegistry, is_over
from chatserv.commands.room_reloading import reload
from chatserv.commands.uploads import Uploads
from chatserv.config import Config
from chatserv.domain.hub import Hub, LiveRoom, LiveSession
from chatserv.domain.rates import Rates
from chatserv.live_settings import LiveSettings
from chatserv.models import Ban, ConsentAt, Event, Room
from chatserv.node_models import RoomAt
from chatserv.node_ports import Backplane
from chatserv.ports import Store
from chatserv.wire.parameters import ServerIdentity


class RateTables(Struct, frozen=True):
    """Who has done what how often.

    ``commits``: by device and room. ``joins``: by account and room. ``prekeys``: by requester and device.
    ``unused_prekeys``: the same, and by requester, of those that no commit has used. ``messages``: by room and user, for
    slow mode. ``tells``: by account, its devices and its guests apart. ``rotations``: of identities, by account.
    ``seen``: notes that a device is here.
    """

    commits: Rates
    joins: Rates
    prekeys: Rates
    unused_prekeys: Rates
    messages: Rates
    tells: Rates
    rotations: Rates
    seen: Rates

    @classmethod
    def of(cls, seconds: Callable[[], float], most: int) -> "RateTables":
        """Empty ones, each with at most so many entries."""
        return cls(*(Rates(seconds, most) for _ in range(8)))


async def _nowhere(_signed: bytes, _lower: bool) -> None:
    """Where the store is in memory, so are the heads."""


def _tell_all(hub: Hub, part: bytes) -> None:
    notify_if_place(hub.sessions, part)


class Context(Struct, frozen=True):
    """The world of the handlers.

    Args:
        store: What survives.
        backplane: What brings here what is committed anywhere.
        hub: Who is online.
        settings: Settings and limits, as they are now.
        effects: Clocks, timers, randomness.
        identity: The server's public identity.
        registry: The rooms as they stand.
        log: The transparency log.
        leases: Who may commit.
        rates: Who has done what how often.
        certificates: What certificates say.
        bans: Who is banned from the server.
        addresses: Where the server can be reached besides.
        guests: Who has logged in by password.
        passwords: How many passwords may be tried.
        mending: Whether a restored server mends what its backup lacks.
        flow: How fast anything may be asked for.
        desk: Who carries out the operations of administrators.
        asking: What other nodes are asked to do.
        uploads: The files that people send; None: this server takes none.
    """

    store: Store
    backplane: Backplane
    hub: Hub
    settings: LiveSettings
    effects: Effects
    identity: ServerIdentity
    registry: RoomRegistry
    log: LogKeeper
    leases: Leases
    rates: RateTables
    certificates: CertificateCache
    bans: BanList
    addresses: Addresses
    guests: Guests
    passwords: PasswordGate
    mending: Mending
    flow: RateLimits
    desk: OperatorDesk
    asking: Asking
    uploads: Uploads | None = None

    @classmethod
    def of(
        cls,
        store: Store,
        backplane: Backplane,
        settings: LiveSettings,
        effects: Effects,
        identity: ServerIdentity,
        sign: Callable[[bytes], Awaitable[bytes]],
        keep_head: Callable[[bytes, bool], Awaitable[None]] = _nowhere,
        uploads: Uploads | None = None,
    ) -> "Context":
        """An empty world over ``store``; the arguments as of the class and of `LogKeeper`.

        What the store commits goes to the backplane, and from there into this world: log, rooms, sessions.
        """
        limits, hub = settings.limits, Hub(settings.config.server.max_connections)
        settings.subscribe(lambda config: setattr(hub, "max_sessions", config.server.max_connections))
        tell = partial(_tell_all, hub)
        log = LogKeeper(identity, settings, effects, store, backplane, sign, tell, keep_head)
        context = cls(
            store=store,
            backplane=backplane,
            hub=hub,
            settings=settings,
            effects=effects,
            identity=identity,
            registry=RoomRegistry(),
            log=log,
            leases=Leases(settings, effects),
            rates=RateTables.of(effects.seconds, limits.counters),
            certificates=CertificateCache(store, limits.cached_certificates),
            bans=BanList(),
            addresses=Addresses(store, hub, settings, backplane),
            guests=Guests(settings),
            passwords=PasswordGate(settings, effects),
            mending=Mending(settings, effects),
            flow=RateLimits(settings, effects.seconds),
            desk=OperatorDesk(),
            asking=Asking(effects, backplane.node_id, backplane.tell),
            uploads=uploads,
        )
        store.subscribe_log(log.appended)
        store.subscribe_log(backplane.publish_log)
        backplane.subscribe_log(log.take)
        backplane.subscribe_heads(log)
        store.subscribe(backplane.publish)
        backplane.subscribe(context.deliver)
        backplane.subscribe_rooms(context.reload, context.room_gone)
        backplane.subscribe_takeovers(context.taken_over)
        store.subscribe_control(backplane.publish_control)
        backplane.subscribe_control(context.take_orders)
        return context

    def meter(self, session: LiveSession) -> Meter:
        """Counts what this connection asks for. An account's guests pay apart from its devices."""
        return Meter(self.flow, (session.account_id, isinstance(session, GuestSession)))

    def take_in(
        self,
        rooms: Sequence[Room],
        consents: Iterable[ConsentAt],
        leaves: Iterable[bytes],
        bans: Iterable[Ban],
        addresses: Sequence[str] = (),
    ) -> None:
        """Takes in what the store holds, before anybody can log in."""
        self.log.take_in(leaves)
        self.registry.take_in(rooms, consents, self.log.facts)
        self.hub.add_rooms(
            LiveRoom(r.room_id, r.name, r.epoch, r.head, r.commit_hash, r.gone_through + 1) for r in rooms
        )
        self.bans.take_in(bans)
        self.addresses.take_in(addresses)

    def deliver(self, events: Sequence[Event]) -> None:
        """Takes committed events from the backplane; see `chatserv.commands.delivery`."""
        deliver(self.hub, self.registry, events)

    def reload(self, found: RoomAt) -> None:
        """Takes a room in as the store has it; see `chatserv.commands.room_reloading`.

        What was ordered since it was read, and has been carried out here, is missing in that, and is asked for again.
        """
        from chatserv.commands.leaving import close_if_deserted  # noqa: PLC0415 - what these do needs this class
        from chatserv.commands.room_comparing import compare  # noqa: PLC0415

        reload(self.hub, self.registry, found)
        record = self.registry.get(found.room.room_id)
        if record is not None and is_over(self.log.facts, record.state, record.leaves):
            self.effects.spawn(close_if_deserted(self, record))
        if found.control < self.backplane.control:
            self.effects.spawn(compare(self, found.room.room_id))

    def taken_over(self, device_id: bytes, number: int) -> None:
        """A device is on another node now; see `chatserv.commands.attendance`."""
        from chatserv.commands.attendance import taken_over  # noqa: PLC0415 - what it does needs this class

        taken_over(self, device_id, number)

    def room_gone(self, room_id: bytes) -> None:
        """Lets go of a room that the store does not have any more."""
        from chatserv.commands.room_comparing import gone  # noqa: PLC0415 - what it does needs this class

        self.effects.spawn(gone(self, room_id))

    def take_orders(self, first: int, orders: Sequence[bytes]) -> None:  # noqa: ARG002 - as of a listener
        """Takes orders from the backplane; see `chatserv.commands.orders`."""
        from chatserv.commands.orders import take_orders  # noqa: PLC0415 - what it does needs this class

        take_orders(self, orders)

    @property
    def config(self) -> Config:
        """The settings that hold now; to be read where they are used, and not kept."""
        return self.settings.config

    @property
    def now_ms(self) -> Callable[[], int]:
        """The clock, in milliseconds since 1970."""
        return self.effects.now_ms

    @property
    def random(self) -> Callable[[int], bytes]:
        """Gives so many random bytes."""
        return self.effects.random
