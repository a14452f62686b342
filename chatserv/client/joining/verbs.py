"""What can be asked of the program that holds a profile: everything that a `Client` and its rooms offer, by introspection.

Whatever gets a public name there, with types for its arguments and its result, can be asked from the next start on.
"""

import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import Any, Final, get_type_hints

import msgspec

from chatserv.client.client import Client
from chatserv.client.client_life import ClientLife
from chatserv.client.joining.values import is_special
from chatserv.client.room_handle import RoomHandle
from chatserv.crypto.suite import sha256
from chatserv.discreet import Discreet

OWN: Final = frozenset(vars(ClientLife)) | {"user", "send", "status", "failure", "unfollow"}
"""Names that are about the program itself, or made of others."""
LOOK: Final = "*"
"""In place of a name: everything of a thing that is no call, at once."""


class Way(Enum):
    """How a verb is asked: a value, a function that answers at once, or one that is awaited."""

    GET = "get"
    CALL = "call"
    AWAIT = "await"


@dataclass(frozen=True)
class Verb:
    """One of them.

    Attributes:
        name: ``client.rooms``, ``room.members``, ``client.people.trust``.
        path: The attributes from the client or the room to what has it.
        attribute: Its own name there.
        way: How it is asked.
        signature: Of the function; None of a value.
        args: A structure of its arguments.
        result: The type of what comes of it.
    """

    name: str
    path: tuple[str, ...]
    attribute: str
    way: Way
    signature: inspect.Signature | None
    args: type[msgspec.Struct]
    result: Any

    @property
    def of_room(self) -> bool:
        """Whether it is asked of a room."""
        return self.name.startswith("room.")

    @property
    def group(self) -> str:
        """Its name without the last part."""
        return self.name.rpartition(".")[0]


class NoArgs(msgspec.Struct, frozen=True):
    """What a value takes."""


def is_part(kind: Any) -> bool:
    """Whether a property gives something with verbs of its own, such as ``client.people``, and no value."""
    if not isinstance(kind, type) or not kind.__module__.startswith("chatserv.client."):
        return False
    plain = is_dataclass(kind) or issubclass(kind, msgspec.Struct | Enum | BaseException)
    return not plain and not is_special(kind)


def public_names(kind: type) -> list[str]:
    """What a class offers, in order of name."""
    names = (name for name in dir(kind) if not name.startswith("_"))
    return [name for name in names if kind is not Client or name not in OWN]


def part_type(kind: type, name: str) -> type | None:
    """The class of a part; None where the name is none."""
    found = inspect.getattr_static(kind, name)
    if not isinstance(found, property):
        return None
    hint = get_type_hints(found.fget)["return"]
    return hint if is_part(hint) else None


def _verbs(kind: type, name: str, path: tuple[str, ...] = ()) -> Iterator[Verb]:
    for attribute in public_names(kind):
        part = part_type(kind, attribute)
        if part is not None:
            yield from _verbs(part, f"{name}.{attribute}", (*path, attribute))
            continue
        found = inspect.getattr_static(kind, attribute)
        whole = f"{name}.{attribute}"
        if isinstance(found, property):
            yield Verb(whole, path, attribute, Way.GET, None, NoArgs, get_type_hints(found.fget)["return"])
        elif inspect.isfunction(found):
            way = Way.AWAIT if inspect.iscoroutinefunction(found) else Way.CALL
            hints = get_type_hints(found)
            signature = inspect.signature(found)
            fields = [
                (each.name, hints[each.name], *(() if each.default is each.empty else (each.default,)))
                for each in list(signature.parameters.values())[1:]
            ]
            args = msgspec.defstruct(whole, fields, bases=(Discreet,), frozen=True, kw_only=True)
            yield Verb(whole, path, attribute, way, signature, args, hints["return"])
        else:
            raise TypeError(f"{whole}: neither a property nor a function")


VERBS: Final = {verb.name: verb for of, name in ((Client, "client"), (RoomHandle, "room")) for verb in _verbs(of, name)}
"""All of them, by name."""


@functools.cache
def values_of(group: str) -> list[Verb]:
    """What of a thing is no call, in the order in which a look gives it."""
    return [verb for verb in VERBS.values() if verb.group == group and verb.way is Way.GET]


@functools.cache
def face() -> bytes:
    """What two programs must have alike to understand each other: all verbs with their types, 16 bytes."""
    said = sorted(f"{verb.name} {verb.way.value} {verb.signature} {verb.result}" for verb in VERBS.values())
    return sha256("\n".join(said).encode())[:16]
