"""What we say: kept until the server has stored it, sealed when its turn comes, and sealed anew where the room has moved.

A message is in the outbox before anything else happens to it; its place in our chain is stored before it leaves
(docs/rooms.rst 7.1). After a lost connection the same bytes go out again under the same id.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.events import SendDelayed
from chatserv.client.outbound.answers import Answers
from chatserv.client.outbound.fitness import Fitness
from chatserv.client.outbound.giving_up import GivingUp
from chatserv.client.outbound.leaving import Leaving
from chatserv.client.outbound.pending import PendingMessages, queued, waiting_message
from chatserv.client.outbound.resting import Resting
from chatserv.client.state.context import ClientContext, Interrupted, retry_delay
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.state.standstill import standstill
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.outbox import NO_LIMIT, OutboxRow
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.bodies import Body, decode_body, encode_body
from chatserv.crypto.content import ID_BYTES, ContentType
from chatserv.crypto.e2e.message import BODY_BYTES_MAX
from chatserv.crypto.envelope import ENVELOPE_BYTES_MIN
from chatserv.crypto.room_state import State
from chatserv.errors import ChatError, NotMember, Quota, StaleEpoch, TooLarge, WireError
from chatserv.wire import messages

MAX_UNACKNOWLEDGED: Final = 5000
GATHER_SECONDS: Final = 0.05  # what another program sends comes one by one: what comes meanwhile goes with it
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
        self._resting = Resting(context.later, self.flush)  # rooms that wait for their turn, or after a refusal
        self._stale: dict[tuple[bytes, int], int] = {}
        self._due: set[bytes] = set()
        self._timer = self._gathering = False
        self._flushed = -GATHER_SECONDS
        self.ready = False
        self._unacknowledged = 0
        self.refusal: ChatError | None = None  # why the server did not store the last one for now
        self.waiting = PendingMessages()
        self.answers = Answers(context, self.waiting)
        self._leaving = Leaving(context, self.answers, self._send)
        self.giving_up = GivingUp(context, rooms, self.fitness, self.waiting)
        self.most = MAX_UNACKNOWLEDGED

    @property
    def unacknowledged(self) -> int:
        """How many messages are not known to be stored; on a disk that cannot be read, how many were so at last."""
        with suppress(StorageError):
            self._unacknowledged = self._context.vault.outbox.count()
        return self._unacknowledged

    @property
    def own(self) -> int:
        """The same without what other programs have sent that have joined this one."""
        return max(0, self.unacknowledged - self.giving_up.count_others())

    # -- in ------------------------------------------------------------------------------------------------------------

    def put_body(self, room: Room, body: Body, asked: bytes | None = None, message_id: bytes | None = None) -> bytes:
        """Takes a message in; it leaves when it can. Returns its id: ``asked`` where a program that has joined has made it,
        or the one that it was given already.

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
        vault, message_id = self._context.vault, asked or message_id or self._context.random(ID_BYTES)
        with vault.transaction(wait=False):  # the disk is waited for when this turn is over, before anything leaves
            vault.outbox.add(message_id, room.room_id, int(ctype), encoded)
            if asked is not None:
                vault.asked.begin(asked)
                self.giving_up.others.add(asked)
        self._tell_queued(room, message_id, body)
        self.flush_soon(room, 0 if asked is None else GATHER_SECONDS)
        return message_id

    @property
    def leaving(self) -> bool:
        """Whether something leaves when this turn of the reactor is over."""
        return self._timer and self.ready

    def tell_kept(self) -> None:
        """Tells of the texts that an earlier run has left in the outbox."""
        for row in self._context.vault.outbox.all():
            self.giving_up.earlier, room = row.order, self._rooms.get(row.room_id)
            if room is not None and room.in_it and row.done_seq is None:
                self._tell_queued(room, row.message_id, decode_body(row.ctype, row.body))

    def _tell_queued(self, room: Room, message_id: bytes, body: Body | None) -> None:
        message = waiting_message(message_id, body, self._context.now_ms())
        if message is not None and self.waiting.get(message_id) is None:
            self.waiting.put_message(room.room_id, message)
            self._context.emit(queued(self._rooms.name(room), message, room.room_id))

    def flush_soon(self, room: Room, seconds: float = 0) -> None:
        """Sends what waits in a room when this turn of the reactor is over, or after so long, if it has just done so."""
        self._due.add(room.room_id)
        if seconds and self._context.seconds() - self._flushed < seconds:
            if not self._timer and not self._gathering:
                self._gathering = True
                self._context.later(seconds, self._flush_due)
        elif not self._timer:
            self._timer = True
            self._context.later(0, self._flush_due)

    def _flush_due(self) -> None:
        due, self._due = self._due, set()
        self._timer = self._gathering = False
        self._flushed = self._context.seconds()
        self.answers.store()
        for room_id in due:
            room = self._rooms.get(room_id)
            if room is not None:
                self._prepare(room)
        self._leaving.go()

    def store(self) -> None:
        """Stores what was answered since the last time, in one transaction, and tells it once that is on disk."""
        self.answers.store()
        self._leaving.go()

    def finish(self) -> None:
        """The same at an end, when no thread is waited for any more."""
        self.store()
        self._context.keeping.keep_now()

    # -- the connection ------------------------------------------------------------------------------------------------

    def synced(self) -> None:
        """We have caught up: everything that waits may go."""
        self.ready = True
        self.fitness.forget_all()  # the server may have been restored
        for room in self._rooms.ours():
            self.flush_soon(room)

    def disconnected(self) -> None:
        """What was under way is unknown; it goes out again, the same bytes, after the next ``sync``."""
        self.ready = False
        self._leaving.disconnected()
        self._under_way.clear()
        self._resting.clear()

    def recover(self) -> None:
        """Something could not be stored: what was answered meanwhile is asked for again, and looked at anew."""
        self.answers.clear()
        self.fitness.forget_all()

    def forget_unsent(self, ids: Collection[bytes] | None = None) -> list[bytes]:
        """See `GivingUp.forget_unsent`."""
        self.store()
        return self.giving_up.forget_unsent(ids)

    # -- out -----------------------------------------------------------------------------------------------------------

    def standstill(self, room: Room) -> ChatError | None:
        """Why nothing can be sent to a room, for long; None where it can, or will."""
        return standstill(room, proven=self._auditor.proven)

    def flush(self, room: Room) -> None:
        """Seals and sends what waits in a room, as far as the room allows it now."""
        self._prepare(room)
        self._leaving.go()

    def _prepare(self, room: Room) -> None:
        self.answers.store()  # or what was answered just now would go out once more
        stuck = self.standstill(room) if room.in_it and (self.ready or self._auditor.proven) else None
        if stuck is not None:
            self.giving_up.give_back(self._waiting_rows(room, NO_LIMIT), stuck)
        if not self.ready or room in self._resting or room.queue:
            return
        # What is under way stands first: no more than the first rows can be of use, and thousands may wait behind them.
        only = ContentType.LOG_EVIDENCE if room.in_it and self._auditor.holds(room) else None
        waiting = self._waiting_rows(room, UNDER_WAY if room.in_it else NO_LIMIT, only)
        if not waiting:
            return
        if not room.in_it:
            self.giving_up.fail_all(waiting, NotMember(f"room {self._rooms.name(room)}"))
            return
        if not self.fitness.may_send(room):
            return
        pace = self._requests.pace
        now = pace.pick(waiting[: UNDER_WAY - len(self._under_way)], _size)
        if not now and (wait := pace.wait()):
            self._resting.rest(room, wait)
        self._leaving.put(room, now)
        self._under_way.update(row.message_id for row in now)

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
        self._resting.rest(room, STALE_SECONDS)

    def _refused(self, room: Room, row: OutboxRow, error: ChatError) -> None:
        self._under_way.discard(row.message_id)
        if error.retryable:
            self.delay(room, error)
            self._resting.rest(room, retry_delay(error.after_seconds))
        else:
            if isinstance(error, NotMember):
                self._denied(room)
            self.giving_up.fail_all([row], error)

    def delay(self, room: Room, error: ChatError) -> None:
        """The server stores nothing for now, and is asked again."""
        if error.code in TOLD and (self.refusal is None or self.refusal.code != error.code):
            self._context.emit(SendDelayed(self._rooms.name(room), error, room.room_id))
        self.refusal = error

    def refuse(self, room: Room, error: ChatError) -> None:
        """What waits in a room would be refused."""
        self.giving_up.fail_all(self._waiting_rows(room, NO_LIMIT), error)

    def _waiting_rows(self, room: Room, most: int, ctype: int | None = None) -> list[OutboxRow]:
        rows = self._context.vault.outbox.for_room(room.room_id, most, ctype)
        return [row for row in rows if row.message_id not in self._under_way]


def _size(row: OutboxRow) -> int:
    """About how many bytes a message has beyond the smallest one."""
    return len(row.body) if row.envelope is None else max(0, len(row.envelope) - ENVELOPE_BYTES_MIN)
