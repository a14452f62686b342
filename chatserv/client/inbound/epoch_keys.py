"""Opens the wrap of a room's current epoch, when its keys are first needed.

See docs/rooms.rst 6 and 5.6, steps 8 to 10.
"""

from dataclasses import replace
from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.events import Alarm, KeysBroken
from chatserv.client.inbound.commit_reader import CommitReader
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Keys, Room, Rooms
from chatserv.crypto.commits import Commit
from chatserv.crypto.e2e.epoch import verify_confirmation
from chatserv.crypto.e2e.wrap import OpenedWrap, open_wrap
from chatserv.crypto.room_state import RosterEntry
from chatserv.crypto.wraps import Wrap, WrapScope, verify_wrap
from chatserv.errors import ChatError, NotFound, Reject
from chatserv.local_errors import LocalFileError
from chatserv.wire import messages

MAX_EARLY_WRAPS: Final = 8  # that came before their commits


class EpochKeys:
    """Gets hold of epochs.

    Args:
        context: What the client's parts share.
        requests: Fetches wraps that did not come by themselves.
        rooms: For names.
        reader: Stores what follows from the secret.

    Attributes:
        catching_up: A session has begun, and what was missed is not dealt with yet: the server keeps no wraps of epochs
            that this device has told it to be through with.
    """

    def __init__(self, context: ClientContext, requests: Requests, rooms: Rooms, reader: CommitReader) -> None:
        self._context, self._requests, self._rooms, self._reader = context, requests, rooms, reader
        self.catching_up = False

    def came(self, room: Room, notice: messages.WrapReady) -> None:
        """A wrap that the server sent before its commit."""
        room.wraps[notice.epoch] = notice
        for epoch in sorted(room.wraps)[:-MAX_EARLY_WRAPS]:
            del room.wraps[epoch]

    async def hold(self, room: Room) -> bool:
        """Whether we hold the keys of the current epoch, once they were looked for. Raises `Interrupted`."""
        await room.opening.acquire()
        try:
            if room.row is not None and room.row.keys is Keys.WANTED:
                await self._open(room)
        finally:
            room.opening.release()
        return room.row is not None and room.row.keys is Keys.HELD

    async def _open(self, room: Room) -> None:
        row, state, commit = room.row, room.state, room.commit
        own = room.own(self._context.device_id)
        if row is None or state is None or commit is None or own is None:
            return
        found = room.wraps.pop(row.epoch, None)
        opened: OpenedWrap | None = None
        wrap, theirs = b"", False
        try:
            path, wrap = (found.path, found.wrap) if found is not None else await self._fetch(room, row.epoch)
            due = [entry.leaf for entry in state.roster if entry.device_id != row.committer]
            verify_wrap(wrap, own.leaf, due, path, commit.tbs.wraps_root)
            theirs = True  # it is what the committer has made
            opened = await self._unwrap(room, row.committer, commit, own, wrap)
            verify_confirmation(opened.payload, commit.tbs.confirmed(), commit.tbs.confirmation)
        except ChatError as error:
            if error.retryable or isinstance(error, LocalFileError):
                raise
            none = isinstance(error, NotFound) and not theirs
            forgotten = self._is_forgotten(wrap) if theirs else none and self.catching_up
            lost = none and self._rooms.lost_keys.explain(room)
            self._broken(room, commit, opened, theirs=theirs, forgotten=forgotten, lost=lost)
            return
        if room.commit is not commit or room.row is None:
            return  # the room has moved on meanwhile
        with self._context.vault.transaction(wait=False):
            self._reader.hold_keys(room, own, opened.payload)
            self._spend(opened)
        await self._context.keeping.kept()

    async def _fetch(self, room: Room, epoch: int) -> tuple[tuple[bytes, ...], bytes]:
        reply = await self._requests.expect(messages.Wrapped, messages.GetWrap, room=room.room_id, epoch=epoch)
        return reply.path, reply.wrap

    async def _unwrap(self, room: Room, committer: bytes, commit: Commit, own: RosterEntry, wrap: bytes) -> OpenedWrap:
        tbs, context = commit.tbs, self._context
        scope = WrapScope(room.room_id, tbs.epoch, tbs.prev, committer)
        prekeys = context.vault.prekeys.all()
        opened: OpenedWrap = await context.in_thread(
            open_wrap, wrap, scope, context.device_id, own.cert_hash, context.opening, prekeys
        )
        return opened

    def _spend(self, opened: OpenedWrap) -> None:
        if opened.spent_prekey_id is not None:
            self._context.vault.prekeys.delete(opened.spent_prekey_id)

    def _is_forgotten(self, wrap: bytes) -> bool:
        """Whether a wrap goes by a prekey that this device does not remember to have made."""
        try:
            return not self._context.vault.prekeys.made(Wrap.decode(wrap).prekey_id)
        except Reject:
            return False

    def _broken(
        self, room: Room, commit: Commit, opened: OpenedWrap | None, *, theirs: bool, forgotten: bool, lost: bool
    ) -> None:
        """The state stands, but its keys do not open; a later commit repairs the room.

        Where the wrap is the one that the commit names, ``theirs``, the committer is named; else the server has given
        another one, or none. Nobody is, where it is ``forgotten``: an older copy of this device's files would not know.
        Nothing is told where it was ``lost`` with what a restore has lost, which is told as that.
        """
        if room.commit is not commit or room.row is None or room.state is None:
            return
        with self._context.vault.transaction():
            room.row = replace(room.row, keys=Keys.BROKEN)
            self._context.vault.rooms.put(room.row)
            if opened is not None:
                self._spend(opened)
        if lost:
            return
        name, entry = self._rooms.name(room), room.state.device(room.row.committer)
        if forgotten:
            self._context.emit(Alarm("forgotten_keys", name, room_id=room.room_id))
            return
        if not theirs:
            self._context.emit(Alarm("false_keys", name, room_id=room.room_id))
            return
        self._context.emit(KeysBroken(name, "" if entry is None else entry.user, room.room_id))
