"""What the server says about how long it keeps messages, and which holes in a room that explains (docs/protocol.rst 17).

A hole is explained where there is a rule, the server says that something before this place of the room may be gone, and, if
the rule is one of age alone, this device was away for about that long by its own clock: what came while it was here, it has.
"""

from collections.abc import Iterable
from typing import Final

from chatserv.client.storage.vault import Vault
from chatserv.wire import messages

HERE: Final = "here_ms"  # when we had everything, by our own clock
RULE: Final = "server_rule"
HOLE: Final = "hole "  # and the room's id: the epoch in which a hole was explained, and who has spoken behind it
LENIENCE: Final = 0.95  # clocks differ


class ServerRule:
    """The rule, and the holes that it has made.

    Args:
        vault: Where it is kept.
    """

    def __init__(self, vault: Vault) -> None:
        self._facts = vault.facts
        self._first: dict[bytes, int] = {}
        age, _, size = (self._facts.get(RULE) or b"0 0").partition(b" ")
        self.age_seconds, self.bytes = float(age), int(size)
        self._holes = {
            bytes.fromhex(key.removeprefix(HOLE)): _decode(self._facts.get(key) or b"")
            for key in self._facts.beginning(HOLE)
        }

    def told(self, rule: messages.RetentionInfo, rooms: Iterable[messages.RoomInfo]) -> bool:
        """A session begins. Says whether the rule is another one than before."""
        self._first = {info.room: info.first for info in rooms}
        before = (self.age_seconds, self.bytes)
        self.age_seconds, self.bytes = float(rule.age), rule.bytes
        if before == (self.age_seconds, self.bytes):
            return False
        self._facts.put(RULE, f"{self.age_seconds} {self.bytes}".encode())
        return True

    def caught_up(self, now_ms: int) -> None:
        """We have all that there is."""
        self._facts.note(HERE, now_ms.to_bytes(8, signed=True))

    def explains(self, room_id: bytes, last: int, now_ms: int) -> bool:
        """Whether messages of a room up to this place may be gone by the rule."""
        if not (self.age_seconds or self.bytes) or last >= self._first.get(room_id, 1):
            return False
        here = self._facts.get(HERE)
        away_seconds = None if here is None else (now_ms - int.from_bytes(here, signed=True)) / 1000
        return bool(self.bytes) or away_seconds is None or away_seconds >= self.age_seconds * LENIENCE

    # -- what is missing behind a hole ---------------------------------------------------------------------------------

    def explained(self, room_id: bytes, epoch: int) -> None:
        """A hole of this epoch was: whatever a sender's numbers show to be missing when they speak next, is too."""
        self._keep(room_id, epoch, frozenset())

    def lacks(self, room_id: bytes, epoch: int, leaf: int) -> bool:
        """Whether what is missing of a sender may be in such a hole."""
        in_epoch, spoken = self._holes.get(room_id, (-1, frozenset()))
        return in_epoch == epoch and leaf not in spoken

    def spoke(self, room_id: bytes, epoch: int, leaf: int) -> bool:
        """A message of a sender came: as `lacks`, for the last time."""
        if not self.lacks(room_id, epoch, leaf):
            return False
        self._keep(room_id, epoch, self._holes[room_id][1] | {leaf})
        return True

    def _keep(self, room_id: bytes, epoch: int, spoken: frozenset[int]) -> None:
        self._holes[room_id] = (epoch, spoken)
        self._facts.put(HOLE + room_id.hex(), b"".join(each.to_bytes(8) for each in (epoch, *sorted(spoken))))


def _decode(kept: bytes) -> tuple[int, frozenset[int]]:
    epoch, *spoken = (int.from_bytes(kept[at : at + 8]) for at in range(0, len(kept), 8))
    return epoch, frozenset(spoken)
