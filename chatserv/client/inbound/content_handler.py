"""What opened messages mean: texts are kept, edits and deletions change them, reactions and receipts stand beside them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from chatserv.client.events import (
    ArchiveFull,
    ClientEvent,
    Delivered,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Reacted,
    RoomTitled,
)
from chatserv.client.file_events import Attachment
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms, Standing, is_room_name
from chatserv.client.storage.proofs import KeptProof
from chatserv.client.storage.stored_message import StoredMessage, text_of
from chatserv.client.verification.gossip import Gossip, Witness
from chatserv.crypto.bodies import Body, Delete, Edit, LogEvidence, Reaction, Receipt, RoomTitle, Text
from chatserv.crypto.content import ContentType, LogHead
from chatserv.crypto.e2e.proof import Proof
from chatserv.crypto.history_body import History
from chatserv.crypto.own_bodies import OwnBody
from chatserv.crypto.room_state import Role
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
        attach: Gives the file that a message brings, as it stands here, if any.
        file_deleted: Told of a message that was taken back, and whether this device has done it.
        own: Takes what another device of ours says in the room of our devices, and gives what is to be told of it.
        history: Takes a history that somebody shares in another room; likewise.
    """

    tidy: Callable[[], None]
    attach: Callable[[StoredMessage], Attachment | None]
    file_deleted: Callable[[StoredMessage, bool], None]
    own: Callable[[bytes, OwnBody | History], list[ClientEvent]]
    history: Callable[[Room, StoredMessage, History], Sequence[ClientEvent]]

    def __init__(self, context: ClientContext, rooms: Rooms, gossip: Gossip) -> None:
        self._context, self._rooms, self._gossip = context, rooms, gossip

    def take(
        self, room: Room, message: StoredMessage, proof: Proof | None, head: LogHead | None = None
    ) -> list[ClientEvent]:
        """Stores what a message says with what proves it, and tells it; inside the transaction that moves the cursor."""
        archive = self._context.vault.archive
        kept = None if proof is None else KeptProof(message.seq, message.at_ms, message.sender, message.ctype, proof)
        body = message.said
        self._hear(room, message, head, body)
        if room.of_devices or isinstance(body, OwnBody):
            heard = room.of_devices and message.device_id != self._context.device_id
            return self.own(message.device_id, body) if heard and isinstance(body, OwnBody | History) else []
        if isinstance(body, LogEvidence) or (message.identity and not isinstance(body, Text)):
            return []  # nothing that belongs to somebody is changed by who may be somebody else
        match body:
            case History():
                return [*self.history(room, message, body)]
            case Edit() | Delete() | Reaction() | Receipt() | RoomTitle():
                found = self._apply(room, message, body, kept)
            case _:
                found = self._keep(room, message, kept)
                if archive.retention.newly_full(room.room_id):
                    found.append(ArchiveFull(self._rooms.name(room), archive.retention.limit, room.room_id))
        if message.sender in self._context.vault.ignored:
            return [event for event in found if not isinstance(event, _SAID)]
        return found

    def _keep(self, room: Room, message: StoredMessage, kept: KeptProof | None) -> list[ClientEvent]:
        if self._context.vault.archive.add(message, kept):
            return [self.received(room, message, new=True)]
        self.beside(room, message.seq, message.message_id)
        return []

    def beside(self, room: Room, seq: int, message_id: bytes) -> None:
        """A message at this place is not for the archive; it goes with the one that has its id there, or is gone already."""
        vault = self._context.vault
        vault.kept_events.beside(room.room_id, seq)
        archived = vault.archive.by_id(room.room_id, message_id)
        if archived is not None and archived.deleted:
            vault.kept_events.drop(room.room_id, archived.seq, message_id)

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
            mentioned=text is not None and self._context.user in text.mentions and message.sender != self._context.user,
            edited=message.edited_body is not None and not message.deleted,
            deleted=message.deleted,
            room_id=room.room_id,
            sent_ms=message.sent_ms,
            reactions=tuple((emoji, tuple(users)) for emoji, users in reactions.items()),
            identity_changed=bool(message.identity) and self._context.pins.other(message.sender, message.identity),
            unproved=message.unproved,
            file=self.attach(message),
        )

    # -- contents about other messages ---------------------------------------------------------------------------------

    def _apply(
        self,
        room: Room,
        message: StoredMessage,
        body: Edit | Delete | Reaction | Receipt | RoomTitle,
        kept: KeptProof | None,
    ) -> list[ClientEvent]:
        where = (message.seq, message.at_ms, room.room_id)
        match body:
            case Edit():
                return self._edit(room, message, body, kept)
            case Delete():
                return self._delete(room, message, body, kept)
            case Reaction(target, emoji, on):
                self._context.vault.archive.react(room.room_id, target, message.sender, emoji, on, kept)
                return [Reacted(self._rooms.name(room), target, message.sender, emoji, on, *where)]
            case Receipt(message_ids):
                return self._receipt(room, message, message_ids)
            case RoomTitle(name, topic):
                return self._title(room, message, name, topic, kept)

    def _edit(self, room: Room, message: StoredMessage, body: Edit, kept: KeptProof | None) -> list[ClientEvent]:
        """Counts only from the author's user."""
        archive = self._context.vault.archive
        target = archive.by_id(room.room_id, body.target)
        if target is None or target.sender != message.sender or target.deleted or target.ctype != ContentType.TEXT:
            return []
        archive.mark_edited(room.room_id, body.target, body.text.encode(), message.seq, kept)
        self.tidy()
        where = (message.seq, message.at_ms, room.room_id)
        return [MessageEdited(self._rooms.name(room), body.target, message.sender, body.text.text, *where)]

    def _delete(self, room: Room, message: StoredMessage, body: Delete, kept: KeptProof | None) -> list[ClientEvent]:
        """Counts from the author's user, and from moderators and owners."""
        archive = self._context.vault.archive
        target = archive.by_id(room.room_id, body.target)
        if target is None or (target.sender != message.sender and not self._moderates(room, message.sender)):
            return []
        archive.mark_deleted(room.room_id, body.target, kept)
        self.file_deleted(target, message.device_id == self._context.device_id)
        self._context.vault.kept_events.drop(room.room_id, target.seq, body.target)
        self.tidy()
        where = (message.seq, message.at_ms, room.room_id)
        return [MessageDeleted(self._rooms.name(room), body.target, message.sender, *where)]

    def _receipt(self, room: Room, message: StoredMessage, message_ids: tuple[bytes, ...]) -> list[ClientEvent]:
        archive = self._context.vault.archive
        ours = []
        for message_id in message_ids:
            target = archive.by_id(room.room_id, message_id)
            is_ours = target is not None and target.sender == self._context.user != message.sender
            if is_ours and archive.add_receipt(room.room_id, message_id, message.sender):  # of their first device alone
                ours.append(message_id)
        return [Delivered(self._rooms.name(room), message.sender, tuple(ours), room.room_id)] if ours else []

    def _title(
        self, room: Room, message: StoredMessage, name: str, topic: str, kept: KeptProof | None
    ) -> list[ClientEvent]:
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
        if kept is not None:
            self._context.vault.archive.proofs.put(room.room_id, None, kept)
        return [RoomTitled(self._rooms.name(room), before, topic, message.sender, room.room_id)]

    def _moderates(self, room: Room, user: str) -> bool:
        role = None if room.state is None else room.state.role(user)
        return role is not None and role >= Role.MODERATOR


def reading_message(room: str, event: messages.Event, sender: str) -> MessageReceived:
    """What is told of a message that does not open."""
    number, room_id = event.seq.to_bytes(16, "big"), event.room
    return MessageReceived(room, event.seq, event.at, sender, number, None, own=False, unreadable=True, room_id=room_id)
