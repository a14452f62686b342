"""One run of a program with a client: from the start to the exit code, in order, whatever ends it."""

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed

from chatserv.client import Client, translate
from clients.shared.exit_codes import DONE, INTERRUPTED, NOT_SENT, Exit, exit_for
from clients.shared.patience import Patience
from clients.shared.startup import tell

if TYPE_CHECKING:
    from twisted.application.service import Service


class Run:
    """Connects, waits for the end, leaves.

    Args:
        reactor: The reactor.
        client: The client, not started.
        reading: Whether there is input to wait for.
    """

    def __init__(self, reactor: Any, client: Client, *, reading: bool) -> None:
        self._reactor, self._client = reactor, client
        self._input_over = not reading
        self.done: Deferred[Exit] = Deferred()
        self._over = False
        self._waiting: list[Deferred[None]] = []
        self._beside: list[Service] = []

    @property
    def client(self) -> Client:
        """Its client."""
        return self._client

    def attend(self, service: "Service") -> None:
        """Runs a service beside: what may fail of it before the client starts, the rest behind; it ends first."""
        self._beside.append(service)

    def start(self, token: bytes | None) -> None:
        """Connects."""
        self._reactor.addSystemEventTrigger("before", "shutdown", self._interrupted)
        self._client.start(token)

    def _interrupted(self) -> "Deferred[None]":
        """Ctrl-C or SIGTERM, or the end: the reactor waits until the server was told and the exit code is known."""
        if self._over:
            return succeed(None)
        over: Deferred[None] = Deferred()
        self._waiting.append(over)
        self.finish(Exit(INTERRUPTED))
        return over

    async def run(self, token: bytes | None = None) -> int:
        """Until everything is done. Returns the exit code."""
        try:
            for each in self._beside:
                each.privilegedStartService()
            self.start(token)
            for each in self._beside:
                each.startService()
            end = await self.done
            for each in self._beside:
                await maybeDeferred(each.stopService)
            await self.end()
            await self._client.stop()
        finally:
            self._over = True
            if self._waiting:
                self._reactor.callLater(0, self._let_go)  # once the code was given on
        if end.message:
            tell(end.message)
        return end.code

    async def end(self) -> None:
        """What is to be done before the connection is ended."""

    def _let_go(self) -> None:
        for over in self._waiting:
            over.callback(None)
        self._waiting.clear()

    def finish(self, end: Exit) -> None:
        """Ends the run; the first call counts. Nothing more is shown."""
        if not self.done.called:
            self._client.unfollow()
            self.done.callback(end)

    def say(self, line: str) -> None:
        """Tells a person something; the line is clean."""

    # -- input that ends -----------------------------------------------------------------------------------------------

    def sent(self, stored: "Deferred[int]") -> None:
        """A message is under way."""
        stored.addBoth(self._answered)

    def _answered(self, result: Any) -> None:  # noqa: ARG002 - failures are shown by SendFailed
        if not self.done.called:
            self.check_done()

    def input_ended(self) -> None:
        """No more lines will come."""
        self._input_over = True
        self.check_done()

    def check_done(self) -> None:
        """Ends the run where nothing is left to do."""
        if self._input_over and not self.done.called and self._client.unacknowledged == 0:
            self.finish(Exit(DONE))

    def quit(self) -> None:
        """Waits for the lines that are under way; a second ``/quit`` does not."""
        if self._input_over and self._client.unacknowledged:
            text = translate("Lines not stored: {count}.").format(count=self._client.unacknowledged)
            self.finish(Exit(NOT_SENT, text))
            return
        self.input_ended()
        if not self.done.called:
            text = translate("Lines waiting for the server: {count}. /quit again quits without them.")
            self.say(text.format(count=self._client.unacknowledged))


class TimedRun(Run):
    """A run that does not wait for the server for ever.

    Args:
        reactor: The reactor.
        client: The client, not started.
        reading: Whether there is input to wait for.
        timeout_seconds: How long anything is waited for.
    """

    def __init__(self, reactor: Any, client: Client, *, reading: bool, timeout_seconds: float) -> None:
        super().__init__(reactor, client, reading=reading)
        self._patience = Patience(reactor, timeout_seconds, self._give_up)
        self._trouble: Exception | None = None

    def start(self, token: bytes | None) -> None:
        """Connects."""
        self._patience.begin()
        super().start(token)

    async def end(self) -> None:
        """Nothing is waited for any more."""
        self._patience.end()

    def _give_up(self) -> None:
        """Nothing came in time."""
        self.finish(exit_for(self._trouble))
