"""Places in rooms that somebody was given and has not agreed to. Pure.

Whoever makes rooms can put anybody into them. So these places are counted apart from those that a person wants, for each
inviter and for each person; when a person has too many, the inviter with most of them yields.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from chatserv.models import Consent, ConsentAt

MEASURED: Final = (Consent.ASKED, Consent.YIELDED)  # what has yielded counts: else nobody could ever be stopped


class Invitation(Struct, frozen=True):
    """A place that its user has not agreed to; never `Consent.AGREED`."""

    inviter: str
    consent: Consent = Consent.ASKED


class Invitations:
    """Those in the rooms that are here. There is at most one for each member of each room."""

    def __init__(self) -> None:
        self._in: dict[bytes, dict[str, Invitation]] = {}

    def get(self, user: str, room_id: bytes) -> Invitation | None:
        """The user's in a room; None: they have agreed, or are not in it."""
        return self._in.get(room_id, {}).get(user)

    def has_yielded(self, user: str, room_id: bytes) -> bool:
        """Whether the server does not carry the room for the user."""
        found = self.get(user, room_id)
        return found is not None and found.consent is Consent.YIELDED

    def put(self, user: str, room_id: bytes, invitation: Invitation) -> None:
        """In place of what was there before."""
        self._in.setdefault(room_id, {})[user] = invitation

    def remove(self, user: str, room_id: bytes) -> None:
        """The user has agreed, or is in the room no more; harmless where there is none."""
        users = self._in.get(room_id, {})
        users.pop(user, None)
        if not users:
            self._in.pop(room_id, None)

    def forget(self, room_id: bytes) -> None:
        """The room is not here any more."""
        self._in.pop(room_id, None)


def who_yields(offers: Sequence[ConsentAt], most: int) -> list[ConsentAt]:
    """Those of a user's places that have to go, where they were given more than ``most`` and have not said anything: the
    oldest of an inviter with most of them, one after the other. ``offers``: from the oldest on.
    """
    left, yielding = list(offers), list[ConsentAt]()
    while len(left) > most:
        counts = Counter(each.inviter for each in left)
        top = max(counts.values())
        first = next(each for each in left if counts[each.inviter] == top)
        left.remove(first)
        yielding.append(first)
    return yielding
