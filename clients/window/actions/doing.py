"""What actions of a person have in common: how they reach the client, and how a refusal is told."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.client import ChatError, RoomHandle, explained, place, translate
from clients.shared.talk import Talk
from clients.window.context import WindowContext
from clients.window.dialogs.dialog import Field, Form, confirm, tell
from clients.window.presenter import Presenter
from clients.window.timeline.entries import RESULT

_log = Logger()
T = TypeVar("T")


class Doing:
    """Does what a person asks for.

    What is about a room keeps the room's handle from the moment when it is asked about: names move from room to room, and
    another room may be current by the time when a person has answered a dialog.

    Args:
        context: What all parts share.
        presenter: Shows what comes of it.
    """

    def __init__(self, context: WindowContext, presenter: Presenter) -> None:
        self.context, self.presenter = context, presenter

    def watch(self) -> Callable[[], bool]:
        """What tells later whether a dialog may take the keyboard: nothing was typed since now."""
        entry = self.context.layout.entry
        before = entry.typed
        return lambda: entry.typed == before

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something that the server takes part in; what it refuses is told."""
        free = self.watch()
        Deferred.fromCoroutine(work).addErrback(lambda failure: self._failed(failure, take=free()))

    def _failed(self, failure: Failure, *, take: bool) -> None:
        if isinstance(failure.value, ChatError):
            self.refuse(failure.value, take=take)
            return
        _log.failure("unexpected", failure)
        said = translate("Something went wrong in the program; it may not have been done. The log says more.")
        tell(self.context.root, translate("Not done"), said, take=take)

    def refuse(self, error: ChatError, *, take: bool = True) -> None:
        """Tells why something is not done. ``take``: see `Dialog.open`."""
        self.tell_not_done(explained(error), take=take)

    def tell_not_done(self, said: str, *, take: bool = True) -> None:
        """The same in words."""
        tell(self.context.root, translate("Not done"), said, take=take)

    def command(self, line: str, room: RoomHandle | None = None) -> None:
        """Carries a slash command out, as if it had been typed; its lines stand in the conversation.

        Args:
            line: The command.
            room: The room that it is about, where it is about one: it is refused if another one is current by now.
        """
        talk = self.context.talk
        if talk is None or self.context.client is None:
            self.tell_not_done(translate("Not connected."))
            return

        async def work() -> None:
            lines = await talk.carry_out(line, room)
            self.presenter.follow()
            self.presenter.say(*lines, style=RESULT)

        self.run(work())

    def sent(self, begin: Callable[[], "Deferred[int]"]) -> bool:
        """Sends something, and says whether it is on its way; what becomes of it then, events tell."""
        free = self.watch()

        def failed(failure: Failure) -> None:
            if not isinstance(failure.value, ChatError):
                self._failed(failure, take=free())

        try:
            begin().addErrback(failed)
        except Exception:  # noqa: BLE001 - the log and the person get it
            self._failed(Failure(), take=True)
            return False
        return True

    def copy(self, text: str) -> None:
        """Puts a text on the clipboard."""
        self.context.root.clipboard_clear()
        self.context.root.clipboard_append(text)

    # -- dialogs -------------------------------------------------------------------------------------------------------

    def form(
        self,
        title: str,
        text: str,
        fields: list[Field],
        label: str,
        words: Callable[[list[str]], tuple[str, ...]],
        *,
        room: RoomHandle | None = None,
        take: bool = True,
    ) -> None:
        """Asks for what a command is about. The dialog stays until it is done, and says why it is not.

        Args:
            title: Of the dialog.
            text: What it is about.
            fields: What to fill in.
            label: Of the button.
            words: Makes the command's name and words of what was filled in; empty where something is missing.
            room: See `command`.
            take: See `Dialog.open`.
        """

        def go(values: list[str]) -> str | None:
            wanted = words([value.strip() for value in values])
            if not wanted:
                return translate("Something is missing.")
            talk = self.context.talk
            if talk is None or self.context.client is None:
                return translate("Not connected.")
            form.work()
            self.run(self._obey(form, talk, wanted, room))
            return ""

        form = Form(self.context.root, title, text, fields, label, go)
        form.ask(take=take)

    def form_for(
        self,
        title: str,
        text: str,
        fields: list[Field],
        label: str,
        go: Callable[[list[str]], str | None],
    ) -> Form:
        """Asks for something that is done at once; ``go`` as of `Form`."""
        form = Form(self.context.root, title, text, fields, label, go)
        form.ask()
        return form

    def ask_for(
        self,
        title: str,
        text: str,
        fields: list[Field],
        label: str,
        work: Callable[[list[str]], Coroutine[Any, Any, str | Callable[[], object]]],
        wrong: Callable[[list[str]], str] = lambda _: "",
    ) -> Form:
        """Asks for what something slow is about. The dialog stays until it is done, and says why it is not.

        Args:
            title: Of the dialog.
            text: What it is about.
            fields: What to fill in.
            label: Of the button.
            work: Does it, and gives what is said in the conversation then, empty for nothing; or what shows another dialog,
                once this one has gone and given the keyboard back.
            wrong: What is wrong with what was filled in, before anything is done.
        """

        async def obey(values: list[str]) -> None:
            then = await self._outcome(form, work(values))
            if callable(then):
                then()
            elif then:
                self.presenter.say(*then.splitlines(), style=RESULT)

        def go(values: list[str]) -> str:
            why = wrong(values)
            if not why:
                form.work()
                self.run(obey(values))
            return why

        form = self.form_for(title, text, fields, label, go)
        return form

    @staticmethod
    async def _outcome(form: Form, work: Coroutine[Any, Any, T]) -> T | None:
        """What comes of something, when the form has gone; None where it was refused, which the form says then."""
        try:
            result = await work
        except ChatError as error:
            if not form.is_open:
                raise
            form.refuse(explained(error))
            return None
        form.close()
        return result

    async def _obey(self, form: Form, talk: Talk, wanted: tuple[str, ...], room: RoomHandle | None) -> None:
        before, free = talk.slash.room, self.watch()
        lines = await self._outcome(form, talk.carry_out(wanted, room))
        if lines is None:
            return
        self.presenter.follow()
        self.presenter.say(*lines, style=RESULT)
        if talk.slash.room != before and free():
            self.context.layout.to_entry()

    def one_word(self, title: str, label: str, button: str, command: str, text: str = "") -> None:
        """Asks for one thing that a command is about."""
        self.form(title, text, [Field(label)], button, lambda v: (command, v[0]) if v[0] else ())

    def one_word_here(self, title: str, label: str, button: str, command: str, value: str = "") -> None:
        """Asks for one thing that a command about the current room is about."""
        here = self.context.here()
        if here is not None:
            self.form(
                title, translate("Room: {room}").format(room=place(here.name)), [Field(label, value)], button,
                lambda v: (command, v[0]) if v[0] else (), room=here,
            )  # fmt: skip

    def ask_to(self, title: str, text: str, label: str, command: str, room: RoomHandle | None = None) -> None:
        """Asks before a command is carried out. ``room``: see `command`."""
        confirm(self.context.root, title, text, label, lambda: self.command(command, room))
