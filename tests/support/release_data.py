"""What a release leaves on its machines: a server's store and settings, and two people's profiles with their history.

Run once for each release, by that release's own code; later versions open it (``tests/integration/test_upgrade.py``)::

    python -m tests.support.release_data tests/data/0.1.0

``history.json`` beside it is what the two clients showed at the end, as `history` gives it.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from chatserv.client import (
    Client,
    ClientEvent,
    MessageReceived,
    Profile,
    RoomHandle,
    ServerLink,
    Status,
    StatusChanged,
    parse_link,
    prepare_account,
)
from chatserv.testing.processes import ServerProgram

PASSWORD: Final = "correct horse battery"
PEOPLE: Final = ("alice", "bob")
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "server": {"max_connections": 10},
    "security": {"rsa_key_size": 2048, "aes_key_size": 256},
    "logging": {"level": "INFO", "file": "logs/server.log", "max_size": "10MB"},
    "monitoring": {"interval": 10, "show_python_processes": True},
}
STATE: Final = ("chatserv.db", "identity.pem", "tls.key", "tls.crt")
PROFILE: Final = ("keyring.json", "client.db")
WAIT_SECONDS: Final = 60
PACE_SECONDS: Final = 0.05


class Person:
    """Somebody at a client, on a real network.

    Args:
        reactor: The reactor.
        profiles: Where profiles are.
        name: Of user and profile.
    """

    def __init__(self, reactor: Any, profiles: Path, name: str) -> None:
        self._reactor, self.name = reactor, name
        self.profile = Profile.named(name, base=profiles)
        self.told: list[ClientEvent] = []

    async def register(self, link: ServerLink) -> None:
        """Makes the account, and logs in."""
        await prepare_account(self.profile, link, self.name, PASSWORD)
        await self.log_in(link.invite)

    async def log_in(self, token: bytes | None = None) -> None:
        """Starts the client and waits until everything is here."""
        self.client = Client(self.profile, self._reactor, self.told.append, token=token)
        self.client.start()
        await self.client.online()

    def was(self, status: Status) -> bool:
        """Whether the client was in this state since it started."""
        return any(isinstance(each, StatusChanged) and each.status is status for each in self.told)

    async def until(self, done: Callable[[], bool]) -> None:
        """Waits for something. Raises `AssertionError` where it does not come."""
        for _ in range(int(WAIT_SECONDS / PACE_SECONDS)):
            if done():
                return
            await deferLater(self._reactor, PACE_SECONDS)
        raise AssertionError(f"{self.name} waits in vain; was told {self.told[-20:]}")

    async def say(self, room: str, text: str, reply_to: bytes | None = None) -> bytes:
        """Says something; returns its id when it is stored and shown here."""
        await self.client.room(room).send(text, reply_to=reply_to)
        return (await self.hears(room, text)).message_id

    async def hears(self, room: str, text: str) -> MessageReceived:
        """The message with that text, once it is here."""
        await self.until(lambda: any(each.text == text for each in self.messages(room)))
        return next(each for each in self.messages(room) if each.text == text)

    def messages(self, room: str) -> list[MessageReceived]:
        """What this device keeps of a room."""
        return self.client.room(room).history(1000) if room in self.client.rooms else []

    async def accept(self, room: str) -> RoomHandle:
        """Agrees to a room, once it is offered."""
        await self.until(lambda: room in self.client.rooms)
        handle = self.client.room(room)
        handle.accept()
        await self.until(lambda: bool(handle.members()))
        return handle


def history(client: Client) -> dict[str, Any]:
    """Everything that a client shows of its rooms, in plain values."""
    return {handle.name: _room(handle) for handle in client.handles()}


def _room(room: RoomHandle) -> dict[str, Any]:
    return {
        "topic": "" if room.offered else room.topic,
        "public": room.public,
        "direct": room.direct,
        "offered": room.offered,
        "role": room.role,
        "members": {} if room.offered else {member.user: [member.role, member.trust] for member in room.members()},
        "unread": room.unread,
        "waiting": [message.text for message in room.waiting()],
        "messages": [] if room.offered else [_message(room, message) for message in room.history(1000)],
    }


def _message(room: RoomHandle, message: MessageReceived) -> dict[str, Any]:
    replied = [each.text for each in room.history(1000) if each.message_id == message.reply_to]
    return {
        "seq": message.seq,
        "at_ms": message.at_ms,
        "sender": message.sender,
        "text": message.text,
        "reply_to": replied[0] if replied else None,
        "flags": [name for name in ("own", "action", "mentioned", "edited", "deleted") if getattr(message, name)],
        "reactions": room.reactions(message.message_id),
        "delivered": sorted(room.delivered_to(message.message_id)),
    }


async def live(server: ServerProgram, alice: Person, bob: Person) -> None:
    """A morning of two people; at its end something waits for the server, and a room for bob's consent."""
    await alice.register(parse_link(server.link()))
    await bob.register(await alice.client.admin.make_invite())
    await alice.say("lobby", "good morning")
    await bob.hears("lobby", "good morning")
    first = await bob.say("lobby", "@alice and to you")
    await alice.say("lobby", "did you sleep well?", reply_to=first)
    await alice.client.room("lobby").react(first, "👍")
    await alice.client.people.compare("bob", (await bob.client.people.verification("alice")).qr)

    plans = await alice.client.create_room("plans", topic="of this week")
    await plans.invite("bob")
    await bob.accept("plans")
    await alice.say("plans", "lunch at nooon")
    lunch = await bob.hears("plans", "lunch at nooon")
    await alice.client.room("plans").edit(lunch.message_id, "lunch at noon")
    slip = await bob.say("plans", "a slip")
    await bob.client.room("plans").delete(slip)
    await plans.set_topic("of next week")
    await bob.client.room("plans").send("waves", action=True)
    await bob.until(lambda: [each.text for each in bob.messages("plans")] == ["lunch at noon", None, "waves"])

    garden = await bob.client.create_room("garden", public=True, topic="what grows")
    await alice.client.join("garden")
    await bob.say("garden", "a common frog, 青蛙, 🐸")
    await alice.hears("garden", "a common frog, 青蛙, 🐸")
    await garden.set_role("alice", "moderator")

    direct = await alice.client.direct("bob")
    await direct.send("psst")
    await (await bob.accept("@alice")).send("yes?")
    await alice.hears("@bob", "yes?")
    await alice.say("@bob", "later")
    await bob.hears("@alice", "later")

    surprise = await alice.client.create_room("surprise")
    await surprise.invite("bob")
    await bob.until(lambda: "surprise" in bob.client.rooms)
    await alice.until(lambda: alice.client.unacknowledged == 0)
    await bob.until(lambda: bob.client.unacknowledged == 0)
    for name in bob.client.rooms:
        if name != "lobby":
            await bob.client.room(name).mark_read()
    told = alice.client.room("@bob")
    await alice.until(lambda: all(told.delivered_to(each.message_id) for each in told.history() if each.own))


async def make(reactor: Any, target: Path) -> None:
    """Makes all of it in a directory of its own, and copies to ``target`` what lasts."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        server = ServerProgram(directory, SETTINGS)
        alice, bob = (Person(reactor, directory / "profiles", each) for each in PEOPLE)
        with server:
            await live(server, alice, bob)
            await bob.client.stop()
        await alice.until(lambda: alice.was(Status.OFFLINE))
        alice.client.room("lobby").send("written while the server was away")
        shown = {"alice": history(alice.client)}
        await alice.client.stop()
        bob.client = Client(bob.profile, reactor, bob.told.append)
        bob.client.start()
        shown["bob"] = history(bob.client)
        await bob.client.stop()
        _copy(directory / "state", target / "state", STATE)
        for person in PEOPLE:
            _copy(directory / "profiles" / person, target / "profiles" / person, PROFILE)
        (target / "settings.json").write_text(json.dumps(SETTINGS, indent=4) + "\n")
        text = json.dumps(shown, indent=1, ensure_ascii=False, sort_keys=True)
        (target / "history.json").write_text(text + "\n")


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    for database in source.glob("*.db-wal"):
        if database.stat().st_size:
            raise AssertionError(f"{database}: not empty, so the file beside it is not whole")
    target.mkdir(parents=True)
    for name in names:
        shutil.copyfile(source / name, target / name)


def main() -> None:
    """The command line: the directory to make."""
    target = Path(sys.argv[1])

    react(lambda reactor: Deferred.fromCoroutine(make(reactor, target)))


if __name__ == "__main__":
    main()
