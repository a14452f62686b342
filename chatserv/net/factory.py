"""What all connections share, and the bound on those that are not logged in."""

from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from chatserv.commands.context import Context
from chatserv.config import Config
from chatserv.domain.anteroom import Anteroom
from chatserv.domain.closing import CloseReason
from chatserv.domain.visitors import Fault, VisitorLimits, Visitors
from chatserv.errors import AuthFailed, BadMessage, Reject, TimedOut, TooLarge, WireError
from chatserv.limits import Limits
from chatserv.net.authenticator import Authenticator
from chatserv.net.front import Front
from chatserv.net.seat import Seat
from chatserv.net.sendq import TurnFlusher
from chatserv.net.timers import TimerWheel
from chatserv.turnstile import turnstile_of
from chatserv.units import unmapped
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.parameters import ServerIdentity, SessionContext

FAULTS: Final = {
    AuthFailed.code: Fault.FAILED_LOGIN,
    TimedOut.code: Fault.SILENCE,
    TooLarge.code: Fault.GARBAGE,
    BadMessage.code: Fault.GARBAGE,
    Reject.code: Fault.GARBAGE,
}
log = Logger(namespace="chatserv.net.connections")


class ChatFactory(ServerFactory):
    """Builds a `Front` with its `Seat` for each connection of all listeners.

    Args:
        context: Store, hub, settings: what commands use.
        identity: The server's public identity.
        session_context: Clock, randomness and limits of the session cores.
        authenticator: Answers logins.
        reactor: Gives time.
    """

    noisy = False

    def __init__(
        self,
        context: Context,
        identity: ServerIdentity,
        session_context: SessionContext,
        authenticator: Authenticator,
        reactor: Any,
    ) -> None:
        self.context, self.identity, self.session_context, self.authenticator = (
            context,
            identity,
            session_context,
            authenticator,
        )
        self.seconds = context.effects.awake
        self.wheel = TimerWheel(reactor, self.seconds)
        self.turnstile = turnstile_of(reactor)
        self.flusher = TurnFlusher(reactor, self.seconds)
        self.connections: set[Front] = set()
        limits = self.limits
        self.anteroom: Anteroom[Front] = Anteroom(
            limits.unauthenticated_connections, limits.unauthenticated_per_network, self._chance
        )
        self.visitors = Visitors(lambda: visitor_limits(self.limits), self.seconds)
        self.visitors.trust(context.config.server.trusted_networks)
        context.settings.subscribe(self._take_bounds)
        self.draining = False

    @property
    def limits(self) -> Limits:
        """The bounds that hold now."""
        return self.context.settings.limits

    def _take_bounds(self, config: Config) -> None:
        self.anteroom.most = config.limits.unauthenticated_connections
        self.anteroom.per_network = config.limits.unauthenticated_per_network
        self.visitors.trust(config.server.trusted_networks)

    def _chance(self) -> float:
        return int.from_bytes(self.context.random(4), "big") / 2**32

    def buildProtocol(self, addr: IAddress | None) -> Front | None:
        """A protocol for a new TLS connection, or None."""
        return self.build(addr, tls=True)

    def build(self, addr: IAddress | None, *, tls: bool) -> Front | None:
        """A protocol for a new connection; None, it is closed at once: it is banned, or too many are not logged in.

        Somebody else who is not logged in may have to make place for it.
        """
        host = unmapped(getattr(addr, "host", "local"))
        peer = f"{host}:{getattr(addr, 'port', 0)}"
        why = self._why_not(host)
        if why:
            self.context.effects.count("turned_away", why)
            if self.visitors.notes(host):
                log.warn(
                    "{peer}: turned away ({why}); {count} connections wait for login, {near} of them from there",
                    peer=peer, why=why, count=len(self.anteroom), near=self.anteroom.near(host),
                )  # fmt: skip
            return None
        protocol = Front(self, peer, tls=tls)
        protocol.seat = Seat(self.context, self.authenticator, protocol, self.turnstile)
        self.connections.add(protocol)
        self.visitors.came(host)
        yielding = self.anteroom.add(protocol, host)
        if yielding is not None:
            self.context.effects.count("turned_away", "crowded_out")
            yielding.abort("crowded out by others who wait for login")
        return protocol

    def _why_not(self, host: str) -> str:
        """Why nobody is let in from there now, as it is counted; empty: somebody is."""
        if self.context.bans.holds_address(host):
            return "banned"
        if self.draining:
            return "draining"
        refusal = self.visitors.refusal(host)
        if refusal is not None:
            return refusal.value
        return "" if self.anteroom.lets_in(host) else "full"

    def refused(self, host: str, error: WireError, *, known: bool = False) -> None:
        """A connection ends for a refusal; what no honest client does is remembered, unless it is of somebody ``known``."""
        self.context.effects.count("refusals", error.code)
        fault = FAULTS.get(error.code)
        if fault is not None and not known:
            self.visitors.punish(host, fault)

    def logged_in(self, protocol: Front) -> None:
        """The connection has become a session."""
        self.anteroom.remove(protocol)

    def forget(self, protocol: Front) -> None:
        """The connection is gone."""
        self.logged_in(protocol)
        if protocol in self.connections:
            self.connections.remove(protocol)
            self.context.effects.count("connections_ended", "session" if protocol.seat.taken else "login")
            self.visitors.left(protocol.host)

    def drain(self) -> None:
        """Takes nobody in any more, tells everybody to come back later, and closes."""
        self.draining = True
        notice = encode_message(messages.DrainingNotice(self.limits.retry_seconds))
        for session in (*self.context.hub.sessions, *self.context.guests.sessions):
            session.outbox.queue((notice,), len(notice))
        for protocol in list(self.connections):
            protocol.end(CloseReason.DRAINING)

    def take_in_again(self) -> None:
        """What made people go is over."""
        self.draining = False


def visitor_limits(limits: Limits) -> VisitorLimits:
    """What one network may do, among all bounds."""
    return VisitorLimits(
        connections=limits.connections_per_network,
        new_connections=limits.new_connections_per_network,
        new_seconds=limits.new_connections_seconds,
        penalty_seconds=limits.penalty_seconds,
        penalty_most_seconds=limits.penalty_most_seconds,
    )


class PlainFactory(ServerFactory):
    """The same connections without TLS, for loopback or an isolated network (docs/protocol.rst 1.2)."""

    noisy = False

    def __init__(self, factory: ChatFactory) -> None:
        self._factory = factory

    def buildProtocol(self, addr: IAddress | None) -> Front | None:
        """A protocol without channel binding."""
        return self._factory.build(addr, tls=False)
