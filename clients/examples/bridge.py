"""An example: a bridge between a room of one server and a room of another, or of the same one.

It reads both rooms, so both trust the machine that it runs on. Register an account for each side first, then::

    python -m clients.examples.bridge PROFILE ROOM PROFILE ROOM
"""

import sys
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react
from twisted.python.failure import Failure

from chatserv.client import Client, Profile, explained, open_client, sender_name, translate, use_steady_clock
from chatserv.client.errors import ChatError
from chatserv.client.events import MessageReceived

USAGE = "python -m clients.examples.bridge PROFILE ROOM PROFILE ROOM"


async def carry(source: Client, room: str, target: Client, into: str) -> None:
    """Says in ``into`` what others say in ``room``, until the source is stopped."""
    async for event in source:
        if not isinstance(event, MessageReceived) or event.room != room or event.text is None:
            continue
        if event.sender not in {source.user, target.user}:  # or our words would go round, if both sides are one room
            try:
                sent = target.room(into).send(f"<{sender_name(event)}> {event.text}", action=event.action)
                sent.addErrback(failed)
            except ChatError as error:  # too many wait, the text is too long, or we are in the room no more
                complain(error)


def failed(failure: Failure) -> None:
    """The server did not take a text."""
    complain(failure.value)


def complain(error: BaseException | None) -> None:
    """Tells the operator that something did not get across."""
    print(explained(error) if isinstance(error, ChatError) else repr(error), file=sys.stderr, flush=True)


async def bridge(left: Client, left_room: str, right: Client, right_room: str) -> None:
    """Carries both ways until both clients are stopped."""
    ways = [carry(left, left_room, right, right_room), carry(right, right_room, left, left_room)]
    await gatherResults([Deferred.fromCoroutine(way) for way in ways], consumeErrors=True)


async def run(reactor: Any, left_profile: str, left_room: str, right_profile: str, right_room: str) -> None:
    """Connects both sides, and carries until it is interrupted."""
    left, right = (open_client(Profile.named(name), reactor) for name in (left_profile, right_profile))
    async with left, right:
        for client in (left, right):
            reactor.addSystemEventTrigger("before", "shutdown", client.stop)
        await bridge(left, left_room, right, right_room)


def main() -> None:
    """The command line: two profiles, each with a room."""
    if len(sys.argv) != 5:
        raise SystemExit(translate("usage: ") + USAGE)
    react(lambda reactor: Deferred.fromCoroutine(run(use_steady_clock(reactor), *sys.argv[1:])))


if __name__ == "__main__":
    main()
