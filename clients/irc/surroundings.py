"""What IRC clients have in common: whom they can be, the commands, the bounds, the clock."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatserv.client import Client
from clients.irc.lines import Line
from clients.irc.settings import Bounds, IrcSettings


@dataclass(frozen=True)
class Row:
    """A row of the table of commands.

    Attributes:
        handler: Carries it out, for a `Session`.
        least: How many parameters it needs.
        before: Whether it may come before the client is registered.
    """

    handler: Callable[[Any, Line], Awaitable[None]]
    least: int = 0
    before: bool = False


@dataclass(frozen=True)
class Account:
    """An account that IRC clients can come in to.

    Attributes:
        client: The account itself.
        settings: What is kept of its IRC side; the password, too.
    """

    client: Client
    settings: IrcSettings


@dataclass
class Surroundings:
    """What all sessions have in common.

    Attributes:
        accounts: By the name of the profile; the password chooses, and the profile that is named with it.
        bounds: Of everything.
        clock: Timers, and seconds that never go back.
        now_ms: The date, milliseconds since 1970.
        table: The commands.
        sessions: Who is there, registered or not: each a `Session`.
        wrong: When somebody gave a wrong password, in the last minute.
    """

    accounts: Mapping[str, Account]
    bounds: Bounds
    clock: Any
    now_ms: Callable[[], int]
    table: Mapping[str, Row]
    sessions: set[Any] = field(default_factory=set)
    wrong: deque[float] = field(default_factory=deque)
