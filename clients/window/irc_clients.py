"""IRC clients beside the window, where ``--irc`` asks for them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed

from chatserv.client import ChatError, Client
from clients.shared.exit_codes import Exit, exit_for
from clients.window.context import WindowContext
from clients.window.dialogs.dialog import tell

if TYPE_CHECKING:
    from clients.irc.beside import IrcBeside


class IrcClients:
    """Serves them with whichever client the window has.

    Args:
        context: What all parts share.
        say: Tells the person a line.
    """

    def __init__(self, context: WindowContext, say: Callable[[str], None]) -> None:
        self._context, self._say = context, say
        self._client: Client | None = None
        self._service: IrcBeside | None = None

    def look(self) -> None:
        """The session has another state, and with it perhaps another client, or none."""
        port, client = self._context.arguments.irc, self._context.reader
        if port is None or client is self._client:
            return
        self._client = client
        try:
            self._serve(port)
        except (ChatError, Exit) as error:
            end = error if isinstance(error, Exit) else exit_for(error)
            tell(self._context.root, "IRC", end.message)

    def _serve(self, port: int) -> None:
        clients = {}
        if self._client is not None:
            clients[self._context.arguments.profile] = (self._context.session.profile, self._client)
        if self._service is not None:
            self._service.serve(clients)
        elif self._client is not None:
            # Nobody else waits for these imports.
            from clients.irc.beside import IrcBeside  # noqa: PLC0415

            service = IrcBeside(self._context.reactor, port, self._say)
            service.serve(clients)
            service.privilegedStartService()
            service.startService()
            self._service = service

    def stop(self) -> "Deferred[Any]":
        """IRC clients are told; fires when nobody listens any more."""
        service, self._service = self._service, None
        return succeed(None) if service is None else service.stopService()
