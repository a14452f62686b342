"""What clients offer to a server that was restored from a backup: what they hold and it has lost (docs/protocol.rst 16)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from chatserv.crypto.commits import MAX_COMMIT_BYTES
from chatserv.crypto.log_leaves import LEAF_BYTES, TREE_HEAD_BYTES
from chatserv.wire.fields import Command, Id, Size

OFFERS_PAGE: Final = 64  # events in one offer, or statements
LEAVES_PAGE: Final = 300  # leaves in one offer

Statement = Annotated[bytes, Meta(min_length=1, max_length=2048)]


class Offered(msgspec.Struct, frozen=True):
    """An event as this device has it. ``id``: of a message the sender's; of a commit its hash. ``kind``: as of `Event`."""

    seq: Annotated[int, Meta(ge=1, le=2**53)]
    id: Annotated[bytes, Meta(min_length=16, max_length=32)]
    kind: Annotated[int, Meta(ge=0, le=1)]
    at: Annotated[int, Meta(ge=0, le=2**53)]
    body: Annotated[bytes, Meta(max_length=MAX_COMMIT_BYTES)]

    def __repr__(self) -> str:
        return f"Offered(seq={self.seq}, id={self.id.hex()}, kind={self.kind}, {len(self.body)} bytes)"


class OfferEvents(Command, frozen=True, tag="offer_events"):
    """Offers events of a room at the places that they had. Answered by `Taken`, with how many were new."""

    room: Id
    events: Annotated[tuple[Offered, ...], Meta(min_length=1, max_length=OFFERS_PAGE)]


class OfferLog(Command, frozen=True, tag="offer_log"):
    """Offers what was signed behind leaves of the log, and leaves from index ``first`` on, as far as ``head`` covers them.

    ``head``: 432 bytes. Answered by `Taken`, with the index of the leaf that is wanted next. Statements come first, as the
    leaves count as soon as all are there.
    """

    head: Annotated[bytes, Meta(min_length=TREE_HEAD_BYTES, max_length=TREE_HEAD_BYTES)]
    first: Size
    leaves: Annotated[bytes, Meta(max_length=LEAVES_PAGE * LEAF_BYTES)] = b""
    statements: Annotated[tuple[tuple[Size, Statement], ...], Meta(max_length=OFFERS_PAGE)] = ()
