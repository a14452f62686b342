"""What is wrong now: what was told by an event, and has not passed since, for whoever looks later."""

from typing import Final

from chatserv.client.engine import Engine
from chatserv.client.events import (
    Alarm,
    ClientEvent,
    IdentityChanged,
    KeysBroken,
    RoomRewound,
    RotationOpen,
    SendDelayed,
    SendHeld,
)
from chatserv.client.state.pins import PinState
from chatserv.client.state.rooms import Keys, Room

MAX_KEPT: Final = 200
"""Alarms, and rooms that are broken; beyond, the oldest are looked up no more."""
_STOPPED: Final = frozenset({"bad_commit", "false_key", "room_stuck"})


class Troubles:
    """Remembers what was told, and looks at what is there."""

    def __init__(self) -> None:
        self._told: dict[tuple[object, ...], Alarm | KeysBroken | RoomRewound | SendDelayed] = {}

    def hear(self, event: ClientEvent) -> None:
        """Something was told."""
        match event:
            case Alarm(what=what, detail=detail, user=user, room_id=room_id):
                self._keep((what, room_id or detail, user), event)
            case KeysBroken(room_id=room_id) | RoomRewound(room_id=room_id) | SendDelayed(room_id=room_id):
                self._keep((type(event), room_id), event)

    def _keep(self, key: tuple[object, ...], event: Alarm | KeysBroken | RoomRewound | SendDelayed) -> None:
        self._told.pop(key, None)
        self._told[key] = event
        if len(self._told) > MAX_KEPT:
            del self._told[next(iter(self._told))]

    def open(self, engine: Engine) -> list[ClientEvent]:
        """What has not passed, as the events that told it: identities, rooms that wait for a person, the rest in order."""
        for key, event in list(self._told.items()):
            if not _lasts(event, engine):
                del self._told[key]
        context = engine.context
        changed = [pin for pin in context.vault.pins.all() if pin.state is PinState.CHANGED]
        found: list[ClientEvent] = [IdentityChanged(pin.user, pin.was_verified) for pin in changed]
        for room in engine.rooms.ours():
            users = () if room.offered else tuple(context.pins.changed_among(room.listed()))
            if users:
                found.append(SendHeld(engine.rooms.name(room), users, room.room_id))
        waiting = engine.own.identity.open()
        found += [RotationOpen(waiting)] if waiting else []
        return found + list(self._told.values())


def _lasts(event: Alarm | KeysBroken | RoomRewound | SendDelayed, engine: Engine) -> bool:
    room = engine.rooms.get(event.room_id)
    if isinstance(event, SendDelayed):
        return engine.outbox.refusal is event.error
    if isinstance(event, KeysBroken):
        return _broken(room)
    if isinstance(event, RoomRewound):
        return room is not None and room.stopped
    if event.what in _STOPPED:
        return room is not None and room.stopped
    if event.what in {"false_keys", "forgotten_keys"}:
        return _broken(room)
    if event.what == "room_withheld":
        return room is not None and room.withheld
    return event.what != "old_log" or engine.context.log.too_old(engine.context.now_ms())


def _broken(room: Room | None) -> bool:
    return room is not None and room.row is not None and room.row.keys is Keys.BROKEN
