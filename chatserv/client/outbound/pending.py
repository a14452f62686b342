"""Texts of ours that are not yet in their room: what a program shows as being sent, or as not sent."""

from dataclasses import dataclass, field, replace
from typing import Final

from chatserv.client.events import SendQueued
from chatserv.client.file_events import Attachment, FileState
from chatserv.crypto.bodies import Body, Text
from chatserv.crypto.file_body import File
from chatserv.errors import ChatError
from chatserv.i18n import N_


class Withdrawn(ChatError):
    """A text was given up before it left."""

    code = "withdrawn"
    text = N_("You discarded this message.")


SENDING: Final = "sending"
STORED: Final = "stored"
FAILED: Final = "failed"
MAX_SETTLED: Final = 1000
"""Texts that are stored or failed; beyond, the oldest are shown no more. Those being sent are bounded by the outbox."""


@dataclass(frozen=True)
class WaitingMessage:
    """One text.

    Attributes:
        message_id: 16 bytes.
        text: What it says.
        action: Whether it is a ``/me``.
        reply_to: The id of the message that it answers.
        at_ms: When it was written, milliseconds since 1970.
        state: ``sending``; ``stored``: the server has it, and its place in the room is on the way; ``failed``.
        error: Why it failed.
        file: What is sent; ``text`` is what is said beside it.
        done: How many bytes of the file are at the server.
    """

    message_id: bytes
    text: str = field(repr=False)
    action: bool
    reply_to: bytes | None
    at_ms: int
    state: str = SENDING
    error: ChatError | None = None
    file: Attachment | None = None
    done: int = 0


def waiting_message(
    message_id: bytes, body: Body | None, at_ms: int, state: FileState = FileState.MOVING
) -> WaitingMessage | None:
    """What is shown of a message as being sent; None for what is not shown so. ``state``: of a file."""
    match body:
        case Text(text, action, reply_to):
            return WaitingMessage(message_id, text, action, reply_to, at_ms)
        case File(words=words):
            file = Attachment.of(message_id, body, state=state)
            return WaitingMessage(message_id, words, False, None, at_ms, file=file)
    return None


def queued(room: str, message: WaitingMessage, room_id: bytes) -> SendQueued:
    """The event that tells of one."""
    said = (message.text, message.at_ms, message.action, message.reply_to)
    return SendQueued(room, message.message_id, *said, room_id, message.file)


class PendingMessages:
    """All of them, by room and in order."""

    def __init__(self) -> None:
        self._rooms: dict[bytes, dict[bytes, WaitingMessage]] = {}
        self._room_of: dict[bytes, bytes] = {}
        self._settled: dict[bytes, None] = {}

    def of(self, room_id: bytes) -> list[WaitingMessage]:
        """Those of a room."""
        return list(self._rooms.get(room_id, {}).values())

    def get(self, message_id: bytes) -> WaitingMessage | None:
        """The one with this id."""
        return self._rooms.get(self._room_of.get(message_id, b""), {}).get(message_id)

    def put_message(self, room_id: bytes, message: WaitingMessage) -> None:
        """A text was taken in."""
        self._rooms.setdefault(room_id, {})[message.message_id] = message
        self._room_of[message.message_id] = room_id

    def stored(self, message_id: bytes) -> None:
        """The server has it."""
        self._settle(message_id, STORED, None)

    def failed(self, message_id: bytes, error: ChatError) -> None:
        """The server does not have it and never will."""
        self._settle(message_id, FAILED, error)

    def _settle(self, message_id: bytes, state: str, error: ChatError | None) -> None:
        message = self.get(message_id)
        if message is None:
            return
        self._rooms[self._room_of[message_id]][message_id] = replace(message, state=state, error=error)
        self._settled[message_id] = None
        if len(self._settled) > MAX_SETTLED:
            self.drop(next(iter(self._settled)))

    def move(self, message_id: bytes, room_id: bytes) -> None:
        """It is to go to another room."""
        message = self.get(message_id)
        if message is not None:
            self.drop(message_id)
            self.put_message(room_id, message)

    def file_moved(self, message_id: bytes, done: int, state: FileState | None = None) -> None:
        """So many bytes of its file are at the server; ``state``: how that stands, where it has changed."""
        message = self.get(message_id)
        if message is not None and message.file is not None:
            file = message.file if state is None else replace(message.file, state=state)
            self._rooms[self._room_of[message_id]][message_id] = replace(message, file=file, done=done)

    def drop(self, message_id: bytes) -> None:
        """It is in its room, or was given up."""
        self._settled.pop(message_id, None)
        room_id = self._room_of.pop(message_id, None)
        if room_id is not None:
            room = self._rooms[room_id]
            del room[message_id]
            if not room:
                del self._rooms[room_id]
