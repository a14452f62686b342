"""Scripts with a server that is caught, or goes back to a copy of its store: whole clients, and an end in every case."""

import io
import sys
from typing import Any

from twisted.internet.defer import Deferred

from chatserv.client import Client, Profile
from chatserv.crypto.bodies import Text
from chatserv.crypto.content import ContentType, LogHead
from chatserv.testing.world import Person
from clients.plain.choice import mode_for
from clients.plain.mode import Mode
from clients.shared.arguments import parse_arguments
from clients.shared.line_queue import LineQueue
from tests.client.attackers import AttackCase, OldCopy, engine_of, idle_leaf, log_leaf, say_anything
from tests.clients.shared.test_arguments import Terminal


class DistrustTests(AttackCase):
    """``--send`` and ``--follow`` of bob's, who is in a private room with alice and carol."""

    def setUp(self) -> None:
        """The room; bob's program is not running."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.patch(LineQueue, "begin", lambda _: None)
        self.world.reactor.addSystemEventTrigger = lambda *_: None
        self.patch(sys, "stdin", Terminal(False))
        self.patch(sys, "stdout", Terminal(False))
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)

    def run_script(self, person: Person, *argv: str) -> Mode:
        """Ends the person's program, and begins a script in its place."""
        person.leave_the_machine()
        self.codes: list[Any] = []

        def make(profile: Profile, _: Any, on_event: Any, **options: Any) -> Client:
            options.pop("plain")
            return Client(profile, self.world.reactor, on_event, **options, **self.world.surroundings)

        arguments = parse_arguments([*argv, "--room", "plans", "--timeout", "20"])
        program = mode_for(arguments)(self.world.reactor, arguments, person.profile, make)
        Deferred.fromCoroutine(program.run(None)).addBoth(self.codes.append)
        person.client = program._client
        self.world.settle(5)
        return program

    def fork(self) -> None:
        """The server goes on with another log than the one that it has shown."""
        old = OldCopy(self.world)
        log_leaf(self.world, idle_leaf("one"))
        self.world.settle(3)
        old.restore()
        self.world.settle(8)
        log_leaf(self.world, idle_leaf("two"))
        log_leaf(self.world, idle_leaf("three"))
        self.world.settle(8)

    def test_send_after_a_fork(self) -> None:
        """Nothing is sent any more: it ends at once, and a later run does as well."""
        program = self.run_script(self.bob, "--send")
        self.fork()
        program.line_typed("hello")
        self.world.settle(1)
        self.assertEqual([9], self.codes)
        self.assertIn("ALARM: the server breaks the rules", self.errors.getvalue())
        self.run_script(self.bob, "--send")
        self.assertEqual([9], self.codes)
        self.assertEqual([], self.alice.texts("plans"))

    def test_follow_after_a_fork(self) -> None:
        """Whoever follows is told, and not kept waiting for what nobody can trust."""
        self.run_script(self.bob, "--follow")
        self.assertEqual([], self.codes)
        self.fork()
        self.assertEqual([9], self.codes)
        self.assertIn("nothing more is accepted from it", self.errors.getvalue())

    def roll_back(self) -> None:
        """The server loses a commit that bob has seen."""
        old = OldCopy(self.world)
        self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(2)
        old.restore()
        self.world.settle(8)

    def test_send_after_a_rollback(self) -> None:
        """What the room has lost keeps everything from being sent there: it ends, and the line does not go out later."""
        self.roll_back()
        program = self.run_script(self.bob, "--send")
        if not self.codes:
            program.line_typed("hello")
        self.world.settle(25)
        self.assertEqual([9], self.codes)
        self.assertIn("#plans is on hold", self.errors.getvalue())
        self.bob.come_back()
        self.assertEqual(0, self.bob.client.unacknowledged)

    def test_follow_after_a_rollback(self) -> None:
        """So does whoever follows that room, and not whoever follows another one."""
        self.run_script(self.bob, "--follow")
        self.roll_back()
        self.assertEqual([9], self.codes)

    def test_send_to_somebody_who_claims_another_log(self) -> None:
        """A claim that nobody stands up for proves nothing, but holds lines back: no longer than the script waits."""
        program = self.run_script(self.bob, "--send")
        self.patch(engine_of(self.carol).outbox, "put_body", lambda *_: b"")  # an honest program would take it back
        say_anything(self.carol, "plans", ContentType.TEXT, Text("hi").encode(), LogHead(1, b"\xee" * 32))
        program.line_typed("hello")
        program.input_ended()
        self.world.settle(5)
        self.assertEqual([], self.codes)
        self.world.settle(20)
        self.assertEqual([1], self.codes)
        self.assertIn("Not stored within 20 s. Lines discarded: 1.", self.errors.getvalue())
