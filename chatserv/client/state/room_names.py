"""Which names of rooms people can write."""

from functools import lru_cache

from chatserv.domain.names import room_name, user_name
from chatserv.errors import NameInvalid


@lru_cache(maxsize=4096)
def is_room_name(name: str) -> bool:
    """Whether a name is one that people can write: none that begins with ``@``, above all, and looks like somebody."""
    try:
        return room_name(name) == name
    except NameInvalid:
        return False


def canonical(name: str) -> str:
    """A name as it is compared; one that is none as it is."""
    try:
        return f"@{user_name(name[1:])}" if name.startswith("@") else room_name(name)
    except NameInvalid:
        return name
