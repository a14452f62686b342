"""What goes wrong, as the numerics that IRC has for it."""

from typing import Final

from chatserv.client import ChatError

ROOM: Final = "442"
_NUMERICS: Final = {
    "not_member": ROOM,
    "forbidden": "482",
    "muted": "404",
    "stands_still": "404",
    "room_withheld": "404",
    "server_distrusted": "404",
    "banned": "474",
    "room_full": "471",
    "quota": "405",
    "too_large": "417",
    "text_invalid": "417",
    "text_empty": "412",
}
_OF_ROOMS: Final = {"not_found": "403", "name_invalid": "476", "name_taken": "476"}
_OF_PEOPLE: Final = {"not_found": "401", "name_invalid": "401", "not_member": "401"}


def numeric_for(error: ChatError, target: str) -> str | None:
    """The numeric; None where IRC has none, and ``FAIL`` is said.

    Args:
        error: What went wrong.
        target: The channel or nick that it is about.
    """
    special = _OF_ROOMS if target.startswith("#") else _OF_PEOPLE
    return special.get(error.code) or _NUMERICS.get(error.code)


def fail_code(error: ChatError) -> str:
    """Its code for ``FAIL``."""
    return error.code.upper()
