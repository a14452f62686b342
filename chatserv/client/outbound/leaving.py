"""What is sealed in one turn, and leaves as soon as the disk has its place in our chain (docs/rooms.rst 7.1)."""

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, Final

from chatserv.client.outbound.answers import Answers
from chatserv.client.state.context import ClientContext, Interrupted
from chatserv.client.state.rooms import Room
from chatserv.client.storage.outbox import OutboxRow
from chatserv.crypto.content import Content, LogHead
from chatserv.crypto.e2e.message import MessageScope, seal_message

GOSSIP_EVERY: Final = 50  # docs/rooms.rst 8.3: our first message of an epoch and every so many after it


class Leaving:
    """Messages on their way out of the outbox.

    Args:
        context: What the client's parts share.
        answers: What the server has stored, to be told.
        send: Sends one.
    """

    def __init__(
        self,
        context: ClientContext,
        answers: Answers,
        send: Callable[[Room, OutboxRow], Coroutine[Any, Any, None]],
    ) -> None:
        self._context, self._answers, self._send = context, answers, send
        self._sealed: list[tuple[Room, OutboxRow]] = []
        self._session = 0

    def put(self, room: Room, rows: Iterable[OutboxRow]) -> None:
        """Messages of a room are to leave: those that are not sealed yet get their places in our chain."""
        with self._context.vault.transaction(wait=False):
            self._sealed += [(room, row if row.envelope is not None else self._seal(room, row)) for row in rows]

    def _seal(self, room: Room, row: OutboxRow) -> OutboxRow:
        context, vault = self._context, self._context.vault
        chain = vault.chains.own(room.room_id)
        if chain is None or room.row is None:
            raise Interrupted("no chain")  # cannot be: the keys are held
        gossip = chain.generation % GOSSIP_EVERY == 0
        head = LogHead(context.log.size, context.log.root_at(context.log.size) or bytes(32)) if gossip else None
        content = Content(row.ctype, row.message_id, context.now_ms(), row.body, head)
        scope = MessageScope(room.room_id, room.row.epoch, room.row.commit_hash)
        sealed = seal_message(content, scope, chain, context.signing, context.random)
        vault.chains.save_own(room.room_id, sealed.chain)
        vault.outbox.seal(row.message_id, content.encode(), sealed.envelope, room.row.epoch, chain.generation)
        return replace(row, envelope=sealed.envelope, epoch=room.row.epoch, generation=chain.generation)

    def disconnected(self) -> None:
        """What has not left goes out in the next session, which finds it in the outbox."""
        self._session += 1
        self._sealed.clear()

    def go(self) -> None:
        """Whatever is committed now is told, and leaves, as soon as all of it is on disk."""
        sealed, self._sealed = self._sealed, []
        answered, session = self._answers.take_stored(), self._session

        def kept(_: None) -> None:
            for room, row in sealed if session == self._session else ():
                self._context.spawn(self._send(room, row), "send")
            self._answers.tell(answered)

        self._context.keeping.kept().addCallback(kept)
