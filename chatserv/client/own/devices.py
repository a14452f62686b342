"""Our own devices and this one: puts together how they find each other, what they say, and what is heard."""

from chatserv.client.commits.maintenance import Maintenance
from chatserv.client.commits.room_changes import RoomChanges
from chatserv.client.connection.requests import Requests
from chatserv.client.files.files import Files
from chatserv.client.inbound.agreements import Agreements
from chatserv.client.inbound.backlog import Backlog
from chatserv.client.inbound.content_handler import ContentHandler
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.own.consents import Consents
from chatserv.client.own.devices_room import DevicesRoom
from chatserv.client.own.hearing import Hearing
from chatserv.client.own.histories import Histories
from chatserv.client.own.identity import OwnIdentity
from chatserv.client.own.proofs import Proofs
from chatserv.client.own.revoking import Revoking
from chatserv.client.own.talk import Talk
from chatserv.client.recovery.recovery import Recovery
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.verification.certificates import Certificates
from chatserv.client.verification.log_auditor import LogAuditor


class Devices:
    """All that concerns more than one device of ours.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: All rooms.
        certificates: Of our devices.
        auditor: The log.
        room_changes: Commits.
        maintenance: See `Consents`.
        agreements: See `Consents`.
        backlog: See `Consents`.
        outbox: Sends.
        contents: See `Histories`.
        files: See `Histories`.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        certificates: Certificates,
        auditor: LogAuditor,
        room_changes: RoomChanges,
        maintenance: Maintenance,
        agreements: Agreements,
        backlog: Backlog,
        outbox: Outbox,
        contents: ContentHandler,
        files: Files,
    ) -> None:
        self.proofs = Proofs(context)
        self.talk = Talk(context, rooms, outbox, self.proofs)
        self.consents = Consents(context, rooms, agreements, maintenance, backlog, outbox, self.talk)
        self.hearing = Hearing(context, rooms, outbox, self.consents, self.talk, self.proofs)
        self.histories = Histories(context, rooms, contents, files, outbox, self.talk)
        self.hearing.history = self.histories.heard
        self.room = DevicesRoom(context, rooms, room_changes, outbox)
        self.identity = OwnIdentity(context, requests, certificates, auditor, self.talk, self.proofs)
        self.revoking = Revoking(context, requests, rooms, certificates, auditor, room_changes, self.identity)
        self.hearing.sealed = self.identity.take
        self.recovery = Recovery(context, requests, rooms, room_changes, self.talk.tell_self)
        self.identity.renewed = self.recovery.backups.outdated
        self.hearing.backed_up = self.recovery.backups.heard

    def begin(self, backup: int) -> None:
        """We have caught up; ``backup``: the counter of the account's backup at the server."""
        self.look()
        self.recovery.begin(backup)
        self.histories.go()

    def look(self) -> None:
        """The log has grown."""
        self.room.look()
        self.talk.look()
        self.identity.look()

    def left_or_back(self, room: Room) -> None:
        """Our place in a room is another one: where that was the one of our devices, it is made anew."""
        if room.of_devices:
            self.room.look()

    def moved(self, room: Room) -> None:
        """A room has moved on."""
        if room.of_devices:
            self.talk.look()
            self.recovery.entering.look()  # others may have told to which rooms the person has agreed
        self.recovery.backups.changed()
