"""Why a session ends on purpose."""

from enum import IntEnum


class CloseReason(IntEnum):
    """The one byte of a CLOSE record."""

    NORMAL = 0
    DRAINING = 1
    REPLACED = 2
    TOO_OLD = 3
