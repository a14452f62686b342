"""Takes the messages of a room in: opened, verified, and stored with the step of their chain (docs/rooms.rst 7.3)."""

from chatserv.client.events import ClientEvent, MessagesMissing
from chatserv.client.inbound.content_handler import ContentHandler, reading_message
from chatserv.client.inbound.missing import Needs
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Keys, Room, Rooms
from chatserv.client.storage.kept_events import KeptEvent
from chatserv.client.storage.outbox import OutboxRow
from chatserv.client.storage.stored_message import LATEST_MS, StoredMessage
from chatserv.client.verification.certificates import Certificates
from chatserv.crypto.e2e.message import MessageScope, OpenedMessage, open_message, sign_content
from chatserv.crypto.e2e.proof import Proof
from chatserv.crypto.envelope import Envelope
from chatserv.crypto.room_state import RosterEntry
from chatserv.errors import Reject
from chatserv.wire import messages


class MessageReader:
    """Reads messages of all rooms.

    Args:
        context: What the client's parts share.
        rooms: For names.
        certificates: Those of the senders.
        contents: Takes what was opened.
    """

    def __init__(
        self, context: ClientContext, rooms: Rooms, certificates: Certificates, contents: ContentHandler
    ) -> None:
        self._context, self._rooms, self._certificates = context, rooms, certificates
        self._contents = contents

    def take(self, room: Room, event: messages.Event) -> list[ClientEvent]:
        """Takes one message in; inside a transaction. Raises `Needs` before anything has changed."""
        row, state = room.row, room.state
        if row is None or state is None or not room.in_it:
            return []
        try:
            envelope = Envelope.decode(event.body)
        except Reject:
            return self._unreadable(room, event, event.sender)
        header = envelope.header
        entry = state.entry(header.leaf)
        if entry is None or header.epoch != row.epoch or header.room_id != room.room_id:
            return self._unreadable(room, event, event.sender)
        if entry.device_id == self._context.device_id:
            return self._take_own(room, event, entry, header.generation)
        if row.keys is Keys.WANTED:
            raise Needs(keys=True)
        chain = self._context.vault.chains.receiver(room.room_id, header.leaf)
        if row.keys is Keys.BROKEN or chain is None:
            return self._unreadable(room, event, entry.user)
        scope = MessageScope(room.room_id, row.epoch, row.commit_hash)
        try:
            opened = open_message(envelope, scope, chain, self._certificates.known[entry.cert_hash].ed25519)
        except Reject:
            return self._unreadable(room, event, entry.user)
        except KeyError:
            raise Needs(certificates=(entry.cert_hash,)) from None
        skipped = header.generation - chain.generation
        self._context.vault.chains.save_reached(room.room_id, opened.reached, self._context.now_ms())
        self._pass(room, event.seq)
        self._keep(room, event, opened.content.message_id)
        found = self._skipped(room, entry, skipped)
        member = state.member(entry.user)
        if member is not None and member.muted:
            self._contents.beside(room, event.seq, opened.content.message_id)
            return found
        signed_by = self._certificates.known[entry.cert_hash].identity_fingerprint
        other = signed_by if self._context.pins.other(entry.user, signed_by) else b""
        stored = _stored(room, event, entry, opened, other)
        proof = Proof(opened.header, stored.commit_hash, opened.encoded_content, opened.signature, entry.cert_hash)
        return found + self._contents.take(room, stored, proof, opened.content.head)

    def _skipped(self, room: Room, entry: RosterEntry, count: int) -> list[ClientEvent]:
        """What the sender has sealed before, and has not come, though the server keeps it."""
        gone = self._rooms.rule.spoke(room.room_id, room.head.epoch, entry.leaf)
        if count <= 0 or gone:
            return []
        return [MessagesMissing(self._rooms.name(room), entry.user, count, room_id=room.room_id)]

    def _take_own(self, room: Room, event: messages.Event, entry: RosterEntry, generation: int) -> list[ClientEvent]:
        """Our own message comes back: what it says is in the outbox, as we keep no chain to open it with."""
        self._pass(room, event.seq)
        row = room.row
        sent = None if row is None else self._context.vault.outbox.by_generation(room.room_id, row.epoch, generation)
        if sent is None or row is None:
            return []
        self._keep(room, event, sent.message_id)
        message = StoredMessage(
            room_id=room.room_id,
            seq=event.seq,
            message_id=sent.message_id,
            sender=entry.user,
            device_id=entry.device_id,
            leaf=entry.leaf,
            epoch=row.epoch,
            generation=generation,
            at_ms=min(event.at, LATEST_MS),
            sent_ms=min(event.at, LATEST_MS),
            ctype=sent.ctype,
            body=sent.body,
            commit_hash=row.commit_hash,
            edited_body=None,
            deleted=False,
        )
        if sent.done_seq is not None:
            self._context.vault.outbox.delete(sent.message_id)
        return self._contents.take(room, message, self._own_proof(sent, message.commit_hash, entry.cert_hash))

    def _own_proof(self, sent: OutboxRow, commit_hash: bytes, cert_hash: bytes) -> Proof | None:
        """What we have signed: Ed25519 gives the same signature for the same bytes (RFC 8032 section 5.1.6)."""
        if sent.envelope is None or not sent.content:
            return None  # the same message was sealed anew meanwhile; cannot be for a place that has come
        header = Envelope.decode(sent.envelope).header
        signature = sign_content(sent.content, header, commit_hash, self._context.signing)
        return Proof(header, commit_hash, sent.content, signature, cert_hash)

    def _unreadable(self, room: Room, event: messages.Event, sender: str) -> list[ClientEvent]:
        self._pass(room, event.seq)
        return [] if room.of_devices else [reading_message(self._rooms.name(room), event, sender)]

    def _keep(self, room: Room, event: messages.Event, message_id: bytes) -> None:
        kept = KeptEvent(event.seq, message_id, event.kind, min(event.at, LATEST_MS), event.body)
        self._context.vault.kept_events.put(room.room_id, kept, self._context.now_ms())

    def _pass(self, room: Room, seq: int) -> None:
        if room.row is not None:
            room.row = room.row.passed(seq)
            self._context.vault.rooms.pass_message(room.room_id, seq, room.row.epoch_messages)


def _stored(
    room: Room, event: messages.Event, entry: RosterEntry, opened: OpenedMessage, identity: bytes
) -> StoredMessage:
    content, header = opened.content, opened.header
    return StoredMessage(
        room_id=room.room_id,
        seq=event.seq,
        message_id=content.message_id,
        sender=entry.user,
        device_id=entry.device_id,
        leaf=entry.leaf,
        epoch=header.epoch,
        generation=header.generation,
        at_ms=min(event.at, LATEST_MS),
        sent_ms=min(content.sent_ms, LATEST_MS),
        ctype=content.ctype,
        body=content.body,
        commit_hash=room.head.commit_hash,
        identity=identity,
    )
