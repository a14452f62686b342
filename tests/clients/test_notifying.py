"""Bell and notifications of the desktop."""

from typing import Any, cast

from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import RoomOffered
from clients.notifying import (
    BELL,
    DESKTOP,
    MAX_TEXT_CHARACTERS,
    NONE,
    PATIENCE_SECONDS,
    PAUSE_SECONDS,
    TEXT,
    Notifier,
    find_program,
)
from tests.client.slash_fakes import message


class NotifierTests(SynchronousTestCase):
    """`clients.notifying.Notifier`."""

    def setUp(self) -> None:
        """A clock; programs that are noted and not run."""
        self.reactor = MemoryReactorClock()
        self.spawned: list[list[str]] = []
        self.protocols: list[Any] = []
        self.killed: list[str] = []
        self.refusal: Exception | None = None
        self.rung: list[None] = []
        cast(Any, self.reactor).spawnProcess = self.spawn

    def spawn(self, protocol: Any, program: str, arguments: list[str], env: object) -> Any:
        """Runs nothing."""
        if self.refusal is not None:
            raise self.refusal
        self.assertEqual((program, env), ("/bin/notify-send", None))
        self.spawned.append(arguments)
        self.protocols.append(protocol)
        test = self

        class Process:
            """It."""

            def signalProcess(self, name: str) -> None:  # noqa: N802 - Twisted's name
                """Ends."""
                test.killed.append(name)
                if len(test.killed) > 1:
                    raise ProcessExitedAlready

        return Process()

    def end(self) -> None:
        """The last program ends."""
        self.protocols[-1].processEnded(Failure(ProcessDone(0)))

    def notifier(self, style: str = DESKTOP, program: str | None = "/bin/notify-send") -> Notifier:
        """One of this style."""
        return Notifier(self.reactor, style, lambda: self.rung.append(None), program)

    def test_styles(self) -> None:
        """Nothing; the bell alone; who and where; what was said, only where that was asked for."""
        cases: list[tuple[str, int, list[str] | None]] = [
            (NONE, 0, None), (BELL, 1, None), (DESKTOP, 1, ["bob calls you", "#plans"]),
            (TEXT, 1, ["bob calls you", "se&lt;cret"]),
        ]  # fmt: skip
        for style, rings, words in cases:
            self.spawned.clear()
            self.rung.clear()
            self.notifier(style).tell(message(1, "se<cret", room="plans"))
            self.assertEqual(len(self.rung), rings)
            expected = [] if words is None else [["notify-send", "--app-name=chatserv", "--", *words]]
            self.assertEqual(self.spawned, expected)

    def test_offer(self) -> None:
        """An offer says who invites, and where to."""
        self.notifier(TEXT).tell(RoomOffered("plans", "bob"))
        self.assertEqual(self.spawned[0][-2:], ["bob invites you", "#plans"])

    def test_direct(self) -> None:
        """A direct message says who writes, without the text."""
        self.notifier().tell(message(1, "secret", room="@bob"))
        self.assertEqual(self.spawned[0][3:], ["bob writes to you", "@bob"])
        self.assertNotIn("secret", str(self.spawned))

    def test_hostile(self) -> None:
        """What others say is no option, no markup and no control character, and is cut."""
        self.notifier(TEXT).tell(message(1, "--icon=/x <b>\x1b" + "x" * 5000, sender="-h\n"))
        arguments = self.spawned[0]
        self.assertEqual(arguments[2], "--")
        self.assertTrue(arguments[3].startswith("-h\u23ce"))
        self.assertTrue(arguments[4].startswith("--icon=/x &lt;b&gt;\ufffdx"))
        self.assertLess(len(arguments[4]), MAX_TEXT_CHARACTERS + 10)

    def test_rate(self) -> None:
        """After one there is a pause, and what comes meanwhile is not told."""
        notifier = self.notifier(BELL)
        for _ in range(5):
            notifier.tell(message(1))
        self.reactor.advance(PAUSE_SECONDS - 0.1)
        notifier.tell(message(1))
        self.assertEqual(len(self.rung), 1)
        self.reactor.advance(0.2)
        notifier.tell(message(1))
        self.assertEqual(len(self.rung), 2)

    def test_one_at_a_time(self) -> None:
        """As long as the program runs, none other is started; when it ends, the next may."""
        notifier = self.notifier()
        for _ in range(3):
            notifier.tell(message(1))
            self.reactor.advance(PAUSE_SECONDS)
        self.assertEqual((len(self.spawned), len(self.rung)), (1, 3))
        self.end()
        notifier.tell(message(1))
        self.assertEqual(len(self.spawned), 2)

    def test_hangs(self) -> None:
        """A program that does not end is ended."""
        notifier = self.notifier()
        notifier.tell(message(1))
        self.reactor.advance(PATIENCE_SECONDS)
        self.assertEqual(self.killed, ["KILL"])
        self.end()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """At the end the program is ended, no timer is left, and nothing more is told."""
        notifier = self.notifier()
        notifier.tell(message(1))
        notifier.stop()
        notifier.stop()
        self.assertEqual(self.killed, ["KILL", "KILL"])
        self.end()
        self.reactor.advance(100)
        notifier.tell(message(1))
        self.assertEqual((len(self.spawned), self.reactor.getDelayedCalls()), (1, []))

    def test_no_program(self) -> None:
        """Without the program the bell rings; one that cannot be started is not tried again."""
        self.notifier(program=None).tell(message(1))
        notifier = self.notifier()
        self.refusal = OSError("no more processes")
        notifier.tell(message(1))
        self.refusal = None
        self.reactor.advance(100)
        notifier.tell(message(1))
        self.assertEqual((len(self.rung), self.spawned), (3, []))

    def test_find(self) -> None:
        """Where there is no desktop, no program is looked for."""
        import os

        self.patch(os, "environ", {"PATH": os.defpath})
        self.assertIsNone(find_program())
