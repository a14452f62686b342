"""What all connections share, and the bound on those that are not logged in."""

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from chatserv.commands.context import Context
from chatserv.config import Limits
from chatserv.domain.anteroom import Anteroom
from chatserv.domain.closing import CloseReason
from chatserv.net.authenticator import Authenticator
from chatserv.net.protocol import ChatProtocol
from chatserv.net.sendq import TurnFlusher
from chatserv.net.timers import TimerWheel
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.parameters import ServerIdentity, SessionContext

log = Logger(namespace="chatserv.net.connections")


class ChatFactory(ServerFactory):
    """Builds a `ChatProtocol` for each connection of all listeners.

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
        self.limits: Limits = context.config.limits
        self.seconds = context.effects.awake
        self.wheel = TimerWheel(reactor, self.seconds)
        self.flusher = TurnFlusher(reactor, self.seconds)
        self.connections: set[ChatProtocol] = set()
        self.anteroom: Anteroom[ChatProtocol] = Anteroom(
            self.limits.unauthenticated_connections, self.limits.unauthenticated_per_network, self._chance
        )
        self.draining = False

    def _chance(self) -> float:
        return int.from_bytes(self.context.random(4), "big") / 2**32

    def buildProtocol(self, addr: IAddress | None) -> ChatProtocol | None:
        """A protocol for a new TLS connection, or None."""
        return self.build(addr, tls=True)

    def build(self, addr: IAddress | None, *, tls: bool) -> ChatProtocol | None:
        """A protocol for a new connection; None, it is closed at once: it is banned, or too many are not logged in.

        Somebody else who is not logged in may have to make place for it.
        """
        peer = f"{getattr(addr, 'host', 'local')}:{getattr(addr, 'port', 0)}"
        host = getattr(addr, "host", "local")
        if self.context.bans.holds_address(host):
            log.info("{peer}: turned away, banned", peer=peer)
            return None
        if self.draining or not self.anteroom.lets_in(host):
            log.warn(
                "{peer}: turned away, {count} connections wait for login, {near} of them from there",
                peer=peer, count=len(self.anteroom), near=self.anteroom.near(host),
            )  # fmt: skip
            return None
        protocol = ChatProtocol(self, peer, tls=tls)
        self.connections.add(protocol)
        yielding = self.anteroom.add(protocol, host)
        if yielding is not None:
            yielding.abort("crowded out by others who wait for login")
        return protocol

    def logged_in(self, protocol: ChatProtocol) -> None:
        """The connection has become a session."""
        self.anteroom.remove(protocol)

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


class PlainFactory(ServerFactory):
    """The same connections without TLS, for loopback or an isolated network (docs/protocol.rst 1.2)."""

    noisy = False

    def __init__(self, factory: ChatFactory) -> None:
        self._factory = factory

    def buildProtocol(self, addr: IAddress | None) -> ChatProtocol | None:
        """A protocol without channel binding."""
        return self._factory.build(addr, tls=False)
