"""What a client tells of files, and what is known of one."""

from dataclasses import dataclass, field
from enum import StrEnum

from chatserv.client.file_names import safe_file_name
from chatserv.crypto.file_body import File
from chatserv.errors import ChatError


class FileState(StrEnum):
    """How a file stands: of `Attachment` the first five, while we send it also the last; of `FileProgress` the last four."""

    THERE = "there"
    """At the server."""
    KEPT = "kept"
    """Here, sealed."""
    GONE = "gone"
    """The server does not have it any more, nor have we."""
    MOVING = "moving"
    """On its way, up or down."""
    PAUSED = "paused"
    """A person has stopped it on its way."""
    DONE = "done"
    """All of it is at the other end."""
    FAILED = "failed"
    """It did not get there, and is not tried any more."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of a picture, which travels in the message itself.

    Attributes:
        width: Of the picture itself, in pixels.
        height: Likewise.
        data: A PNG of at most `chatserv.crypto.file_body.MAX_PREVIEW_BYTES`.
    """

    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """The file of a message.

    All of it is the sender's word but ``message_id``, ``expires_ms`` and ``state``: ``mime`` and ``preview`` may be shown,
    and are never obeyed.

    Attributes:
        message_id: Of the message.
        name: What it may be called here (`safe_file_name`).
        mime: What kind of file it is.
        size: In bytes.
        width: Of a picture, in pixels; 0 where it is none.
        height: Likewise.
        preview: A small picture of it; empty where there is none.
        expires_ms: Until when the server keeps it at most, milliseconds since 1970; 0 where that is not known.
        state: How it stands.
    """

    message_id: bytes
    name: str = field(repr=False)
    mime: str = field(repr=False)
    size: int
    width: int = 0
    height: int = 0
    preview: bytes = field(default=b"", repr=False)
    expires_ms: int = 0
    state: FileState = FileState.THERE

    @classmethod
    def of(cls, message_id: bytes, file: File, expires_ms: int = 0, state: FileState = FileState.THERE) -> "Attachment":
        """What a file's message says, without its key."""
        picture = (file.width, file.height, file.preview)
        return cls(message_id, safe_file_name(file.name), file.mime, file.size, *picture, expires_ms, state)


@dataclass(frozen=True, slots=True)
class FileProgress:
    """A file is under way; at most ten times a second, and whenever its state changes.

    Attributes:
        room: As for every event.
        message_id: Of the file's message, 16 bytes.
        done: How many bytes of the file are at the other end.
        size: How many it has.
        direction: ``up`` to the server, or ``down``.
        state: How it stands.
        room_id: As for every event.
        error: Why it failed; None also where a program has cancelled it.
    """

    room: str
    message_id: bytes
    done: int
    size: int
    direction: str
    state: FileState
    room_id: bytes = field(default=b"", repr=False, compare=False)
    error: ChatError | None = None


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What the server takes.

    Attributes:
        size: The largest file, in bytes; 0: it takes none.
        days: How long it keeps one at most.
    """

    size: int
    days: int


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file of ours at the server.

    Attributes:
        blob_id: What the server calls it, 16 bytes.
        room: Where it was sent, as that room is addressed now; empty where we are not in it any more.
        name: What it is called, as far as this device knows; else empty.
        size: Of its sealed bytes.
        received: How many of them are there.
        expires_ms: When the server drops it, milliseconds since 1970.
        message_id: Of its message, as far as this device knows; else empty.
    """

    blob_id: bytes
    room: str
    name: str = field(repr=False)
    size: int
    received: int
    expires_ms: int
    message_id: bytes = b""


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """All files of ours at the server, and how many bytes of our quota they take: a small one more than its own."""

    files: tuple[OwnFile, ...]
    used: int
    quota: int
