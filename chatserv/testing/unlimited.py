"""Settings without rates, and for however full a disk: for programs that measure, or do in a minute what people do in a day.

Other bounds stay.
"""

from typing import Any, Final

AT_ONCE: Final = 10_000_000
BYTES: Final = 2**30
RATES: Final[dict[str, Any]] = {
    "chat_burst": AT_ONCE,
    "chat_per_second": AT_ONCE,
    "chat_burst_bytes": BYTES,
    "chat_bytes_per_second": BYTES,
    "upkeep_burst": AT_ONCE,
    "upkeep_per_second": AT_ONCE,
    "upload_burst_bytes": BYTES,
    "upload_bytes_per_second": BYTES,
    "read_burst": AT_ONCE,
    "read_per_second": AT_ONCE,
    "rooms_made_per_day": AT_ONCE,
    "names_per_day": AT_ONCE,
    "log_leaves_per_day": AT_ONCE,
    "invites_per_day": AT_ONCE,
    "prekeys_taken_per_day": AT_ONCE,
    "enrolments_per_day": AT_ONCE,
    "revocations_per_day": AT_ONCE,
    "guest_notices_per_day": AT_ONCE,
    "commits_refused_per_hour": AT_ONCE,
    "blob_disk_share": 1,
}


def unlimited(**others: object) -> dict[str, Any]:
    """The table ``limits`` of a server's settings, where nothing has a rate, with ``others`` as they are given."""
    return RATES | others
