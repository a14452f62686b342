"""Places in rooms that somebody was given and has not agreed to. Pure.

Whoever makes rooms can put anybody into them. So these places are counted apart from those that a person wants, for each
inviter and for each person; when a person has too many, the inviter with most of them yields.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chatserv.models import Consent

MEASURED: Final = (Consent.ASKED, Consent.YIELDED)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A place that its user has not agreed to; never `Consent.AGREED`."""

    inviter: str
    consent: Consent = Consent.ASKED


class Invitations:
    """Those of everybody, oldest first. There is at most one for each member of each room."""

    def __init__(self) -> None:
        self._of: dict[str, dict[bytes, Invitation]] = {}

    def get(self, user: str, room_id: bytes) -> Invitation | None:
        """The user's in a room; None: they have agreed, or are not in it."""
        return self._of.get(user, {}).get(room_id)

    def has_yielded(self, user: str, room_id: bytes) -> bool:
        """Whether the server does not carry the room for the user."""
        found = self.get(user, room_id)
        return found is not None and found.consent is Consent.YIELDED

    def of(self, user: str) -> Iterator[tuple[bytes, Invitation]]:
        """The user's, with their rooms."""
        return iter(list(self._of.get(user, {}).items()))

    def put(self, user: str, room_id: bytes, invitation: Invitation) -> None:
        """In place of what was there before."""
        self._of.setdefault(user, {})[room_id] = invitation

    def remove(self, user: str, room_id: bytes) -> None:
        """The user has agreed, or is in the room no more; harmless where there is none."""
        rooms = self._of.get(user, {})
        rooms.pop(room_id, None)
        if not rooms:
            self._of.pop(user, None)

    def measured(self, user: str, inviter: str | None = None) -> int:
        """How many the user has, but for those of before anybody asked; of one inviter, or of all.

        What has yielded counts, so that nobody can go on for ever.
        """
        mine = self._of.get(user, {}).values()
        return sum(each.consent in MEASURED and inviter in {None, each.inviter} for each in mine)

    def who_yields(self, user: str, most: int) -> bytes | None:
        """The room whose place has to go, where the user has more than ``most``: the oldest of an inviter with most."""
        asked = [(room_id, each.inviter) for room_id, each in self.of(user) if each.consent is Consent.ASKED]
        if len(asked) <= most:
            return None
        counts = Counter(inviter for _, inviter in asked)
        top = max(counts.values())
        return next(room_id for room_id, inviter in asked if counts[inviter] == top)
