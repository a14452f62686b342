"""Ends a device of ours, in the log and in every room."""

from twisted.internet.defer import DeferredList

from chatserv.client.commits.room_changes import RoomChanges
from chatserv.client.connection.requests import Requests
from chatserv.client.own.identity import OwnIdentity
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.verification.certificates import Certificates
from chatserv.client.verification.log_auditor import LogAuditor
from chatserv.crypto.statements import Revocation, make_revocation
from chatserv.errors import NotFound
from chatserv.wire import messages

LOST = 1  # the reason of a revocation, for people


class Revoking:
    """Revokes.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: All rooms.
        certificates: Of our devices.
        auditor: The log.
        room_changes: Commits.
        identity: Renewed where the device held its key.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        certificates: Certificates,
        auditor: LogAuditor,
        room_changes: RoomChanges,
        identity: OwnIdentity,
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._certificates, self._auditor = certificates, auditor
        self._room_changes, self._identity = room_changes, identity

    async def revoke(self, device_id: bytes) -> None:
        """Ends a device of ours for good, and returns when each room that can do so is without it.

        Where it held the identity key, that is renewed. What is refused on the way after the revocation is done later.

        Raises:
            NotFound: There is no such device of ours that is valid.
            NoIdentityKey: This device cannot revoke.
            Forbidden: The server would be without an administrator.
        """
        context, log = self._context, self._context.log
        identity = context.keyring.load_identity()
        hashes = log.facts.certificates(context.user, log.size)
        await self._certificates.fetch(hashes)
        found = [each for each in hashes if self._certificates.known[each].device_id == device_id]
        if not found:
            raise NotFound("device")
        said = Revocation(device_id, found[0], context.now_ms(), LOST)
        statement = make_revocation(said, identity)
        if device_id == context.device_id:
            with self._auditor.ending:
                await self._requests.ask(messages.Revoke, statement=statement)
            return
        await self._requests.ask(messages.Revoke, statement=statement)
        await self._auditor.refresh()
        self._auditor.look_for_revocation(found[0], device_id)
        rooms = [room for room in self._rooms.ours() if room.own(device_id) is not None and not room.offered]
        await DeferredList([context.spawn(self._put_out(room), "revocation") for room in rooms])
        if self._identity.open():
            await context.spawn(self._identity.rotate(), "identity")

    async def _put_out(self, room: Room) -> None:
        await self._room_changes.commit(room, self._room_changes.planner.change(only_if_due=True), urgent=True)
