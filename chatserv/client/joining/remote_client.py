"""A client that shares its profile: what is asked of it is done here, or by the program that holds the profile."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from chatserv.client.account.profile import Profile
from chatserv.client.account.profile_key import ProfileKey
from chatserv.client.client import Client
from chatserv.client.events import ClientEvent
from chatserv.client.joining import door
from chatserv.client.joining.faces import made, member, remote
from chatserv.client.joining.frames import Hello, encode
from chatserv.client.joining.shared_life import SharedLife
from chatserv.client.joining.unix_door import WELCOME_SECONDS, greet
from chatserv.client.joining.verbs import VERBS, Verb, face, part_type, public_names


class RemoteClient(SharedLife):
    """A `Client` whose profile other programs use at the same time; its life, and its arguments, are `SharedLife`'s."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        made(self, self, b"")

    def forget_unsent(self) -> int:
        """As of a `Client`: what this program has sent, wherever."""
        if self._away:
            dropped: int = self._joined.call(VERBS["client.forget_unsent"], b"", {})
        else:
            dropped = super().forget_unsent() + self._host.forget_unsent(set(self._joined.promised_ids()))
        self._joined.forget_promises()
        return dropped

    # -- what is asked, here or elsewhere (chatserv.client.joining.faces.Asking) ---------------------------------------

    def value(self, verb: Verb, room: bytes) -> Any:
        """A value."""
        return self._joined.value(verb, room) if self._away else getattr(self._find(verb, room), verb.attribute)

    def call(self, verb: Verb, room: bytes, args: dict[str, Any]) -> Any:
        """What a function gives at once."""
        if self._away:
            return self._joined.call(verb, room, args)
        return getattr(self._find(verb, room), verb.attribute)(**args)

    async def ask(self, verb: Verb, room: bytes, args: dict[str, Any]) -> Any:
        """What a function gives when it is done."""
        if self._away:
            return await self._joined.ask(verb, room, args)
        return await getattr(self._find(verb, room), verb.attribute)(**args)

    def _find(self, verb: Verb, room: bytes) -> Any:
        found: Any = self._host.handle(room, None) if verb.of_room else self
        for name in verb.path:
            found = getattr(found, name)
        return found


def _shared(name: str) -> Any:
    """The attribute of a `RemoteClient`: of the `Client` itself while we hold the profile, else asked for."""
    original: Any = inspect.getattr_static(Client, name)
    part, whole = part_type(Client, name), f"client.{name}"
    if part is not None:
        kind = remote(part, whole)
        return property(lambda self: kind(self, b"") if self._away else original.fget(self), doc=original.__doc__)
    there = member(VERBS[whole], original)
    if isinstance(original, property):
        return property(lambda self: (there if self._away else original).__get__(self), doc=original.__doc__)

    @functools.wraps(original)
    def here_or_there(self: RemoteClient, *given: Any, **named: Any) -> Any:
        return (there if self._away else original)(self, *given, **named)

    return here_or_there


for _name in public_names(Client):
    if _name not in vars(RemoteClient):
        setattr(RemoteClient, _name, _shared(_name))


def open_client(
    profile: Profile, reactor: Any, on_event: Callable[[ClientEvent], None] | None = None, **options: Any
) -> Client:
    """A client for a program of a person, who may have others of the same profile running.

    Args:
        profile: Where the account is kept.
        reactor: The reactor.
        on_event: Told everything that happens.
        **options: As for `RemoteClient`.
    """
    return RemoteClient(profile, reactor, on_event, **options)


def shared_key(profile: Profile) -> ProfileKey | None:
    """The key of a sealed profile, from the program that holds it; None where none does, or where it is not sealed.

    Raises:
        ProfileError: That program will not have us.
    """
    end = door.connect(profile.directory, WELCOME_SECONDS)
    if end is None:
        return None
    with end:
        welcome = greet(end, encode(Hello(face())))
    return None if welcome is None or not welcome.key else ProfileKey(welcome.key)
