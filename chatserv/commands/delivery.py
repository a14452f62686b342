"""What becomes of committed events: the one place where rooms, places and sessions move on."""

from collections.abc import Sequence
from itertools import groupby

from chatserv.commands.broadcast import notify
from chatserv.commands.presence import introduce, introduce_elsewhere
from chatserv.commands.room_registry import RoomRegistry
from chatserv.domain.hub import Hub, LiveRoom, LiveSession
from chatserv.failpoints import failpoint
from chatserv.models import CommitDraft, Event
from chatserv.wire import messages
from chatserv.wire.codec import encode_message


def wire_event(event: Event) -> messages.Event:
    """A stored event as it travels."""
    return messages.Event(event.room_id, event.seq, event.at_ms, event.sender, event.kind, event.body)


def encode_event(event: Event) -> bytes:
    """A stored event, encoded."""
    return encode_message(wire_event(event))


def deliver(hub: Hub, registry: RoomRegistry, events: Sequence[Event]) -> None:
    """Encodes committed events once and hands them to the sessions of their rooms. The backplane calls it.

    A commit moves its room on before anybody hears of it; so whoever is answered later finds the room as it is.
    """
    failpoint("deliver.begun")
    for room_id, group in groupby(events, key=lambda event: event.room_id):
        plain: list[Event] = []
        for event in group:
            if event.change is None:
                plain.append(event)
                continue
            _deliver_plain(hub, room_id, plain)
            plain = []
            failpoint("commit.delivering")
            _deliver_commit(hub, registry, event, event.change)
            failpoint("commit.delivered")
        _deliver_plain(hub, room_id, plain)
        failpoint("deliver.room_done")


def _deliver_plain(hub: Hub, room_id: bytes, events: Sequence[Event]) -> None:
    if events and room_id in hub.rooms:
        hub.deliver(room_id, [encode_event(event) for event in events], events[-1].seq)


def _deliver_commit(hub: Hub, registry: RoomRegistry, event: Event, change: CommitDraft) -> None:
    room_id = event.room_id
    registry.move(change)
    if room_id not in hub.rooms:
        hub.add_rooms([LiveRoom(room_id, change.name, change.epoch, event.seq - 1)])
    room = hub.rooms[room_id]
    room.name, room.epoch, room.commit_hash = change.name, change.epoch, change.commit_hash
    hub.touch(device_id for device_id, _ in change.added)
    hub.touch(change.removed)
    newcomers = _let_in(hub, registry, room, event, change)
    part = encode_event(event)
    _hand_out_wraps(hub, room, change, len(part))
    hub.deliver(room_id, (part,), event.seq)
    for newcomer in newcomers:
        introduce(hub, registry, room, newcomer)
    introduce_elsewhere(hub, registry, room, (device_id for device_id, _ in change.added))
    for device_id in change.removed:
        session = hub.session_of(device_id)
        if session is not None:
            hub.end_place(session, room_id, event.seq)


def _let_in(hub: Hub, registry: RoomRegistry, room: LiveRoom, event: Event, change: CommitDraft) -> list[LiveSession]:
    """Gives the added devices that are online their places; who is new in the room, and returned, is told so first."""
    since, newcomers = event.seq - 1, []
    for device_id, leaf in change.added:
        session = hub.session_of(device_id)
        if session is None or registry.invitations.has_yielded(session.name, room.room_id):
            continue
        if hub.enter(session, room.room_id, leaf, since):
            agreed = registry.invitations.get(session.name, room.room_id) is None
            notify([session], messages.RoomEntered(room_info(room, session, 0, agreed=agreed)))
            newcomers.append(session)
    return [session for session in newcomers if session.synced]


def _hand_out_wraps(hub: Hub, room: LiveRoom, change: CommitDraft, event_size: int) -> None:
    """Each device's own wrap goes before the commit, where it is live; who is behind asks for it."""
    for wrap in change.wraps:
        session = hub.session_of(wrap.device_id)
        if session is None or session not in room.live:
            continue
        part = encode_message(messages.WrapReady(room.room_id, change.epoch, wrap.path, wrap.wrap))
        if session.outbox.has_place(len(part) + event_size):
            session.outbox.queue((part,), len(part))


def room_info(room: LiveRoom, session: LiveSession, read: int, *, agreed: bool = True) -> messages.RoomInfo:
    """A room as a session with a place in it sees it. ``agreed``: its user is known to want that."""
    place = session.places[room.room_id]
    head = room.head if place.until is None else place.until
    kept = room.commit_hash, agreed, room.first
    return messages.RoomInfo(room.room_id, room.name, room.epoch, place.since, head, read, *kept)
