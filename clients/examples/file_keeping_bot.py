"""An example: a bot that keeps files. What people send to a room, it saves to a directory.

Register an account for it first, invite it to the room, and run it::

    chatserv-client --link-file LINK --profile keeper --user keeper --password-file FILE --no-seal --send < /dev/null
    python -m clients.examples.file_keeping_bot keeper plans /srv/plans

It prints the path of each file once all of it is there. Names are made safe by the library, nothing is saved over a file
that is there already, and what was sent while the bot was away it saves when it is back.
"""

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatserv.client import (
    ChatError,
    Client,
    MessageReceived,
    Profile,
    RoomOffered,
    clean_line,
    explained,
    file_text,
    open_client,
    use_steady_clock,
)


async def serve(client: Client, room: str, directory: str) -> None:
    """Saves files until the client is stopped, one after the other."""
    await agree(client, room, directory)
    async for event in client:
        match event:
            case RoomOffered() if event.room == room:
                await agree(client, room, directory)
            case MessageReceived() if event.room == room:
                await keep(client, event, directory)


async def agree(client: Client, room: str, directory: str) -> None:
    """Agrees to the room, and saves what was sent there meanwhile."""
    try:
        meanwhile = client.room(room).accept()
    except ChatError:  # nobody has invited it yet
        return
    for message in meanwhile:
        await keep(client, message, directory)


async def keep(client: Client, message: MessageReceived, directory: str) -> None:
    """Saves the file that a message of somebody else brings, if it brings one."""
    file = message.file
    if file is None or message.own:
        return
    try:
        path = await client.room(message.room).save_file(message.message_id, directory)
    except ChatError as error:  # taken back meanwhile, damaged, or the disk is full: the next one may do better
        print(f"{file_text(file)}: {explained(error)}", file=sys.stderr, flush=True)
    else:
        print(clean_line(path), flush=True)


async def run(reactor: Any, profile: str, room: str, directory: str) -> None:
    """Connects, and connects again, until it is interrupted."""
    async with open_client(Profile.named(profile), reactor) as client:
        reactor.addSystemEventTrigger("before", "shutdown", client.stop)
        await serve(client, room, directory)


def main() -> None:
    """The command line: a profile, a room, a directory."""
    profile, room, directory = sys.argv[1:]
    react(lambda reactor: Deferred.fromCoroutine(run(use_steady_clock(reactor), profile, room, directory)))


if __name__ == "__main__":
    main()
