"""Committed events as messages of the bus, and back."""

from collections.abc import Iterable, Sequence
from typing import Final

from chatserv.backplane.bus_messages import MAX_EVENTS, MAX_STATE_BYTES, Change, RoomEvents, Said
from chatserv.backplane.nats import MAX_PAYLOAD
from chatserv.models import CommitDraft, Event, EventKind

OVERHEAD_BYTES: Final = 256  # of a message beside its events
MESSAGE_BYTES: Final = MAX_PAYLOAD // 2  # from here on the next event begins a new one


def room_messages(node: bytes, events: Sequence[Event]) -> Iterable[RoomEvents]:
    """Committed events of one room as messages that the bus takes, in order.

    A state that is too large is left out, and what would not fit at all: other nodes read that.
    """
    said: list[Said] = []
    size = 0
    for event in events:
        one = _said(event)
        weight = len(one.body) + (_weight(one.change) if one.change else 0) + OVERHEAD_BYTES
        if weight > MAX_PAYLOAD - OVERHEAD_BYTES:
            continue
        if said and (size + weight > MESSAGE_BYTES or len(said) == MAX_EVENTS):
            yield RoomEvents(node, events[0].room_id, tuple(said))
            said, size = [], 0
        said.append(one)
        size += weight
    if said:
        yield RoomEvents(node, events[0].room_id, tuple(said))


def _weight(change: Change) -> int:
    users = (*change.left, *change.asked, *change.agreed, *change.gone)
    devices = sum(len(device) + 16 for device, _ in change.added) + sum(len(device) + 8 for device in change.removed)
    return len(change.state) + devices + sum(4 * len(user) + 8 for user in users) + OVERHEAD_BYTES


def _said(event: Event) -> Said:
    change = event.change
    kept = None
    if change is not None and not change.at_seq and len(change.state) <= MAX_STATE_BYTES:
        moved = (
            change.epoch,
            change.commit_hash,
            change.kt_size,
            change.state,
            change.name,
            change.added,
            change.removed,
        )
        users = change.left, change.asked, change.agreed, change.gone
        kept = Change(*moved, *users, change.account_id, change.device_id)
    return Said(event.seq, event.at_ms, event.sender, event.kind, event.body, kept)


def events_of(message: RoomEvents) -> list[Event]:
    """The events, as `chatserv.commands.delivery.deliver` takes them."""
    return [
        Event(message.room, said.seq, said.at_ms, said.sender, said.kind, said.body, _draft(message.room, said))
        for said in message.events
    ]


def _draft(room_id: bytes, said: Said) -> CommitDraft | None:
    change = said.change
    if change is None or said.kind is not EventKind.COMMIT:
        return None
    return CommitDraft(
        room_id=room_id,
        epoch=change.epoch,
        prev=b"",
        commit_hash=change.commit_hash,
        kt_size=change.kt_size,
        state=change.state,
        name=change.name,
        skeleton="",
        pair=b"",
        account_id=change.account_id,
        device_id=change.device_id,
        sender=said.sender,
        body=said.body,
        at_ms=said.at_ms,
        added=change.added,
        removed=change.removed,
        left=change.left,
        asked=change.asked,
        agreed=change.agreed,
        gone=change.gone,
    )
