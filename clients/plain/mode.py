"""What every run of ``chatserv-client`` without a line editor does: it connects, prints, and ends with a code."""

from collections.abc import Callable
from typing import Any, ClassVar

from chatserv.client import Client, ClientEvent, LocalFileError, Profile, Status, StatusChanged, is_blank, open_client
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import SERVER_AWAY, Exit, exit_for, trying_again
from clients.shared.line_queue import LineQueue
from clients.shared.printing import Printing
from clients.shared.run import TimedRun
from clients.shared.wanted_room import WantedRoom


class Mode(TimedRun):
    """One run of the program; which mode it is, `clients.plain.choice` says.

    Args:
        reactor: The reactor.
        arguments: What was asked for.
        profile: Whose account it is.
        make_client: Makes the client.

    Attributes:
        follows: Whether what is said in rooms is wanted.
        reads: Whether lines of standard input are.
    """

    follows: ClassVar[bool] = False
    reads: ClassVar[bool] = False

    def __init__(
        self, reactor: Any, arguments: Arguments, profile: Profile, make_client: Callable[..., Client] = open_client
    ) -> None:
        client = make_client(
            profile, reactor, self._on_event, follow=self.follows, name=arguments.name, plain=arguments.no_tls
        )
        super().__init__(reactor, client, reading=self.reads, timeout_seconds=arguments.timeout_seconds)
        self._arguments = arguments
        self._printing = Printing(self.finish)
        self._wanted = WantedRoom(client, arguments.room)
        self._lines = LineQueue(self)
        self._connected = self._begun = False

    def finish(self, end: Exit) -> None:
        """Ends the run; the first call counts."""
        if end.code == SERVER_AWAY and isinstance(self._trouble, LocalFileError):
            end = exit_for(self._trouble)
        super().finish(end)

    # -- standard input, where it is read ------------------------------------------------------------------------------

    def line_typed(self, line: str) -> None:
        """A line came; empty ones are nothing."""
        if not is_blank(line) and not self.done.called:
            self._take(line)
            self._regulate()

    def line_refused(self, why: str) -> None:
        """A line came that cannot be taken."""

    def _take(self, line: str) -> None:
        """What becomes of a line."""

    def _regulate(self) -> None:
        """Reads no faster than the server takes."""
        self._lines.regulate(self._client.unacknowledged)

    def _answered(self, result: Any) -> None:
        if not self.done.called:
            self._regulate()
        super()._answered(result)

    # -- events --------------------------------------------------------------------------------------------------------

    def _on_event(self, event: ClientEvent) -> None:
        if isinstance(event, StatusChanged):
            self._on_status(event.status, event.error)
        else:
            self._happened(event)

    def _on_status(self, status: Status, error: Exception | None) -> None:
        match status:
            case Status.ONLINE:
                first, self._begun, self._connected, self._trouble = not self._begun, True, True, None
                self._online(first=first)
            case Status.FAILED:
                self.finish(exit_for(error))
            case Status.OFFLINE:
                self._connected = False
                self._trouble = error or self._trouble
                self.say(trying_again(error, was_online=self._begun))
                self._patience.begin()

    def _online(self, *, first: bool) -> None:
        """There is a connection, the first one or another."""

    def _happened(self, event: ClientEvent) -> None:
        """Something else was told."""
