"""MessagePack: messages to bytes and back. A DATA record is an array of messages (docs/protocol.rst).

Messages are encoded once, however many peers get them; `join` puts an array header before encoded messages.
"""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar, get_args

import msgspec

from chatserv.decoding import UNREADABLE
from chatserv.errors import BadMessage, UnknownType, WireError
from chatserv.wire.messages import ClientMessage, ServerMessage

_encoder = msgspec.msgpack.Encoder()
encode_message = _encoder.encode

M = TypeVar("M")


class Refused(msgspec.Struct, frozen=True):
    """A message that could not be taken; ``label`` is 0 where it has none that can be read."""

    label: int
    error: WireError


class _Tag(msgspec.Struct, frozen=True):
    t: str
    label: int = 0


_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_tag_decoder = msgspec.msgpack.Decoder(_Tag)


MAX_MESSAGES: Final = 1024  # in one DATA record, either way
MAX_REFUSED: Final = 8  # wrong messages in one record; more are no mistake


def _too_many(plaintext: bytes) -> bool:
    """Whether the array header announces more than `MAX_MESSAGES`; read before anything is decoded."""
    kind = plaintext[:1]
    if kind == b"\xdc":
        return int.from_bytes(plaintext[1:3], "big") > MAX_MESSAGES
    return kind == b"\xdd"


def join(parts: Sequence[bytes]) -> bytes:
    """A MessagePack array of encoded messages (at most 65,535)."""
    count = len(parts)
    header = bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
    return header + b"".join(parts)


class Decoder(Generic[M]):
    """Decodes the messages of one direction.

    Args:
        union: The union of structs that may come.
    """

    def __init__(self, union: Any) -> None:
        self._one = msgspec.msgpack.Decoder(union)
        self._all = msgspec.msgpack.Decoder(list[union])
        self._tags = frozenset(member.__struct_config__.tag for member in get_args(union))

    def decode(self, plaintext: bytes) -> "list[M | Refused]":
        """The messages of a DATA record, in order. One that is unknown or wrong does not spoil the others.

        Raises:
            BadMessage: It is not a MessagePack array of at most `MAX_MESSAGES` messages, or more than `MAX_REFUSED` of them
                are wrong; the session is then of no further use.
        """
        if _too_many(plaintext):
            raise BadMessage("record: too many messages")
        try:
            return self._all.decode(plaintext)
        except UNREADABLE:
            pass
        try:
            raw_messages = _raw_decoder.decode(plaintext)
        except UNREADABLE:
            raise BadMessage("record: not an array of messages") from None
        found, refused = [], 0
        for raw in raw_messages:
            message = self._decode_one(raw)
            refused += isinstance(message, Refused)
            if refused > MAX_REFUSED:
                raise BadMessage("record: too many wrong messages")
            found.append(message)
        return found

    def _decode_one(self, raw: msgspec.Raw) -> "M | Refused":
        try:
            return self._one.decode(raw)  # type: ignore[no-any-return]
        except UNREADABLE as error:
            problem = str(error)
        try:
            tag = _tag_decoder.decode(raw)
        except UNREADABLE:
            return Refused(0, BadMessage("message: no type"))
        label = tag.label if 0 <= tag.label < 2**32 else 0
        if tag.t not in self._tags:
            return Refused(label, UnknownType("message: unknown type"))
        return Refused(label, BadMessage(f"{tag.t}: {problem}"))


client_decoder: Final[Decoder[ClientMessage]] = Decoder(ClientMessage)
server_decoder: Final[Decoder[ServerMessage]] = Decoder(ServerMessage)
