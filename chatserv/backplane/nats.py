"""The few verbs of NATS that a node needs, as bytes: what the server says, taken apart, and what it is told.

https://docs.nats.io/reference/reference-protocols/nats-protocol. Pure: no sockets. Whatever the server sends that is not of
this protocol, or more than there is a bound for, raises `BadBus`; the connection is then of no further use.
"""

import json
import re
from typing import Any, Final

import msgspec

from chatserv.bus_address import BusAddress
from chatserv.decoding import UNREADABLE
from chatserv.errors import ChatError

MAX_PAYLOAD: Final = 2**20  # of one message, either way
MAX_LINE: Final = 4096  # of what the server says beside INFO
MAX_INFO: Final = 65_536
MAX_ADVERTISED: Final = 32  # servers that the server names
MAX_ERROR: Final = 200  # characters of what it complains of that are kept
_SUBJECT = re.compile(r"[!-)+-=?-~]+")  # one word, without wildcards


class BadBus(ChatError):
    """The bus server, or who is in its place, does not speak the protocol, or refuses us. Never holds a secret."""

    code = "bus"


class ServerInfo(msgspec.Struct, frozen=True):
    """What a server says of itself, as far as we need it."""

    max_payload: int = MAX_PAYLOAD
    tls_required: bool = False
    tls_available: bool = False
    connect_urls: list[str] = []


class Delivery(msgspec.Struct, frozen=True):
    """A message for the subscription ``sid``."""

    sid: int
    body: bytes


class Complaint(msgspec.Struct, frozen=True):
    """The server does not like what we do; ``text`` is its own, shortened. ``final``: it will close the connection."""

    text: str
    final: bool


class Ping(msgspec.Struct, frozen=True):
    """The server wants to know whether we live."""


class Pong(msgspec.Struct, frozen=True):
    """The server lives, and has dealt with all that it was told before the ping."""


Said = Delivery | ServerInfo | Complaint | Ping | Pong
_info = msgspec.json.Decoder(ServerInfo)
_PING, _PONG = Ping(), Pong()


class NatsReader:
    """Takes apart what a server says.

    Attributes:
        rest: What is not whole yet.
    """

    def __init__(self) -> None:
        self.rest = b""

    def take(self, data: bytes) -> list[Said]:
        """What is whole of it, in order. Raises `BadBus`; nothing of what came with it is given then."""
        buffer = self.rest + data if self.rest else data
        found: list[Said] = []
        at = 0
        while (end := buffer.find(b"\r\n", at)) >= 0:
            if buffer.startswith(b"MSG ", at):
                sid, size = _header(buffer[at + 4 : end])
                stop = end + 2 + size
                if stop + 2 > len(buffer):
                    break
                if buffer[stop : stop + 2] != b"\r\n":
                    raise BadBus("a message that does not end where it should")
                found.append(Delivery(sid, buffer[end + 2 : stop]))
                at = stop + 2
            else:
                said = _line(buffer[at:end])
                if said is not None:
                    found.append(said)
                at = end + 2
        self.rest = buffer[at:]
        if end < 0 and len(self.rest) > (MAX_INFO if self.rest.startswith(b"INFO ") else MAX_LINE):
            raise BadBus("a line without an end")
        return found


def _header(line: bytes) -> tuple[int, int]:
    """Subscription and size of ``subject sid [reply] size``."""
    words = line.split()
    try:
        sid, size = int(words[1]), int(words[-1])
    except (ValueError, IndexError):
        raise BadBus("a message without number or size") from None
    if not 3 <= len(words) <= 4 or len(line) > MAX_LINE or not 0 <= size <= MAX_PAYLOAD:
        raise BadBus("a message that is too large, or with too many words")
    return sid, size


def _line(line: bytes) -> Said | None:
    if len(line) > (MAX_INFO if line.startswith(b"INFO ") else MAX_LINE):
        raise BadBus("a line that is too long")
    verb, _, rest = line.partition(b" ")
    match verb.upper():
        case b"PING":
            return _PING
        case b"PONG":
            return _PONG
        case b"+OK":
            return None
        case b"-ERR":
            text = rest.decode("ascii", "replace").strip().strip("'")[:MAX_ERROR]
            kept = "".join(each if each.isprintable() else "?" for each in text)
            return Complaint(kept, final=not kept.lower().startswith("permissions violation"))
        case b"INFO":
            try:
                return _info.decode(rest)
            except UNREADABLE:
                raise BadBus("an INFO that cannot be read") from None
        case _:
            raise BadBus("a verb that is none")


def checked_subject(subject: str) -> bytes:
    """A subject as it travels. Raises `ValueError` where it is none, or stands for many."""
    if len(subject) > 255 or not _SUBJECT.fullmatch(subject) or "" in subject.split("."):
        raise ValueError("not a subject")
    return subject.encode("ascii")


def connect_line(address: BusAddress, name: str) -> bytes:
    """Says who we are, in answer to the server's INFO."""
    options: dict[str, Any] = {
        "verbose": False,
        "pedantic": False,
        "tls_required": address.tls,
        "name": name,
        "lang": "python",
        "version": "1",
        "protocol": 1,  # tells us of servers that come and go
        "echo": False,  # what we say does not come back
    }
    if address.token:
        options["auth_token"] = address.token
    elif address.user:
        options |= {"user": address.user, "pass": address.password}
    return b"CONNECT " + json.dumps(options).encode() + b"\r\n"


def publish_lines(subject: bytes, body: bytes) -> bytes:
    """Says something to all who hear the subject."""
    return b"PUB %b %d\r\n%b\r\n" % (subject, len(body), body)


def subscribe_line(subject: bytes, sid: int) -> bytes:
    """Wants to hear a subject from now on, under a number of our own."""
    return b"SUB %b %d\r\n" % (subject, sid)


def unsubscribe_line(sid: int) -> bytes:
    """Wants to hear no more."""
    return b"UNSUB %d\r\n" % sid


PING_LINE: Final = b"PING\r\n"
PONG_LINE: Final = b"PONG\r\n"
