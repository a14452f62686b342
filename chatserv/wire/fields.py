"""What the fields of messages may hold, and the three kinds of messages (docs/protocol.rst)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from chatserv.crypto.commits import MAX_COMMIT_BYTES
from chatserv.crypto.prekeys import SIGNED_PREKEY_BYTES
from chatserv.crypto.suite import SPKI_BYTES
from chatserv.crypto.wraps import WRAP_BYTES

MAX_CURSORS: Final = 1000
MAX_PAGE: Final = 1000
MAX_ROOMS: Final = 250  # of one account: what a welcome holds
KEYS_PAGE: Final = 16  # devices in one request for keys or certificates
WRAPS_PAGE: Final = 22  # wraps in one message: under the line limit
PREKEYS_PAGE: Final = 32  # prekeys in one message
LIST_PAGE: Final = 100  # rows of a list in one answer
MAX_BACKUP_STEP: Final = 2**32  # of a backup's counter in one go: no device can use up all that there are
MAX_BACKUP_BYTES: Final = 48_000  # of a sealed backup: under the line limit, with its slots
TELL_BYTES: Final = 8192  # of what one session of an account tells another
MAX_ADDRESSES: Final = 8  # of one server, beside the one that a client has come by
PATH_LENGTH: Final = 10  # an audit path over the wraps of at most 1000 devices

Label = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
IdOrNone = Annotated[bytes, Meta(max_length=16)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Size = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Counter = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Slots = Annotated[tuple[Annotated[bytes, Meta(min_length=1, max_length=256)], ...], Meta(max_length=2)]
TellBody = Annotated[bytes, Meta(max_length=TELL_BYTES)]
Spki = Annotated[bytes, Meta(min_length=SPKI_BYTES, max_length=SPKI_BYTES)]
Host = Annotated[str, Meta(max_length=253)]
AddressList = Annotated[tuple[Annotated[str, Meta(max_length=262)], ...], Meta(max_length=MAX_ADDRESSES)]  # HOST:PORT
Name = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=500)]
Code = Annotated[str, Meta(max_length=32)]
Token = Annotated[bytes, Meta(min_length=32, max_length=32)]
Epoch = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Leaf = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Wrap = Annotated[bytes, Meta(min_length=WRAP_BYTES, max_length=WRAP_BYTES)]
Path = Annotated[tuple[Hash, ...], Meta(max_length=PATH_LENGTH)]
Prekey = Annotated[bytes, Meta(min_length=SIGNED_PREKEY_BYTES, max_length=SIGNED_PREKEY_BYTES)]
CommitBytes = Annotated[bytes, Meta(max_length=MAX_COMMIT_BYTES)]


class Message(msgspec.Struct, frozen=True, tag_field="t"):
    """What all messages have in common: the tag."""


class Command(Message, frozen=True, tag_field="t"):
    """A request of the client."""

    label: Label


class Reply(Message, frozen=True, tag_field="t"):
    """The server's one answer to a command."""

    label: Label
