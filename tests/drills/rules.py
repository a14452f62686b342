"""Nodes that break one rule: what each drill has to fail with. ``python -m tests.drills.rules RULE [TWISTD ARGUMENTS]``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from chatserv.backplane.bus_connection import PING_SECONDS, BusConnection
from chatserv.backplane.cluster import ClusterBackplane
from chatserv.backplane.polling import Polling
from chatserv.backplane.reach import Reach
from chatserv.commands import rooms
from chatserv.commands.context import Context
from chatserv.commands.effects import Promise
from chatserv.commands.table import TABLE
from chatserv.domain.hub import LiveSession
from chatserv.errors import WireError
from chatserv.testing.blindness.watched import run_twistd
from chatserv.wire import messages

COMMAND: Final = (sys.executable, "-m", "tests.drills.rules")
LATER_SECONDS: Final = 0.5


def _answer(context: Context, command: messages.Send) -> messages.Sent:
    """What nobody has stored."""
    return messages.Sent(command.label, command.id, context.hub.rooms[command.room].head + 1, context.effects.now_ms())


def _keep(promise: Promise) -> None:
    promise.callback(None)


def answers_first() -> None:
    """A message is acknowledged, and stored a moment later."""

    async def store(context: Context, session: LiveSession, command: messages.Send) -> None:
        moment = context.effects.promise()
        context.effects.later(LATER_SECONDS, partial(_keep, moment))
        await moment
        with suppress(WireError):
            await rooms.send(context, session, command)

    async def send(context: Context, session: LiveSession, command: messages.Send) -> messages.Sent:
        context.effects.spawn(store(context, session, command))
        return _answer(context, command)

    _handle(send)


def answers_alone() -> None:
    """Where the store does not answer soon, a message is acknowledged all the same."""

    async def send(context: Context, session: LiveSession, command: messages.Send) -> messages.Sent:
        found: list[messages.Sent] = []
        over, once = context.effects.promise(), [None]

        def end() -> None:
            if once:
                once.clear()
                over.callback(None)

        async def store() -> None:
            with suppress(WireError):
                found.append(await rooms.send(context, session, command))
            end()

        context.effects.later(LATER_SECONDS, end)
        context.effects.spawn(store())
        await over
        return found[0] if found else _answer(context, command)

    _handle(send)


def _handle(send: Callable[..., Any]) -> None:
    TABLE[messages.Send] = replace(TABLE[messages.Send], handler=send)


def no_polls() -> None:
    """The store is not asked what is missing."""

    def ask(_: Polling) -> None:
        """Nothing."""

    Polling.ask = ask  # type: ignore[assignment,method-assign]


def no_pings() -> None:
    """A bus server that stands still is not noticed."""

    def look_again(self: Any, **_: object) -> None:
        self._look = self._reactor.callLater(PING_SECONDS, self._look_again)

    BusConnection._look_again = look_again  # type: ignore[method-assign]


def no_barrier() -> None:
    """A session begins whether its node has come as far as the store or not."""

    async def arrive(self: ClusterBackplane, heads: Mapping[bytes, int], _: object) -> None:
        """As soon as the rooms are there."""
        for room_id in heads:
            await self.load(room_id)

    ClusterBackplane.arrive = arrive  # type: ignore[assignment,method-assign]


def no_farewell() -> None:
    """A node that reaches no store keeps its people."""
    Reach.start = Reach.stop  # type: ignore[method-assign]


RULES: Final[dict[str, Callable[[], None]]] = {
    "answers-first": answers_first,
    "answers-alone": answers_alone,
    "no-polls": no_polls,
    "no-pings": no_pings,
    "no-barrier": no_barrier,
    "no-farewell": no_farewell,
}


if __name__ == "__main__":
    RULES[sys.argv[1]]()
    run_twistd(sys.argv[2:])
