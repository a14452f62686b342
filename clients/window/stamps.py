"""Times as a window shows them."""

from datetime import datetime


def _local(at_ms: int, style: str, unknown: str) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime(style)
    except (OverflowError, OSError, ValueError):
        return unknown  # the server's word, and no time at all


def stamp(at_ms: int) -> str:
    """``[HH:MM]`` in local time."""
    return _local(at_ms, "[%H:%M]", "[--:--]")


def day(at_ms: int) -> str:
    """``YYYY-MM-DD`` in local time."""
    return _local(at_ms, "%Y-%m-%d", "----------")
