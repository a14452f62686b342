"""The phases of a connection, and what an open one is watched for: silence, age, a peer that takes nothing. Pure."""

from enum import Enum

from chatserv.limits import Limits


class Phase(Enum):
    """Where a connection stands; each phase has deadlines of its own."""

    TLS = "TLS handshake"
    LOGIN = "login"
    OPEN = "open"
    CLOSING = "closing"


class Finding(Enum):
    """What is due."""

    NOTHING = "all is well"
    ASK = "nothing came for a while: ask whether somebody is there"
    SILENT = "nobody answered"
    STALLED = "the peer takes nothing that it is sent"
    OLD = "the session has lasted as long as one may"


class Watch:
    """One session's watch; all times are the reactor's seconds.

    Args:
        limits: How long each thing may last.
        began: When the connection was accepted.
    """

    __slots__ = ("_asked", "_began", "_heard", "_lifetime", "_limits")

    def __init__(self, limits: Limits, began: float) -> None:
        self._limits, self._began, self._heard = limits, began, began
        self._asked, self._lifetime = False, limits.session_max_seconds

    def lasts(self, seconds: float) -> None:
        """The session may last so long, since the connection was accepted."""
        self._lifetime = seconds

    def heard(self, now: float) -> None:
        """Something came from the peer."""
        self._heard, self._asked = now, False

    def check(self, now: float, stalled_since: float | None) -> Finding:
        """What is due at ``now``; ``stalled_since``: since when nothing leaves. `Finding.ASK` comes once a silence."""
        limits, silent = self._limits, now - self._heard
        if silent >= limits.idle_seconds + limits.idle_reply_seconds:
            return Finding.SILENT
        if stalled_since is not None and now - stalled_since >= limits.idle_reply_seconds:
            return Finding.STALLED
        if now - self._began >= self._lifetime:
            return Finding.OLD
        if silent >= limits.idle_seconds and not self._asked:
            self._asked = True
            return Finding.ASK
        return Finding.NOTHING

    def due(self, stalled_since: float | None) -> float:
        """When to check next."""
        limits = self._limits
        times = [
            self._heard + limits.idle_seconds + (limits.idle_reply_seconds if self._asked else 0),
            self._began + self._lifetime,
        ]
        if stalled_since is not None:
            times.append(stalled_since + limits.idle_reply_seconds)
        return min(times)
