"""The program of one person in ``make file-kills``: carries one file, and goes on where one that was killed has been.

``python -m chatserv.testing.demo.carrier PROFILE send PATH`` sends a file to #lobby, ``save NAME DIRECTORY`` waits for one
there and saves it, and ``delete`` takes back all that this person has sent there. It prints ``piece OFFSET BYTES .`` before
each piece of sealed bytes that goes up and after each that came down, and ``done`` in the end.
"""

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from chatserv.client import Client, MessageReceived, Profile, open_client, use_steady_clock
from chatserv.wire import messages

ROOM: Final = "lobby"
LOOK_SECONDS: Final = 0.02
LAST: Final = 1000  # messages in which files are looked for


def note(offset: int, size: int) -> None:
    """One piece of a file; a line is with the kernel when this returns, whatever becomes of this process."""
    print("piece", offset, size, ".", flush=True)


class Carrier:
    """What it does.

    Args:
        client: Of the person; it is started.
        reactor: Waits.
    """

    def __init__(self, client: Client, reactor: Any) -> None:
        self._client, self._reactor = client, reactor
        requests = client.engine.requests
        self._expect = requests.expect
        requests.expect = self._noting  # type: ignore[method-assign]

    async def _noting(self, kind: type[Any], make: type[messages.Command], **fields: Any) -> Any:
        if make is messages.PutChunk and self._client.engine.requests.connected:
            note(fields["offset"], len(fields["data"]))
        reply = await self._expect(kind, make, **fields)
        if isinstance(reply, messages.BlobData):
            note(reply.offset, len(reply.data))
        return reply

    async def send(self, path: str) -> None:
        """Sends a file, unless an earlier run has; returns when its message is stored."""
        room, name = self._client.room(ROOM), Path(path).name
        waiting = any(each.file is not None and each.file.name == name for each in room.waiting())
        if not waiting and self._find(name) is None:
            await room.send_file(path)
        await self._until(lambda: self._find(name) is not None)

    async def save(self, name: str, directory: str) -> None:
        """Saves a file once its message is here, unless an earlier run has."""
        await self._until(lambda: self._find(name) is not None)
        message = self._find(name)
        if message is not None and not Path(directory, name).exists():
            await self._client.room(ROOM).save_file(message.message_id, directory)

    async def delete(self) -> None:
        """Takes back all files of this person; returns when the server has none of them."""
        room = self._client.room(ROOM)
        for message in room.history(LAST):
            if message.file is not None and message.own:
                await room.delete(message.message_id)
        while (await self._client.files()).files:
            await self._pause()

    def _find(self, name: str) -> MessageReceived | None:
        found = (each for each in self._client.room(ROOM).history(LAST) if each.file is not None)
        return next((each for each in found if each.file is not None and each.file.name == name), None)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._pause()

    async def _pause(self) -> None:
        await deferLater(self._reactor, LOOK_SECONDS)


async def run(reactor: Any, profile: str, what: str, *arguments: str) -> None:
    """Connects, carries, ends."""
    client = open_client(Profile.named(profile), reactor)
    client.start()
    try:
        carrier = Carrier(client, reactor)
        await client.online()
        does: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
            "send": carrier.send,
            "save": carrier.save,
            "delete": carrier.delete,
        }
        await does[what](*arguments)
        print("done", flush=True)
    finally:
        await client.stop()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(run(use_steady_clock(reactor), *sys.argv[1:])))
