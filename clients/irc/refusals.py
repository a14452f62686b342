"""What goes wrong, as the numerics that IRC has for it."""

from typing import Final

from chatserv.client import ChatError, Client, NotMember, Status
from chatserv.client.errors import NotFound
from clients.irc.names import room_of

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


async def as_seen(client: Client, target: str, error: ChatError) -> ChatError:
    """The error; `NotFound` where it is about a room that, for all that can be seen from here, there is not."""
    if not (isinstance(error, NotMember) and target.startswith("#") and client.status is Status.ONLINE):
        return error
    try:
        there = {room.name for room in await client.public_rooms()} | {handle.name for handle in client.handles()}
    except ChatError:
        return error
    return error if room_of(target) in there else NotFound(target)


def fail_code(error: ChatError) -> str:
    """Its code for ``FAIL``."""
    return error.code.upper()
