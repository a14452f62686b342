"""What shows notifications: the session bus, or a program that is told nothing."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor as the_reactor  # noqa: TID251 - sockets need a real one
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from clients.shared import desktop
from clients.shared.desktop import MAX_BUS_BYTES, PATIENCE_SECONDS, Bus, Tool, find_desktop
from tests.clients.shared.test_notifications import Shown
from tests.support.bus import NotificationBus

reactor: Any = the_reactor
SECRET = "meet <me> & bob at --noon"


class BusTests(TestCase):
    """`clients.shared.desktop.Bus` and a bus."""

    def setUp(self) -> None:
        """A short path: sockets' names are at most 108 bytes."""
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.tool = Shown()

    async def until_idle(self, bus: Bus) -> None:
        """Waits."""
        while bus.busy:
            await deferLater(reactor, 0.01, lambda: None)

    async def test_shown(self) -> None:
        """Each is one call with the words as text, no markup in them; nothing is left open."""
        with NotificationBus(self.directory / "bus") as there:
            bus = Bus(reactor, str(there.path), self.tool)
            for title in ("bob sent you a message", "carol mentioned you"):
                bus.show(title, SECRET)
                self.assertTrue(bus.busy)
                await self.until_idle(bus)
            bus.stop()
        self.assertEqual([call[3] for call in there.shown], ["bob sent you a message", "carol mentioned you"])
        application, replaces, icon, _title, body, actions, hints, timeout = there.shown[0]
        self.assertEqual(body, "meet &lt;me&gt; &amp; bob at --noon")
        self.assertEqual((application, replaces, icon, actions, timeout), ("chatserv", 0, "", [], -1))
        self.assertEqual(hints, {"category": ("s", "im.received")})
        self.assertEqual(self.tool.shown, [])

    async def test_not_shown(self) -> None:
        """Where the bus knows nobody who shows them, or is none, something else does."""
        with NotificationBus(self.directory / "bus", refuses=True) as there:
            bus = Bus(reactor, str(there.path), self.tool)
            bus.show("one", SECRET)
            await self.until_idle(bus)
        bus = Bus(reactor, str(self.directory / "nowhere"), self.tool)
        bus.show("two", SECRET)
        await self.until_idle(bus)
        self.assertEqual(self.tool.shown, [("one", SECRET), ("two", SECRET)])
        bus.stop()
        self.assertTrue(self.tool.stopped)

    async def test_endless(self) -> None:
        """A bus that says too much, or nonsense where it should let us in, is left."""

        class Talkative(Protocol):
            """Says it."""

            said = b""
            transport: Any

            def connectionMade(self) -> None:
                """At once."""
                self.transport.write(self.said)

        port = reactor.listenUNIX(str(self.directory / "bus"), Factory.forProtocol(Talkative))
        for said in (b"REJECTED\r\n", b"OK " + b"x" * MAX_BUS_BYTES):
            Talkative.said = said
            bus = Bus(reactor, str(self.directory / "bus"), self.tool)
            bus.show("one", SECRET)
            await self.until_idle(bus)
        self.assertEqual(len(self.tool.shown), 2)
        await port.stopListening()

    async def test_silent(self) -> None:
        """A bus that says nothing is left when the time is over, and at the end."""
        port = reactor.listenUNIX(str(self.directory / "bus"), Factory.forProtocol(Protocol))
        self.patch(desktop, "PATIENCE_SECONDS", 0.2)
        bus = Bus(reactor, str(self.directory / "bus"), self.tool)
        bus.show("one", SECRET)
        await self.until_idle(bus)
        self.assertEqual(len(self.tool.shown), 1)
        bus.show("two", SECRET)
        bus.stop()
        await self.until_idle(bus)
        self.assertEqual(len(self.tool.shown), 1)
        await port.stopListening()


class ToolTests(SynchronousTestCase):
    """`clients.shared.desktop.Tool`."""

    def setUp(self) -> None:
        """A clock; programs that are noted and not run."""
        self.reactor = MemoryReactorClock()
        self.spawned: list[list[str]] = []
        self.protocols: list[Any] = []
        self.killed: list[str] = []
        self.refusal: Exception | None = None
        cast(Any, self.reactor).spawnProcess = self.spawn
        self.tool = Tool(self.reactor, "/bin/notify-send")

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

    def test_nothing_secret(self) -> None:
        """Its arguments say neither who nor where nor what: every user of the machine can read them."""
        self.tool.show("bob sent you a message", SECRET)
        (arguments,) = self.spawned
        self.assertEqual(arguments[:3], ["notify-send", "--app-name=chatserv", "--"])
        for word in ("bob", *SECRET.split()):
            self.assertNotIn(word, arguments[3:])
            self.assertNotIn("bob", " ".join(arguments))
        self.assertTrue(self.tool.busy)
        self.end()
        self.assertFalse(self.tool.busy)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_hangs(self) -> None:
        """A program that does not end is ended."""
        self.tool.show("x", "y")
        self.reactor.advance(PATIENCE_SECONDS)
        self.assertEqual(self.killed, ["KILL"])
        self.end()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """At the end the program is ended, no timer is left, and none is started any more."""
        self.tool.show("x", "y")
        self.tool.stop()
        self.tool.stop()
        self.assertEqual(self.killed, ["KILL", "KILL"])
        self.end()
        self.tool.show("x", "y")
        self.assertEqual((len(self.spawned), self.reactor.getDelayedCalls()), (1, []))

    def test_cannot_be_started(self) -> None:
        """One that cannot be started is not tried again."""
        self.refusal = OSError("no more processes")
        self.tool.show("x", "y")
        self.refusal = None
        self.tool.show("x", "y")
        self.assertEqual((self.spawned, self.tool.busy), ([], False))


class FindTests(SynchronousTestCase):
    """`clients.shared.desktop.find_desktop`."""

    def setUp(self) -> None:
        """A directory with a program."""
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        program = self.directory / "notify-send"
        program.touch(0o755)
        self.path = {"PATH": str(self.directory)}

    def test_find(self) -> None:
        """The bus that is named, or where systemd has it; else the program, where there is a screen; else nothing."""
        shown = self.path | {"DISPLAY": ":1"}
        for environment, kind in (
            ({}, type(None)),
            (self.path, type(None)),
            (shown, Tool),
            (self.path | {"WAYLAND_DISPLAY": "wayland-0"}, Tool),
            ({"DISPLAY": ":1", "PATH": "/nowhere"}, type(None)),
            ({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus,guid=1"}, Bus),
            ({"DBUS_SESSION_BUS_ADDRESS": "unix:abstract=/tmp/x"}, Bus),
            ({"XDG_RUNTIME_DIR": str(self.directory)}, type(None)),
            *(
                (shown | {"DBUS_SESSION_BUS_ADDRESS": wrong}, Tool)
                for wrong in ("x", "tcp:host=h,port=1", "unix:x", ":", "autolaunch:")
            ),
        ):
            self.assertIs(type(find_desktop(MemoryReactorClock(), environment)), kind, environment)
        bus = NotificationBus(self.directory / "bus")
        self.assertIs(type(find_desktop(MemoryReactorClock(), {"XDG_RUNTIME_DIR": str(self.directory)})), Bus)
        bus._socket.close()
