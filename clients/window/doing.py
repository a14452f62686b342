"""What actions of a person have in common: how they reach the client, and how a refusal is told."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import ChatError, Client, explained, translate
from clients.talk import Talk
from clients.window.conversations import Conversations
from clients.window.dialogs import Field, Form, confirm, tell
from clients.window.entries import RESULT
from clients.window.layout import Layout
from clients.window.screen import Screen
from clients.window.session import Session


class Doing:
    """Does what a person asks for.

    Args:
        session: Has the client.
        screen: Has the room.
        conversations: What was said.
        layout: Gives the parts of the window, once they are there.
        talk: Gives the talk that the connection has, if there is one.
    """

    def __init__(
        self,
        session: Session,
        screen: Screen,
        conversations: Conversations,
        layout: Callable[[], Layout],
        talk: Callable[[], Talk | None],
    ) -> None:
        self._session, self.screen, self.conversations = session, screen, conversations
        self._layout, self._talk = layout, talk

    @property
    def layout(self) -> Layout:
        """The parts of the window."""
        return self._layout()

    @property
    def talk(self) -> Talk | None:
        """The talk that the connection has."""
        return self._talk()

    @property
    def client(self) -> Client | None:
        """The client, while it can be asked."""
        return self._session.client if self._session.running else None

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something that the server takes part in; what it refuses is told."""
        Deferred.fromCoroutine(work).addErrback(self._refused)

    def _refused(self, failure: Failure) -> None:
        failure.trap(ChatError)
        if isinstance(failure.value, ChatError):
            self.refuse(failure.value)

    def refuse(self, error: ChatError) -> None:
        """Tells why something is not done."""
        tell(self.layout.root, translate("Not done"), explained(error))

    def command(self, line: str) -> None:
        """Carries a slash command out, as if it had been typed; its lines stand in the conversation."""
        talk = self.talk
        if talk is None or self.client is None:
            tell(self.layout.root, translate("Not done"), translate("Not connected."))
            return
        slash = talk.slash

        async def work() -> None:
            lines = await slash.run(line)
            self.screen.follow()
            for each in lines:
                self.conversations.say(each, RESULT)
            self.screen.chat.ask()

        self.run(work())

    def sent(self, begin: Callable[[], "Deferred[int]"]) -> None:
        """Sends something; what becomes of it, events tell."""
        try:
            begin().addErrback(lambda _: None)
        except ChatError as error:
            self.refuse(error)

    def copy(self, text: str) -> None:
        """Puts a text on the clipboard."""
        self.layout.root.clipboard_clear()
        self.layout.root.clipboard_append(text)

    # -- dialogs -

    def form(self, title: str, text: str, fields: list[Field], label: str, line: Callable[[list[str]], str]) -> None:
        """Asks for the words of a slash command.

        Args:
            title: Of the dialog.
            text: What it is about.
            fields: What to fill in.
            label: Of the button.
            line: Makes the command of what was filled in; empty where something is missing.
        """

        def go(values: list[str]) -> str | None:
            command = line([value.strip() for value in values])
            if not command:
                return translate("Something is missing.")
            self.command(command)
            return None

        Form(self.layout.root, title, text, fields, label, go).ask()

    def one_word(self, title: str, label: str, button: str, command: str, value: str = "", text: str = "") -> None:
        """Asks for one thing that a command is about."""
        self.form(title, text, [Field(label, value)], button, lambda v: f"/{command} {v[0]}" if v[0] else "")

    def ask_to(self, title: str, text: str, label: str, command: str) -> None:
        """Asks before a command is carried out."""
        confirm(self.layout.root, title, text, label, lambda: self.command(command))
