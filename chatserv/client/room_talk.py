"""What is said in a room: texts, edits, signs, how far we have read; beside what can be seen of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from chatserv.client.engine import Engine
from chatserv.client.outbound.pending import FAILED
from chatserv.client.outbound.sent import Sent
from chatserv.client.outbound.texts import visible_text
from chatserv.client.room_view import RoomView
from chatserv.client.state.listeners import Asker
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.stored_message import file_of, text_of
from chatserv.crypto.bodies import MAX_EMOJI_BYTES, Body, Delete, Edit, Reaction, Text
from chatserv.crypto.room_state import Role
from chatserv.domain.mentions import mentioned_names
from chatserv.errors import Forbidden, NotFound
from chatserv.wire import messages


class RoomTalk(RoomView):
    """A room to talk in.

    Args:
        engine: Gives what does the work, now.
        room_id: Which room.
        sent: Registers a message that is under way, by its id; gives what fires with its ``seq``.
        given_up: Told that it will not leave.
        asker: The program that has joined this one, and whose handle it is; None for our own.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        room_id: bytes,
        sent: Callable[[bytes], Sent],
        given_up: Callable[[bytes], None],
        asker: Asker | None = None,
    ) -> None:
        super().__init__(engine, room_id)
        self._sent, self._given_up, self._asker = sent, given_up, asker

    # -- what is said --------------------------------------------------------------------------------------------------

    def send(self, text: str, *, action: bool = False, reply_to: bytes | None = None) -> Sent:
        """Sends a text; fires with its ``seq`` when it is stored. ``@name`` of a member mentions them.

        It fails with what the server or the room refuses, such as `Muted`, and with `StandsStill`, `RoomWithheld` or
        `ServerDistrusted` where nothing can be sent for long.

        Raises:
            Quota, TooLarge, NotMember, TextInvalid: It is not taken; the last one also where nothing of it would be seen.
        """
        text = visible_text(text)
        users = self._room.users()
        return self._say(Text(text, action, reply_to, mentioned_names(text, users)))

    def resend(self, message_id: bytes) -> Sent:
        """Sends a text that failed as a new message. Raises `NotFound`, and what `send` raises."""
        outgoing = self._engine.outbox
        message = outgoing.waiting.get(message_id)
        if message is None or message.state != FAILED:
            raise NotFound("message")
        sent = self.send(message.text, action=message.action, reply_to=message.reply_to)
        outgoing.waiting.drop(message_id)
        return sent

    def discard(self, message_id: bytes) -> None:
        """Gives a text up that failed, or that has not left yet. Raises `NotFound` where it is neither.

        What `send` gave for one that has not left fails with `Withdrawn`.
        """
        self._engine.outbox.giving_up.discard(message_id)
        self._given_up(message_id)

    def edit(self, message_id: bytes, text: str) -> Sent:
        """Replaces the text of a message of ours; a file has none. Raises `NotFound`, `Forbidden` or `TextInvalid`."""
        text = visible_text(text)
        self._require_agreed()
        if self._sender(message_id) != self._engine.context.user:
            raise Forbidden("the message of somebody else")
        kept = self._engine.context.vault.archive.by_id(self._room.room_id, message_id)
        if kept is not None and file_of(kept) is not None:
            raise NotFound("text")
        before = None if kept is None else text_of(kept)
        after = Text(text, mentions=mentioned_names(text, self._room.users()))
        if before is not None:
            after = replace(after, action=before.action, reply_to=before.reply_to)
        return self._say(Edit(message_id, after))

    def delete(self, message_id: bytes) -> Sent:
        """Takes back a message of ours, or, as a moderator, of anybody. Raises `NotFound` or `Forbidden`."""
        self._require_agreed()
        role = self._engine.rooms.role(self._room)
        if self._sender(message_id) != self._engine.context.user and (role is None or role < Role.MODERATOR):
            raise Forbidden("the message of somebody else")
        return self._say(Delete(message_id))

    def react(self, message_id: bytes, emoji: str, *, on: bool = True) -> Sent:
        """Puts an emoji to a message, or takes it away. Raises `NotFound` or `TextInvalid`."""
        emoji = visible_text(emoji, MAX_EMOJI_BYTES)
        self._require_agreed()
        self._sender(message_id)
        return self._say(Reaction(message_id, emoji, on))

    def _sender(self, message_id: bytes) -> str:
        found = self._engine.context.vault.archive.by_id(self._room.room_id, message_id)
        if found is None or found.deleted:
            raise NotFound("message")
        return found.sender

    def _say(self, body: Body) -> Sent:
        self._require_agreed()
        asked = None if self._asker is None else self._asker.request
        return self._sent(self._engine.outbox.put_body(self._room, body, asked))

    def mark_seen(self, seq: int | None = None) -> None:
        """Moves our read marker, by default to the newest message. Our other devices are told, sealed, and nobody else.

        Where it cannot be stored, an older one is found after a restart.
        """
        row = self._room.row
        wanted = 0 if row is None else row.cursor if seq is None else min(seq, row.cursor)
        if row is not None and wanted > row.read and not self.offered:
            self._room.row = replace(row, read=wanted)
            with suppress(StorageError):
                self._engine.context.vault.rooms.set_read(row.room_id, wanted)
            self._engine.own.talk.read_moved()

    async def mark_read(self, seq: int | None = None) -> None:
        """Moves our read marker, by default to the newest message, and tells the server and the room's members.

        Raises `NotMember` until we agree to the room.
        """
        self._require_agreed()
        row = self._room.row
        if row is not None:
            wanted = row.cursor if seq is None else min(seq, row.cursor)
            await self._engine.requests.ask(messages.MarkRead, room=row.room_id, seq=wanted)
            self.mark_seen(wanted)

    async def typing(self) -> None:
        """Tells the others that somebody types; it is not encrypted end to end. Raises as `mark_read`."""
        self._require_agreed()
        await self._engine.requests.ask(messages.SetTyping, room=self._room.room_id)
