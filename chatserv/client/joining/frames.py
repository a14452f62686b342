"""What programs of one profile say to each other (docs/library.rst, "Several programs"): MessagePack, in bounded frames.

A frame is its length, four bytes, and a `msgspec` structure; one of more than `MAX_FRAME` comes in several, all but the last
with the highest bit of the length set. The one who joins sends in single frames.
"""

from typing import Final

import msgspec

from chatserv.discreet import Discreet
from chatserv.errors import BadFrame, TooLarge

MAX_FRAME: Final = 262_144
MAX_MESSAGE: Final = 64 * MAX_FRAME
"""What all frames of one message may hold: a long history, a list of all accounts."""
MAX_UNDER_WAY: Final = 64
"""Requests of one program that wait for their answer; it keeps more back."""
MAX_JOINED: Final = 16
"""Programs beside the one that holds the profile."""
MAX_UNSENT: Final = 1_048_576
"""Bytes that wait for one program; above, it is told no more messages until it has read them."""
HARD_UNSENT: Final = 32 * MAX_UNSENT
"""Above, it is cut off; it comes back, and is told the rest."""
ID_BYTES: Final = 16
_MORE: Final = 1 << 31


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A listener: its name, whether it follows, and how far it was told each room, whether that is stored or not."""

    name: str
    follow: bool
    told: dict[bytes, int] = {}


# -- from the one who joins ---------------------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The first frame. ``face``: what both must have alike. ``said``: ids of messages that are not known to be stored.

    ``place`` is None where nothing but the key is wanted. ``started``: whether a connection to the server is.
    """

    face: bytes
    place: Place | None = None
    started: bool = False
    said: list[bytes] = []


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A request.

    Attributes:
        id: Made by the one who asks, 16 bytes; what it sends is a message of that id.
        verb: As in `chatserv.client.joining.verbs`.
        room: Which room it is about, or nothing.
        args: By name.
        again: Whether it was asked before, of somebody who is gone.
    """

    id: bytes
    verb: str
    room: bytes
    args: msgspec.Raw
    again: bool = False


class Start(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A connection to the server is wanted, where there is none, and events are."""


class Listen(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """One more listener of that program, ``number`` from 1 on; answered like a request."""

    id: bytes
    number: int
    place: Place


class Leave(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A listener goes."""

    number: int


class Follow(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Whether a listener wants messages."""

    number: int
    wanted: bool


class Shown(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """How far a listener was shown a room."""

    number: int
    room: bytes
    seq: int


Up = Hello | Ask | Start | Listen | Leave | Follow | Shown


# -- from the one who holds the profile ---------------------------------------------------------------------------------


class Result(msgspec.Struct, frozen=True, array_like=True):
    """What came of something: a value, or an error."""

    good: bool
    body: msgspec.Raw


class Welcome(Discreet, frozen=True, array_like=True, tag=1):
    """The first frame. ``key``: of the profile, empty where it is not sealed; ``refused``: why not."""

    shown = ("refused",)

    key: bytes = b""
    refused: Result | None = None

    def __repr__(self) -> str:
        return f"Welcome(key={'...' if self.key else 'none'}, refused={self.refused!r})"


class Reply(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The answer to a request."""

    id: bytes
    result: Result


class Kept(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """What has become of what a request promised: a message is stored, or will not be."""

    id: bytes
    result: Result


class Told(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """An event, by its name in `chatserv.client.events`, for a listener; 0 is the program's own."""

    number: int
    event: str
    fields: msgspec.Raw


Down = Welcome | Reply | Kept | Told

_encoder: Final = msgspec.msgpack.Encoder()


def encode(message: Up | Down) -> bytes:
    """A message as frames. Raises `TooLarge`."""
    body = _encoder.encode(message)
    if len(body) > MAX_MESSAGE:
        raise TooLarge(f"{len(body)} bytes between programs")
    parts = [body[at : at + MAX_FRAME] for at in range(0, len(body), MAX_FRAME)]
    lengths = [len(part) | (_MORE if part is not parts[-1] else 0) for part in parts]
    return b"".join(
        piece for length, part in zip(lengths, parts, strict=True) for piece in (length.to_bytes(4, "big"), part)
    )


class Frames:
    """Takes bytes in, gives messages out.

    Args:
        limit: What one message may hold.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes, self._begun = bytearray(), bytearray()

    def take(self, data: bytes) -> list[bytes]:
        """The messages that are whole by now. Raises `BadFrame` for what no honest program sends."""
        self._bytes += data
        found: list[bytes] = []
        at = 0
        while len(self._bytes) - at >= 4:
            length = int.from_bytes(self._bytes[at : at + 4], "big")
            more, length = bool(length & _MORE), length & ~_MORE
            if not 0 < length <= MAX_FRAME or len(self._begun) + length > self._limit:
                raise BadFrame("frame: too long, or empty")
            if len(self._bytes) - at - 4 < length:
                break
            self._begun += self._bytes[at + 4 : at + 4 + length]
            at += 4 + length
            if not more:
                found.append(bytes(self._begun))
                self._begun.clear()
        del self._bytes[:at]
        return found
