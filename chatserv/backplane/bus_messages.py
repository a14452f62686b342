"""What nodes tell each other on the bus, and how one knows that it was a node: bytes to values and back.

A message is ``version, mac[16], MessagePack``. Its key is made from the identity key, which all nodes of a server have and
nobody else; the mac is over the subject as well, so that nothing can be said again under another one. Who only reaches the
bus can therefore keep messages back, repeat and reorder them, which a feed bears, and cannot make one.
"""

import hmac
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from chatserv.backplane.nats import MAX_PAYLOAD
from chatserv.bus_models import GuestShown, Notice, PersonShown
from chatserv.crypto.suite import xlabel
from chatserv.decoding import UNREADABLE
from chatserv.errors import ChatError
from chatserv.models import EventKind
from chatserv.wire.fields import Epoch, Id, Leaf, Seq, Size

VERSION: Final = 1
MAC_BYTES: Final = 16
MAX_STATE_BYTES: Final = 65_536  # a larger one is not sent: the room is read anew
MAX_EVENTS: Final = 512  # in one message
MAX_ENTRIES: Final = 50
MAX_HEADS: Final = 10_000  # in one beat
MAX_SHOWN: Final = 5000  # people in one message
MAX_GUESTS: Final = 200  # likewise
ENTRY_BYTES: Final = 4096

User = Annotated[str, Meta(max_length=64)]
Users = Annotated[tuple[User, ...], Meta(max_length=2000)]
DeviceId = Annotated[bytes, Meta(min_length=1, max_length=64)]
Body = Annotated[bytes, Meta(max_length=MAX_PAYLOAD)]
NodeId = Annotated[bytes, Meta(min_length=8, max_length=8)]


class BadNode(ChatError):
    """Something on the bus that no node of this server has made, or that cannot be read."""

    code = "bad_node"


class OtherVersion(BadNode):
    """A node of this server has made it, which speaks another version of what nodes say."""


class Change(Struct, frozen=True, array_like=True):
    """What a commit makes of its room, without wraps: who needs one asks for it. Fields as of `CommitDraft`."""

    epoch: Epoch
    commit_hash: Annotated[bytes, Meta(min_length=32, max_length=32)]
    kt_size: Size
    state: Annotated[bytes, Meta(max_length=MAX_STATE_BYTES)]
    name: User
    added: Annotated[tuple[tuple[DeviceId, Leaf], ...], Meta(max_length=2000)]
    removed: Annotated[tuple[DeviceId, ...], Meta(max_length=2000)]
    left: Users
    asked: Users
    agreed: Users
    gone: Users
    account_id: Annotated[bytes, Meta(max_length=64)] = b""
    device_id: Annotated[bytes, Meta(max_length=64)] = b""


class Said(Struct, frozen=True, array_like=True):
    """An event of the room that the message is about. A commit without ``change``: the room has to be read anew."""

    seq: Seq
    at_ms: Seq
    sender: User
    kind: EventKind
    body: Body
    change: Change | None = None


class Message(Struct, frozen=True, array_like=True, tag_field="kind"):
    """What all have in common; ``node``: who says it, new at each start.

    What has no number of the store has a time: ``at_ms``, in milliseconds since 1970 by its node's clock
    (`chatserv.backplane.stamps`).
    """

    node: NodeId


class RoomEvents(Message, frozen=True, tag=1):
    """Events of one room, which are committed."""

    room: Id
    events: Annotated[tuple[Said, ...], Meta(min_length=1, max_length=MAX_EVENTS)]


class Entries(Message, frozen=True, tag=2):
    """Leaves of the log, or control entries; ``first``: the number of the first; ``head``: the log's signed one, or none."""

    first: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    entries: Annotated[tuple[Annotated[bytes, Meta(max_length=ENTRY_BYTES)], ...], Meta(max_length=MAX_ENTRIES)]
    head: Annotated[bytes, Meta(max_length=ENTRY_BYTES)] = b""


class Beat(Message, frozen=True, tag=3):
    """Each second: that the node lives, where clients reach it, how far everything has come as far as it knows, how many
    sessions it has, and whether some of them catch up.
    """

    address: Annotated[str, Meta(max_length=262)]
    draining: bool
    store_reached: bool
    log_size: Size
    control: Size
    heads: Annotated[dict[Id, Seq], Meta(max_length=MAX_HEADS)]
    sessions: Size = 0
    reading: bool = False
    at_ms: Seq = 0


class Takeover(Message, frozen=True, tag=4):
    """A device has logged in, under a number of the store: a session of it with a smaller one ends."""

    device: DeviceId
    number: Seq


class Presence(Message, frozen=True, tag=7):
    """Who is on the node, or was until now.

    ``number``: of the node's last change. Of one change, it is that one; of a page, the last one that is in it; of who only
    ``asks`` (all, or the node that is named) or says that nothing has changed, no more than that. ``pages``: in how many
    everybody is told, this one being ``page``, from 0 on; 0: it is not that.
    """

    number: Seq
    people: Annotated[tuple[PersonShown, ...], Meta(max_length=MAX_SHOWN)] = ()
    guests: Annotated[tuple[GuestShown, ...], Meta(max_length=MAX_GUESTS)] = ()
    page: Seq = 0
    pages: Seq = 0
    asks: Annotated[bytes, Meta(max_length=8)] | None = None
    at_ms: Seq = 0


class Noticed(Message, frozen=True, tag=8):
    """Something that may be lost."""

    notice: Notice
    at_ms: Seq = 0


BusMessage = RoomEvents | Entries | Beat | Takeover | Presence | Noticed
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(BusMessage)
_head = msgspec.msgpack.Decoder(list[msgspec.Raw])
_kind = msgspec.msgpack.Decoder(int)
_KINDS: Final = frozenset({1, 2, 3, 4, 7, 8})


class Subjects:
    """Subjects of one cluster.

    Args:
        name: Of the cluster: letters, digits, ``-`` and ``_``.
    """

    def __init__(self, name: str) -> None:
        self.control, self.log, self.presence, self.beat = (
            f"{name}.{word}" for word in ("control", "log", "presence", "beat")
        )
        self._name = name

    def room(self, room_id: bytes) -> str:
        """What happens in a room."""
        return f"{self._name}.r.{room_id.hex()}"

    def device(self, device_id: bytes) -> str:
        """What is for one device, wherever it is."""
        return f"{self._name}.device.{device_id.hex()}"


class Sealer:
    """Makes and checks the messages of one cluster.

    Args:
        own: What a server makes its own secrets from (`chatserv.crypto.password.own_secret`).
        name: Of the cluster.
        incarnation: The store's: what was said before a restore is not of this server any more.
    """

    __slots__ = ("_begun",)

    def __init__(self, own: bytes, name: str, incarnation: bytes) -> None:
        key = xlabel(own, "bus", incarnation + name.encode(), 32)
        self._begun = hmac.new(key, digestmod="sha256")  # to set OpenSSL up for each message would cost as much again

    def seal(self, subject: str, message: BusMessage) -> bytes:
        """A message for a subject."""
        body = bytes((VERSION,)) + _encoder.encode(message)
        return body[:1] + self._mac(subject, body) + body[1:]

    def open(self, subject: str, data: bytes) -> BusMessage | None:
        """What was said; None where it is of a kind that this node does not know.

        Raises:
            OtherVersion: A node has made it that speaks another version.
            BadNode: It is too long, no node has made it, or not for this subject; or it is broken.
        """
        if len(data) > MAX_PAYLOAD:
            raise BadNode("bus: a message above 1 MiB")
        if len(data) <= MAC_BYTES:
            raise BadNode("bus: a message too short")
        body = data[:1] + data[1 + MAC_BYTES :]
        if not hmac.compare_digest(data[1 : 1 + MAC_BYTES], self._mac(subject, body)):
            raise BadNode("bus: not of a node of this server")
        if data[0] != VERSION:
            raise OtherVersion(f"bus: version {data[0]}, and this node speaks {VERSION}")
        try:
            return _decoder.decode(body[1:])
        except UNREADABLE:
            pass
        try:
            known = _kind.decode(_head.decode(body[1:])[0]) in _KINDS
        except (*UNREADABLE, IndexError):
            known = True
        if known:
            raise BadNode("bus: a message that cannot be read")
        return None

    def _mac(self, subject: str, body: bytes) -> bytes:
        made = self._begun.copy()
        made.update(b"%b\0%b" % (subject.encode(), body))
        return made.digest()[:MAC_BYTES]
