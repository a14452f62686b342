"""What other nodes say of people: kept, and told to whoever is here and shares a room with them."""

from collections.abc import Mapping, Sequence
from typing import Final

from chatserv.bus_models import GuestShown, PersonShown, Shown
from chatserv.commands import guests
from chatserv.commands.broadcast import notify_relaxed
from chatserv.commands.context import Context
from chatserv.commands.presence import Status, company, shown_of, status_of
from chatserv.wire import messages

ROOMS_AT_ONCE: Final = 100  # that are looked at in one turn, and may have to be decoded for that
PEOPLE_AT_ONCE: Final = 20  # of whom a thousand may have to be told


class Neighbours:
    """Implements `chatserv.backplane.presence.PresenceSink`.

    Args:
        context: The world of the commands.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def own(self) -> tuple[Sequence[PersonShown], Sequence[GuestShown]]:
        """Who is here."""
        hub = self._context.hub
        names = dict.fromkeys(session.name for session in hub.sessions if session.seen)
        people = [shown_of(hub, name) for name in names]
        return people, [guests.shown_of(each) for each in self._context.guests.sessions]

    def changed(self, node: bytes, shown: Shown) -> None:
        """Somebody has come to a node, or gone from it, or is away there."""
        if isinstance(shown, GuestShown):
            self._put_guest(node, shown)
            return
        hub, name = self._context.hub, shown.name
        before = status_of(hub, name)
        hub.elsewhere.put(node, name, shown.status, shown.devices)
        now = status_of(hub, name)
        if now is not before:
            notify_relaxed(company(hub, name, shown.rooms), messages.Presence(name, now))

    def _put_guest(self, node: bytes, shown: GuestShown) -> None:
        hub, known = self._context.hub, self._context.guests
        known.put_elsewhere(node, shown)
        if shown.at:
            guests.tell_waits(hub, shown)
        else:
            guests.tell_gone(hub, known, shown.name, shown.device_id)

    def everybody(self, node: bytes, people: Mapping[str, PersonShown], waiting: Sequence[GuestShown]) -> None:
        """Nobody else is there. Those of whom that was not known are told of, some rooms in a turn."""
        before_now = self._context.guests.on_node(node)
        there = {(each.name, each.device_id) for each in waiting}
        for gone in before_now:
            if (gone.name, gone.device_id) not in there:
                self._put_guest(node, GuestShown(gone.name, gone.device_id))
        for each in waiting:
            if each not in before_now:
                self._put_guest(node, each)
        self._put_people(node, people)

    def _put_people(self, node: bytes, people: Mapping[str, PersonShown]) -> None:
        hub, known = self._context.hub, self._context.hub.elsewhere.of(node)
        other = {name for name, shown in people.items() if known.get(name) != (shown.status, shown.devices)}
        other |= known.keys() - people.keys()
        before = {name: status_of(hub, name) for name in other}
        for name in other:
            shown = people.get(name, PersonShown(name, Status.OFFLINE))
            hub.elsewhere.put(node, name, shown.status, shown.devices)
        changed = {name: was for name, was in before.items() if status_of(hub, name) is not was}
        if changed:
            self._context.effects.spawn(self._tell(changed))

    async def _tell(self, changed: Mapping[str, Status]) -> None:
        """Tells of people of whom it is not known in which rooms they are."""
        context, hub = self._context, self._context.hub
        rooms: dict[str, list[bytes]] = {name: [] for name in changed}
        for at, room in enumerate(list(hub.rooms.values()), 1):
            for name in rooms.keys() & context.registry.company(room.room_id) if room.here else ():
                rooms[name].append(room.room_id)
            if at % ROOMS_AT_ONCE == 0:
                await self._turn()
        for at, (name, found) in enumerate(rooms.items(), 1):
            now = status_of(hub, name)
            if now is not changed[name]:  # else it has changed back, and nobody has heard of it
                notify_relaxed(company(hub, name, found), messages.Presence(name, now))
            if at % PEOPLE_AT_ONCE == 0:
                await self._turn()

    async def _turn(self) -> None:
        promise = self._context.effects.promise()

        def go_on() -> None:
            promise.callback(None)

        self._context.effects.later(0, go_on)
        await promise
