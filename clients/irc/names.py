"""What people and rooms are called on the side of IRC."""

from typing import Final

from chatserv.client import room_name, user_name

HOST: Final = "chat"
SERVER: Final = "chatserv"
SERVICE: Final = "*chatserv"
SERVICE_SOURCE: Final = f"{SERVICE}!{SERVER}@{HOST}"
TAKEN: Final = "~&%+$=-"
"""What IRC reads in front of a name as a rank, a target or an option."""
_MARK: Final = "?"  # no name can hold it


def escaped(name: str) -> str:
    """A name that IRC takes for nothing else."""
    return f"{_MARK}{name}" if name[:1] in TAKEN else name


def unescaped(name: str) -> str:
    """The name itself."""
    return name.removeprefix(_MARK)


def source_of(user: str) -> str:
    """Who says something: ``nick!nick@chat``."""
    nick = escaped(user)
    return f"{nick}!{nick}@{HOST}"


def channel_of(room: str) -> str:
    """``#lobby`` of ``lobby``."""
    return f"#{escaped(room)}"


def target_of(room: str) -> str:
    """A room as a channel, direct messages as the other's nick."""
    return escaped(room[1:]) if room.startswith("@") else channel_of(room)


def room_of(target: str) -> str:
    """The room that a target means: ``lobby``, or ``@bob``; as the library calls it. Raises `NameInvalid`."""
    if not target.startswith("#"):
        return f"@{user_of(target)}"
    name = unescaped(target[1:])
    stem, tilde, mark = name.rpartition("~")  # the library's mark of a room whose name another one has too
    return f"{room_name(stem)}~{mark.lower()}" if tilde and stem else room_name(name)


def user_of(nick: str) -> str:
    """The account that a nick means. Raises `NameInvalid`."""
    return user_name(unescaped(nick))
