"""One room of the store in memory."""

from typing import Final

from msgspec import Struct, field

from chatserv.control_models import Consented, may_follow
from chatserv.domain.hub import Place
from chatserv.models import CommitDraft, ConsentAt, Duplicate, Event, EventKind, StoredWrap

NOTHING: Final = Event(b"", 0, 0, "", EventKind.MESSAGE, b"")
"""In a place that a restored store has nothing for."""


class Seat(Struct):
    """A place, and the last generation that its device has sent in the current epoch."""

    place: Place
    generation: int = -1


class MemoryRoom(Struct):
    """An open room. ``newest``: its newest commit; ``commits``: the seqs of all, by epoch."""

    newest: CommitDraft
    events: list[Event] = field(default_factory=list)
    messages: dict[tuple[bytes, bytes], Duplicate] = field(default_factory=dict)
    commits: list[int] = field(default_factory=list)
    seats: dict[bytes, Seat] = field(default_factory=dict)
    wraps: dict[tuple[int, bytes], StoredWrap] = field(default_factory=dict)
    leaves: dict[str, bytes] = field(default_factory=dict)
    consents: dict[str, ConsentAt] = field(default_factory=dict)
    marks: dict[bytes, int] = field(default_factory=dict)
    pair: bytes = b""
    gone_through: int = 0

    def say(self, said: ConsentAt) -> Consented | None:
        """Keeps what a user says now, where that may follow what they have said; gives the order of it."""
        before = self.consents.get(said.user)
        if not may_follow(None if before is None else before.consent, said.consent):
            return None
        self.consents[said.user] = said
        return Consented(said, self.newest.epoch, len(self.events))

    def put(self, event: Event) -> None:
        """Puts an event at its place; what is before it and was never there stays empty."""
        self.events += [NOTHING] * (event.seq - len(self.events))
        self.events[event.seq - 1] = event

    def at(self, seq: int) -> Event | None:
        """What is at a place."""
        found = self.events[seq - 1] if 0 < seq <= len(self.events) else NOTHING
        return None if found is NOTHING else found
