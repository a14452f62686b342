"""``chatserv-client --command`` where disk and processor take their time, with the library and a server in memory."""

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client
from chatserv.client.inbound import room_queue
from chatserv.testing.world import World
from clients.plain.commands_mode import CommandsMode
from clients.shared.arguments import Arguments
from clients.shared.exit_codes import DONE

LINES, OTHERS = 10, 60
OTHERS_SECONDS, SYNC_SECONDS = 12, 0.2  # within which bob talks, and which a sync takes at most
MOST_SECONDS, TURN_SECONDS = 60, 0.01


def scattered() -> Iterator[float]:
    """Numbers between 0 and 1, the same each time (MINSTD)."""
    state = 1
    while True:
        state = state * 48_271 % (2**31 - 1)
        yield state / (2**31 - 1)


class SlowTests(SynchronousTestCase):
    """Bob talks, and each of his lines is a batch: the answer to one of ours is told before the room has it."""

    def test_edits(self) -> None:
        """A line can be edited by the next command all the same, each time."""
        world, drawn = World(self.mktemp()), scattered()
        self.addCleanup(world.close)
        alice, bob = world.person("alice", admin=True), world.person("bob")
        alice.leave_the_machine()
        self.patch(room_queue, "BATCH_EVENTS", 1)

        def in_thread(function: Any, *given: Any, **named: Any) -> "Deferred[Any]":
            done: Deferred[Any] = Deferred()
            world.reactor.callLater(
                next(drawn) * SYNC_SECONDS, lambda: maybeDeferred(function, *given, **named).chainDeferred(done)
            )
            return done

        def client(profile: Any, reactor: Any, on_event: Any, **_: Any) -> Client:
            return Client(profile, reactor, on_event, follow=False, **world.surroundings | {"in_thread": in_thread})

        commands = tuple(each for number in range(LINES) for each in (f"line {number}", f"/edit -1 edited {number}"))
        mode = CommandsMode(world.reactor, Arguments(room="lobby", commands=commands), alice.profile, client)
        for number in range(OTHERS):
            world.reactor.callLater(next(drawn) * OTHERS_SECONDS, bob.client.send, "lobby", f"bob {number}")
        mode.client.start(None)
        for _ in range(int(MOST_SECONDS / TURN_SECONDS)):
            world.run()
            if mode.done.called:
                break
            world.reactor.advance(TURN_SECONDS)
        end = self.successResultOf(mode.done)
        self.assertEqual((end.code, end.message), (DONE, ""))
        world.do(mode.end())
        world.settle()
        edited = [each.text for each in bob.room("lobby").history(1000) if each.sender == "alice"]
        self.assertEqual(edited, [f"edited {number}" for number in range(LINES)])
