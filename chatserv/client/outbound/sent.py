"""A message on its way, in the hands of the program that has sent it."""

from typing import Self

from twisted.internet.defer import Deferred


class Sent(Deferred[int]):
    """What `send`, `edit`, `delete` and `react` give: fires with the ``seq`` when the server has stored the message.

    It fails with the `ChatError` when that will not be. It is the Deferred itself, so ``await room.send(...)`` waits.

    Args:
        message_id: The message's own id, 16 bytes: by it events tell of the message, `find` finds it, and it is the same
            on every device. For an edit, a deletion or a sign it is the id of that change, not of the message it is about.
    """

    def __init__(self, message_id: bytes) -> None:
        super().__init__()
        self.message_id = message_id

    @property
    def stored(self) -> Self:
        """The same, by the name of what it waits for."""
        return self
