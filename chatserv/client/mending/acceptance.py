"""A person goes on with a restored server although its log, or a room, could not be made whole.

Nothing else lets a client forget what it has seen: the server's word that it was restored does not, and each person says so
for themselves, on each device. What is forgotten is what came after the backup; what was before it has to be as we know
it, or it is not a restored copy of our server.
"""

from dataclasses import dataclass, replace
from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.inbound.room_queue import RoomQueue
from chatserv.client.mending.restored import RestoredServer
from chatserv.client.state.context import ClientContext
from chatserv.client.state.lost_history import LostHistory
from chatserv.client.state.rooms import Keys, Room, Rooms, Standing
from chatserv.client.state.standstill import ServerDistrusted
from chatserv.client.state.transparency_log import NEWEST_HEAD, ROTATION
from chatserv.client.storage.rooms import RoomRow
from chatserv.client.verification.log_auditor import FORKED, FORKED_HEAD, OTHER_HEAD, LogAuditor
from chatserv.client.verification.revocations import CHECKED
from chatserv.crypto.log_leaves import TREE_HEAD_BYTES, TreeHead
from chatserv.crypto.restored import Restored
from chatserv.crypto.room_rules import Head
from chatserv.crypto.suite import RSA_BYTES
from chatserv.errors import Busy, NotFound
from chatserv.i18n import N_
from chatserv.local_errors import LocalFileError
from chatserv.wire import messages

LAST: Final = 2**62  # behind every place
TRIES: Final = 5  # to read a room while nobody changes it


class StoredAnew(LocalFileError):
    """What is in memory is of before: the client goes on from what is stored, with its next connection."""

    code = "stored_anew"
    text = N_("The restored server is accepted on this device: this program connects to it anew.")


@dataclass(frozen=True)
class RestoreToAccept:
    """What a person has to decide about.

    Attributes:
        backup_ms: When the backup was made, by the server's word.
        at_ms: When it was restored.
        leaves: How many entries of the log would be forgotten here, that came after the backup.
        rooms: The rooms that stand still, in order of name.
    """

    backup_ms: int
    at_ms: int
    leaves: int
    rooms: tuple[str, ...]


class Acceptance:
    """Forgets what a restored server has lost, when its person says so.

    Args:
        context: What the client's parts share.
        requests: Asks.
        rooms: All rooms.
        room_queue: Verifies chains.
        auditor: Verifies the log.
        restored: What the server says of its restore.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        room_queue: RoomQueue,
        auditor: LogAuditor,
        restored: RestoredServer,
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._room_queue, self._auditor, self._restored = room_queue, auditor, restored

    async def look(self) -> RestoreToAccept:
        """What would be forgotten.

        Raises:
            NotFound: The server does not say that it was restored, or nothing that it has lost stands in the way.
        """
        newest = self._restored.newest
        if newest is None:
            raise NotFound("no restore")
        leaves = max(0, self._context.log.size - newest.size) if await self._is_cut_due() else 0
        stopped = tuple(sorted(self._rooms.name(room) for room in self._stopped()))
        if not leaves and not stopped:
            raise NotFound("nothing to accept")
        return RestoreToAccept(newest.backup_ms, newest.at_ms, leaves, stopped)

    def _stopped(self) -> list[Room]:
        return [room for room in self._rooms.ours() if room.stopped and room.row is not None]

    async def _is_cut_due(self) -> bool:
        """Whether the server's log lacks something of ours, or has something else in its place."""
        if self._context.vault.facts.get(FORKED) is not None:
            return True
        page = await self._requests.expect(messages.LogPage, messages.GetLog, after=self._context.log.size)
        return (
            len(page.head) == TREE_HEAD_BYTES and TreeHead.decode(page.head[:-RSA_BYTES]).size < self._context.log.size
        )

    async def accept(self) -> RestoreToAccept:
        """Goes on with what the server has, in a new session; says what was forgotten.

        Raises:
            NotFound: See `look`.
            ServerDistrusted: What was before the backup is not what we know: that is no restored copy of this server.
            Interrupted: The connection went; to be tried again.
            ChatError: The chain of a room does not follow the rules.
        """
        said, newest = await self.look(), self._restored.newest
        log = self._context.log
        if newest is None or (said.leaves and log.check_gossip(newest.size, newest.root) is not True):
            raise ServerDistrusted("the log before the backup is another one")
        if said.leaves:
            self._cut(newest)
        try:
            for room in self._stopped():
                await self._take_anew(room)
        finally:
            self._context.stumbled(StoredAnew())
        return said

    def _cut(self, restored: Restored) -> None:
        vault, size, end = self._context.vault, restored.size, self._context.log.size
        with vault.transaction():
            LostHistory(vault.facts).accept(restored, end)
            vault.log.cut(size)
            for name in (NEWEST_HEAD, FORKED, FORKED_HEAD, OTHER_HEAD):
                vault.facts.delete(name)
            for index in range(size, end):
                vault.facts.delete(ROTATION.format(index=index))
            checked = int.from_bytes(vault.facts.get(CHECKED) or b"", "big")
            vault.facts.put(CHECKED, min(checked, size).to_bytes(8, "big"))
        self._context.log.reload()

    async def _take_anew(self, room: Room) -> None:
        """Goes through the chain that the server has, from the beginning, and on from its newest commit."""
        for _ in range(TRIES):
            fresh, epoch = Room(room.room_id, Head.before(room.room_id)), await self._newest_epoch(room.room_id, 0)
            await self._room_queue.load_chain(fresh, epoch)
            asked = self._requests.expect(messages.Page, messages.History, room=room.room_id, before=LAST, limit=1)
            newest = max((event.seq for event in (await asked).events), default=0)
            if await self._newest_epoch(room.room_id, epoch + 1) == epoch:
                break  # else a commit came meanwhile: its place is before the newest, and it would never be applied
        else:
            raise Busy("the room changes all the time")
        if room.row is None or fresh.state is None or fresh.commit is None:
            return
        committer = fresh.state.entry(fresh.commit.tbs.committer_leaf)
        row: RoomRow = replace(
            room.row,
            kind=int(fresh.state.policy.kind),
            epoch=fresh.head.epoch,
            commit_hash=fresh.head.commit_hash,
            kt_size=fresh.head.kt_size,
            state=fresh.state.encoded,
            head_commit=fresh.commit.encoded,
            committer=b"" if committer is None else committer.device_id,
            cursor=newest,
            keys=Keys.WANTED,
            standing=Standing.IN if fresh.own(self._context.device_id) is not None else Standing.OUT,
        )
        with self._context.vault.transaction():
            self._context.vault.chains.clear(room.room_id)
            self._context.vault.rooms.put(row)

    async def _newest_epoch(self, room_id: bytes, epoch: int) -> int:
        """The newest that the server has; one less than the given one where it has none from that on."""
        while True:
            chain = await self._requests.expect(messages.Chain, messages.GetRoom, room=room_id, epoch=epoch)
            if not chain.commits:
                return epoch - 1
            epoch += len(chain.commits)
