"""Our places in rooms, as the server tells them, held against what was signed and what we have.

A room that the server closes, or leaves out of ``welcome``, is one that we have left ourselves, or one of which its log says
to everybody that it has ended, by its operator or with its last member; otherwise nobody has signed that we are out, and
the server withholds it. Such a room keeps its place with us, with its cursor and its keys: what is said there meanwhile is
told, or missed in sight, as soon as it comes back.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from chatserv.client.events import Alarm, RetentionChanged, RoomLeft, RoomRewound
from chatserv.client.inbound.agreements import AGREED
from chatserv.client.inbound.holes import hole_seen
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Keys, Room, Rooms, Standing
from chatserv.client.state.transparency_log import LogForked
from chatserv.errors import BadKey
from chatserv.wire import messages

BACK_SECONDS: Final = 30.0  # in which the server has to carry again what we have agreed to, and may have had to yield
LOST_SECONDS: Final = 60.0  # so long a room that is withheld may still come back, before what waits is given back
CROSSED_SECONDS: Final = 10.0  # the commit that puts us out may be on its way
LEAVING: Final = (
    "leaving "  # and the room's id, in hexadecimal: we have signed a Leave, and may not know that it arrived
)


class Places:
    """Looks at all rooms at the beginning of a session, and when the server says that one is gone.

    Args:
        context: What the client's parts share.
        rooms: All rooms.

    Attributes:
        moved: Told of a room that we are in no more, or again: what waits to be sent there fails, or goes.
        reach: Makes the log known up to a size.
        rewound: Told of a room that has nothing any more behind a place that we knew.
    """

    moved: Callable[[Room], None]
    reach: Callable[[int], Awaitable[None]]
    rewound: Callable[[Room, int], None]

    def __init__(self, context: ClientContext, rooms: Rooms) -> None:
        self._context, self._rooms = context, rooms
        self._denied: set[bytes] = set()
        self._yielded: dict[bytes, object] = {}  # rooms that are to come back in this session
        self._caught_up = False

    # -- a session begins ----------------------------------------------------------------------------------------------

    def compare(
        self, told: tuple[messages.RoomInfo, ...], rule: messages.RetentionInfo
    ) -> tuple[tuple[bytes, int], ...]:
        """Compares what the server says of our rooms with what we have; gives the cursors to go on from."""
        if self._rooms.rule.told(rule, told):
            self._context.emit(RetentionChanged(self._rooms.rule.age_seconds, self._rooms.rule.bytes))
        there = {info.room for info in told}
        for room in self._rooms.ours():
            if room.room_id not in there:
                self.gone(room.room_id)
        cursors = []
        for info in told:
            known = self._rooms.get(info.room)
            if known is None or known.row is None:
                continue
            if known.in_it:
                self.came(known.room_id)
                self.stays(known)
                self._compare(known, info)
            if known.in_it or known.row.cursor >= info.since:  # else we have left it, and are back in it
                cursors.append((info.room, min(known.row.cursor, info.head)))
        return tuple(cursors)

    def _compare(self, room: Room, info: messages.RoomInfo) -> None:
        """The server may have less than we have, after a restore or because it rolls the room back."""
        row = room.row
        if row is None:
            return
        other_chain = row.epoch > info.epoch or (row.epoch == info.epoch and info.commit_hash != row.commit_hash)
        if row.cursor <= info.head and not other_chain:
            return
        if other_chain:
            room.stopped = True  # we have seen commits that the server has not: nothing beside them is accepted
        if not room.hidden:
            self._context.emit(RoomRewound(self._rooms.name(room), row.cursor, info.head, room.room_id, room.stopped))
        head = info.head  # other messages will have the places behind
        read, told = min(row.read, head), min(row.read_told, head)
        room.row = replace(row, cursor=min(row.cursor, head), shown=min(row.shown, head), read=read, read_told=told)
        self._context.vault.rooms.put(room.row)
        self._context.vault.kept_events.rewind(room.room_id, head)
        self.rewound(room, head)

    def caught_up(self, told: tuple[messages.RoomInfo, ...]) -> None:
        """Everything that was missing has come, by the server's word: what it has counted and not sent is a gap."""
        self._caught_up = True
        for room_id in list(self._yielded):
            self.gone(room_id)
        for info in told:
            room = self._rooms.get(info.room)
            if room is None or room.row is None or not room.in_it or room.stopped or room.row.cursor >= info.head:
                continue
            first = room.row.cursor + 1
            self._context.vault.rooms.set_cursor(room.room_id, info.head)
            room.row = replace(room.row, cursor=info.head)
            if not room.offered:  # else nothing of it is told
                self._context.emit(hole_seen(self._context, self._rooms, room, first, info.head))
        self._rooms.rule.caught_up(self._context.now_ms())
        self._rooms.lost_keys.caught_up(self._rooms.ours())
        for room in self._rooms.ours():
            if room.row is not None and room.row.read > room.newest:  # no device of ours has read what never came
                self._rooms.keep(room, replace(room.row, read=room.newest, read_told=room.newest))

    # -- rooms that are gone -------------------------------------------------------------------------------------------

    def leaving(self, room: Room) -> None:
        """We are about to sign a Leave: from now on the server may forget us there."""
        self._context.vault.facts.put(LEAVING + room.room_id.hex(), b"1")

    def stays(self, room: Room) -> None:
        """A Leave has not arrived, or was refused."""
        self._context.vault.facts.delete(LEAVING + room.room_id.hex())

    def hear(self, notice: messages.RoomEntered | messages.RoomClosed) -> None:
        """Takes a notice in."""
        if isinstance(notice, messages.RoomClosed):
            self._context.spawn(self._closed(notice), "closed room")
        else:
            self.came(notice.info.room)

    async def _closed(self, notice: messages.RoomClosed) -> None:
        with suppress(BadKey, LogForked):  # which is told in other words; and of the room it says nothing
            await self.reach(notice.logged)
        self.gone(notice.room)

    def _is_ended(self, room: Room) -> bool:
        """Whether the log says that the room has ended for all."""
        facts = self._context.log.facts
        return bool(facts.endings(room.room_id, facts.size))

    def _ended(self, room: Room) -> None:
        name, warned = self._rooms.name(room), room.withheld
        self.leave(room)
        if warned or not room.of_devices:  # which nobody sees, and our devices make anew
            self._context.emit(RoomLeft(name, room_id=room.room_id, closed=True, warned=warned))

    def log_grown(self) -> None:
        """The log may say now why a room is missing that seemed to be withheld."""
        for room in self._rooms.ours():
            if room.withheld and self._is_ended(room):
                self._ended(room)

    def gone(self, room_id: bytes) -> None:
        """The server says that we are in a room no more."""
        room = self._rooms.get(room_id)
        if room is None or not room.in_it:
            return
        name = self._rooms.name(room)
        if room.offered:
            self._withdrawn(room, name)
        elif self._context.vault.facts.get(LEAVING + room_id.hex()) is not None:
            self.leave(room)
            self._context.emit(RoomLeft(name, self._context.user, room_id))
        elif self._is_ended(room):
            self._ended(room)
        elif self._context.vault.facts.get(AGREED + room_id.hex()) is not None:
            self._expect_back(room)  # it had to yield before the server knew that we want it: we are about to tell it
        else:
            self._withheld(room)

    def _expect_back(self, room: Room) -> None:
        self._yielded[room.room_id] = mark = object()

        def look() -> None:
            if self._yielded.get(room.room_id) is mark:
                self._withheld(room)

        if self._caught_up:  # before, the server was not told
            self._context.later(BACK_SECONDS, look)

    def _withheld(self, room: Room) -> None:
        self._yielded.pop(room.room_id, None)
        if room.in_it and not room.withheld:
            room.withheld = True
            self._context.emit(Alarm("room_withheld", self._rooms.name(room), room_id=room.room_id))
            self._context.later(LOST_SECONDS, lambda: self._look_at_withheld(room))

    def _look_at_withheld(self, room: Room) -> None:
        """What waits to be sent goes when the room comes back; after a while it is given back instead."""
        if room.in_it and room.withheld:
            room.lost = True
            self.moved(room)

    def _withdrawn(self, room: Room, name: str) -> None:
        """A room that we have not agreed to is gone, as one that we were given too many of.

        Direct messages stay, unseen until we begin with them, since their keys do not come twice.
        """
        if room.hidden:
            return
        if self._rooms.peer(room) is not None:
            self._rooms.stand(room, Standing.REFUSED)
        else:
            room.queue.clear()
            self._context.vault.forget_room(room.room_id)
            self._rooms.reload(room)
            self._rooms.forget_room(room.room_id)
        self._context.emit(RoomLeft(name, room_id=room.room_id))

    def denied(self, room: Room) -> None:
        """The server has refused something in a room because we were no member of it: in a moment a commit has to say so."""
        if room.in_it and room.room_id not in self._denied:
            self._denied.add(room.room_id)
            self._context.later(CROSSED_SECONDS, lambda: self._look_at_denied(room))

    def _look_at_denied(self, room: Room) -> None:
        self._denied.discard(room.room_id)
        if not room.busy:
            self.gone(room.room_id)

    def came(self, room_id: bytes) -> None:
        """The server carries a room, which it may have withheld."""
        self._yielded.pop(room_id, None)
        room = self._rooms.get(room_id)
        if room is not None and room.withheld:
            room.withheld = room.lost = False
            self.moved(room)

    def disconnected(self) -> None:
        """The next session tells anew which rooms there are."""
        self._yielded.clear()
        self._caught_up = False

    def leave(self, room: Room) -> None:
        """We are no more in a room: its keys go, what was read stays."""
        if room.row is None:
            return
        with self._context.vault.transaction():
            row = replace(room.row, standing=Standing.OUT, keys=Keys.WANTED, inviter=self._context.user)
            room.row, room.withheld, room.lost = row, False, False
            self._context.vault.rooms.put(room.row)
            self._context.vault.chains.clear(room.room_id)
            self.stays(room)
        self.moved(room)
