"""Whom and what a person wants to hear: decided once, on whichever of their devices."""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from chatserv.client.commits.maintenance import Maintenance
from chatserv.client.events import ClientEvent, RoomJoined, RoomLeft
from chatserv.client.inbound.agreements import Agreements
from chatserv.client.inbound.backlog import Backlog
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.own.talk import Talk
from chatserv.client.state.context import ClientContext
from chatserv.client.state.listeners import Listener
from chatserv.client.state.rooms import Room, Rooms, Standing
from chatserv.client.storage.stored_message import StoredMessage
from chatserv.crypto import own_bodies
from chatserv.errors import NotFound, Quota

MAX_ACCEPTED: Final = 1000


class Consents:
    """Rooms that somebody has put us into, and people whom we ignore.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        agreements: Tells the server.
        maintenance: Does what a room needs once we are in it by our own will.
        backlog: Tells what was said meanwhile.
        outbox: Goes on in the room.
        talk: Tells our other devices.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        agreements: Agreements,
        maintenance: Maintenance,
        backlog: Backlog,
        outbox: Outbox,
        talk: Talk,
    ) -> None:
        self._context, self._rooms, self._agreements, self._maintenance = context, rooms, agreements, maintenance
        self._backlog, self._outbox, self._talk = backlog, outbox, talk

    # -- rooms ---------------------------------------------------------------------------------------------------------

    def agree(self, room: Room, listener: Listener | None = None) -> list[StoredMessage]:
        """The person agrees to a room that is offered.

        Args:
            room: It.
            listener: Of the program that they did it in; by default our own.

        Returns:
            What was said there meanwhile, as far as it is no more than `MAX_ACCEPTED`; the rest is told by events, and all
            of it to other listeners.
        """
        row, backlog = room.row, self._backlog
        if row is None:
            return []
        listener = listener or backlog.first
        kept = self._context.vault.archive.after(row.room_id, backlog.shown(listener, room), MAX_ACCEPTED)
        self._agree(room)
        backlog.mark_shown(listener, room, kept[-1].seq if len(kept) == MAX_ACCEPTED else row.cursor)
        self._talk.say(own_bodies.Consents(((row.room_id, True),)))
        return kept

    def _agree(self, room: Room) -> None:
        if room.row is not None:
            vault = self._context.vault
            vault.ignored.allow(room.room_id)
            self._rooms.keep(
                room, replace(room.row, standing=Standing.IN, agreed=vault.rooms.next_agreed(), inviter="")
            )
            self._agreements.agreed(room)
            self._maintenance.agreed(room)
            self._context.later(0, self._backlog.again)
            self._outbox.flush_soon(room)

    def refuse(self, room: Room) -> None:
        """The person refuses direct messages. Raises `Quota` beyond so many."""
        self._context.vault.ignored.refuse(room.room_id)
        self._rooms.stand(room, Standing.REFUSED)
        self._talk.say(own_bodies.Consents(((room.room_id, False),)))

    def heard(self, room_id: bytes, *, agreed: bool) -> list[ClientEvent]:
        """The person has agreed to a room, or refused it, on another device."""
        room, vault = self._rooms.get(room_id), self._context.vault
        if not agreed:
            with suppress(Quota):
                vault.ignored.refuse(room_id)
            vault.heard_rooms.put_agreed(room_id, agreed=False)
            if room is None or not room.offered or room.hidden:
                return []
            name = self._rooms.name(room)
            self._rooms.stand(room, Standing.REFUSED)
            return [RoomLeft(name)]
        vault.ignored.allow(room_id)
        if room is None or not room.in_it:
            vault.heard_rooms.put_agreed(room_id, agreed=True)
        elif room.offered:
            self._agree(room)
            return [RoomJoined(self._rooms.name(room))]
        return []

    # -- people --------------------------------------------------------------------------------------------------------

    def ignore(self, user: str) -> None:
        """The person does not want to hear somebody. Raises `Quota`."""
        self._ignore(user)
        self._talk.say(own_bodies.IgnoredPeople(((user, True),)))

    def _ignore(self, user: str) -> None:
        self._context.vault.ignored.put(user)
        for room in self._rooms.ours():
            if room.offered and user in (self._rooms.peer(room), room.row and room.row.inviter):
                self._rooms.stand(room, Standing.REFUSED)

    def hear_again(self, user: str) -> None:
        """The person wants to hear somebody again. Raises `NotFound` for who was not ignored."""
        if not self._context.vault.ignored.drop(user):
            raise NotFound(f"{user}: not ignored")
        self._talk.say(own_bodies.IgnoredPeople(((user, False),)))

    def heard_of(self, user: str, *, ignored: bool) -> None:
        """The person has said so on another device."""
        if ignored:
            with suppress(Quota):
                self._ignore(user)
        else:
            self._context.vault.ignored.drop(user)
