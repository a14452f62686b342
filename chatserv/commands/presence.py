"""What others see of a person: online, away or offline."""

from enum import IntEnum
from typing import Final

from chatserv.commands.broadcast import notify_relaxed
from chatserv.domain.hub import Hub, LiveRoom, LiveSession
from chatserv.wire import messages

MAX_PRESENT: Final = 1000  # people that a session is told of at once


class Status(IntEnum):
    """What others see of a person."""

    OFFLINE = 0
    ONLINE = 1
    AWAY = 2


def status_of(hub: Hub, name: str) -> Status:
    """The best of a person's sessions, but for those that have only just logged in, and have yet to say how they are."""
    sessions = [session for session in hub.sessions_of(name) if session.seen]
    if not sessions:
        return Status.OFFLINE
    return Status.AWAY if all(session.away for session in sessions) else Status.ONLINE


def introduce(hub: Hub, room: LiveRoom, newcomer: LiveSession) -> None:
    """Tells a session that has come into a room who is there, and those who it is."""
    others = [other for other in room.here if other.name != newcomer.name]
    for name in list(dict.fromkeys(other.name for other in others))[:MAX_PRESENT]:
        notify_relaxed([newcomer], messages.Presence(name, status_of(hub, name)))
    told = [other for other in others if other.synced]
    notify_relaxed(told, messages.Presence(newcomer.name, status_of(hub, newcomer.name)))
