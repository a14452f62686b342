"""Classes with the face of those of the library, whose names are asked of the program that holds the profile."""

import functools
import inspect
import os
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chatserv.client.joining.verbs import VERBS, Verb, Way, part_type, public_names
from chatserv.client.room_handle import RoomHandle
from chatserv.errors import ChatError

PLACES: Final = frozenset({"path", "directory"})
"""Arguments that name a file of this machine."""


class Asking(Protocol):
    """Who asks."""

    def value(self, verb: Verb, room: bytes) -> Any:
        """A value."""
        ...

    def call(self, verb: Verb, room: bytes, args: dict[str, Any]) -> Any:
        """What a function gives at once."""
        ...

    async def ask(self, verb: Verb, room: bytes, args: dict[str, Any]) -> Any:
        """What a function gives when it is done."""
        ...


@dataclass(frozen=True)
class RoomId:
    """All that a handle knows of its room itself, for who compares it."""

    room_id: bytes


def _room(self: Any) -> RoomId:
    """Which one it is by now; as it was where nobody can be asked."""
    try:
        return RoomId(self.room_id)
    except ChatError:
        return RoomId(self._asked_room)


def made(self: Any, asking: Asking, room: bytes) -> None:
    """What an instance of such a class is made of."""
    self._asking, self._asked_room = asking, room


def arguments(verb: Verb, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name. Raises `TypeError` as the function itself would.

    A ``path`` or a ``directory`` is one from where the program is that asks, and no other.
    """
    assert verb.signature is not None
    bound = dict(list(verb.signature.bind(None, *given, **named).arguments.items())[1:])
    return {name: os.path.abspath(value) if name in PLACES else value for name, value in bound.items()}


def member(verb: Verb, original: Any) -> Any:
    """The attribute of a class whose instances have ``_asking`` and ``_asked_room``."""
    if verb.way is Way.GET:
        return property(lambda self: self._asking.value(verb, self._asked_room), doc=original.__doc__)
    if verb.way is Way.CALL:

        @functools.wraps(original)
        def call(self: Any, *given: Any, **named: Any) -> Any:
            return self._asking.call(verb, self._asked_room, arguments(verb, given, named))

        return call

    @functools.wraps(original)
    async def ask(self: Any, *given: Any, **named: Any) -> Any:
        return await self._asking.ask(verb, self._asked_room, arguments(verb, given, named))

    return ask


@functools.cache
def remote(kind: type, group: str) -> Any:
    """The class with the face of another; it is made of who asks, and of the room's id or nothing.

    Args:
        kind: What it looks like.
        group: The names of its verbs begin so.
    """
    members: dict[str, Any] = {"__init__": made, "__doc__": kind.__doc__, "_room": property(_room)}
    for name in public_names(kind):
        part = part_type(kind, name)
        original = inspect.getattr_static(kind, name)
        whole = f"{group}.{name}"
        members[name] = member(VERBS[whole], original) if part is None else _part(remote(part, whole), original)
    return type(f"Remote{kind.__name__}", (kind,), members)


def _part(kind: Any, original: Any) -> property:
    return property(lambda self: kind(self._asking, self._asked_room), doc=original.__doc__)


RemoteRoom = remote(RoomHandle, "room")
