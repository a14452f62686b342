"""The settings that run now: whoever holds to them asks here each time, or is told when they are read anew.

A key takes effect at once, for what begins from then on (a connection keeps the limits that it began with), or waits for a
restart: `WAIT_FOR_RESTART` names those, docs/operations.rst has a sentence with each.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from chatserv.config import Config
from chatserv.limits import Limits
from chatserv.settings_words import Impossible

WAIT_FOR_RESTART: Final = frozenset(
    {
        # What is bound before the fork.
        "server.host",
        "server.port",
        "server.listen",
        "server.listen_plain",
        "server.allow_plain_network",
        "metrics.listen",
        "metrics.allow_network",
        # What the store is made of.
        "store.url",
        "store.readers",
        "blobs.directory",
        # Whom this node belongs to.
        "cluster.name",
        "cluster.bus",
        "cluster.authority",
        "cluster.store_seconds",
        # What both ends of a connection hold to: a client has been told at its login.
        "limits.login_line_bytes",
        "limits.login_total_bytes",
        "limits.line_bytes",
        "limits.envelope_bytes",
        "limits.one_time_prekeys",
        "limits.rekey_records",
        "limits.rekey_bytes",
        "limits.rekey_seconds",
        # How much memory the tables take.
        "limits.cached_certificates",
        "limits.counters",
    }
)


class Changes(msgspec.Struct, frozen=True):
    """What new settings have come to: dotted keys, in the order of the code."""

    applied: tuple[str, ...] = ()
    waits_for_restart: tuple[str, ...] = ()


class LiveSettings:
    """The settings of a server that runs.

    Args:
        config: Those of its start.

    Attributes:
        config: Those that hold now; to be read where they are used, and not kept.
        waiting: Keys that have other values in the sources by now, which the next start takes.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.waiting: tuple[str, ...] = ()
        self._subscribers: list[Callable[[Config], None]] = []

    @property
    def limits(self) -> Limits:
        """The bounds that hold now; to be read where they are used, and not kept."""
        return self.config.limits

    def subscribe(self, changed: Callable[[Config], None]) -> None:
        """From now on ``changed`` is told the settings each time that one of them has changed. It must not fail."""
        self._subscribers.append(changed)

    def replace(self, new: Config) -> Changes:
        """Lets new settings, which have been checked, take effect. What waits for a restart stays as it is."""
        merged = self.merged(new)
        changes = Changes(_differing(self.config, merged), _differing(merged, new))
        self.waiting = changes.waits_for_restart
        if changes.applied:
            self.config = merged
            for tell in self._subscribers:
                tell(merged)
        return changes

    def merged(self, new: Config) -> Config:
        """What would hold if ``new`` were to take effect."""
        tables: dict[str, Any] = {
            table: _merged(table, getattr(self.config, table), getattr(new, table))
            for table in Config.__struct_fields__
        }
        return Config(**tables)


def _differing(one: Config, other: Config) -> tuple[str, ...]:
    """The keys whose values differ."""
    pairs = ((table, getattr(one, table), getattr(other, table)) for table in Config.__struct_fields__)
    return tuple(
        f"{table}.{name}"
        for table, this, that in pairs
        for name in this.__struct_fields__
        if getattr(this, name) != getattr(that, name)
    )


def _merged(table: str, old: msgspec.Struct, new: msgspec.Struct) -> msgspec.Struct:
    """The new values of a table, but for those that wait; the old ones where these do not fit each other."""
    kept = {name: getattr(old, name) for name in old.__struct_fields__ if f"{table}.{name}" in WAIT_FOR_RESTART}
    try:
        return msgspec.structs.replace(new, **kept)
    except Impossible:
        return old
