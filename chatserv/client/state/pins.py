"""Whose identity key is whose: pinned at first sight, verified by people, never changed in silence.

See docs/crypto.rst 6.
"""

from collections.abc import Iterable

from chatserv.client.state.transparency_log import TransparencyLog
from chatserv.client.storage.pins import Pin, PinState, PinTable
from chatserv.errors import KeyChanged, NotFound

__all__ = ["Pin", "PinState", "Pins"]


class Pins:
    """What we know of everybody's identity, compared with what the log names.

    Where the old identity has signed the new one (a rotation that is known to be signed), the pin goes along. Until that is
    known of a rotation, a pin stays as it is, and nothing is sent to its user.

    Args:
        table: Where pins are kept.
        log_copy: Names the identity that is in force.
    """

    def __init__(self, table: PinTable, log_copy: TransparencyLog) -> None:
        self._table = table
        self._log = log_copy
        self.shown: dict[str, bytes] = {}  # the identities whose numbers a person has looked at, in this run
        self.changes = 0  # how often a pin was kept: what was found out before may not hold any more

    def trust(self, user: str) -> str:
        """``unverified``, ``verified`` or ``changed``; for somebody never seen ``unknown``."""
        pin = self._table.get(user)
        return "unknown" if pin is None else pin.state.name.lower()

    def look(self, user: str, now_ms: int) -> Pin | None:
        """Compares a person with the log and keeps what comes of it.

        At first sight the identity is pinned. Another one later, that the pinned one has not signed, makes the pin CHANGED,
        until somebody accepts it or the pinned one is back in force: then the pin is as it was before. An account that is
        gone changes nothing.

        Returns:
            The pin, or None for somebody whom neither the table nor the log knows.
        """
        pin, named = self._table.get(user), self._named(user)
        if named is None:
            return pin
        if self._log.facts.undecided(self._log.size, [user]):
            return pin
        if pin is None:
            return self._keep(Pin(user, named, PinState.UNVERIFIED, now_ms))
        if named != pin.fingerprint and self._log.facts.carried(user, pin.fingerprint, self._log.size):
            verified = pin.state is PinState.VERIFIED or pin.was_verified
            return self._keep(Pin(user, named, PinState.VERIFIED if verified else PinState.UNVERIFIED, now_ms))
        if pin.state is not PinState.CHANGED:
            if named == pin.fingerprint:
                return pin
            verified = pin.state is PinState.VERIFIED
            return self._keep(Pin(user, pin.fingerprint, PinState.CHANGED, now_ms, named, verified))
        if named == pin.fingerprint:
            state = PinState.VERIFIED if pin.was_verified else PinState.UNVERIFIED
            return self._keep(Pin(user, pin.fingerprint, state, now_ms))
        if named == pin.offered:
            return pin
        return self._keep(Pin(user, pin.fingerprint, PinState.CHANGED, now_ms, named, pin.was_verified))

    def accept(self, user: str, fingerprint: bytes | None = None) -> Pin:
        """Somebody takes the new identity: from now on it is the pin, UNVERIFIED even if the old one was verified.

        Args:
            user: Who has changed.
            fingerprint: The one that was looked at, so that a later one is not taken in its place.

        Raises:
            NotFound: There is no change to accept.
            KeyChanged: It is another identity than the one that was looked at.
        """
        pin = self._table.get(user)
        if pin is None or pin.state is not PinState.CHANGED or pin.offered is None:
            raise NotFound(f"{user}: no change to accept")
        if fingerprint not in (None, pin.offered):
            raise KeyChanged(f"{user}: changed again meanwhile")
        return self._keep(Pin(user, pin.offered, PinState.UNVERIFIED, pin.seen_ms))

    def verify(self, user: str, fingerprint: bytes | None = None) -> Pin:
        """Two people have compared their numbers.

        Args:
            user: The other one.
            fingerprint: The one that was compared, so that no other is marked in its place.

        Raises:
            NotFound: Nobody of that name has been seen.
            KeyChanged: Their identity has changed and the change was not accepted, or it is not the one that was compared.
        """
        pin = self._table.get(user)
        if pin is None:
            raise NotFound(f"{user}: never seen")
        if not self._holds(pin) or fingerprint not in (None, pin.fingerprint):
            raise KeyChanged(f"{user}: not the identity that was compared")
        return self._keep(Pin(user, pin.fingerprint, PinState.VERIFIED, pin.seen_ms))

    def changed_among(self, users: Iterable[str]) -> list[str]:
        """Those to whom nothing may be sent, as their identity is another than the pinned one; seen by `look` or not yet."""
        pins = ((user, self._table.get(user)) for user in users)
        return [user for user, pin in pins if pin is not None and not self._holds(pin)]

    def other(self, user: str, fingerprint: bytes) -> bool:
        """Whether an identity of somebody is not the one that we go by, nor has led to it by rotations."""
        if len(self._log.facts.identities(user, self._log.size)) < 2:
            return False  # there is no other
        pin = self._table.get(user)
        if pin is None or pin.fingerprint == fingerprint:
            return False
        return not self._log.facts.carried(user, fingerprint, self._log.size, pin.fingerprint)

    def _holds(self, pin: Pin) -> bool:
        return pin.state is not PinState.CHANGED and self._named(pin.user) in (None, pin.fingerprint)

    def _named(self, user: str) -> bytes | None:
        identity = self._log.facts.identity(user, self._log.size)
        return None if identity is None else identity.fingerprint

    def _keep(self, pin: Pin) -> Pin:
        self._table.put(pin)
        self.changes += 1
        return pin
