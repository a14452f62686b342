"""Watches what a server in memory is asked for files, and refuses it where a test wants that."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands import table
from chatserv.wire import messages

COMMANDS: Final = (messages.OpenBlob, messages.PutChunk, messages.ReadBlob, messages.DropBlob, messages.ListBlobs)


class BlobWatch:
    """What was asked, in order.

    Args:
        case: Ends it.

    Attributes:
        asked: The commands, those that were refused too.
        before: Called with each; what it raises is the answer.
        answers: Makes another answer of the true one.
    """

    def __init__(self, case: SynchronousTestCase) -> None:
        self.asked: list[Any] = []
        self.before: Callable[[Any], None] = lambda _: None
        self.answers: Callable[[Any], Any] = lambda answer: answer
        self._hold: Callable[[Any], bool] = lambda _: False
        self._held: list[Deferred[None]] = []
        for kind in COMMANDS:
            row = table.TABLE[kind]
            table.TABLE[kind] = replace(row, handler=self._watched(row.handler))
            case.addCleanup(table.TABLE.__setitem__, kind, row)

    def _watched(self, handler: Any) -> Callable[..., Awaitable[Any]]:
        async def watched(context: Any, session: Any, command: Any) -> Any:
            self.asked.append(command)
            self.before(command)
            if self._hold(command):
                held: Deferred[None] = Deferred()
                self._held.append(held)
                await held
            return self.answers(await handler(context, session, command))

        return watched

    def hold(self, hold: Callable[[Any], bool]) -> None:
        """Keeps these commands waiting until `release`."""
        self._hold = hold

    def hold_after(self, pieces: int, kind: type[Any] = messages.PutChunk) -> None:
        """Keeps all commands of a kind waiting that come after so many of them."""
        first = len(self.of(kind)) + pieces
        self.hold(lambda command: isinstance(command, kind) and len(self.of(kind)) > first)

    def release(self) -> None:
        """Everything goes on."""
        self._hold = lambda _: False
        held, self._held = self._held, []
        for each in held:
            if not each.called:
                each.callback(None)

    def of(self, kind: type[Any]) -> list[Any]:
        """Those of one kind."""
        return [command for command in self.asked if isinstance(command, kind)]

    @property
    def put(self) -> int:
        """How many bytes of files were sent, those included that were there already."""
        return sum(len(command.data) for command in self.of(messages.PutChunk))
