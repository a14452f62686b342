"""Rooms of the store in memory: commits, messages, places and wraps."""

from collections.abc import Callable, Collection, Mapping, Sequence

from chatserv.control_models import Consented, LeaveKept
from chatserv.domain.hub import Place
from chatserv.errors import NameTaken, NotFound, Quota, StaleCommit
from chatserv.mending_models import MendedMessage
from chatserv.models import (
    Appended,
    CommitDraft,
    Consent,
    ConsentAt,
    Duplicate,
    Event,
    EventDraft,
    EventKind,
    LeafDraft,
    PairTaken,
    PlaceAt,
    Room,
    Stale,
    StoredWrap,
)
from chatserv.node_models import RoomAt
from chatserv.ports import AppendResult, CommitResult
from chatserv.store.limits import StoreLimits
from chatserv.store.memory_room import NOTHING, MemoryRoom, Seat
from chatserv.store.message_key import message_key


class RoomTable:
    """The rules about rooms. Whatever raises has changed nothing.

    Args:
        limits: ``rooms`` counts here.
        log: Takes the leaves of what was done.
        publish: Takes each new event, after the leaves.
    """

    def __init__(
        self, limits: StoreLimits, log: Callable[[Sequence[LeafDraft]], None], publish: Callable[[Event], None]
    ) -> None:
        self._limits = limits
        self._log = log
        self._publish = publish
        self._rooms: dict[bytes, MemoryRoom] = {}
        self._closed: set[bytes] = set()

    def append(self, draft: EventDraft) -> AppendResult:
        """Puts a message at the end of its room. Raises `NotFound` for an unknown or closed room."""
        room = self._open(draft.room_id)
        key = (draft.device_id, message_key(draft.body, draft.id))
        first = room.messages.get(key)
        if first is not None:
            return first
        epoch = room.newest.epoch
        seat = room.seats.get(draft.device_id)
        if draft.epoch != epoch or seat is None or seat.place.until is not None or seat.place.leaf != draft.leaf:
            return Stale(epoch)
        if draft.generation <= seat.generation:
            return Stale(epoch)
        seat.generation = draft.generation
        seq = len(room.events) + 1
        event = Event(draft.room_id, seq, draft.at_ms, draft.sender, EventKind.MESSAGE, draft.body)
        room.events.append(event)
        room.messages[key] = Duplicate(seq, draft.at_ms)
        self._publish(event)
        return Appended(event)

    def commit(self, draft: CommitDraft) -> CommitResult:
        """Makes a commit the room's newest. Raises `NotFound`, `NameTaken` or `Quota`."""
        room = self._rooms.get(draft.room_id)
        if draft.room_id in self._closed or (room is None and draft.epoch > 0):
            raise NotFound("room")
        if room is not None and (draft.epoch, draft.prev) != (room.newest.epoch + 1, room.newest.commit_hash):
            return Stale(room.newest.epoch)
        if draft.at_seq and not _is_free(room, draft.at_seq):
            return Stale(-1 if room is None else room.newest.epoch)
        same_pair = None
        if draft.pair and room is None:
            same_pair = next((each for each, other in self._rooms.items() if other.pair == draft.pair), None)
        if same_pair is not None and same_pair != draft.replaces:
            return PairTaken(same_pair)
        for room_id, other in self._rooms.items():
            named = room_id != draft.room_id and other.newest.name and draft.name
            if named and (other.newest.name == draft.name or other.newest.skeleton == draft.skeleton):
                raise NameTaken("name or skeleton of a room")
        if room is None:
            if len(self._rooms) >= self._limits.rooms:
                raise Quota("rooms")
            if same_pair is not None:
                self._rooms[same_pair].pair = b""
            room = self._rooms[draft.room_id] = MemoryRoom(draft, pair=draft.pair)
        return Appended(self._take(room, draft))

    def _take(self, room: MemoryRoom, draft: CommitDraft) -> Event:
        room.newest = draft
        before = (draft.at_seq or len(room.events) + 1) - 1
        stored = Event(draft.room_id, before + 1, draft.at_ms, draft.sender, EventKind.COMMIT, draft.body)
        room.put(stored)
        room.commits.append(stored.seq)
        for seat in room.seats.values():
            seat.generation = -1
        for device_id in draft.removed:
            gone = room.seats.get(device_id)
            if gone is not None and gone.place.until is None:
                gone.place = Place(gone.place.leaf, gone.place.since, stored.seq)
        for device_id, leaf in draft.added:
            had = room.seats.get(device_id)
            since = had.place.since if had is not None and had.place.until is None else before
            room.seats[device_id] = Seat(Place(leaf, since))
        for user in draft.left:
            room.leaves.pop(user, None)
        for wrap in draft.wraps:
            room.wraps[draft.epoch, wrap.device_id] = StoredWrap(wrap.wrap, wrap.path)
        for user in draft.gone:
            room.consents.pop(user, None)
        for user in draft.asked:
            room.consents[user] = ConsentAt(draft.room_id, user, draft.sender, Consent.ASKED)
        for user in draft.agreed:
            room.consents[user] = ConsentAt(draft.room_id, user, "", Consent.AGREED)
        self._log(draft.leaves)
        event = Event(
            stored.room_id, stored.seq, stored.at_ms, stored.sender, EventKind.COMMIT, stored.body, change=draft
        )
        self._publish(event)
        return event

    def close_room(self, room_id: bytes, *leaves: LeafDraft | None, epoch: int | None = None) -> None:
        """Ends a room. Raises `NotFound` or `StaleCommit`."""
        if epoch not in {None, self._open(room_id).newest.epoch}:
            raise StaleCommit("room: somebody has committed")
        del self._rooms[room_id]
        self._closed.add(room_id)
        self._log([leaf for leaf in leaves if leaf is not None])

    def leave(self, room_id: bytes, user: str, leave: bytes) -> LeaveKept:
        """Keeps a Leave. Raises `NotFound`."""
        room = self._open(room_id)
        room.leaves[user] = leave
        room.consents.pop(user, None)
        return LeaveKept(room_id, room.newest.epoch, len(room.events), user, leave)

    def end_device(self, device_id: bytes) -> None:
        """The device is at its end: its places end where they are, and its wraps go."""
        for room in self._rooms.values():
            if (seat := room.seats.get(device_id)) is None:
                continue
            if seat.place.until is None:
                seat.place = Place(seat.place.leaf, seat.place.since, len(room.events))
            for key in [key for key in room.wraps if key[1] == device_id]:
                del room.wraps[key]

    def end_account(self, account_id: bytes, name: str) -> None:
        """Nothing is kept of what the account has read and agreed to."""
        for room in self._rooms.values():
            room.marks.pop(account_id, None)
            room.consents.pop(name, None)

    def set_consents(self, consents: Sequence[ConsentAt]) -> list[Consented]:
        """Keeps what may follow what was kept before; of rooms that are closed or unknown, none."""
        found = [(self._rooms.get(each.room_id), each) for each in consents]
        orders = [room.say(each) for room, each in found if room is not None]
        return [order for order in orders if order is not None]

    def passed(self, device_id: bytes, cursors: Mapping[bytes, int]) -> None:
        """Forgets a device's wraps of epochs that ended before its cursors."""
        for room_id, cursor in cursors.items():
            room = self._rooms.get(room_id)
            if room is not None:
                newest = sum(seq <= cursor for seq in room.commits) - 1
                for key in [key for key in room.wraps if key[1] == device_id and key[0] < newest]:
                    del room.wraps[key]

    def mark_read(self, account_id: bytes, room_id: bytes, seq: int) -> None:
        """Moves a read marker forward. Raises `NotFound`."""
        marks = self._open(room_id).marks
        marks[account_id] = max(marks.get(account_id, seq), seq)

    # -- mending

    def is_closed(self, room_id: bytes) -> bool:
        """Whether there was such a room."""
        return room_id in self._closed

    def is_taken(self, room_id: bytes, seq: int) -> bool:
        """Whether something is at a place of a room."""
        room = self._rooms.get(room_id)
        return room is not None and room.at(seq) is not None

    def mend(self, room_id: bytes, mended: MendedMessage) -> bool:
        """Puts a message where nothing is; says whether it did. Raises `NotFound`."""
        room = self._open(room_id)
        key = (mended.device_id, message_key(mended.body, mended.id))
        if room.at(mended.seq) is not None or key in room.messages:
            return False
        seat = room.seats.get(mended.device_id)
        open_here = seat is not None and seat.place.until is None and seat.place.leaf == mended.leaf
        if seat is not None and open_here and mended.epoch == room.newest.epoch:
            if mended.generation <= seat.generation:
                return False
            seat.generation = mended.generation
        room.put(Event(room_id, mended.seq, mended.at_ms, mended.sender, EventKind.MESSAGE, mended.body))
        room.messages[key] = Duplicate(mended.seq, mended.at_ms)
        return True

    def open_rooms(self) -> list[MemoryRoom]:
        """All of them."""
        return list(self._rooms.values())

    def forget(self, gone: Event) -> None:
        """A message is not kept; its key is."""
        room = self._rooms[gone.room_id]
        room.events[gone.seq - 1] = NOTHING
        room.gone_through = max(room.gone_through, gone.seq)

    # -- questions

    def rooms(self) -> list[Room]:
        """All open rooms, oldest first."""
        return [
            Room(
                room_id=room_id,
                name=room.newest.name,
                epoch=room.newest.epoch,
                head=len(room.events),
                commit_hash=room.newest.commit_hash,
                kt_size=room.newest.kt_size,
                state=room.newest.state,
                leaves=tuple(sorted(room.leaves.items())),
                gone_through=room.gone_through,
            )
            for room_id, room in self._rooms.items()
        ]

    def rooms_at(self, room_ids: Collection[bytes], control: int) -> dict[bytes, RoomAt]:
        """Rooms as they stand, behind so many orders."""
        found = {}
        for each in self.rooms():
            if each.room_id in room_ids:
                room = self._rooms[each.room_id]
                places = {device_id: seat.place for device_id, seat in room.seats.items()}
                said = tuple(room.consents[user] for user in sorted(room.consents))
                found[each.room_id] = RoomAt(each, places, said, control)
        return found

    def rooms_of(self, name: str, device_ids: Collection[bytes]) -> list[bytes]:
        """Open rooms in which one of the devices has or had a place, or the user has said something to theirs, by id."""
        return sorted(
            room_id
            for room_id, room in self._rooms.items()
            if name in room.consents or any(each in room.seats for each in device_ids)
        )

    def places(self, device_id: bytes) -> list[PlaceAt]:
        """The places of a device, ended ones included, by age of the room."""
        return [
            PlaceAt(room_id, room.seats[device_id].place)
            for room_id, room in self._rooms.items()
            if device_id in room.seats
        ]

    def commits(self, room_id: bytes, epoch: int, limit: int) -> list[bytes]:
        """Up to ``limit`` commits from ``epoch`` on, in order."""
        room = self._rooms.get(room_id)
        if room is None:
            return []
        first = max(epoch, 0)
        found = (room.at(seq) for seq in room.commits[first : first + max(limit, 0)])
        return [each.body for each in found if each is not None]

    def wrap(self, room_id: bytes, epoch: int, device_id: bytes) -> StoredWrap | None:
        """The wrap of a device in an epoch, where it is still kept."""
        room = self._rooms.get(room_id)
        return None if room is None else room.wraps.get((epoch, device_id))

    def read_marks(self, account_id: bytes) -> dict[bytes, int]:
        """An account's read markers by room."""
        return {id_: room.marks[account_id] for id_, room in self._rooms.items() if account_id in room.marks}

    def between(self, room_id: bytes, after: int, before: int | None) -> list[Event]:
        """The events with ``after < seq < before``; None: to the end."""
        room = self._rooms.get(room_id)
        if room is None:
            return []
        end = len(room.events) if before is None else max(before - 1, 0)
        return [each for each in room.events[max(after, 0) : end] if each is not NOTHING]

    def _open(self, room_id: bytes) -> MemoryRoom:
        room = self._rooms.get(room_id)
        if room is None:
            raise NotFound("room")
        return room


def _is_free(room: MemoryRoom | None, seq: int) -> bool:
    """Whether nothing is at a place that lies behind the room's newest commit; a room begins with its first one."""
    return seq == 1 if room is None else room.at(seq) is None and seq > room.commits[-1]
