"""What the store does about a restore: the part of `chatserv.ports.Store` that nobody calls while nothing is mended."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from chatserv.mending_models import Candidate, MendedMessage, MendingState, OfferedEvent, OfferLimits, Voucher
from chatserv.models import LeafDraft


class MendingStore(Protocol):
    """A store that was restored keeps what is offered to it until it is decided, over restarts too."""

    def mending_state(self) -> Awaitable[MendingState]:
        """How it stands."""
        ...

    def offer(self, room_id: bytes, by: Voucher, offers: Sequence[OfferedEvent], limits: OfferLimits) -> Awaitable[int]:
        """Keeps what a device offers for places of a room that the restore has left empty; says how many were new.

        Of one device the first offer for a place counts. What lies at or before the room's last place at the restore, is
        there already, belongs to a closed room or lies beyond ``limits.span`` is left out. Where all offers
        take too many bytes, the last ones of the account that has offered most give way, first those that no other account
        offers too; what another one does stays, and counts for that one. Raises `Quota` where the account has offered too
        much, or most; nothing of the call is kept then.
        """
        ...

    def mending_floor(self, room_id: bytes) -> Awaitable[int]:
        """The last place of a room at the restore; 0 for one that is not known from then."""
        ...

    def offered_rooms(self) -> Awaitable[Sequence[bytes]]:
        """The rooms that there are offers for."""
        ...

    def offered(self, room_id: bytes, after: int, limit: int) -> Awaitable[Sequence[Candidate]]:
        """All candidates of the first ``limit`` places above ``after``, by place."""
        ...

    def mend_messages(self, room_id: bytes, mended: Sequence[MendedMessage]) -> Awaitable[Sequence[int]]:
        """Puts messages where nothing is, and moves the room's end and its senders' generations forward, never back.

        What has its place taken, what the device has said there already, or of the current epoch a generation that is
        not above the device's last one, is left out. Returns the places that were
        filled. Raises `NotFound` for an unknown or closed room. Nobody is told.
        """
        ...

    def append_leaves(self, first: int, leaves: Sequence[LeafDraft]) -> Awaitable[None]:
        """Puts leaves at the end of the log, whose size has to be ``first``. Raises `StaleCommit`."""
        ...

    def fill_statement(self, index: int, statement: bytes) -> Awaitable[bool]:
        """Keeps what was signed behind a leaf that has nothing behind it; False where it has, or is not there."""
        ...

    def end_mending(self, report: bytes) -> Awaitable[None]:
        """Forgets the offers; the store is as any other from now on. ``report``: JSON, kept."""
        ...
