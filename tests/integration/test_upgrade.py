"""What earlier versions left: today's server opens their store, and today's client their profiles, with nothing lost."""

import json
import shutil
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from chatserv.client import Alarm, ClientEvent, IdentityChanged, KeysBroken, seal_profile
from chatserv.client.events import GapSeen, MessagesMissing, RoomRewound, SendFailed, SendHeld
from chatserv.testing.memory_server import CHEAP
from chatserv.testing.processes import ServerProgram
from tests.support.release_data import PEOPLE, PROFILE, STATE, Person, history

DATA = Path(__file__).parents[1] / "data"
RELEASES = sorted(path.parent.parent for path in DATA.glob("*/state/chatserv.db"))
LOUD = (Alarm, GapSeen, IdentityChanged, KeysBroken, MessagesMissing, RoomRewound, SendFailed, SendHeld)
WAITING = "written while the server was away"


class UpgradeTests(TestCase):
    """The data of each release, copied, and opened on a port of its own."""

    timeout = 120

    def copy(self, release: Path) -> Path:
        """A copy of a release's data, with the modes that the programs gave it."""
        directory = Path(self.mktemp())
        for name in ("state", *(f"profiles/{person}" for person in PEOPLE)):
            shutil.copytree(release / name, directory / name)
        for path in directory.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        return directory.absolute()

    def loud(self, person: Person) -> list[ClientEvent]:
        """What somebody was told that calls for attention."""
        return [event for event in person.told if isinstance(event, LOUD)]

    async def open(self, release: Path) -> None:
        """Logs both in, one from a profile that is sealed now; looks at what they have, and lets them go on."""
        from twisted.internet import reactor  # noqa: TID251 - a test of real programs

        directory = self.copy(release)
        server = ServerProgram(directory, json.loads((release / "settings.json").read_text()))
        alice, bob = (Person(reactor, directory / "profiles", name) for name in PEOPLE)
        server.start()
        try:
            for person in (alice, bob):
                person.profile.move("127.0.0.1", server.port)
            key = seal_profile(alice.profile, "maple river candle", cost=CHEAP)  # as at the first start on a terminal
            alice.profile = alice.profile.unlocked(key)
            await gatherResults([Deferred.fromCoroutine(person.log_in()) for person in (alice, bob)])
            try:
                await self.look(json.loads((release / "history.json").read_text()), alice, bob)
                await self.go_on(alice, bob)
            finally:
                await gatherResults([person.client.stop() for person in (alice, bob)])
        finally:
            server.stop()

    async def look(self, expected: dict[str, Any], alice: Person, bob: Person) -> None:
        """History is what it was, and what waited has gone out."""
        await alice.hears("lobby", WAITING)
        await bob.hears("lobby", WAITING)
        await alice.until(lambda: not history(alice.client)["lobby"]["waiting"])  # its event may come before the answer
        for person in (alice, bob):
            found, before = history(person.client), expected[person.name]
            sent = found["lobby"]["messages"].pop()
            self.assertEqual((sent["sender"], sent["text"]), ("alice", WAITING))
            before["lobby"]["waiting"] = []
            before["lobby"]["unread"] += person is bob
            for room in before.values():  # an offer showed its members then
                room["members"] = {} if room["offered"] else room["members"]
            self.assertEqual(found, before)
            self.assertEqual([each.text for each in person.client.search("morning")], ["good morning"])

    async def go_on(self, alice: Person, bob: Person) -> None:
        """The rooms of then serve today: messages, a commit, an invitation that is accepted, and one more account."""
        await bob.accept("surprise")
        for talker, listener, room in ((alice, bob, "plans"), (bob, alice, "garden"), (bob, alice, "surprise")):
            await talker.say(room, f"new in {room}")
            await listener.hears(room, f"new in {room}")
        await alice.client.room("plans").set_role("bob", "moderator")
        await bob.until(lambda: bob.client.room("plans").role == "moderator")
        await bob.say("@alice", "still here")
        await alice.hears("@bob", "still here")
        self.assertEqual((self.loud(alice), self.loud(bob)), ([], []))

    async def test_releases(self) -> None:
        """Each release's store migrates, its profiles log in, its history is there, and its rooms go on."""
        self.assertIn("0.1.0", [release.name for release in RELEASES])
        for release in RELEASES:
            for name in STATE:
                self.assertTrue((release / "state" / name).exists(), name)
            for name in PROFILE:
                self.assertTrue((release / "profiles" / "alice" / name).exists(), name)
            await self.open(release)
