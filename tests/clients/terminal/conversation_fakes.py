"""A conversation without a server and without a terminal."""

import io
import sys
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import (
    Client,
    Profile,
    Status,
    StatusChanged,
)
from clients.shared.arguments import parse_arguments
from clients.terminal.conversation import Conversation
from clients.terminal.styled_lines import Line, text_of
from tests.clients.program_fakes import StartedClient

ID = b"\1" * 16


class FakeScreen:
    """Notes what is drawn."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.lines: list[str] = []
        self.rooms: list[object] = []
        self.rings = self.drawn = 0
        self.open = False
        self.questions: list[str] = []
        self.secret = "five words that nobody knows"
        self.given_back: list[str] = []

    def give_back(self, text: str) -> None:
        """Puts it into the field."""
        self.given_back.append(text)

    async def ask_secret(self, question: str) -> str:
        """Notes the question."""
        self.questions.append(question)
        return self.secret

    def start(self) -> None:
        """Draws."""
        self.open = True

    def write(self, line: Line) -> None:
        """Prints."""
        self.lines.append(text_of(line))

    def enter(self, room: object) -> None:
        """Another room."""
        self.rooms.append(room)

    def refresh(self) -> None:
        """Draws anew."""
        self.drawn += 1

    def bell(self) -> None:
        """Rings."""
        self.rings += 1

    def leave(self) -> "Deferred[None]":
        """Gives it back."""
        self.open = False
        return succeed(None)


class ConversationTestCase(SynchronousTestCase):
    """Begins conversations; ``self.client`` is the client of the last one."""

    client: StartedClient

    def begin(self, *argv: str, online: bool = True) -> Conversation:
        """A conversation that has been started; ``self.fresh()`` gives the lines since then."""
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)
        self.reactor = MemoryReactorClock()
        made = Conversation(
            self.reactor,
            parse_arguments([*argv, "--notify", "bell"]),
            cast(Profile, None),
            FakeScreen,
            self.make_client,
        )
        self.screen = cast(FakeScreen, made._screen)
        self.codes: list[Any] = []
        Deferred.fromCoroutine(made.run(None)).addBoth(self.codes.append)
        if online:
            self.client.tell(StatusChanged(Status.ONLINE))
        self.first = self.fresh()
        return made

    def prepare(self) -> None:
        """What the client has at the start; tests replace it."""

    @property
    def make_client(self) -> type[Client]:
        """Makes the client, prepared."""
        test = self

        class Prepared(StartedClient):
            """With rooms that hold something."""

            def start(self, token: bytes | None = None) -> None:
                """Connects, and tells so as the library does."""
                super().start(token)
                test.client = self
                test.prepare()
                self.tell(StatusChanged(Status.CONNECTING))

        return cast(type[Client], Prepared)

    def fresh(self) -> list[str]:
        """What was printed since the last call, times and days left out."""
        self.reactor.advance(0)
        lines, self.screen.lines = self.screen.lines, []
        return [line[8:] if line.startswith("[") else line for line in lines if "2025" not in line]

    def bar(self) -> str:
        """The rooms below."""
        return text_of(self.screen.conversation.bar(200)).partition(") ")[2]
