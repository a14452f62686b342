"""The rooms as this client has them in memory, and the names by which people address them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from chatserv.client.state.lost_keys import LostKeys
from chatserv.client.state.room import Room, begun, rank, title_of
from chatserv.client.state.room_names import canonical, is_room_name
from chatserv.client.state.server_rule import ServerRule
from chatserv.client.storage.rooms import Keys, RoomRow, Standing
from chatserv.client.storage.vault import Vault
from chatserv.crypto.commits import Commit
from chatserv.crypto.room_rules import Head
from chatserv.crypto.room_state import Kind, Role, State
from chatserv.errors import NotFound, NotMember
from chatserv.i18n import _

SHORT_ID_DIGITS: Final = 6


class Rooms:
    """All rooms, by id and by name.

    Args:
        vault: Where they are kept.
        user: Our account's name.

    Attributes:
        rule: How long the server keeps what is said in them.
        lost_keys: In which of them a restore of the server may have lost keys.
    """

    def __init__(self, vault: Vault, user: str) -> None:
        self._vault, self._user = vault, user
        self.rule = ServerRule(vault)
        self.lost_keys = LostKeys(vault.facts)
        self._rooms: dict[bytes, Room] = {row.room_id: _restored(row) for row in vault.rooms.all()}
        self._named: list[tuple[RoomRow | None, State | None]] = []
        self._names: dict[bytes, str] = {}

    def all(self) -> list[Room]:
        """Every room, those that we look at from outside included."""
        return list(self._rooms.values())

    def ours(self) -> list[Room]:
        """The rooms that we are in."""
        return [room for room in self._rooms.values() if room.in_it]

    def seen(self) -> list[Room]:
        """The rooms that we are in and a person is to see, in order of name."""
        names = self.names()
        return sorted((room for room in self._live() if not room.hidden), key=lambda room: names[room.room_id])

    def _live(self) -> list[Room]:
        """The rooms that we are in, without direct messages that have begun anew."""
        newest: dict[str, Room] = {}
        found, earlier = [], set()
        for room in self.ours():
            peer = self.peer(room)
            if peer is not None and not room.offered:
                other = newest.setdefault(peer, room)
                if other is not room:
                    newest[peer], old = (room, other) if begun(room) > begun(other) else (other, room)
                    earlier.add(old.room_id)
            found.append(room)
        return [room for room in found if room.room_id not in earlier] if earlier else found

    def stand(self, room: Room, standing: Standing) -> None:
        """Keeps what a room of ours is to us now."""
        if room.row is not None:
            self.keep(room, replace(room.row, standing=standing))

    def keep(self, room: Room, row: RoomRow) -> None:
        """Keeps a room's row in place of the one before."""
        room.row = row
        self._vault.rooms.put(row)

    def told_read(self, room: Room) -> None:
        """Our other devices are told how far a room was read."""
        if room.row is not None and room.row.read > room.row.read_told:
            self._vault.rooms.set_read_told(room.room_id, room.row.read)
            room.row = replace(room.row, read_told=room.row.read)

    def get(self, room_id: bytes) -> Room | None:
        """The room with this id."""
        return self._rooms.get(room_id)

    def look_at(self, room_id: bytes) -> Room:
        """The room with this id; a new one, of which nothing is known yet, where there is none."""
        room = self._rooms.get(room_id)
        if room is None:
            room = self._rooms[room_id] = Room(room_id, Head.before(room_id))
        return room

    def reload(self, room: Room) -> None:
        """Back to what is stored of a room."""
        row = self._vault.rooms.get(room.room_id)
        if row is None:
            room.row, room.state, room.commit, room.head = None, None, None, Head.before(room.room_id)
            return
        kept = _restored(row)
        room.row, room.state, room.commit, room.head = kept.row, kept.state, kept.commit, kept.head

    def reload_all(self) -> None:
        """The same for all; rooms that we only look at are looked at anew when they are needed."""
        for room in self.all():
            self.reload(room)
            self.forget_room(room.room_id)

    def forget_room(self, room_id: bytes) -> None:
        """Drops a room that was only looked at."""
        room = self._rooms.get(room_id)
        if room is not None and room.row is None:
            del self._rooms[room_id]

    # -- names ---------------------------------------------------------------------------------------------------------

    def peer(self, room: Room) -> str | None:
        """The other one of direct messages; None for a room."""
        if room.state is None or room.state.policy.kind is not Kind.DM:
            return None
        others = [member.user for member in room.state.members if member.user != self._user]
        return others[0] if others else self._user

    def name(self, room: Room) -> str:
        """How people address it: ``@bob``, or the name, with part of the id behind it where another room has the same."""
        found = self.names().get(room.room_id) if room.in_it else None
        if found is not None:
            return found
        peer = self.peer(room)
        if peer is not None:
            return f"@{peer}"
        return title_of(room) or f"~{room.room_id.hex()[:SHORT_ID_DIGITS]}"

    def names(self) -> dict[bytes, str]:
        """The names of all our rooms, by id; no two are the same. They hold until something of a room is another."""
        now = [(room.row, room.state) for room in self._rooms.values()]
        if len(now) != len(self._named) or not all(map(_same_name, now, self._named)):
            self._names = self._find_names()
        self._named = now
        return self._names

    def _find_names(self) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        taken: set[str] = set()
        for room in sorted(self._live(), key=rank):
            peer, name, digits = self.peer(room), title_of(room), SHORT_ID_DIGITS
            begin = name = _("your own devices") if room.of_devices else name if peer is None else f"@{peer}"
            while not name or name in taken:  # ids that begin alike can be made
                name, digits = f"{begin}~{room.room_id.hex()[:digits]}", digits + 2
            found[room.room_id] = name
            taken.add(name)
        return found

    def find(self, name: str) -> Room:
        """The room of ours that is addressed so: ``lobby``, ``#lobby``, ``@bob``, or a name with a part of its id.

        Raises:
            NotMember: We are in no such room.
        """
        wanted = name.strip()
        by_name = {each: room_id for room_id, each in self.names().items() if not self._rooms[room_id].of_devices}
        for each in (wanted, wanted.removeprefix("#"), canonical(wanted)):
            if each in by_name:
                return self._rooms[by_name[each]]
        raise NotMember(f"room {name}")

    def direct(self, user: str) -> Room | None:
        """Our direct messages with a user."""
        found = next((room for room in self.ours() if self.peer(room) == user), None)
        return found and self.current(found)

    def conversation(self, room: Room) -> list[Room]:
        """The room alone, or all direct messages with the same one that we have agreed to, the newest first.

        There is more than one where an identity was reset: nobody enters the rooms of before (docs/rooms.rst 5.2).
        """
        peer = self.peer(room)
        if peer is None or room.row is None or room.row.standing is not Standing.IN:
            return [room]
        found = [
            each for each in self.ours() if each.row and each.row.standing is Standing.IN and self.peer(each) == peer
        ]
        return sorted(found, key=begun, reverse=True) if len(found) > 1 else [room]

    def current(self, room: Room) -> Room:
        """Where what is said in a room goes on: in itself, but for direct messages that have begun anew."""
        return self.conversation(room)[0]

    def devices(self) -> Room | None:
        """The room of our own devices."""
        return next((room for room in self.ours() if room.of_devices), None)

    def sharing(self, user: str) -> Iterable[Room]:
        """Our rooms that a user has a device in."""
        return (room for room in self.ours() if room.state is not None and room.state.devices_of(user))

    def role(self, room: Room) -> Role | None:
        """Our role in it."""
        return None if room.state is None else room.state.role(self._user)

    def public(self, name: str) -> Room:
        """The public room of that name that we are in. Raises `NotFound`."""
        for room in self.ours():
            if room.state is not None and room.state.policy.public and room.state.policy.name == name:
                return room
        raise NotFound(f"room {name}")


def _same_name(now: tuple[RoomRow | None, State | None], before: tuple[RoomRow | None, State | None]) -> bool:
    """Whether nothing of a room is another that its name comes from; each message moves its row."""
    (row, state), (row_before, state_before) = now, before
    if row is row_before or row is None or row_before is None:
        return row is row_before and state is state_before
    return state is state_before and (row.room_id, row.title, row.agreed, row.standing) == (
        *(row_before.room_id, row_before.title, row_before.agreed, row_before.standing),
    )


def _restored(row: RoomRow) -> Room:
    state, commit = State.decode(row.state), Commit.decode(row.head_commit)
    return Room(row.room_id, Head.of(commit), row, state, commit, stopped=row.standing is Standing.FORKED)


__all__ = ["Keys", "Room", "Rooms", "Standing", "is_room_name"]
