"""What the server has answered: messages of ours that it has stored, by its word."""

from collections.abc import Callable
from typing import TypeAlias

from chatserv.client.events import SendAcknowledged
from chatserv.client.outbound.pending import PendingMessages
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room
from chatserv.client.storage.chains import Acknowledged
from chatserv.client.storage.outbox import OutboxRow
from chatserv.client.storage.stored_message import LATEST_MS
from chatserv.wire import messages

Answer: TypeAlias = tuple[Room, OutboxRow, messages.Sent]


class Answers:
    """Gathers the answers of one turn of the reactor.

    Args:
        context: What the client's parts share.
        waiting: What a program shows as being sent.

    Attributes:
        said: Told of each room where something is stored.
    """

    said: Callable[[Room], None]

    def __init__(self, context: ClientContext, waiting: PendingMessages) -> None:
        self._context, self._waiting = context, waiting
        self._answered: list[Answer] = []
        self._stored: list[Answer] = []

    def put_answer(self, room: Room, row: OutboxRow, sent: messages.Sent) -> None:
        """A message is stored."""
        self._answered.append((room, row, sent))

    def clear(self) -> None:
        """What was not kept yet is forgotten; it will be asked for again."""
        self._answered.clear()

    def store(self) -> None:
        """Keeps what was answered since the last time, in one transaction; it is told once it is on disk."""
        answered, self._answered = self._answered, []
        if not answered:
            return
        vault = self._context.vault
        with vault.transaction(wait=False):
            for room, row, sent in answered:
                if _has_come(room, sent):
                    vault.outbox.delete(row.message_id)
                else:
                    vault.outbox.mark_done(row.message_id, sent.seq)  # its event is still on the way
                vault.asked.stored(row.message_id, sent.seq)
            for room_id, last in self._last(answered).items():
                vault.chains.acknowledge(room_id, last)
        self._stored += answered

    def take_stored(self) -> list[Answer]:
        """What was stored and is to be told."""
        stored, self._stored = self._stored, []
        return stored

    def tell(self, answered: list[Answer]) -> None:
        """Tells what is on disk."""
        for room, row, sent in answered:
            if _has_come(room, sent):
                self._waiting.drop(row.message_id)
            else:
                self._waiting.stored(row.message_id)
            self._context.emit(SendAcknowledged(row.message_id, sent.seq, room.room_id))
        for room in {room.room_id: room for room, *_ in answered}.values():
            self.said(room)

    def _last(self, answered: list[Answer]) -> dict[bytes, Acknowledged]:
        """By room, the last place in our chain of its epoch that is stored."""
        found: dict[bytes, Acknowledged] = {}
        for room, row, sent in answered:
            if row.generation is not None and room.row is not None and row.epoch == room.row.epoch:
                told = Acknowledged(row.generation, min(sent.at, LATEST_MS), self._context.now_ms())
                found[room.room_id] = max(found.get(room.room_id, told), told)
        return found


def _has_come(room: Room, sent: messages.Sent) -> bool:
    return room.row is not None and room.row.cursor >= sent.seq
