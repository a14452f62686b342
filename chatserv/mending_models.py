"""What is offered to a server that was restored from a backup, and what it makes of that: values without behaviour."""

from typing import Final

import msgspec

from chatserv.models import EventKind


class OfferedEvent(msgspec.Struct, frozen=True):
    """An event at its place, as a device holds it. ``id``: of a message the client's, 16 bytes; of a commit its hash, 32."""

    seq: int
    id: bytes
    kind: EventKind
    at_ms: int
    body: bytes


class Voucher(msgspec.Struct, frozen=True):
    """Who has offered it."""

    user: str
    device_id: bytes


class Candidate(msgspec.Struct, frozen=True):
    """What somebody has offered for a place, with all who have offered the same bytes under the same id."""

    event: OfferedEvent
    by: tuple[Voucher, ...]


OFFER_BYTES: Final = 256  # that an offer takes beside its body: rows and indices, also where the body is empty


class OfferLimits(msgspec.Struct, frozen=True):
    """Bytes that offers may take, each with `OFFER_BYTES`: of all, of one account, and how far behind a room's end."""

    total: int
    account: int
    span: int


class MendedMessage(msgspec.Struct, frozen=True):
    """A message that goes back to its place. ``epoch``, ``leaf`` and ``generation`` are of its clear header."""

    seq: int
    id: bytes
    device_id: bytes
    sender: str
    at_ms: int
    body: bytes
    epoch: int
    leaf: int
    generation: int


class MendingState(msgspec.Struct, frozen=True):
    """The last restore, and whether what it lacks is being mended.

    ``restored``: `chatserv.crypto.restored.Restored`, encoded; empty where the store was never restored. ``report``: what
    the last mending has left undone, as JSON.
    """

    restored: bytes = b""
    mending: bool = False
    report: bytes = b""
