"""The server's replies."""

from typing import Annotated

import msgspec
from msgspec import Meta

from chatserv.discreet import Discreet
from chatserv.wire.blobs import BlobReply
from chatserv.wire.fields import (
    KEYS_PAGE,
    LIST_PAGE,
    MAX_BACKUP_BYTES,
    AddressList,
    Code,
    CommitBytes,
    Counter,
    Epoch,
    Hash,
    Host,
    Id,
    Name,
    Path,
    Reply,
    Seq,
    Size,
    Slots,
    Text,
    Token,
    Wrap,
)
from chatserv.wire.notices import Event

RESULT_CHARACTERS = 16_384  # of what came of an operation


class Ok(Reply, frozen=True, tag="ok"):
    """Done."""


class Error(Reply, frozen=True, tag="error"):
    """Not done, and nothing stored. ``code`` is one of the table in docs/protocol.rst.

    ``by``: who refuses where that may be in doubt: ``room`` (its signed state) or ``server`` (its administrators).
    """

    code: Code
    text: Text = ""
    retryable: bool = False
    after_seconds: float | None = None
    by: Code = ""


class Sent(Reply, frozen=True, tag="sent"):
    """Stored under ``seq``; the same bytes under the same id get the same answer again."""

    id: Id
    seq: Seq
    at: int


class Invited(Reply, Discreet, frozen=True, tag="invited"):
    """A fresh invite; the server keeps only its hash.

    ``host`` and ``port``: where the link has to lead; empty and 0 where the server does not know better than its clients.
    ``others``: what it has to name besides, ``HOST:PORT`` each.
    """

    shown = ("label", "expires")

    token: Token
    expires: int
    host: Host = ""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    others: AddressList = ()


class Page(Reply, frozen=True, tag="page"):
    """Events in order of seq; fewer than asked for where no more are left or the line is full."""

    events: tuple[Event, ...]


class PublicRoom(msgspec.Struct, frozen=True):
    """A room that anybody may join; its name and topic are in the clear."""

    room: Id
    name: Name
    topic: Annotated[str, Meta(max_length=1024)]
    members: int


class RoomList(Reply, frozen=True, tag="room_list"):
    """Public rooms in order of name. ``more``: there are others after the last one."""

    rooms: Annotated[tuple[PublicRoom, ...], Meta(max_length=LIST_PAGE)]
    more: bool = False


class Chain(Reply, frozen=True, tag="chain"):
    """Commits from the epoch on that was asked for, as many as the line holds. ``epoch``: the room's current one."""

    epoch: Epoch
    commits: tuple[CommitBytes, ...]


class Lease(Reply, frozen=True, tag="lease"):
    """We hold the commit lease for ``seconds``. The head of the room: ``epoch`` is -1 for one that is to be made.

    ``leaves``: the Leaves that wait, each ``u32 leaf; sig[64]``.
    """

    epoch: Annotated[int, Meta(ge=-1, le=2**32 - 1)]
    commit_hash: Hash
    kt_size: Size
    seconds: float
    leaves: tuple[Annotated[bytes, Meta(min_length=68, max_length=68)], ...] = ()


class Committed(Reply, frozen=True, tag="committed"):
    """The commit is stored and ordered."""

    seq: Seq


class Existing(Reply, frozen=True, tag="existing"):
    """Nothing was made: the two have this direct message already."""

    room: Id


class Wrapped(Reply, frozen=True, tag="wrapped"):
    """The device's wrap and its audit path."""

    path: Path
    wrap: Wrap


class Stock(Reply, frozen=True, tag="stock"):
    """How many one-time prekeys of the device the server has."""

    one_time: int


class Keys(Reply, frozen=True, tag="keys"):
    """A signed prekey for each device, in the order asked for; empty where it has none."""

    prekeys: Annotated[tuple[bytes, ...], Meta(max_length=KEYS_PAGE)]


class CertificateItem(msgspec.Struct, frozen=True):
    """A ``DeviceCert`` and the identity key (DER) that signed it."""

    certificate: Annotated[bytes, Meta(max_length=2048)]
    identity_spki: Annotated[bytes, Meta(max_length=1024)]


class Certificates(Reply, frozen=True, tag="certificate_list"):
    """Those of the certificates asked for that the server knows."""

    items: Annotated[tuple[CertificateItem, ...], Meta(max_length=KEYS_PAGE)]


class LogPage(Reply, frozen=True, tag="log_page"):
    """Leaves (105 bytes each) from the index on that was asked for, up to ``head``'s size or the line limit.

    ``head``: the newest signed tree head, 432 bytes.
    """

    leaves: bytes
    head: Annotated[bytes, Meta(max_length=432)]


class StatementFound(Reply, frozen=True, tag="statement_found"):
    """What was signed behind a leaf, by its type: 1 and 5 the identity key (DER), 2 the ``DeviceCert``, 3 the Revocation,
    4 the UikRotation, 6 the Gone.
    """

    statement: Annotated[bytes, Meta(max_length=2048)]


class Backup(Reply, frozen=True, tag="backup"):
    """The account's sealed backup as a device of it left it with the server, and when; to be opened by a slot alone."""

    counter: Counter
    at: int
    blob: Annotated[bytes, Meta(max_length=MAX_BACKUP_BYTES)]
    slots: Slots

    def __repr__(self) -> str:
        return f"Backup(label={self.label}, counter={self.counter}, at={self.at}, {len(self.blob)} bytes)"


class DeviceInfo(msgspec.Struct, frozen=True):
    """A valid device of the own account. ``seen``: when it was last here, to within an hour; 0: never."""

    device_id: Id
    cert_hash: Hash
    created: int
    seen: int
    online: bool


class DeviceList(Reply, frozen=True, tag="device_list"):
    """The own account's valid devices, oldest first."""

    items: Annotated[tuple[DeviceInfo, ...], Meta(max_length=LIST_PAGE)]


class OwnRoom(msgspec.Struct, frozen=True):
    """A room whose member the account is. ``agreed``: the account is known to want to be in it."""

    room: Id
    agreed: bool


class OwnRoomList(Reply, frozen=True, tag="own_room_list"):
    """Rooms in order of id. ``more``: there are others after the last one."""

    rooms: Annotated[tuple[OwnRoom, ...], Meta(max_length=LIST_PAGE)]
    more: bool = False


class AccountInfo(msgspec.Struct, frozen=True):
    """An account as administrators see it."""

    name: Name
    role: Code
    suspended: bool
    muted: bool
    created: int


class AccountList(Reply, frozen=True, tag="account_list"):
    """Accounts in order of name. ``more``: there are others after the last one."""

    accounts: Annotated[tuple[AccountInfo, ...], Meta(max_length=LIST_PAGE)]
    more: bool = False


class BanInfo(msgspec.Struct, frozen=True):
    """A ban from the server."""

    kind: Code
    subject: Name
    by: Name
    at: int


class BanList(Reply, frozen=True, tag="ban_list"):
    """Bans in order of subject. ``more``: there are others after the last one."""

    bans: Annotated[tuple[BanInfo, ...], Meta(max_length=LIST_PAGE)]
    more: bool = False


class Operated(Reply, frozen=True, tag="operated"):
    """What came of an `Operate`, as a JSON object: ``result`` and ``code``, or ``error`` with ``code`` and ``text``."""

    result: Annotated[str, Meta(max_length=RESULT_CHARACTERS)]


class Taken(Reply, frozen=True, tag="taken"):
    """How much of an offer was taken: see `OfferEvents`."""

    count: Seq


ServerReply = (
    Ok
    | Error
    | Sent
    | Invited
    | Page
    | RoomList
    | Chain
    | Lease
    | Committed
    | Existing
    | Wrapped
    | Stock
    | Keys
    | Certificates
    | LogPage
    | StatementFound
    | Backup
    | DeviceList
    | OwnRoomList
    | AccountList
    | BanList
    | Operated
    | Taken
    | BlobReply
)
