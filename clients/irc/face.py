"""The IRC side of a running client: a listener on the loopback addresses, and nowhere else."""

import errno
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError

from chatserv.client import Client, now_ms, translate
from clients.irc.connection import IrcFactory
from clients.irc.session import Surroundings
from clients.irc.settings import Bounds, IrcSettings
from clients.irc.table import TABLE
from clients.shared.exit_codes import USAGE, Exit

ADDRESSES: Final = ("127.0.0.1", "::1")


class IrcFace:
    """Serves IRC clients of this machine.

    Args:
        reactor: The reactor.
        client: The account; it is started by whoever has made it.
        profile: The name of its profile.
        settings: What is kept of the IRC side.
        bounds: Of everything.
        clock: The date, milliseconds since 1970.
    """

    def __init__(
        self,
        reactor: Any,
        client: Client,
        profile: str,
        settings: IrcSettings,
        bounds: Bounds | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._reactor = reactor
        self.around = Surroundings(client, profile, settings, bounds or Bounds(), reactor, clock, TABLE)
        self.factory = IrcFactory(self.around)
        self._ports: list[Any] = []

    def listen(self, port: int) -> int:
        """Begins. Returns the port, which is another one where 0 was asked for. Raises `Exit` where it is taken."""
        for address in ADDRESSES:
            try:
                listening = self._reactor.listenTCP(port, self.factory, interface=address)
            except CannotListenError as error:
                if address != ADDRESSES[0] and error.socketError.errno != errno.EADDRINUSE:
                    continue  # a machine without IPv6
                self.stop()
                said = translate("Port {port} of {address} cannot be listened to: {error}; --port takes another one.")
                why = error.socketError.strerror
                raise Exit(USAGE, said.format(port=port, address=address, error=why)) from None
            self._ports.append(listening)
            port = listening.getHost().port
        return port

    def stop(self) -> "Deferred[Any]":
        """Ends: every client is told, and nobody else comes."""
        for session in list(self.around.sessions):
            session.end(translate("This program ends"))
        ports, self._ports = self._ports, []
        return gatherResults([maybeDeferred(each.stopListening) for each in ports])
