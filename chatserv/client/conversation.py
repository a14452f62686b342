"""What outlives a connection: sends that are not acknowledged, cursors, and what was seen already. No I/O.

Feed it the server's messages, and it says what happened (`receive`) and what to send (`take_outgoing`). A connection may die
at any byte: after the next one is up, `sync` brings what is missing and the same sends go out again under the same ids, so
that nothing is lost and nothing doubled.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from chatserv.client.events import (
    Answered,
    ClientEvent,
    GapSeen,
    MessageReceived,
    RetryWanted,
    RoomRewound,
    SendAcknowledged,
    SendFailed,
    Status,
    StatusChanged,
    SyncRefused,
)
from chatserv.crypto.content import Content
from chatserv.errors import BadMessage, LocalProtocolError, NotMember, Quota, Reject, TooLarge, wire_error
from chatserv.wire import messages
from chatserv.wire.codec import encode_message

LABELS: Final = 2**32
ENVELOPE_BYTES: Final = 12_000  # no server takes more
RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 60.0  # whatever the server asks for


@dataclass
class Cursors:
    """How far each room was read, and in which incarnation of the server's store."""

    store: bytes = bytes(16)
    positions: dict[bytes, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Pending:
    room: str
    message_id: bytes
    envelope: bytes = field(repr=False)


class Conversation:
    """One account's talk with its server, across connections.

    Args:
        name: Our account's name.
        cursors: Where to go on reading; changed in place.
        follow: Whether to receive events at all; without, sends go out and nothing is synced.
        max_unacknowledged: How many sends may wait for their answer.
        max_seen: How many message ids are remembered against doubles after the server's store was replaced.
    """

    def __init__(
        self,
        name: str,
        cursors: Cursors,
        *,
        follow: bool = True,
        max_unacknowledged: int = 5000,
        max_seen: int = 10_000,
    ) -> None:
        self._name, self.cursors, self._follow = name, cursors, follow
        self._max_unacknowledged, self._max_seen = max_unacknowledged, max_seen
        self._pending: OrderedDict[bytes, _Pending] = OrderedDict()
        self._seen: OrderedDict[tuple[str, bytes], None] = OrderedDict()
        self._rooms: dict[bytes, messages.RoomInfo] = {}
        self._labels = count(1)
        self._label_of_sync: int | None = None
        self._sends: dict[int, bytes] = {}
        self._outgoing: list[bytes] = []
        self._welcomed = self._ready = False

    @property
    def ready(self) -> bool:
        """Whether this connection has caught up, so that sends go out at once."""
        return self._ready

    @property
    def unacknowledged(self) -> int:
        """How many sends have no answer yet."""
        return len(self._pending)

    @property
    def rooms(self) -> list[str]:
        """Names of our rooms, as the last welcome told them."""
        return [room.name for room in self._rooms.values()]

    # -- what the program wants -----------------------------------------------------------------------------------------

    def send(self, room: str, content: Content) -> list[ClientEvent]:
        """Sends now or when the connection is there. Raises `Quota` where too many sends wait already, or `TooLarge`."""
        if len(content.encode()) > ENVELOPE_BYTES:
            raise TooLarge(f"message: {len(content.body)} bytes")
        if len(self._pending) >= self._max_unacknowledged:
            raise Quota(f"{self._max_unacknowledged} messages wait for the server")
        pending = _Pending(room, content.message_id, content.encode())
        self._pending[content.message_id] = pending
        return self._transmit(pending) if self._ready else []

    def retry(self) -> list[ClientEvent]:
        """Sends again what was refused for now, in its old order."""
        under_way = set(self._sends.values())
        waiting = [pending for pending in self._pending.values() if pending.message_id not in under_way]
        return [event for pending in waiting for event in self._transmit(pending)] if self._ready else []

    def command(self, make: type[messages.Command], **fields: object) -> int:
        """Queues a command on the open connection and gives its label; the answer comes as `Answered`."""
        if not self._welcomed:
            raise LocalProtocolError("not connected")
        label = self._next_label()
        self._outgoing.append(encode_message(make(label=label, **fields)))
        return label

    def take_outgoing(self) -> list[bytes]:
        """Encoded messages that want to be sealed and written now."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # -- what the connection tells --------------------------------------------------------------------------------------

    def disconnected(self) -> None:
        """The connection is gone; unacknowledged sends wait for the next."""
        self._welcomed = self._ready = False
        self._label_of_sync = None
        self._sends.clear()
        self._outgoing.clear()

    def receive(self, message: messages.ServerMessage) -> list[ClientEvent]:
        """Takes a message of the server in."""
        match message:
            case messages.Event():
                return self._on_event(message)
            case messages.Sent():
                return self._on_sent(message)
            case messages.Welcome():
                return self._on_welcome(message)
            case messages.Keepalive() if self._welcomed:
                self.command(messages.Ping)
            case messages.Error() if message.label in self._sends:
                return self._on_refused(message)
            case messages.Ok() if message.label == self._label_of_sync:
                return self._get_ready()
            case messages.Error() if message.label == self._label_of_sync:
                return [SyncRefused(wire_error(message.code, message.text, message.after_seconds))]
            case messages.Ok() | messages.Error() | messages.Invited() | messages.Page():
                return [Answered(message.label, message)]
        return []

    def _on_welcome(self, welcome: messages.Welcome) -> list[ClientEvent]:
        if self._welcomed or any(room.since > room.head for room in welcome.rooms):
            return [SyncRefused(BadMessage("welcome: comes twice, or begins a room beyond its end"))]
        self._welcomed = True
        self._rooms = {room.room: room for room in welcome.rooms}
        cursors = self.cursors
        known = cursors.positions if cursors.store == welcome.store else {}
        cursors.store, cursors.positions = welcome.store, {}
        found: list[ClientEvent] = []
        for room in welcome.rooms:
            position = known.get(room.room, room.since)
            if position > room.head:  # our memory or the server's is wrong: messages shown twice are better than none
                found.append(RoomRewound(room.name, position, room.head))
                position = room.since
            elif position < room.since:
                found.append(GapSeen(room.name, position + 1, room.since))
            cursors.positions[room.room] = max(position, room.since)
        return found + self._begin()

    def _begin(self) -> list[ClientEvent]:
        cursors = self.cursors
        if self._follow:
            positions = tuple((room_id, cursors.positions[room_id]) for room_id in self._rooms)
            self._label_of_sync = self.command(messages.Sync, store=cursors.store, cursors=positions)
            return [StatusChanged(Status.ONLINE)]
        return [StatusChanged(Status.ONLINE), *self._get_ready()]

    def _get_ready(self) -> list[ClientEvent]:
        self._ready = True
        return self.retry()

    def _transmit(self, pending: _Pending) -> list[ClientEvent]:
        room = next((room for room in self._rooms.values() if room.name == pending.room), None)
        if room is None:
            del self._pending[pending.message_id]
            return [SendFailed(pending.message_id, NotMember(f"room {pending.room}"))]
        label = self._next_label()
        self._sends[label] = pending.message_id
        self._outgoing.append(
            encode_message(messages.Send(label, room.room, pending.message_id, room.epoch, pending.envelope))
        )
        return []

    def _next_label(self) -> int:
        return next(self._labels) % LABELS

    def _on_sent(self, sent: messages.Sent) -> list[ClientEvent]:
        if self._sends.pop(sent.label, None) != sent.id or self._pending.pop(sent.id, None) is None:
            return []
        return [SendAcknowledged(sent.id, sent.seq)]

    def _on_refused(self, reply: messages.Error) -> list[ClientEvent]:
        message_id = self._sends.pop(reply.label)
        pending = self._pending.get(message_id)
        if pending is None:
            return []
        error = wire_error(reply.code, after_seconds=reply.after_seconds)
        if error.retryable:
            return [RetryWanted(_retry_delay(error.after_seconds))]
        del self._pending[message_id]
        return [SendFailed(message_id, error)]

    def _on_event(self, event: messages.Event) -> list[ClientEvent]:
        room = self._rooms.get(event.room)
        position = self.cursors.positions.get(event.room, 0)
        if room is None or event.seq <= position:
            return []
        self.cursors.positions[event.room] = event.seq
        found: list[ClientEvent] = []
        if event.seq > position + 1:
            found.append(GapSeen(room.name, position + 1, event.seq - 1))
        try:
            content = Content.decode(event.body)
        except Reject:
            content = Content(0, event.seq.to_bytes(16, "big"), event.at, b"")
        if (event.sender, content.message_id) in self._seen:
            return found
        self._remember(event.sender, content.message_id)
        own = event.sender == self._name
        found.append(
            MessageReceived(room.name, event.seq, event.at, event.sender, content.message_id, content.text, own)
        )
        return found

    def _remember(self, sender: str, message_id: bytes) -> None:
        self._seen[sender, message_id] = None
        if len(self._seen) > self._max_seen:
            self._seen.popitem(last=False)


def _retry_delay(wanted_seconds: float | None) -> float:
    """What the server asked for, between a moment and a minute; it may be any number, or none."""
    if wanted_seconds is None or not 0 < wanted_seconds <= LONGEST_RETRY_SECONDS:
        return RETRY_SECONDS
    return wanted_seconds
