"""What all connections share, and the bound on those that are not logged in."""

import ipaddress
from collections import Counter
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from chatserv.commands.context import Context
from chatserv.config import Limits
from chatserv.domain.closing import CloseReason
from chatserv.net.login import LoginDesk
from chatserv.net.protocol import ChatProtocol
from chatserv.net.sendq import TurnFlusher
from chatserv.net.timers import TimerWheel
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.parameters import ServerIdentity, Surroundings

log = Logger(namespace="chatserv.net.connections")


class ChatFactory(ServerFactory):
    """Builds a `ChatProtocol` for each connection of all listeners.

    Args:
        context: Store, hub, settings: what commands use.
        identity: The server's public identity.
        surroundings: Clock, randomness and limits of the session cores.
        desk: Answers logins.
        reactor: Gives time.
    """

    noisy = False

    def __init__(
        self, context: Context, identity: ServerIdentity, surroundings: Surroundings, desk: LoginDesk, reactor: Any
    ) -> None:
        self.context, self.identity, self.surroundings, self.desk = context, identity, surroundings, desk
        self.limits: Limits = context.config.limits
        self.wheel = TimerWheel(reactor)
        self.flusher = TurnFlusher(reactor)
        self.seconds = reactor.seconds
        self.connections: set[ChatProtocol] = set()
        self._anonymous: dict[ChatProtocol, str] = {}  # with the network that each comes from
        self._networks: Counter[str] = Counter()
        self.draining = False

    def buildProtocol(self, addr: IAddress | None) -> ChatProtocol | None:
        """A protocol for a new TLS connection, or None."""
        return self.build(addr, tls=True)

    def build(self, addr: IAddress | None, *, tls: bool) -> ChatProtocol | None:
        """A protocol for a new connection; None, it is closed at once: it is banned, or too many are not logged in."""
        peer = f"{getattr(addr, 'host', 'local')}:{getattr(addr, 'port', 0)}"
        host = getattr(addr, "host", "local")
        network = network_of(host)
        if self.context.bans.holds_address(host):
            log.info("{peer}: turned away, banned", peer=peer)
            return None
        if not self._has_place(network):
            log.warn(
                "{peer}: turned away, {count} connections wait for login, {near} of them from there",
                peer=peer, count=len(self._anonymous), near=self._networks[network],
            )  # fmt: skip
            return None
        protocol = ChatProtocol(self, peer, tls=tls)
        self.connections.add(protocol)
        self._anonymous[protocol] = network
        self._networks[network] += 1
        return protocol

    def _has_place(self, network: str) -> bool:
        limits = self.limits
        full = len(self._anonymous) >= limits.unauthenticated_connections
        crowded = self._networks[network] >= limits.unauthenticated_per_network
        return not (self.draining or full or crowded)

    def logged_in(self, protocol: ChatProtocol) -> None:
        """The connection has become a session."""
        network = self._anonymous.pop(protocol, None)
        if network is not None:
            self._networks[network] -= 1
            if not self._networks[network]:
                del self._networks[network]

    def forget(self, protocol: ChatProtocol) -> None:
        """The connection is gone."""
        self.logged_in(protocol)
        self.connections.discard(protocol)

    def drain(self) -> None:
        """Takes nobody in any more, tells everybody to come back later, and closes."""
        self.draining = True
        notice = encode_message(messages.DrainingNotice(self.limits.retry_seconds))
        for session in self.context.hub.sessions:
            session.outbox.queue((notice,), len(notice))
        for protocol in list(self.connections):
            protocol.end(CloseReason.DRAINING)


def network_of(host: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class PlainFactory(ServerFactory):
    """The same connections without TLS, for loopback or an isolated network (CRYPTO section 5.8)."""

    noisy = False

    def __init__(self, factory: ChatFactory) -> None:
        self._factory = factory

    def buildProtocol(self, addr: IAddress | None) -> ChatProtocol | None:
        """A protocol without channel binding."""
        return self._factory.build(addr, tls=False)
