"""A device of the store in memory, with its prekeys."""

from collections.abc import Sequence

from msgspec import Struct, field

from chatserv.crypto.prekeys import is_last_resort
from chatserv.models import Certified, PrekeyItem, TakenPrekey


class MemoryDevice(Struct):
    """A device; ``highest`` is the greatest number of a one-time prekey that was ever listed."""

    certified: Certified
    name: str
    revoked: bool = False
    one_time: dict[int, bytes] = field(default_factory=dict)
    last_resort: bytes | None = None
    highest: int = -1
    created_ms: int = 0
    seen_ms: int = 0

    def publish(self, prekeys: Sequence[PrekeyItem], most: int) -> int:
        """Lists prekeys; returns how many one-time ones there are."""
        for item in sorted(prekeys, key=lambda item: item.number):
            if is_last_resort(item.number):
                self.last_resort = item.signed
            elif item.number > self.highest and len(self.one_time) < most:
                self.one_time[item.number] = item.signed
                self.highest = item.number
        return len(self.one_time)

    def take(self, one_time: bool) -> TakenPrekey:
        """Gives out a prekey: of the one-time ones the lowest."""
        signed = self.last_resort
        if one_time and self.one_time:
            signed = self.one_time.pop(min(self.one_time))
        return TakenPrekey(signed, len(self.one_time))

    def end(self) -> None:
        """It is revoked, and nothing is wrapped to it any more."""
        self.revoked, self.last_resort = True, None
        self.one_time.clear()
