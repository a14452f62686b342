"""What others see of a person: online, away or offline."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from chatserv.bus_models import PersonShown
from chatserv.commands.broadcast import notify_relaxed
from chatserv.commands.room_registry import RoomRegistry
from chatserv.domain.hub import Hub, LiveRoom, LiveSession
from chatserv.wire import messages

MAX_PRESENT: Final = 1000  # people that a session is told of at once


class Status(IntEnum):
    """What others see of a person; of two that are not offline the smaller one is the better."""

    OFFLINE = 0
    ONLINE = 1
    AWAY = 2


def _seen(hub: Hub, name: str) -> list[LiveSession]:
    return [session for session in hub.sessions_of(name) if session.seen]


def shown_of(hub: Hub, name: str, rooms: Iterable[bytes] = ()) -> PersonShown:
    """How somebody is on this node, as other nodes are told."""
    devices = tuple(session.device_id for session in _seen(hub, name))
    return PersonShown(name, own_status(hub, name), devices, tuple(rooms))


def own_status(hub: Hub, name: str) -> Status:
    """The best of a person's sessions on this node, but for those that have only just logged in, and have yet to say how
    they are.
    """
    sessions = _seen(hub, name)
    if not sessions:
        return Status.OFFLINE
    return Status.AWAY if all(session.away for session in sessions) else Status.ONLINE


def status_of(hub: Hub, name: str) -> Status:
    """The best of a person's sessions, wherever they are."""
    own = own_status(hub, name)
    if name not in hub.elsewhere:
        return own
    other = Status(hub.elsewhere.status(name))
    return min(own, other) if own else other


def names_in(hub: Hub, registry: RoomRegistry, room: LiveRoom) -> dict[str, None]:
    """Whoever of a room is online, here or elsewhere, and perhaps others of the sessions here, which are still arriving."""
    names = {session.name: None for session in room.here}
    if len(hub.elsewhere):
        names |= {name: None for name in registry.company(room.room_id) if name in hub.elsewhere}
    return names


def company(hub: Hub, name: str, rooms: Iterable[bytes]) -> dict[LiveSession, None]:
    """The sessions of others, on this node, that have caught up and are in one of these rooms."""
    found: dict[LiveSession, None] = {}
    for room_id in rooms:
        if room_id in hub.rooms:
            found |= hub.rooms[room_id].here
    return {other: None for other in found if other.synced and other.name != name}


def introduce(hub: Hub, registry: RoomRegistry, room: LiveRoom, newcomer: LiveSession) -> None:
    """Tells a session that has come into a room who is there, and those who it is."""
    for name in [name for name in names_in(hub, registry, room) if name != newcomer.name][:MAX_PRESENT]:
        notify_relaxed([newcomer], messages.Presence(name, status_of(hub, name)))
    told = company(hub, newcomer.name, [room.room_id])
    notify_relaxed(told, messages.Presence(newcomer.name, status_of(hub, newcomer.name)))


def introduce_elsewhere(hub: Hub, registry: RoomRegistry, room: LiveRoom, device_ids: Iterable[bytes]) -> None:
    """Tells the sessions here of people who have come into a room and are online on other nodes."""
    record = registry.get(room.room_id)
    if record is None or not len(hub.elsewhere) or not room.here:
        return
    entries = map(record.state.device, device_ids)
    names = {entry.user for entry in entries if entry is not None and entry.user in hub.elsewhere}
    for name in names.intersection(registry.company(room.room_id)) if names else ():
        notify_relaxed(company(hub, name, [room.room_id]), messages.Presence(name, status_of(hub, name)))
