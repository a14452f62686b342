"""Messages of ours that will never be stored, and whose it was to send them: this program's, or one's that has joined it."""

from collections.abc import Collection
from typing import Final

from chatserv.client.events import SendFailed
from chatserv.client.outbound.fitness import Fitness
from chatserv.client.outbound.pending import PendingMessages
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Rooms
from chatserv.client.storage.outbox import OutboxRow
from chatserv.crypto.content import ContentType
from chatserv.errors import ChatError, NotFound

_SAID: Final = frozenset(
    {
        ContentType.TEXT,
        ContentType.EDIT,
        ContentType.DELETE,
        ContentType.REACTION,
        ContentType.FILE,
        ContentType.ROOM_NAME,
    }
)


class GivingUp:
    """Forgets messages, and tells it.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        fitness: Looks again at rooms where a message is missing now.
        waiting: What a program shows as being sent.

    Attributes:
        earlier: Messages of earlier runs have no higher place in the outbox.
        others: What programs have sent that have joined this one.
    """

    def __init__(self, context: ClientContext, rooms: Rooms, fitness: Fitness, waiting: PendingMessages) -> None:
        self._context, self._rooms, self._fitness, self._waiting = context, rooms, fitness, waiting
        self.earlier = 0
        self.others: set[bytes] = set()

    def go_on_from(self, before: "GivingUp") -> None:
        """The run goes on: what was said in it, and by whom, is as another one has it."""
        self.earlier, self.others = before.earlier, before.others

    def count_others(self) -> int:
        """How many messages of other programs are not known to be stored."""
        self.others.intersection_update(self._context.vault.outbox.waiting(self.others))
        return len(self.others)

    def forget_unsent(self, ids: Collection[bytes] | None = None) -> list[bytes]:
        """Drops what a program has said in this run and was not acknowledged, and says which: it gives up on its own.

        Args:
            ids: Of a program that has joined; by default what was said here.
        """
        rows = [
            row
            for row in self._context.vault.outbox.all()
            if row.done_seq is None
            and row.ctype != ContentType.OWN
            and (row.message_id in ids if ids is not None else self._own(row))
        ]
        self._give_up(rows)
        for row in rows:
            self._waiting.drop(row.message_id)
        return [row.message_id for row in rows]

    def _own(self, row: OutboxRow) -> bool:
        ours = row.order > self.earlier and row.message_id not in self.others
        return ours and row.ctype != ContentType.OWN  # what our devices tell each other is nobody's to give up

    def discard(self, message_id: bytes) -> None:
        """Gives a text up that has failed, or has not been sealed yet. Raises `NotFound` where it is neither."""
        message, row = self._waiting.get(message_id), self._context.vault.outbox.get(message_id)
        if message is None or (row is not None and row.envelope is not None):
            raise NotFound("message")
        self._context.vault.outbox.delete(message_id)
        self._waiting.drop(message_id)

    def fail_all(self, rows: list[OutboxRow], error: ChatError) -> None:
        """They are not stored, and will not be."""
        self._give_up(rows)
        for row in rows:
            self._waiting.failed(row.message_id, error)
            if row.ctype != ContentType.OWN:
                self._context.emit(SendFailed(row.message_id, error, row.room_id))

    def give_back(self, rows: list[OutboxRow], error: ChatError) -> None:
        """Gives back what a person has said; what the client says by itself has no use any more, but for evidence."""
        self.fail_all([row for row in rows if row.ctype in _SAID], error)
        self._give_up([row for row in rows if row.ctype not in _SAID and row.ctype != ContentType.LOG_EVIDENCE])

    def _give_up(self, rows: list[OutboxRow]) -> None:
        """Forgets messages that will never come. What has a place in our chain leaves a hole there, which is remembered:
        the next message goes in a new epoch, or others would call this one missing.
        """
        vault = self._context.vault
        with vault.transaction():
            for row in rows:
                room = self._rooms.get(row.room_id)
                of_now = room is not None and room.row is not None and row.epoch == room.row.epoch
                if row.generation is not None and of_now:
                    vault.chains.lose(row.room_id, row.generation)
                    self._fitness.forget_room(row.room_id)
                vault.outbox.delete(row.message_id)
