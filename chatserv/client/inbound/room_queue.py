"""Brings events in the order of their room to the reader, and fetches what the reader needs first."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client.connection.requests import Requests
from chatserv.client.events import Alarm, ClientEvent, MessageReceived, MessagesMissing
from chatserv.client.inbound.commit_reader import CommitReader
from chatserv.client.inbound.epoch_keys import EpochKeys
from chatserv.client.inbound.invitations import Invitations
from chatserv.client.inbound.missing import Needs
from chatserv.client.state.context import ClientContext, Interrupted, log, retry_delay
from chatserv.client.state.rooms import Keys, Room, Rooms, Standing
from chatserv.client.verification.certificates import Certificates, FalseKey
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.commits import BadCommit, Commit
from chatserv.crypto.room_rules import OtherLog
from chatserv.errors import Busy, ChatError, Reject
from chatserv.local_errors import LocalFileError, LocalProtocolError
from chatserv.wire import messages

BATCH_EVENTS: Final = 100  # in one transaction
BATCH_SECONDS: Final = 0.01  # likewise: a window around us has to move while thousands come
MAX_QUEUED: Final = 20_000  # events of a room that wait while something is fetched


class RoomQueue:
    """One queue a room; each is worked off by itself.

    Args:
        context: What the client's parts share.
        requests: Fetches.
        rooms: All rooms.
        reader: Takes the events.
        keys: Opens epochs.
        certificates: Fetches certificates.
        auditor: Fetches the log.
        start_anew: Ends the connection, so that the next one begins at what is stored.

    Attributes:
        moved: Told after each batch that a room has moved on.
        broken: Told that a room's keys do not open.
        hear: Told of each message of a room that we have agreed to.
        heard: Told after each batch that had such messages.
    """

    moved: Callable[[Room], None]
    broken: Callable[[Room], None]
    hear: Callable[[Room, MessageReceived], None]
    heard: Callable[[Room], None]

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        reader: CommitReader,
        keys: EpochKeys,
        certificates: Certificates,
        auditor: LogAuditor,
        start_anew: Callable[[ChatError], None],
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._reader, self._keys, self._certificates, self._auditor = reader, keys, certificates, auditor
        self._start_anew = start_anew
        self.invitations = Invitations(context, rooms)
        self._settling: list[Deferred[None]] = []
        self._deaf = False  # what came could not be stored: nothing behind it is taken from this connection

    def put_event(self, event: messages.Event) -> None:
        """An event came. Raises `Busy` where too many wait: only a new connection helps."""
        room = self._rooms.look_at(event.room)
        if room.stopped or self._deaf:
            return
        if len(room.queue) >= MAX_QUEUED:
            raise Busy(f"room {event.room.hex()}: too many events wait")
        room.queue.append(event)
        self.go_on(room)

    async def settled(self) -> None:
        """Returns when no event waits any more. Raises `Interrupted` where the connection goes before, or is to go."""
        if self._deaf:
            raise Interrupted("what came could not be stored")
        if any(room.busy for room in self._rooms.all()):
            waiting: Deferred[None] = Deferred()
            self._settling.append(waiting)
            await waiting

    async def worked_off(self, room: Room) -> None:
        """Returns when what waits in a room's queue now was dealt with. Raises `Interrupted` where the connection goes."""
        until = room.queue[-1].seq if room.queue else 0
        while room.row is not None and room.in_it and room.queue and room.row.cursor < until and not room.stopped:
            await self._context.pause(BATCH_SECONDS)

    def connected(self) -> None:
        """A new connection: events come again."""
        self._deaf = False

    def disconnected(self) -> None:
        """What waits will come again; nobody is told that it was dealt with."""
        self._interrupt_settling()
        for room in self._rooms.all():
            room.queue.clear()
            room.wraps.clear()
            room.stopped = room.row is not None and room.row.standing is Standing.FORKED
            room.abandoned(Interrupted("the connection was lost"))
            if room.row is None:
                self._rooms.forget_room(room.room_id)

    def _interrupt_settling(self) -> None:
        waiting, self._settling = self._settling, []
        for waiter in waiting:
            waiter.errback(Interrupted("the connection was lost"))

    def go_on(self, room: Room) -> None:
        """Works the queue off when this turn is over, with all that came in it, unless that is under way."""
        if room.queue and not room.busy:
            room.busy = True
            self._context.later(0, lambda: self._context.spawn(self._run(room), "room"))

    async def _run(self, room: Room) -> None:
        failed = True
        try:
            while room.queue and not room.stopped:
                needs = await self._take_batch(room)
                self.moved(room)
                if needs is not None:
                    await self._try_to_provide(room, needs)
                elif room.queue:
                    await self._context.pause(0)  # others have their turn
            failed = False
        except Interrupted:
            failed = False
        finally:
            room.busy = False
            if failed:
                self._lost_track(room)
            room.reached()
            self._settle()

    def _settle(self) -> None:
        if not any(room.busy for room in self._rooms.all()):
            waiting, self._settling = self._settling, []
            for waiter in waiting:
                waiter.callback(None)

    async def _take_batch(self, room: Room) -> Needs | None:
        """Takes the first events in, and tells of them when they are on disk."""
        room.told = 0 if room.row is None else room.row.cursor
        try:
            with self._context.vault.transaction(wait=False):
                found, needs, error = self._take_some(room)
            await self._context.keeping.kept()
            self._context.require_going()  # else whoever comes next is told it
        finally:
            room.told = None
        self._show(room, found)
        room.reached()
        if isinstance(error, OtherLog):
            self._auditor.fork(error.detail)  # the server has accepted a commit for a log that it does not show us
        if error is not None:
            self._stop(room, error)
        return needs

    def _take_some(self, room: Room) -> tuple[list[ClientEvent], Needs | None, Reject | None]:
        found: list[ClientEvent] = []
        until = self._context.seconds() + BATCH_SECONDS
        for _ in range(BATCH_EVENTS):
            if not room.queue or self._context.seconds() > until:
                break
            try:
                found += self._reader.take(room, room.queue[0])
            except Needs as missing:
                return found, missing, None
            except Reject as bad:
                return found, None, bad
            room.queue.popleft()
        return found, None, None

    def _lost_track(self, room: Room) -> None:
        """Something could not be stored: back to what is, and the server tells what waits once more on a new connection."""
        room.queue.clear()
        self._deaf = True
        self._interrupt_settling()
        # A disk that fails has told its own reason.
        self._start_anew(LocalProtocolError("what came could not be stored"))
        self._rooms.reload(room)

    def _show(self, room: Room, found: list[ClientEvent]) -> None:
        """Tells of it; of messages only where we have agreed to the room."""
        heard = False
        for event in found:
            if not isinstance(event, MessageReceived):
                self.invitations.tell(room, event)
            elif not room.offered:
                heard = True
                self.hear(room, event)
        if heard:
            self.heard(room)

    def _stop(self, room: Room, error: ChatError) -> None:
        """The server broke the rules, or withholds what it has to give: the room stands still, and a person is told."""
        room.stopped = True
        room.queue.clear()
        room.abandoned(error)
        log.warn("room stopped: {code}: {detail}", code=error.code, detail=error.detail)
        signed_by = error.signed_by if isinstance(error, BadCommit) else ""
        detail = ": ".join(filter(None, (self._rooms.name(room), error.detail)))
        self._context.emit(Alarm(_kind(error), detail, signed_by, room_id=room.room_id))
        self.moved(room)  # what waits to be sent there is given back

    # -- what the reader needs -----------------------------------------------------------------------------------------

    async def _try_to_provide(self, room: Room, needs: Needs) -> None:
        """Fetches what is missing; what the server has no time for is asked for again, what it does not have ends it."""
        try:
            await self._provide(room, needs)
        except (Interrupted, LocalFileError):
            raise
        except ChatError as error:
            if not error.retryable:
                self._stop(room, error)
                return
            await self._context.pause(retry_delay(error.after_seconds))

    async def _provide(self, room: Room, needs: Needs) -> None:
        if needs.log_size:
            await self._auditor.reach(needs.log_size)
        if needs.certificates:
            await self._certificates.fetch(needs.certificates)
        if needs.rotations:
            await self._auditor.decide(needs.rotations)
        if needs.chain_to is not None:
            await self.load_chain(room, needs.chain_to)
        if needs.keys and not await self._keys.hold(room) and room.row is not None and room.row.keys is Keys.BROKEN:
            self.broken(room)

    async def load_chain(self, room: Room, epoch: int) -> None:
        """Fetches and verifies the commits of a room up to ``epoch``, from where our chain ends.

        Raises:
            BadCommit: A commit does not follow the rules, or the chain ends before ``epoch``.
        """
        missing: list[ClientEvent] = []
        while room.head.epoch < epoch:
            reply = await self._requests.expect(
                messages.Chain, messages.GetRoom, room=room.room_id, epoch=room.head.epoch + 1
            )
            if not reply.commits:
                raise BadCommit(f"chain: ends before epoch {epoch}")
            for encoded in reply.commits:
                if room.head.epoch < epoch:
                    missing += await self._follow(room, Commit.decode(encoded))
        if room.in_it:  # else we were put out on the way, and what was said before is not ours to read any more
            self._show(room, missing)

    async def _follow(self, room: Room, commit: Commit) -> list[ClientEvent]:
        """Moves the chain on; gives what the commit shows to be missing."""
        while True:
            try:
                found = self._reader.follow_chain(room, commit)
            except Needs as needs:
                if needs.chain_to is not None:
                    raise BadCommit("chain: has a hole") from None
                await self._provide(room, needs)
            except OtherLog as error:
                self._auditor.fork(error.detail)
                raise
            else:
                missing: list[ClientEvent] = [event for event in found if isinstance(event, MessagesMissing)]
                self._show(room, [event for event in found if event not in missing])
                return missing


def _kind(error: ChatError) -> str:
    """As which alarm a room stands still."""
    if isinstance(error, FalseKey):
        return "false_key"
    return "bad_commit" if isinstance(error, Reject) else "room_stuck"
