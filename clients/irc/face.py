"""The IRC side of a running client: a listener on the loopback addresses, and nowhere else."""

import errno
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError

from chatserv.client import now_ms, system_text, translate
from clients.irc.connection import IrcFactory
from clients.irc.settings import Bounds
from clients.irc.surroundings import Account, Surroundings
from clients.irc.table import TABLE
from clients.shared.exit_codes import USAGE, Exit

ADDRESSES: Final = ("127.0.0.1", "::1")


class IrcFace:
    """Serves IRC clients of this machine.

    Args:
        reactor: The reactor.
        accounts: Whom they can be, by the names of their profiles; whoever has made the clients starts them.
        bounds: Of everything.
        clock: The date, milliseconds since 1970.
    """

    def __init__(
        self,
        reactor: Any,
        accounts: Mapping[str, Account],
        bounds: Bounds | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._reactor = reactor
        self.around = Surroundings(accounts, bounds or Bounds(), reactor, clock, TABLE)
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
                said = translate("Port {port} of {address} cannot be listened to: {error}. Give another port.")
                why = system_text(error.socketError)
                raise Exit(USAGE, said.format(port=port, address=address, error=why)) from None
            self._ports.append(listening)
            port = listening.getHost().port
        return port

    def dismiss(self, why: str) -> None:
        """Tells every client why, and closes its connection."""
        for session in list(self.around.sessions):
            session.end(why)

    def stop(self) -> "Deferred[Any]":
        """Ends: every client is told, and nobody else comes."""
        self.dismiss(translate("This program ends"))
        ports, self._ports = self._ports, []
        return gatherResults([maybeDeferred(each.stopListening) for each in ports])
