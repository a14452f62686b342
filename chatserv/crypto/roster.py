"""The devices of a room while the ops of a commit apply: by leaf, by id and by user."""

from collections.abc import Iterable

from chatserv.crypto.room_state import RosterEntry


class Roster:
    """Counts no device twice; whether one may come or go is for the caller to say.

    Args:
        entries: Those of the room as it stands.
        next_leaf: The leaf that the next device gets.

    Attributes:
        by_leaf: The entries.
    """

    def __init__(self, entries: Iterable[RosterEntry], next_leaf: int) -> None:
        self.by_leaf: dict[int, RosterEntry] = {}
        self.next_leaf = next_leaf
        self._device_ids: set[bytes] = set()
        self._leaves: dict[str, list[int]] = {}
        for entry in entries:
            self._put(entry)

    def __len__(self) -> int:
        return len(self.by_leaf)

    def has_device(self, device_id: bytes) -> bool:
        """Whether a device is there."""
        return device_id in self._device_ids

    def leaves(self, user: str) -> tuple[int, ...]:
        """The leaves of a user's devices, in the order in which they came."""
        return tuple(self._leaves.get(user, ()))

    def add(self, entry: RosterEntry) -> None:
        """A device comes in, under the next leaf."""
        self._put(entry)
        self.next_leaf += 1

    def _put(self, entry: RosterEntry) -> None:
        self.by_leaf[entry.leaf] = entry
        self._device_ids.add(entry.device_id)
        self._leaves.setdefault(entry.user, []).append(entry.leaf)

    def take(self, leaf: int) -> None:
        """A device goes."""
        entry = self.by_leaf.pop(leaf)
        self._device_ids.remove(entry.device_id)
        self._leaves[entry.user].remove(leaf)

    def drop(self, user: str) -> None:
        """All devices of a user go."""
        for leaf in self.leaves(user):
            self.take(leaf)

    def in_order(self) -> list[RosterEntry]:
        """The entries by leaf."""
        return [entry for _, entry in sorted(self.by_leaf.items())]
