"""The bounds of a store, as the settings give them."""

import msgspec


class StoreLimits(msgspec.Struct):
    """How much a store takes. All parts of a store share it; it is changed in place where settings are read anew.

    ``queue``: calls waiting for the writer (and, counted apart, for the reader). ``batch``: calls in one commit.
    ``open_invites``: invites neither used nor expired. ``accounts``: accounts in all. ``devices``: of one account, revoked
    ones not counted. ``rooms``: rooms that are not closed. ``bans``: bans in all. ``networks``: of one
    account, where it has logged in from. ``open_blobs``: files of one account that are not whole; ``blob_account_bytes``,
    ``blob_server_bytes``: what the files of one, and of all, may count for.
    """

    queue: int = 10_000
    batch: int = 512
    open_invites: int = 1000
    accounts: int = 100_000
    devices: int = 10
    rooms: int = 10_000
    bans: int = 10_000
    networks: int = 16
    open_blobs: int = 4
    blob_account_bytes: int = 2**30
    blob_server_bytes: int = 20 * 2**30
