"""Operations on a server that runs: what its people notice."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Alarm, RoomLeft
from chatserv.errors import Busy
from chatserv.local_errors import NotDone
from chatserv.operations.performing import perform
from chatserv.operations.registry import Way
from chatserv.operations.world import World
from chatserv.state_directory import StatePaths
from chatserv.testing import world as testing


class RunningTests(SynchronousTestCase):
    """Ann, who administers, and Bob, on a server in memory."""

    def setUp(self) -> None:
        """Both are there, in a room."""
        self.world = testing.World()
        self.addCleanup(self.world.close)
        self.ann, self.bob = self.world.person("ann", admin=True), self.world.person("bob")
        self.world.settle()

    def ask(self, name: str, arguments: dict[str, Any]) -> "Deferred[Any]":
        """An operation that is asked for over the socket."""
        context = self.world.server.context
        world = World(Way.SOCKET, "uid 0", StatePaths(Path("state")), _context=context)
        done: Deferred[Any] = Deferred.fromCoroutine(perform(world, name, arguments))
        self.world.settle()
        return done

    def do(self, name: str, **arguments: Any) -> Any:
        """What it gives."""
        return self.successResultOf(self.ask(name, arguments)).data

    def refused(self, name: str, **arguments: Any) -> str:
        """The words with which it is refused."""
        return str(self.failureResultOf(self.ask(name, arguments), NotDone).value)

    def test_suspend(self) -> None:
        """Whoever is suspended is out at once, and in again when that ends."""
        self.assertTrue(self.do("user suspend", user="bob")["suspended"])
        self.assertFalse(self.world.server.context.hub.sessions_of("bob"))
        self.assertFalse(self.do("user unsuspend", user="bob")["suspended"])

    def test_role(self) -> None:
        """A role holds at once."""
        self.do("user role", user="bob", role="admin")
        (session,) = self.world.server.context.hub.sessions_of("bob")
        self.assertEqual("ADMIN", session.role.name)

    def test_ban_while_the_store_is_busy(self) -> None:
        """It is told that the server is busy, not that something is wrong with the ban."""

        async def busy(*_arguments: object, **_named: object) -> None:
            raise Busy("the database is away", after_seconds=1)

        self.patch(self.world.server.context.store, "set_ban", busy)
        self.failureResultOf(self.ask("ban add", {"kind": "address", "subject": "192.0.2.7"}), Busy)
        self.assertIn("cannot be banned: nowhere", self.refused("ban add", kind="address", subject="nowhere"))

    def test_delete(self) -> None:
        """An account ends for good, where that was said; the log has its leaf."""
        self.assertIn("--yes", self.refused("user delete", user="bob"))
        self.assertEqual({"name": "bob"}, self.do("user delete", user="Bob", yes=True))
        log = self.world.server.context.log
        self.assertTrue(log.facts.gone("bob", log.covered_size))
        self.assertEqual(["ann"], [each["name"] for each in self.do("user list")["accounts"]])
        self.assertIn("no account bob", self.refused("user suspend", user="bob"))

    def test_closed_while_the_log_is_signed(self) -> None:
        """Nobody is told before the log that says so is signed: they would look there in vain."""
        log, reactor = self.world.server.context.log, self.world.server.reactor
        sign = log._sign

        async def slow(signed: bytes) -> bytes:
            await deferLater(reactor, 0.5, lambda: None)
            return await sign(signed)

        log._sign = slow
        self.do("room close", room="lobby", yes=True)
        self.world.settle(5)
        for person in (self.ann, self.bob):
            self.assertEqual([RoomLeft("lobby", closed=True)], person.events(RoomLeft))
            self.assertEqual([], person.events(Alarm))

    def test_closed_while_away(self) -> None:
        """Who comes back finds the room closed, by the log; a restart of the server changes nothing of that."""
        self.bob.leave_the_machine()
        self.do("room close", room="lobby", yes=True)
        self.world.server.restart()
        self.bob.come_back()
        self.world.settle(80)
        self.assertEqual([RoomLeft("lobby", closed=True)], self.bob.events(RoomLeft))
        self.assertEqual([], self.bob.events(Alarm))

    def test_rooms(self) -> None:
        """Rooms are listed with what the server knows; one that ends is gone for all, who are told so, unwarned."""
        (lobby,) = self.do("room list")["rooms"]
        self.assertEqual(("lobby", 2), (lobby["name"], lobby["members"]))
        self.assertIn("--yes", self.refused("room close", room="lobby"))
        for wrong in ("", "x", "LOBBY"):
            self.assertIn("no room", self.refused("room close", room=wrong, yes=True))
        self.do("room close", room="lobby", yes=True)
        self.assertEqual([], self.do("room list")["rooms"])
        self.world.settle(80)
        for person in (self.ann, self.bob):
            self.assertEqual([RoomLeft("lobby", closed=True)], person.events(RoomLeft))
            self.assertEqual([], person.events(Alarm))
