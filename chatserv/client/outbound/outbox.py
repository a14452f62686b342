"""What we say: kept until the server has stored it, sealed when its turn comes, and sealed anew where the room has moved.

A message is in the outbox before anything else happens to it; its place in our chain is stored before it leaves
(docs/rooms.rst 7.1). After a lost connection the same bytes go out again under the same id.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.events import SendDelayed, SendFailed, SendQueued
from chatserv.client.outbound.answers import Answers
from chatserv.client.outbound.fitness import Fitness
from chatserv.client.outbound.pending import PendingMessages, WaitingMessage
from chatserv.client.state.context import ClientContext, Interrupted, retry_delay
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.outbox import NO_LIMIT, OutboxRow
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.bodies import Body, Text, decode_body, encode_body
from chatserv.crypto.content import ID_BYTES, Content, ContentType, LogHead
from chatserv.crypto.e2e.message import BODY_BYTES_MAX, MessageScope, seal_message
from chatserv.crypto.room_state import State
from chatserv.errors import ChatError, NotFound, NotMember, Quota, StaleEpoch, TooLarge, WireError
from chatserv.wire import messages

GOSSIP_EVERY: Final = 50  # docs/rooms.rst 8.3: our first message of an epoch and every so many after it
MAX_UNACKNOWLEDGED: Final = 5000
UNDER_WAY: Final = 64  # what the server takes of one session at once
TOLD: Final = ("storage_full", "read_only")  # what its operator has to repair
STALE_SECONDS: Final = 0.3  # the commit that made a message stale is on its way
STALE_LIMIT: Final = 5  # after so many refusals in one epoch our chain is not what the server knows: a rotation


class Outbox:
    """Sends for all rooms, each in its order.

    Args:
        context: What the client's parts share.
        requests: Sends.
        rooms: All rooms.
        auditor: Whether the log is trusted.
        commit_due: Says whether the log asks for a commit in a room of this state before anything is sent.
        denied: Told that the server calls us no member of a room.

    Attributes:
        rotate: Asked to give a room a new epoch.
    """

    rotate: Callable[[Room], None]

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        auditor: LogAuditor,
        commit_due: Callable[[State], bool],
        denied: Callable[[Room], None],
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._auditor, self._denied = auditor, denied
        self.fitness = Fitness(context, rooms, commit_due)
        self._under_way: set[bytes] = set()
        self._resting: set[bytes] = set()  # rooms that wait after a refusal
        self._stale: dict[tuple[bytes, int], int] = {}
        self._due: set[bytes] = set()
        self.ready = False
        self._unacknowledged = 0
        self._earlier = 0  # messages of earlier runs have no higher place in the outbox
        self.refusal: ChatError | None = None  # why the server did not store the last one for now
        self.waiting = PendingMessages()
        self.answers = Answers(context, self.waiting)
        self.most = MAX_UNACKNOWLEDGED

    @property
    def unacknowledged(self) -> int:
        """How many messages are not known to be stored; on a disk that cannot be read, how many were so at last."""
        with suppress(StorageError):
            self._unacknowledged = self._context.vault.outbox.count()
        return self._unacknowledged

    # -- in ------------------------------------------------------------------------------------------------------------

    def put_body(self, room: Room, body: Body) -> bytes:
        """Takes a message in; it leaves when it can. Returns its id.

        Raises:
            Quota: Too many wait already.
            TooLarge: It does not fit into a message.
            NotMember: We are not in the room.
        """
        if not room.in_it:
            raise NotMember(f"room {self._rooms.name(room)}")
        if self.unacknowledged >= self.most:
            raise Quota(f"{self.most} messages wait for the server")
        ctype, encoded = encode_body(body)
        if len(encoded) > BODY_BYTES_MAX:
            raise TooLarge(f"message: {len(encoded)} bytes")
        message_id = self._context.random(ID_BYTES)
        self._context.vault.outbox.add(message_id, room.room_id, int(ctype), encoded)
        self._tell_queued(room, message_id, body)
        self.flush_soon(room)
        return message_id

    def tell_kept(self) -> None:
        """Tells of the texts that an earlier run has left in the outbox."""
        for row in self._context.vault.outbox.all():
            self._earlier, room = row.order, self._rooms.get(row.room_id)
            if room is not None and room.in_it and row.done_seq is None:
                self._tell_queued(room, row.message_id, decode_body(row.ctype, row.body))

    def _tell_queued(self, room: Room, message_id: bytes, body: Body | None) -> None:
        if isinstance(body, Text):
            now_ms, said = self._context.now_ms(), (body.action, body.reply_to)
            self.waiting.put_message(room.room_id, WaitingMessage(message_id, body.text, *said, now_ms))
            self._context.emit(SendQueued(self._rooms.name(room), message_id, body.text, now_ms, *said))

    def discard(self, message_id: bytes) -> None:
        """Gives a text up that has failed, or has not been sealed yet. Raises `NotFound` where it is neither."""
        message, row = self.waiting.get(message_id), self._context.vault.outbox.get(message_id)
        if message is None or (row is not None and row.envelope is not None):
            raise NotFound("message")
        self._context.vault.outbox.delete(message_id)
        self.waiting.drop(message_id)

    def flush_soon(self, room: Room) -> None:
        """Sends what waits in a room when this turn of the reactor is over, all of it in one transaction."""
        if not self._due:
            self._context.later(0, self._flush_due)
        self._due.add(room.room_id)

    def _flush_due(self) -> None:
        due, self._due = self._due, set()
        self.store()
        for room_id in due:
            room = self._rooms.get(room_id)
            if room is not None:
                self.flush(room)

    def store(self) -> None:
        """Stores what was answered since the last time, in one transaction, and tells it."""
        self.answers.store()

    # -- the connection ------------------------------------------------------------------------------------------------

    def synced(self) -> None:
        """We have caught up: everything that waits may go."""
        self.ready = True
        for room in self._rooms.ours():
            self.flush_soon(room)

    def disconnected(self) -> None:
        """What was under way is unknown; it goes out again, the same bytes, after the next ``sync``."""
        self.ready = False
        self._under_way.clear()
        self._resting.clear()

    def recover(self) -> None:
        """Something could not be stored: what was answered meanwhile is asked for again, and looked at anew."""
        self.answers.clear()
        self.fitness.forget_all()

    def forget_unsent(self) -> int:
        """Drops what this run has said and was not acknowledged, and says how much: a program gives up on its own."""
        self.store()
        rows = [row for row in self._context.vault.outbox.all() if row.done_seq is None and row.order > self._earlier]
        self._give_up(rows)
        for row in rows:
            self.waiting.drop(row.message_id)
        return len(rows)

    # -- out -----------------------------------------------------------------------------------------------------------

    def flush(self, room: Room) -> None:
        """Seals and sends what waits in a room, as far as the room allows it now."""
        self.store()  # or what was answered just now would go out once more
        if not self.ready or room.room_id in self._resting or room.queue:
            return
        # What is under way stands first: no more than the first rows can be of use, and thousands may wait behind them.
        only = ContentType.LOG_EVIDENCE if room.in_it and self._auditor.holds(room) else None
        rows = self._context.vault.outbox.for_room(room.room_id, UNDER_WAY if room.in_it else NO_LIMIT, only)
        waiting = [row for row in rows if row.message_id not in self._under_way]
        if not waiting:
            return
        if not room.in_it:
            self._fail_all(waiting, NotMember(f"room {self._rooms.name(room)}"))
            return
        if not self.fitness.may_send(room):
            return
        with self._context.vault.transaction():
            now = waiting[: UNDER_WAY - len(self._under_way)]
            ready = [row if row.envelope is not None else self._seal(room, row) for row in now]
        for row in ready:
            self._under_way.add(row.message_id)
            self._context.spawn(self._send(room, row), "send")

    def _seal(self, room: Room, row: OutboxRow) -> OutboxRow:
        """Gives a message its place in our chain, and stores both; inside a transaction."""
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

    async def _send(self, room: Room, row: OutboxRow) -> None:
        try:
            sent = await self._requests.expect(
                messages.Sent,
                messages.Send,
                room=room.room_id,
                id=row.message_id,
                epoch=row.epoch,
                envelope=row.envelope,
            )
        except Interrupted:
            self._under_way.discard(row.message_id)  # whatever has become of it, it goes out again
        except StaleEpoch:
            self._went_stale(room, row)
        except WireError as error:
            self._refused(room, row, error)
        else:
            self._stored(room, row, sent)

    def _stored(self, room: Room, row: OutboxRow, sent: messages.Sent) -> None:
        self._under_way.discard(row.message_id)
        self.refusal = None
        self.answers.put_answer(room, row, sent)
        self.flush_soon(room)

    def _went_stale(self, room: Room, row: OutboxRow) -> None:
        """The room has moved: sealed anew, under the same id, when we have processed why."""
        self._under_way.discard(row.message_id)
        self._context.vault.outbox.seal(row.message_id, b"", None, None, None)
        if room.row is not None and room.row.epoch == row.epoch:
            key = (room.room_id, room.row.epoch)
            self._stale = {key: self._stale.get(key, 0) + 1}
            if self._stale[key] == STALE_LIMIT:
                self.rotate(room)
        self._rest(room, STALE_SECONDS)

    def _refused(self, room: Room, row: OutboxRow, error: ChatError) -> None:
        self._under_way.discard(row.message_id)
        if error.retryable:
            self.delay(room, error)
            self._rest(room, retry_delay(error.after_seconds))
        else:
            if isinstance(error, NotMember):
                self._denied(room)
            self._fail_all([row], error)

    def delay(self, room: Room, error: ChatError) -> None:
        """The server stores nothing for now, and is asked again."""
        if error.code in TOLD and (self.refusal is None or self.refusal.code != error.code):
            self._context.emit(SendDelayed(self._rooms.name(room), error))
        self.refusal = error

    def refuse(self, room: Room, error: ChatError) -> None:
        """What waits in a room would be refused."""
        rows = self._context.vault.outbox.for_room(room.room_id)
        self._fail_all([row for row in rows if row.message_id not in self._under_way], error)

    def _fail_all(self, rows: list[OutboxRow], error: ChatError) -> None:
        self._give_up(rows)
        for row in rows:
            self.waiting.failed(row.message_id, error)
            self._context.emit(SendFailed(row.message_id, error))

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
                    self.fitness.forget_room(row.room_id)
                vault.outbox.delete(row.message_id)

    def _rest(self, room: Room, seconds: float) -> None:
        if room.room_id not in self._resting:
            self._resting.add(room.room_id)
            self._context.later(seconds, lambda: self._rested(room))

    def _rested(self, room: Room) -> None:
        self._resting.discard(room.room_id)
        self.flush(room)
