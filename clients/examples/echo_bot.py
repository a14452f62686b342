"""An example: a bot that says back what is said to it, in direct messages and where it is mentioned.

Register an account for it first, then run it::

    chatserv-client --link-file LINK --profile echo --user echo --password-file FILE --no-seal --send < /dev/null
    python -m clients.examples.echo_bot echo
"""

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from chatserv.client import ChatError, Client, MessageReceived, Profile, RoomOffered, explained, shown, use_steady_clock


async def serve(client: Client) -> None:
    """Answers until the client is stopped."""
    for room in client.rooms:
        accept(client, room)
    async for event in client:
        match event:
            case RoomOffered(room=room):
                accept(client, room)
            case MessageReceived():
                answer(client, event)


def accept(client: Client, room: str) -> None:
    """Agrees to a room, and answers what was said there meanwhile."""
    try:
        meanwhile = client.room(room).accept()
    except ChatError:  # it is gone already
        return
    for message in meanwhile:
        answer(client, message)


def answer(client: Client, message: MessageReceived) -> None:
    """Says a text back as an answer to it; answers are not answered, or two bots would talk for ever."""
    meant = message.mentioned or message.room.startswith("@")
    if message.own or not meant or message.text is None or message.reply_to is not None:
        return
    try:
        sent = client.room(message.room).send(message.text, reply_to=message.message_id)
        sent.addErrback(failed)
    except ChatError as error:  # too many wait, or we are in the room no more
        complain(error)


def failed(failure: Failure) -> None:
    """The server did not take a text."""
    complain(failure.value)


def complain(error: BaseException | None) -> None:
    """Tells the operator why somebody got no answer."""
    print(explained(error) if isinstance(error, ChatError) else shown(str(error)), file=sys.stderr, flush=True)


async def run(reactor: Any, profile: str) -> None:
    """Connects, and connects again, until it is interrupted."""
    async with Client(Profile.named(profile), reactor) as client:
        reactor.addSystemEventTrigger("before", "shutdown", client.stop)
        await serve(client)


def main() -> None:
    """The command line: the name of a profile."""
    (profile,) = sys.argv[1:] or ["echo"]
    react(lambda reactor: Deferred.fromCoroutine(run(use_steady_clock(reactor), profile)))


if __name__ == "__main__":
    main()
