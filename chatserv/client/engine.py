"""One account's talk with its server, across connections: puts the parts together, and does what nobody asked for.

A connection may die at any byte: after the next one is up, ``sync`` brings what is missing and unacknowledged messages go
out again under the same ids, so that nothing is lost and nothing doubled.
"""

from collections.abc import Callable
from typing import Final

from chatserv.client.commits.committer import Committer
from chatserv.client.commits.direct import DirectMessages
from chatserv.client.commits.maintenance import Maintenance
from chatserv.client.commits.planner import Planner
from chatserv.client.commits.room_changes import RoomChanges
from chatserv.client.commits.rotation import EpochRotation
from chatserv.client.connection.requests import Requests
from chatserv.client.events import MessageReceived, Status, StatusChanged
from chatserv.client.files.files import Files
from chatserv.client.inbound.agreements import Agreements
from chatserv.client.inbound.backlog import Backlog
from chatserv.client.inbound.commit_reader import CommitReader
from chatserv.client.inbound.content_handler import ContentHandler
from chatserv.client.inbound.epoch_keys import EpochKeys
from chatserv.client.inbound.notices import Notice, Notices
from chatserv.client.inbound.places import Places
from chatserv.client.inbound.room_queue import RoomQueue
from chatserv.client.mending.offering import Offering
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.outbound.receipts import Receipts
from chatserv.client.own.devices import Devices
from chatserv.client.state.context import ClientContext, Interrupted
from chatserv.client.state.listeners import Listener
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.tidying import Tidying
from chatserv.client.verification.audit import Auditing
from chatserv.client.verification.certificates import Certificates
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.client.verification.prekeys import PrekeyStock
from chatserv.client.verification.server_key import meet_server
from chatserv.crypto.bodies import LogEvidence
from chatserv.errors import BadMessage, ChatError
from chatserv.wire import messages

MAX_LOOKED_AT: Final = 2000  # rooms in memory; a server that names more is not followed
STORE: Final = "store"


class Engine:
    """Everything between the connection and the program.

    Args:
        context: What the client's parts share.
        write: Takes an encoded message that is to leave now.
        refuse: Ends the connection because of an error.
        listeners: Who is told messages.
        receipts: Whether senders of direct messages are told that they arrived.
    """

    def __init__(
        self,
        context: ClientContext,
        write: Callable[[bytes], None],
        refuse: Callable[[ChatError], None],
        listeners: list[Listener],
        *,
        receipts: bool = True,
    ) -> None:
        self.context, self._refuse = context, refuse
        self.requests = Requests(write, context.seconds, context.later)
        self.rooms = Rooms(context.vault, context.user)
        self.certificates = Certificates(context, self.requests)
        self.auditor = LogAuditor(context, self.requests, self.rooms, self.certificates)
        self.auditing = Auditing(context, self.requests, self.rooms, self.certificates, self.auditor)
        self.prekeys = PrekeyStock(context, self.requests, self.rooms)
        self.contents = ContentHandler(context, self.rooms, self.auditor.gossip)
        reader = CommitReader(context, self.rooms, self.certificates, self.contents, self.auditor.logged_rooms)
        self.keys = EpochKeys(context, self.requests, self.rooms, reader)
        self.room_queue = RoomQueue(
            context, self.requests, self.rooms, reader, self.keys, self.certificates, self.auditor, refuse
        )
        self.places = Places(context, self.rooms)
        self.agreements = Agreements(context, self.requests, self.rooms)
        self.notices = Notices(context, self.rooms)
        self.planner = Planner(context, self.certificates)
        self.outbox = Outbox(context, self.requests, self.rooms, self.auditor, self.planner.due, self.places.denied)
        self.files = Files(context, self.requests, self.rooms, self.outbox, self.contents)
        self.receipts = Receipts(context, self.outbox, wanted=receipts)
        self.backlog = Backlog(context, self.rooms, self.contents, listeners, self.receipts.arrived)
        committer = Committer(context, self.requests, self.room_queue, self.certificates, self.auditor)
        self.room_changes = RoomChanges(context, self.rooms, committer, self.planner, self.auditor, self.outbox)
        self.maintenance = Maintenance(
            context, self.requests, self.rooms, self.room_changes, self.planner, self.keys, self.outbox
        )
        self.own = Devices(
            context, self.requests, self.rooms, self.certificates, self.auditor, self.room_changes, self.maintenance,
            self.agreements, self.backlog, self.outbox, self.contents, self.files,
        )  # fmt: skip
        self.tidying = Tidying(context)
        self.offering = Offering(context, self.requests)
        self.direct = DirectMessages(context, self.rooms, self.room_changes, self.agreements, self.outbox)
        self.rotation = EpochRotation(context, self.requests, self.rooms, self.room_changes, self.planner)
        self.away, self.role = False, ""  # away: as the person says, in this session and the next ones
        self._welcomed = self.closed = False
        self._wire()

    def _wire(self) -> None:
        """Everything that leads back up: what each part tells those that were made after it."""
        self.auditor.gossip.send = self._show_evidence
        self.auditor.moved = self.auditor.gossip.moved = self._trust_moved
        self.contents.tidy, self.contents.own = self.tidying.soon, self.own.hearing.take
        self.contents.history = self.own.histories.heard_in
        self.own.hearing.trust_moved = self._trust_moved
        self.room_queue.moved, self.room_queue.broken = self._moved, self.maintenance.repair
        self.room_queue.hear, self.room_queue.heard = self._hear, self.backlog.heard
        self.places.moved, self.places.rewound = self._left_or_back, self.backlog.rewound
        self.places.reach, self.auditor.grown = self.auditor.reach, self.places.log_grown
        self.outbox.fitness.commit_first = self.maintenance.make_sendable
        self.outbox.fitness.ended, self.outbox.fitness.begin_anew = self.direct.ended, self.direct.begin_anew
        self.outbox.rotate = self.maintenance.rotate
        self.outbox.answers.said = self._acknowledged

    def tell_kept(self) -> None:
        """Tells of what an earlier run has left: texts on their way, rooms that wait for our consent."""
        self.outbox.tell_kept()
        self.files.begin()
        self.room_queue.invitations.tell_kept()

    def _hear(self, room: Room, message: MessageReceived) -> None:
        if message.own:
            self.outbox.waiting.drop(message.message_id)
            self.files.uploads.settle()
        self.backlog.hear(room, message)

    def _acknowledged(self, room: Room) -> None:
        self.rotation.look(room, said=True)
        self.files.uploads.settle()

    def _show_evidence(self, room: Room, evidence: LogEvidence) -> None:
        try:
            self.outbox.put_body(room, evidence)
        except ChatError:
            return  # what does not fit into the outbox has its next occasion

    def _trust_moved(self) -> None:
        for room in self.rooms.ours():
            self.outbox.flush_soon(room)
        self.maintenance.look(self.role)
        self.own.look()

    def _moved(self, room: Room) -> None:
        self.outbox.flush_soon(room)
        self.maintenance.come_back(room)
        self.rotation.look(room)
        self.own.moved(room)

    def _left_or_back(self, room: Room) -> None:
        self.auditor.logged_rooms.left_or_back(room)
        self.outbox.flush_soon(room)
        self.own.left_or_back(room)

    # -- the connection ------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """A session is open; its welcome comes first."""
        self.requests.up()
        self.room_queue.connected()
        self._welcomed = self.offering.active = False

    def disconnected(self) -> None:
        """The session is over."""
        self.room_queue.disconnected()  # first: what fails below must not take the queues for worked off
        self.files.disconnected()  # likewise, or what fails would be tried again at once
        self.requests.down()
        self.auditor.logged_rooms.disconnected()
        self.outbox.disconnected()
        self.places.disconnected()
        self.own.recovery.approvals.disconnected()
        self.notices.clear()

    def recover(self) -> None:
        """Back to what is stored, after something could not be. Raises `StorageError` as long as that is so."""
        self.context.vault.database.probe()
        self.rooms.reload_all()
        self.context.recover()
        self.certificates.forget_all()
        self.outbox.recover()
        self.backlog.again()

    def close(self) -> None:
        """The end of the program: nothing is done any more."""
        self.closed = True
        try:
            self.outbox.finish()
        finally:
            self.context.vault.close()

    async def set_away(self, *, away: bool) -> None:
        """The person is there, or is not: the server is told now, and again in each session to come."""
        self.away = away
        if self.requests.connected:
            await self.requests.ask(messages.SetPresence, away=away)

    @property
    def own_presence(self) -> str:
        """What others see of this device."""
        here = "away" if self.away else "online"
        return here if self.requests.connected else "offline"

    def receive(self, message: messages.ServerMessage) -> None:
        """Takes a message of the server in. Raises `ChatError` where only another connection helps."""
        if not self.offering.ignores(message):
            self._take(message)

    def _take(self, message: messages.ServerMessage) -> None:
        match message:
            case messages.Event():
                self._bound_rooms(message.room)
                self.places.came(message.room)
                self.room_queue.put_event(message)
            case messages.Welcome():
                if self._welcomed:
                    raise BadMessage("welcome: comes twice")
                self._welcomed = True
                self.context.spawn(self.offering.begin(message) if message.mending else self._begin(message), "begin")
            case messages.WrapReady():
                self._bound_rooms(message.room)
                self.keys.came(self.rooms.look_at(message.room), message)
            case messages.LogHead():
                if not self.auditor.told(message):
                    self.context.spawn(self.auditor.follow(message.head), "log")
                self.maintenance.look(self.role)
                self.own.look()
            case messages.LeaveWaiting():
                self.maintenance.leave_waits(self.rooms.get(message.room))
            case messages.PrekeysLow():
                self.context.spawn(self.prekeys.look(message.one_time), "prekeys")
            case messages.RoomEntered() | messages.RoomClosed():
                self.places.hear(message)
            case messages.Keepalive():
                self.ping()
            case _ if isinstance(message, Notice):
                self.notices.take(message)
            case _:
                _ = self.own.recovery.take(message) or self.requests.answered(message)

    def ping(self) -> None:
        """Makes the server say something, if there is a connection."""
        self.requests.ask(messages.Ping).addErrback(lambda _: None)

    def _bound_rooms(self, room: bytes) -> None:
        if self.rooms.get(room) is None and len(self.rooms.all()) >= MAX_LOOKED_AT:
            raise BadMessage("too many rooms")

    # -- the beginning of a session ------------------------------------------------------------------------------------

    async def _begin(self, welcome: messages.Welcome) -> None:
        try:
            self.role = welcome.role
            self.requests.pace.announced(welcome.limits)
            self.files.announced(welcome.limits)
            meet_server(self.context, welcome)
            self.offering.restored.hear(welcome)
            self.context.emit(StatusChanged(Status.SYNCING))
            await self.auditor.follow(welcome.log_head)
            self.auditor.remind()
            self.tidying.drop_old()
            await self.prekeys.look(welcome.prekeys, welcome.limits.one_time_prekeys, welcome.store)
            if self.away:
                await self.set_away(away=True)  # before the first room is told that we are there
            await self._sync(welcome)
        except Interrupted:
            return
        except ChatError as error:
            self._refuse(error)
            return
        self.context.vault.facts.note(STORE, welcome.store)
        self.context.vault.pending.clear()  # a commit of ours that is not in its room by now was not taken
        self.auditor.logged_rooms.synced()
        self.outbox.synced()
        self.files.synced()
        await self.own.recovery.entering.arrive()
        await self.maintenance.enter_lobby(self.role)
        if self.requests.connected:
            self.context.emit(StatusChanged(Status.ONLINE))
        self.maintenance.look(self.role)
        self.rotation.look_at_all()
        self.own.begin(welcome.backup)
        self.tidying.now()

    async def _sync(self, welcome: messages.Welcome) -> None:
        cursors = self.places.compare(welcome.rooms, welcome.retention)
        self.keys.catching_up = True
        await self.requests.ask(messages.Sync, store=welcome.store, cursors=cursors)
        await self.room_queue.settled()
        self.keys.catching_up = False
        self.places.caught_up(welcome.rooms)
        self.agreements.compare(welcome.rooms)
