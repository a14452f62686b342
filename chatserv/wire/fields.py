"""What the fields of messages may hold, and the three kinds of messages (docs/protocol.rst)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from chatserv.crypto.commits import MAX_COMMIT_BYTES
from chatserv.crypto.prekeys import SIGNED_PREKEY_BYTES
from chatserv.crypto.wraps import WRAP_BYTES

MAX_CURSORS: Final = 1000
MAX_PAGE: Final = 1000
MAX_ROOMS: Final = 250  # of one account: what a welcome holds
KEYS_PAGE: Final = 16  # devices in one request for keys or certificates
WRAPS_PAGE: Final = 22  # wraps in one message: under the line limit
PREKEYS_PAGE: Final = 32  # prekeys in one message
LIST_PAGE: Final = 100  # rows of a list in one answer
PATH_LENGTH: Final = 10  # an audit path over the wraps of at most 1000 devices

Label = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Size = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Host = Annotated[str, Meta(max_length=253)]
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
