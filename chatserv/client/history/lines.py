"""The lines of a history file: one JSON object each, in UTF-8 (docs/rooms.rst 7.7)."""

from collections.abc import Iterator
from typing import IO, Annotated, Final, TypeAlias

import msgspec

from chatserv.crypto.bodies import Body, Edit, Reaction, decode_body
from chatserv.decoding import UNREADABLE
from chatserv.errors import ChatError, Reject
from chatserv.i18n import N_

VERSION: Final = 1
MAX_LINE_BYTES: Final = 131_072
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Id: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class HistoryInvalid(ChatError):
    """A file that is no history of this account, or none that this version can read."""

    code = "history_invalid"
    text = N_("This file is no history of this account that can be read here. Nothing was imported.")


class Head(msgspec.Struct, frozen=True, tag_field="kind", tag="history"):
    """The first line. ``server``: its id, in hexadecimal; ``user``: whose history it is; ``at_ms``: when it was written."""

    version: int
    server: str
    user: str
    at_ms: Count


class CertificateLine(msgspec.Struct, frozen=True, tag_field="kind", tag="certificate"):
    """A device that lines below name, with the identity key (DER) that signed it; both in base64."""

    certificate: bytes
    identity: bytes


class RoomLine(msgspec.Struct, frozen=True, tag_field="kind", tag="room"):
    """The room of the lines below. What it is called is for people."""

    room_id: Id
    name: str


class MessageLine(msgspec.Struct, frozen=True, tag_field="kind", tag="message", omit_defaults=True):
    """A message, as it was first said.

    ``seq`` and ``at_ms`` are the server's word. ``text`` is for people and has to be what was signed. ``proof``, in base64,
    is what the sender signed; where there is none, ``body`` is what it said, and nobody can be shown that it did.
    ``deleted``: it was taken back, and says nothing any more.
    """

    seq: Count
    at_ms: Count
    sender: str
    message_id: Id
    ctype: Annotated[int, msgspec.Meta(ge=0, le=255)]
    shareable: bool
    text: str | None = None
    deleted: bool = False
    proof: bytes | None = None
    body: bytes = b""
    sent_ms: Count = 0


class ChangeLine(msgspec.Struct, frozen=True, tag_field="kind", tag="change", omit_defaults=True):
    """What changed a message above, ``target``: an edit (2), a deletion (3) or a sign (4), by ``ctype``."""

    seq: Count
    at_ms: Count
    sender: str
    target: Id
    ctype: Annotated[int, msgspec.Meta(ge=2, le=4)]
    shareable: bool
    text: str | None = None
    emoji: str | None = None
    on: bool = True
    proof: bytes | None = None
    body: bytes = b""

    def tells(self, said: Body) -> bool:
        """Whether what people read in it is what was signed."""
        text = said.text.text if isinstance(said, Edit) else None
        emoji, on = (said.emoji, said.on) if isinstance(said, Reaction) else (None, True)
        return (self.text, self.emoji, self.on) == (text, emoji, on)


class End(msgspec.Struct, frozen=True, tag_field="kind", tag="end"):
    """The last line: without it the file is not whole."""

    messages: Count


Line: TypeAlias = Head | CertificateLine | RoomLine | MessageLine | ChangeLine | End
_DECODER: Final = msgspec.json.Decoder(Line)
_ENCODER: Final = msgspec.json.Encoder()


def encode_line(line: Line) -> bytes:
    """A line with its end."""
    return _ENCODER.encode(line) + b"\n"


def decode_line(data: bytes) -> Line:
    """Parses strictly. Raises `Reject`."""
    if len(data) > MAX_LINE_BYTES:
        raise Reject(f"history: a line of more than {MAX_LINE_BYTES} bytes")
    try:
        return _DECODER.decode(data)
    except UNREADABLE as error:
        raise Reject(f"history: {error}") from None


def body_of(ctype: int, data: bytes) -> Body | None:
    """What a content says; None where this version cannot read it."""
    try:
        return decode_body(ctype, data)
    except Reject:
        return None


def numbered(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines without their ends; of one that is too long no more is kept than shows that."""
    number = 0
    while data := file.readline(MAX_LINE_BYTES + 2):
        number += 1
        end = data.endswith(b"\n")
        while not end and len(data) > MAX_LINE_BYTES and (more := file.readline(MAX_LINE_BYTES)):
            end = more.endswith(b"\n")
        yield number, data.rstrip(b"\r\n")
