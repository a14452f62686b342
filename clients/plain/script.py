"""What runs for scripts have in common: warnings on standard error, and an end in every case."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.client import (
    Client,
    ClientEvent,
    LocalFileError,
    Profile,
    RoomJoined,
    RoomTitled,
    open_client,
    translate,
)
from clients.plain.mode import Mode
from clients.plain.warnings import Warnings
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import DONE, INTERRUPTED, NOT_SENT, PROFILE, REFUSED, Exit, exit_for


class Script(Mode):
    """A run that nobody watches. What it could not send does not go out behind its back later."""

    def __init__(
        self, reactor: Any, arguments: Arguments, profile: Profile, make_client: Callable[..., Client] = open_client
    ) -> None:
        super().__init__(reactor, arguments, profile, make_client)
        self._warnings = Warnings(self._client, lambda: self._wanted.called)

    @property
    def _sending(self) -> bool:
        """Whether something may be on its way that is not stored."""
        return False

    def finish(self, end: Exit) -> None:
        """Ends the run; the first call counts."""
        if not self.done.called and self._sending and end.code not in {DONE, INTERRUPTED}:
            try:
                self._client.forget_unsent()
            except LocalFileError as error:
                text = translate("What is not stored yet cannot be discarded; it may be sent next time.")
                end = Exit(PROFILE, f"{exit_for(error).message} {text}", clean=True)
        super().finish(end)

    def _happened(self, event: ClientEvent) -> None:
        self._warnings.look(event)


class Errand(Script, ABC):
    """Does one thing once there is a connection, and ends."""

    def _online(self, *, first: bool) -> None:
        self._patience.end()
        if first:
            Deferred.fromCoroutine(self._work()).addErrback(self._refused)

    @abstractmethod
    async def _work(self) -> None:
        """The one thing, and the end."""

    def _refused(self, failure: Failure) -> None:
        self.finish(exit_for(failure.value if isinstance(failure.value, Exception) else None))


class RoomScript(Script):
    """Is about one room: whoever sends needs it now; whoever follows waits for it a while."""

    def _give_up(self) -> None:
        at_server = self._connected and not isinstance(self._trouble, LocalFileError)
        if at_server and self._wanted.find() is None:
            self.finish(self._no_room())
        else:
            super()._give_up()

    def _no_room(self) -> Exit:
        return Exit(NOT_SENT if self.reads else REFUSED, self._wanted.missing(), clean=True)

    def _online(self, *, first: bool) -> None:
        self._look_for_room(first=first)

    def _happened(self, event: ClientEvent) -> None:
        if isinstance(event, RoomJoined | RoomTitled):
            self._look_for_room()
            return
        end = self._warnings.look(event)
        if end is not None:
            self._reactor.callLater(0, self.finish, end)  # the library is in the middle of something

    def _look_for_room(self, *, first: bool = False) -> None:
        if not self._connected:
            return
        if self._wanted.find() is not None:
            self._found(first=first)
        elif self.reads:
            self.finish(self._no_room())

    def _found(self, *, first: bool) -> None:  # noqa: ARG002 - for those who send
        """The room is there."""
        self._patience.end()
