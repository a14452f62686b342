"""Carries out what a program has asked of the one that holds its profile."""

from typing import Any

from chatserv.client.client import Client
from chatserv.client.joining.frames import Ask, Result
from chatserv.client.joining.host import Host
from chatserv.client.joining.values import Values
from chatserv.client.joining.verbs import LOOK, VERBS, Verb, Way, values_of
from chatserv.client.state.context import Interrupted
from chatserv.client.state.listeners import Asker, Listener
from chatserv.errors import ChatError, UnknownType


class Performer:
    """Of one program.

    Args:
        host: Holds the profile.
        listener: The program's own.
        values: Encode what a look gives.

    Attributes:
        said: Ids of what may be messages that it has sent.
    """

    def __init__(self, host: Host, listener: Listener, values: Values) -> None:
        self._host, self._listener, self._values = host, listener, values
        self.said: set[bytes] = set()
        self._special = {"client.unacknowledged": self._unacknowledged, "client.forget_unsent": self._forget_unsent}

    def _unacknowledged(self) -> int:
        engine = self._host.engine
        files = (each for each in self.said if engine.files.uploads.waits(each))
        waiting = [*engine.context.vault.outbox.waiting(self.said), *files]
        self.said.intersection_update(waiting)
        return len(waiting)

    def _forget_unsent(self) -> int:
        said, self.said = self.said, set()
        return self._host.forget_unsent(said)

    def perform(self, ask: Ask) -> Any:
        """Does it, once; gives what comes of it, which may be awaitable. Raises `ChatError`, and whatever a bug does."""
        if ask.verb in self._special:
            return self._special[ask.verb]()
        group, _, name = ask.verb.rpartition(".")
        if name == LOOK:
            return self.look(group, self._find(ask, tuple(group.split(".")[1:])))
        verb = VERBS.get(ask.verb)
        if verb is None:
            raise UnknownType(ask.verb)
        asked = self._host.engine.context.vault.asked
        if ask.again and ask.id in asked:
            if verb.way is Way.AWAIT:  # whether it was done, who can tell?
                raise Interrupted("the program that did it has ended")
            self.said.add(ask.id)
            return self._host.promise(ask.id)
        if verb.way is Way.AWAIT:
            asked.begin(ask.id)
        found = getattr(self._find(ask, verb.path), verb.attribute)
        if verb.way is Way.GET:
            return found
        args = self._values.decode(ask.args, verb.args)
        return found(**{name: getattr(args, name) for name in args.__struct_fields__})

    def _find(self, ask: Ask, path: tuple[str, ...]) -> Any:
        """What has the verb."""
        found: Any = self._host.client
        if ask.verb.startswith("room."):
            found = self._host.handle(ask.room, Asker(self._listener, ask.id))
        for name in path:
            found = getattr(found, name)
        return found

    def look(self, group: str, thing: Any) -> list[Result]:
        """Everything of a thing that is no call."""
        return [self._value(thing, verb) for verb in values_of(group)]

    def _value(self, thing: Any, verb: Verb) -> Result:
        special = self._special.get(verb.name) if isinstance(thing, Client) else None
        try:
            return self._values.succeeded(getattr(thing, verb.attribute) if special is None else special(), verb.result)
        except ChatError as error:
            return self._values.failed(error)
