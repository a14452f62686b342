"""What the body of a content says, by its type (docs/rooms.rst 7.4); `chatserv.crypto.content` has what is around it.

Texts are UTF-8 in NFC. What is made here is brought into it; what is read has to be in it. The NFC that counts is that of
Unicode 3.2, as in `chatserv.crypto.checks.check_text`: devices with different versions of Unicode validate alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chatserv.crypto.checks import check_id, check_user, flag, made_text, read_list, read_text
from chatserv.crypto.content import ID_BYTES, ContentType
from chatserv.crypto.encoding import Reader, u8, v8, v16, v32
from chatserv.crypto.file_body import File
from chatserv.crypto.history_body import History
from chatserv.crypto.log_leaves import TREE_HEAD_BYTES
from chatserv.crypto.own_bodies import OWN_BODIES, OwnBody, decode_own
from chatserv.crypto.room_state import MAX_NAME_BYTES, MAX_TOPIC_BYTES
from chatserv.errors import Reject

MAX_MENTIONS: Final = 50
MAX_EMOJI_BYTES: Final = 32
MAX_RECEIPTS: Final = 256


@dataclass(frozen=True)
class Text:
    """Something said.

    Attributes:
        text: In NFC.
        action: Said of oneself, as ``/me`` does.
        reply_to: The id of the message that this one answers, 16 bytes.
        mentions: Users whom it calls, in order of name, each once, at most `MAX_MENTIONS`.
    """

    text: str = field(repr=False)
    action: bool = False
    reply_to: bytes | None = None
    mentions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Normalises text and mentions. Raises `Reject` for what cannot be said."""
        object.__setattr__(self, "text", made_text(self.text, "text"))
        object.__setattr__(self, "mentions", tuple(sorted({made_text(user, "mention") for user in self.mentions})))
        for user in self.mentions:
            check_user(user)
        if len(self.mentions) > MAX_MENTIONS:
            raise Reject(f"text: {len(self.mentions)} mentions, at most {MAX_MENTIONS}")
        if self.reply_to is not None:
            check_id(self.reply_to, "text")

    def encode(self) -> bytes:
        """``u8 style; reply_to<V8>; { user<V8> }<V16>; text<V32>``."""
        mentions = b"".join(v8(user.encode()) for user in self.mentions)
        return u8(self.action) + v8(self.reply_to or b"") + v16(mentions) + v32(self.text.encode())

    @classmethod
    def decode(cls, data: bytes) -> "Text":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "text")
        action, reply_to = flag(reader.u8(), "text"), reader.v8()
        mentions = read_list(reader.v16(), "mentions", lambda each: read_text(each.v8(), "mention"))
        text = read_text(reader.v32(), "text")
        reader.end()
        made = cls(text, action, reply_to or None, mentions)
        if made.mentions != mentions:
            raise Reject("mentions: not in order, or doubled")
        return made


@dataclass(frozen=True)
class Edit:
    """A text that takes the place of an earlier one, of the same author's. ``target``: its message id."""

    target: bytes
    text: Text

    def __post_init__(self) -> None:
        """Raises `Reject` for an impossible id."""
        check_id(self.target, "edit")

    def encode(self) -> bytes:
        """``target[16]; Text``."""
        return self.target + self.text.encode()

    @classmethod
    def decode(cls, data: bytes) -> "Edit":
        """Parses strictly. Raises `Reject`."""
        return cls(data[:ID_BYTES], Text.decode(data[ID_BYTES:]))


@dataclass(frozen=True)
class Delete:
    """Takes a message back. ``target``: its message id."""

    target: bytes

    def __post_init__(self) -> None:
        """Raises `Reject` for an impossible id."""
        check_id(self.target, "delete")

    def encode(self) -> bytes:
        """``target[16]``."""
        return self.target

    @classmethod
    def decode(cls, data: bytes) -> "Delete":
        """Parses strictly. Raises `Reject`."""
        return cls(data)


@dataclass(frozen=True)
class Reaction:
    """A sign that is put on a message, or taken off. ``emoji``: 1 to `MAX_EMOJI_BYTES` bytes of any text."""

    target: bytes
    emoji: str = field(repr=False)
    on: bool = True

    def __post_init__(self) -> None:
        """Normalises the emoji. Raises `Reject` for an impossible one, or id."""
        check_id(self.target, "reaction")
        object.__setattr__(self, "emoji", made_text(self.emoji, "reaction", MAX_EMOJI_BYTES))
        if not self.emoji:
            raise Reject("reaction: empty")

    def encode(self) -> bytes:
        """``target[16]; emoji<V8>; u8 on``."""
        return self.target + v8(self.emoji.encode()) + u8(self.on)

    @classmethod
    def decode(cls, data: bytes) -> "Reaction":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "reaction")
        reaction = cls(reader.take(ID_BYTES), read_text(reader.v8(), "reaction"), flag(reader.u8(), "reaction"))
        reader.end()
        return reaction


@dataclass(frozen=True)
class Receipt:
    """These messages were read; at most `MAX_RECEIPTS` ids of 16 bytes."""

    message_ids: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Raises `Reject` for an impossible id, and for too many."""
        if len(self.message_ids) > MAX_RECEIPTS:
            raise Reject(f"receipt: {len(self.message_ids)} messages, at most {MAX_RECEIPTS}")
        for message_id in self.message_ids:
            check_id(message_id, "receipt")

    def encode(self) -> bytes:
        """``{ message_id[16] }<V16>``."""
        return v16(b"".join(self.message_ids))

    @classmethod
    def decode(cls, data: bytes) -> "Receipt":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "receipt")
        message_ids = read_list(reader.v16(), "receipt", lambda each: each.take(ID_BYTES))
        reader.end()
        return cls(message_ids)


@dataclass(frozen=True)
class RoomTitle:
    """Name and topic of a room that is not public."""

    name: str = field(repr=False)
    topic: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Normalises both. Raises `Reject` above `MAX_NAME_BYTES` and `MAX_TOPIC_BYTES`."""
        object.__setattr__(self, "name", made_text(self.name, "room name", MAX_NAME_BYTES))
        object.__setattr__(self, "topic", made_text(self.topic, "room topic", MAX_TOPIC_BYTES))

    def encode(self) -> bytes:
        """``name<V8>; topic<V16>``."""
        return v8(self.name.encode()) + v16(self.topic.encode())

    @classmethod
    def decode(cls, data: bytes) -> "RoomTitle":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "room title")
        title = cls(read_text(reader.v8(), "room name"), read_text(reader.v16(), "room topic"))
        reader.end()
        return title


@dataclass(frozen=True)
class LogEvidence:
    """What the server has signed of its log, as the sender was shown it (docs/rooms.rst 8.3).

    Attributes:
        heads: One or two ``STH`` of `TREE_HEAD_BYTES` bytes. The receiver checks signatures; two that cannot both be of one
            log are a proof against the server.
        asked: A user who is asked to show theirs; empty: nobody.
    """

    heads: tuple[bytes, ...]
    asked: str = ""

    def __post_init__(self) -> None:
        """Raises `Reject` for another number or length of heads, and for a name that is none."""
        if not 1 <= len(self.heads) <= 2 or any(len(head) != TREE_HEAD_BYTES for head in self.heads):
            raise Reject("evidence: one or two signed heads")
        if self.asked:
            check_user(self.asked)

    def encode(self) -> bytes:
        """``asked<V8>; { STH[432] }<V16>``."""
        return v8(self.asked.encode()) + v16(b"".join(self.heads))

    @classmethod
    def decode(cls, data: bytes) -> "LogEvidence":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "evidence")
        asked = read_text(reader.v8(), "evidence")
        heads = read_list(reader.v16(), "evidence", lambda each: each.take(TREE_HEAD_BYTES))
        reader.end()
        return cls(heads, asked)


Said: TypeAlias = Text | Edit | Delete | Reaction | File | Receipt | History | LogEvidence | RoomTitle
Body: TypeAlias = Said | OwnBody

_TYPES: Final[dict[type[Said], ContentType]] = {
    Text: ContentType.TEXT,
    Edit: ContentType.EDIT,
    Delete: ContentType.DELETE,
    Reaction: ContentType.REACTION,
    File: ContentType.FILE,
    Receipt: ContentType.RECEIPT,
    History: ContentType.HISTORY,
    LogEvidence: ContentType.LOG_EVIDENCE,
    RoomTitle: ContentType.ROOM_NAME,
}
_DECODERS: Final[dict[int, Callable[[bytes], Body]]] = {
    **{ctype: kind.decode for kind, ctype in _TYPES.items()},
    ContentType.OWN: decode_own,
}


def encode_body(body: Body) -> tuple[ContentType, bytes]:
    """The type and the bytes of a content's body."""
    return ContentType.OWN if isinstance(body, OWN_BODIES) else _TYPES[type(body)], body.encode()


def decode_body(ctype: int, data: bytes) -> Body | None:
    """What a body says, or None where this version does not know its type.

    Raises:
        Reject: The type is known and the bytes are wrong for it.
    """
    decode = _DECODERS.get(ctype)
    return None if decode is None else decode(data)
