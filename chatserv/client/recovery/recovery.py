"""What a session has to do with a person's other devices and their backup: puts the parts together."""

from collections.abc import Callable

from chatserv.client.commits.room_changes import RoomChanges
from chatserv.client.connection.requests import Requests
from chatserv.client.recovery.approvals import Approvals
from chatserv.client.recovery.backups import Backups
from chatserv.client.recovery.entering import Entering
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Rooms
from chatserv.wire import messages


class Recovery:
    """Backup, approvals, and coming into our rooms.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: All rooms.
        room_changes: Commits.
        backed_up: Told when this device has left a newer backup.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        room_changes: RoomChanges,
        backed_up: Callable[[], object],
    ) -> None:
        self._context = context
        self.backups = Backups(context, requests, rooms, backed_up)
        self.approvals = Approvals(context, requests, self.backups.luggage)
        self.entering = Entering(context, requests, rooms, room_changes)

    def begin(self, backup: int) -> None:
        """We have caught up; ``backup``: the counter of the one that the server has."""
        self._context.spawn(self.backups.begin(backup), "backup")
        self.entering.connected()
        self.entering.look()

    def take(self, notice: messages.ServerMessage) -> bool:
        """Takes in what a guest of ours does, or says by way of the server; False for anything else."""
        match notice:
            case messages.GuestWaits():
                self._context.spawn(self.approvals.waits(notice), "guest")
            case messages.GuestGone():
                self.approvals.gone(notice)
            case messages.Told():
                self._context.spawn(self.approvals.told(notice), "told")
            case _:
                return False
        return True
