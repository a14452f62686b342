"""Rooms of the store in memory: commits, messages, places and wraps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chatserv.domain.hub import Place
from chatserv.errors import NameTaken, NotFound, Quota
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
from chatserv.ports import AppendResult, CommitResult
from chatserv.store.limits import StoreLimits


@dataclass
class _Seat:
    """A place, and the last generation that its device has sent in the current epoch."""

    place: Place
    generation: int = -1


@dataclass
class _Room:
    """An open room. ``newest``: its newest commit; ``commits``: the seqs of all, by epoch."""

    newest: CommitDraft
    events: list[Event] = field(default_factory=list)
    messages: dict[tuple[bytes, bytes], Duplicate] = field(default_factory=dict)
    commits: list[int] = field(default_factory=list)
    seats: dict[bytes, _Seat] = field(default_factory=dict)
    wraps: dict[tuple[int, bytes], StoredWrap] = field(default_factory=dict)
    leaves: dict[str, bytes] = field(default_factory=dict)
    consents: dict[str, ConsentAt] = field(default_factory=dict)
    marks: dict[bytes, int] = field(default_factory=dict)


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
        self._rooms: dict[bytes, _Room] = {}
        self._closed: set[bytes] = set()

    def append(self, draft: EventDraft) -> AppendResult:
        """Puts a message at the end of its room. Raises `NotFound` for an unknown or closed room."""
        room = self._open(draft.room_id)
        first = room.messages.get((draft.device_id, draft.id))
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
        room.messages[draft.device_id, draft.id] = Duplicate(seq, draft.at_ms)
        self._publish(event)
        return Appended(event)

    def commit(self, draft: CommitDraft) -> CommitResult:
        """Makes a commit the room's newest. Raises `NotFound`, `NameTaken` or `Quota`."""
        room = self._rooms.get(draft.room_id)
        if draft.room_id in self._closed or (room is None and draft.epoch > 0):
            raise NotFound("room")
        if room is not None and (draft.epoch, draft.prev) != (room.newest.epoch + 1, room.newest.commit_hash):
            return Stale(room.newest.epoch)
        for room_id, other in self._rooms.items():
            if draft.pair and other.newest.pair == draft.pair and room_id != draft.room_id:
                return PairTaken(room_id)
        for room_id, other in self._rooms.items():
            named = room_id != draft.room_id and other.newest.name and draft.name
            if named and (other.newest.name == draft.name or other.newest.skeleton == draft.skeleton):
                raise NameTaken("name or skeleton of a room")
        if room is None:
            if len(self._rooms) >= self._limits.rooms:
                raise Quota("rooms")
            room = self._rooms[draft.room_id] = _Room(draft)
        return Appended(self._take(room, draft))

    def _take(self, room: _Room, draft: CommitDraft) -> Event:
        room.newest = draft
        before = len(room.events)
        stored = Event(draft.room_id, before + 1, draft.at_ms, draft.sender, EventKind.COMMIT, draft.body)
        room.events.append(stored)
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
            room.seats[device_id] = _Seat(Place(leaf, since))
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

    def close_room(self, room_id: bytes, leaf: LeafDraft | None) -> None:
        """Ends a room. Raises `NotFound` where there is none."""
        self._open(room_id)
        del self._rooms[room_id]
        self._closed.add(room_id)
        self._log([] if leaf is None else [leaf])

    def leave(self, room_id: bytes, user: str, leave: bytes) -> None:
        """Keeps a Leave. Raises `NotFound`."""
        room = self._open(room_id)
        room.leaves[user] = leave
        room.consents.pop(user, None)

    def set_consents(self, consents: Sequence[ConsentAt]) -> None:
        """Keeps each in place of what was kept before."""
        for each in consents:
            room = self._rooms.get(each.room_id)
            if room is not None:
                room.consents[each.user] = each

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
            )
            for room_id, room in self._rooms.items()
        ]

    def consents(self) -> list[ConsentAt]:
        """What users say to their places in open rooms, by age of the room."""
        return [room.consents[user] for room in self._rooms.values() for user in sorted(room.consents)]

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
        return [room.events[seq - 1].body for seq in room.commits[first : first + max(limit, 0)]]

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
        return room.events[max(after, 0) : end]

    def _open(self, room_id: bytes) -> _Room:
        room = self._rooms.get(room_id)
        if room is None:
            raise NotFound("room")
        return room
