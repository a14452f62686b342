"""What opened messages mean: texts are kept, edits and deletions change them, reactions and receipts stand beside them."""

from collections.abc import Callable
from dataclasses import replace

from chatserv.client.events import (
    ClientEvent,
    Delivered,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Reacted,
    RoomTitled,
)
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms, Standing, is_room_name
from chatserv.client.storage.stored_message import StoredMessage, text_of
from chatserv.client.verification.gossip import Gossip, Witness
from chatserv.crypto.bodies import Body, Delete, Edit, LogEvidence, Reaction, Receipt, RoomTitle, Text, decode_body
from chatserv.crypto.content import ContentType, LogHead
from chatserv.crypto.room_state import Role
from chatserv.errors import Reject
from chatserv.wire import messages

_SAID = (MessageReceived, MessageEdited, Reacted)  # what is not told of people who are ignored


class ContentHandler:
    """Applies contents.

    Args:
        context: What the client's parts share.
        rooms: For names and roles.
        gossip: Compares what senders have seen of the log.

    Attributes:
        tidy: Told that something was taken back or replaced, and is to leave the disk.
    """

    tidy: Callable[[], None]

    def __init__(self, context: ClientContext, rooms: Rooms, gossip: Gossip) -> None:
        self._context, self._rooms, self._gossip = context, rooms, gossip

    def take(self, room: Room, message: StoredMessage, head: LogHead | None) -> list[ClientEvent]:
        """Stores what a message says, and tells it; inside the transaction that moves the cursor."""
        archive = self._context.vault.archive
        try:
            body = decode_body(message.ctype, message.body)
        except Reject:
            body = None
        self._hear(room, message, head, body)
        if isinstance(body, LogEvidence) or (message.identity and not isinstance(body, Text)):
            return []  # nothing that belongs to somebody is changed by who may be somebody else
        match body:
            case Edit() | Delete() | Reaction() | Receipt() | RoomTitle():
                found = self._apply(room, message, body)
            case _:
                found = (
                    [self.received(room, message, new=True)] if archive.add(message) else []
                )  # or it comes once more
        if message.sender in self._context.vault.ignored:
            return [event for event in found if not isinstance(event, _SAID)]
        return found

    def _hear(self, room: Room, message: StoredMessage, head: LogHead | None, body: Body | None) -> None:
        """What the sender has seen of the log: their word, in rooms that we have agreed to, and what the server signed."""
        if message.device_id == self._context.device_id:
            return
        witness = Witness(message.sender, message.device_id, room)
        if head is not None and not message.identity and room.row is not None and room.row.standing is Standing.IN:
            self._gossip.check(witness, head)
        if isinstance(body, LogEvidence):
            self._gossip.take(witness, body)

    def received(self, room: Room, message: StoredMessage, *, new: bool = False) -> MessageReceived:
        """A kept message as programs get it, with its newest text; ``new``: nobody can have put a sign on it yet."""
        text = text_of(message)
        reactions = {} if new else self._context.vault.archive.reactions(room.room_id, message.message_id)
        return MessageReceived(
            room=self._rooms.name(room),
            seq=message.seq,
            at_ms=message.at_ms,
            sender=message.sender,
            message_id=message.message_id,
            text=None if text is None else text.text,
            own=message.sender == self._context.user,
            action=text is not None and text.action,
            reply_to=None if text is None else text.reply_to,
            mentioned=text is not None and self._context.user in text.mentions,
            edited=message.edited_body is not None and not message.deleted,
            deleted=message.deleted,
            room_id=room.room_id,
            sent_ms=message.sent_ms,
            reactions=tuple((emoji, tuple(users)) for emoji, users in reactions.items()),
            identity_changed=bool(message.identity) and self._context.pins.other(message.sender, message.identity),
        )

    # -- contents about other messages ---------------------------------------------------------------------------------

    def _apply(
        self, room: Room, message: StoredMessage, body: Edit | Delete | Reaction | Receipt | RoomTitle
    ) -> list[ClientEvent]:
        match body:
            case Edit():
                return self._edit(room, message, body)
            case Delete():
                return self._delete(room, message, body)
            case Reaction(target, emoji, on):
                self._context.vault.archive.react(room.room_id, target, message.sender, emoji, on)
                return [Reacted(self._rooms.name(room), target, message.sender, emoji, on)]
            case Receipt(message_ids):
                return self._receipt(room, message, message_ids)
            case RoomTitle(name, topic):
                return self._title(room, message, name, topic)

    def _edit(self, room: Room, message: StoredMessage, body: Edit) -> list[ClientEvent]:
        """Counts only from the author's user."""
        archive = self._context.vault.archive
        target = archive.by_id(room.room_id, body.target)
        if target is None or target.sender != message.sender or target.deleted or target.ctype != ContentType.TEXT:
            return []
        archive.mark_edited(room.room_id, body.target, body.text.encode(), message.seq)
        self.tidy()
        return [MessageEdited(self._rooms.name(room), body.target, message.sender, body.text.text)]

    def _delete(self, room: Room, message: StoredMessage, body: Delete) -> list[ClientEvent]:
        """Counts from the author's user, and from moderators and owners."""
        archive = self._context.vault.archive
        target = archive.by_id(room.room_id, body.target)
        if target is None or (target.sender != message.sender and not self._moderates(room, message.sender)):
            return []
        archive.mark_deleted(room.room_id, body.target)
        self.tidy()
        return [MessageDeleted(self._rooms.name(room), body.target, message.sender)]

    def _receipt(self, room: Room, message: StoredMessage, message_ids: tuple[bytes, ...]) -> list[ClientEvent]:
        archive = self._context.vault.archive
        ours = []
        for message_id in message_ids:
            target = archive.by_id(room.room_id, message_id)
            if target is not None and target.sender == self._context.user != message.sender:
                archive.add_receipt(room.room_id, message_id, message.sender)
                ours.append(message_id)
        return [Delivered(self._rooms.name(room), message.sender, tuple(ours))] if ours else []

    def _title(self, room: Room, message: StoredMessage, name: str, topic: str) -> list[ClientEvent]:
        """Counts from moderators and owners; who has no name yet takes it from any member. Never in public rooms."""
        row, state = room.row, room.state
        if row is None or state is None or state.policy.public:
            return []
        if row.title and not self._moderates(room, message.sender):
            return []
        if name and not is_room_name(name):
            return []
        if (row.title, row.topic) == (name, topic):
            return []
        before = self._rooms.name(room)
        agreed = row.agreed
        if name != row.title and row.standing is Standing.IN:
            agreed = self._context.vault.rooms.next_agreed()  # it comes behind those that have this name
        room.row = replace(row, title=name, topic=topic, agreed=agreed)
        self._context.vault.rooms.put(room.row)
        return [RoomTitled(self._rooms.name(room), before, topic, message.sender)]

    def _moderates(self, room: Room, user: str) -> bool:
        role = None if room.state is None else room.state.role(user)
        return role is not None and role >= Role.MODERATOR


def reading_message(room: str, event: messages.Event, sender: str) -> MessageReceived:
    """What is told of a message that does not open."""
    number, room_id = event.seq.to_bytes(16, "big"), event.room
    return MessageReceived(room, event.seq, event.at, sender, number, None, own=False, unreadable=True, room_id=room_id)
