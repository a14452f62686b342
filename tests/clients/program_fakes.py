"""A program without a server, a network or a terminal."""

import io
import sys
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, ClientEvent, Profile, Status, StatusChanged
from chatserv.local_errors import LocalProtocolError
from clients.plain.choice import mode_for
from clients.plain.mode import Mode
from clients.shared.arguments import parse_arguments
from clients.shared.line_queue import LineQueue
from tests.client.slash_fakes import FakeClient, FakeRoom
from tests.clients.shared.test_arguments import Terminal


class StartedClient(FakeClient):
    """The fake, as a program makes it."""

    def __init__(self, profile: Any, reactor: Any, on_event: Callable[[ClientEvent], None], **options: Any) -> None:
        super().__init__()
        del profile, reactor
        self.tell, self.options = on_event, options
        self.running = self.opened = False

    def room(self, name: str) -> FakeRoom:
        """A room, once it is open."""
        if not self.opened:
            raise LocalProtocolError("the client is not started")
        return super().room(name)

    def start(self, token: bytes | None = None) -> None:
        """Connects."""
        del token
        self.running = self.opened = True

    def open(self) -> None:
        """Opens what is kept."""
        self.opened = True

    def stop(self) -> "Deferred[None]":
        """Ends."""
        self.running = False
        return succeed(None)


class ProgramTestCase(SynchronousTestCase):
    """Runs a program; ``self.client`` is its client, ``self.reactor`` its clock."""

    def setUp(self) -> None:
        """Standard streams that can be looked at."""
        self.began: list[LineQueue] = []
        self.patch(LineQueue, "begin", lambda lines: self.began.append(lines))  # noqa: PLW0108 - a method has to be bound
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)

    def program(self, *argv: str, terminal: bool = False, online: bool = True) -> Mode:
        """A program that has been started."""
        self.output = Terminal(terminal)
        self.patch(sys, "stdin", Terminal(terminal))
        self.patch(sys, "stdout", self.output)
        self.reactor = MemoryReactorClock()
        arguments = parse_arguments(list(argv))
        make = mode_for(arguments)
        made = make(self.reactor, arguments, cast(Profile, None), cast(type[Client], StartedClient))
        self.client = cast(StartedClient, made._client)
        self.codes: list[Any] = []
        Deferred.fromCoroutine(made.run(None)).addBoth(self.codes.append)
        if online:
            self.client.tell(StatusChanged(Status.ONLINE))
        return made

    @property
    def lines(self) -> list[str]:
        """What was printed."""
        return self.output.getvalue().splitlines()

    def assert_runs(self) -> None:
        """It has not ended."""
        self.assertEqual(self.codes, [])

    def assert_ended(self, code: int, words: str = "") -> None:
        """It ended with this code, with these words on standard error, and has let its client go."""
        self.assertEqual(self.codes, [code], self.errors.getvalue())
        self.assertIn(words, self.errors.getvalue())
        self.assertFalse(self.client.running)
        self.assertEqual([str(each) for each in self.reactor.getDelayedCalls() if each.active()], [])


__all__ = ["ProgramTestCase", "StartedClient"]
