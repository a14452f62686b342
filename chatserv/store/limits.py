"""The bounds of a store, as the settings give them."""

import msgspec


class StoreLimits(msgspec.Struct, frozen=True):
    """How much a store takes.

    ``queue``: calls waiting for the writer (and, counted apart, for the reader). ``batch``: calls in one commit.
    ``open_invites``: invites neither used nor expired. ``accounts``: accounts in all.
    """

    queue: int = 10_000
    batch: int = 512
    open_invites: int = 1000
    accounts: int = 100_000
