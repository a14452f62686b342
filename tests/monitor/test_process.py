"""The supervision of the monitor child, without a process."""

import json
from typing import Any, cast

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Monitoring
from chatserv.monitor.process import TABLE, Input, MonitorReactor, MonitorService, State
from chatserv.monitor.reading import (
    BAD_LINES,
    LINE_BYTES,
    LINES_A_SECOND,
    WINDOW_SECONDS,
    MonitorProcess,
    child_environment,
)
from tests.monitor.test_samples import SAMPLE

HELLO = b'{"type":"hello","pid":100}\n'
BEAT = b'{"type":"beat"}\n'


class _Child:
    """A spawned process that only notes its signals."""

    def __init__(self, protocol: MonitorProcess, pid: int, command: list[str], environment: dict[str, str]) -> None:
        self.protocol, self.pid, self.command, self.environment = protocol, pid, command, environment
        self.signals: list[str] = []
        self.told: list[bytes] = []
        self.gone = False

    def signalProcess(self, name: str) -> None:  # noqa: N802 - Twisted's name
        """Notes a signal."""
        if self.gone:
            raise ProcessExitedAlready
        self.signals.append(name)

    def writeToChild(self, descriptor: int, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Notes what is said to it."""
        assert descriptor == 0
        self.told.append(data)

    def end(self, signal: int | None = None) -> None:
        """Lets the process be gone."""
        self.gone = True
        self.protocol.processEnded(Failure(ProcessTerminated(None, signal) if signal else ProcessDone(0)))


class _Reactor(Clock):
    """A clock that can spawn."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[_Child] = []
        self.refuses = False

    def spawnProcess(self, protocol: MonitorProcess, _executable: str, args: list[str], env: dict[str, str]) -> None:  # noqa: N802
        """Makes a fake child."""
        if self.refuses:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        child = _Child(protocol, 100 + len(self.children), args, env)
        self.children.append(child)
        ProcessProtocol.makeConnection(protocol, cast(IProcessTransport, child))


class MonitorCase(SynchronousTestCase):
    """A service with a fake reactor."""

    def setUp(self) -> None:
        """Makes the service."""
        self.reactor = _Reactor()
        self.events: list[LogEvent] = []
        self.service = self.make()

    def make(self, **settings: Any) -> MonitorService:
        """A service whose log is kept."""
        service = MonitorService(
            cast(MonitorReactor, self.reactor), Monitoring(**settings), "/bin/python", {"PATH": "/bin"}
        )
        service.log = Logger("chatserv.monitor", observer=cast(ILogObserver, self.events.append))
        return service

    @property
    def child(self) -> _Child:
        """The youngest child."""
        return self.reactor.children[-1]

    def run_child(self) -> _Child:
        """Starts the service up to the child's hello."""
        self.service.startService()
        self.child.protocol.outReceived(HELLO)
        return self.child

    def warnings(self) -> str:
        """What was logged as a warning."""
        texts = [event["log_format"].format(**event) for event in self.events if event["log_level"] is LogLevel.warn]
        return "\n".join(texts)


class LifeTests(MonitorCase):
    """From start to stop."""

    def test_start(self) -> None:
        """A started service spawns the child with its interval and runs from its hello on."""
        self.assertIs(State.STOPPED, self.service.state)
        self.service.startService()
        self.assertIs(State.STARTING, self.service.state)
        self.assertIn("chatserv.monitor.child", self.child.command)
        self.assertEqual("10", self.child.command[self.child.command.index("--interval") + 1])
        self.assertNotIn("--python-processes", self.child.command)
        self.child.protocol.outReceived(HELLO)
        self.assertIs(State.RUNNING, self.service.state)

    def test_signs_of_life(self) -> None:
        """The child is told each second that the reactor lives, and how late it was; not any more once it is let go."""
        self.patch(self.service, "_lag", lambda: 0.012)
        child = self.run_child()
        self.assertEqual("30", child.command[child.command.index("--stuck-seconds") + 1])
        self.reactor.pump([1.0] * 3)
        self.assertEqual([b"12\n"] * 4, child.told)
        self.service.stopService()
        self.reactor.pump([1.0] * 1)
        self.assertEqual(4, len(child.told))

    def test_python_processes(self) -> None:
        """The list of Python processes is asked for where the settings say so."""
        self.service = self.make(show_python_processes=True)
        self.service.startService()
        self.assertIn("--python-processes", self.child.command)

    def test_disabled(self) -> None:
        """A service that is not enabled spawns nothing, and stops."""
        self.service = self.make(enabled=False)
        self.service.startService()
        self.assertEqual([], self.reactor.children)
        self.successResultOf(self.service.stopService())

    def test_other_settings(self) -> None:
        """Other settings replace the child that runs by the old ones; the same ones again replace nobody."""
        old = self.run_child()
        self.service.follow(Monitoring())
        self.assertEqual([], old.signals)
        self.service.follow(Monitoring(interval=3.0))
        self.assertEqual(["TERM"], old.signals)
        old.end()
        self.reactor.advance(1.0)
        self.assertEqual("3", self.child.command[self.child.command.index("--interval") + 1])
        self.assertIs(State.STARTING, self.service.state)

    def test_switched_off_and_on(self) -> None:
        """A child that is not wanted any more ends; one that is wanted comes, also where there was none from the start."""
        old = self.run_child()
        self.service.follow(Monitoring(enabled=False))
        old.end()
        self.assertIs(State.STOPPED, self.service.state)
        self.service.follow(Monitoring())
        self.assertIs(State.STARTING, self.service.state)
        self.service = self.make(enabled=False)
        self.service.startService()
        self.service.follow(Monitoring())
        self.assertIs(State.STARTING, self.service.state)

    def test_not_started(self) -> None:
        """Settings that come before the start, or after the end, start nothing."""
        self.service.follow(Monitoring(interval=3.0))
        self.assertEqual([], self.reactor.children)

    def test_sample(self) -> None:
        """A sample is kept and logged as a readable line, though it comes in pieces."""
        child = self.run_child()
        line = json.dumps(SAMPLE).encode() + b"\n"
        for byte in (line[:10], line[10:], BEAT):
            child.protocol.outReceived(byte)
        sample = self.service.last_sample
        assert sample is not None
        self.assertEqual(14, sample.server.fds)
        lines = [event["line"] for event in self.events if "line" in event]
        self.assertEqual(sample.lines(), lines)

    def test_stop(self) -> None:
        """Stopping sends TERM and is done when the child is gone, with no timer left."""
        child = self.run_child()
        stopped = self.service.stopService()
        again = self.service.stopService()
        self.assertEqual(["TERM"], child.signals)
        self.assertIs(State.STOPPING, self.service.state)
        self.assertNoResult(stopped)
        child.end()
        self.successResultOf(stopped)
        self.successResultOf(again)
        self.assertIs(State.STOPPED, self.service.state)
        self.assertEqual([], self.reactor.getDelayedCalls())
        self.assertEqual("", self.warnings())

    def test_stop_kills(self) -> None:
        """A child that ignores TERM gets KILL after two seconds."""
        child = self.run_child()
        stopped = self.service.stopService()
        self.reactor.advance(1.9)
        self.assertEqual(["TERM"], child.signals)
        self.reactor.advance(0.1)
        self.assertEqual(["TERM", "KILL"], child.signals)
        child.end(9)
        self.successResultOf(stopped)

    def test_stop_in_every_state(self) -> None:
        """Stopping before the hello, while killing, while waiting and when stopped ends in stopped."""
        self.successResultOf(self.service.stopService())
        self.service.startService()
        stopped = self.service.stopService()
        self.child.end(15)
        self.successResultOf(stopped)
        child = self.run_child()
        child.protocol.outReceived(b"x" * (LINE_BYTES + 1))
        stopped = self.service.stopService()
        child.end(9)
        self.successResultOf(stopped)
        self.run_child().end()
        self.assertIs(State.WAITING, self.service.state)
        self.successResultOf(self.service.stopService())
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_start_while_stopping(self) -> None:
        """A service started again while its child ends gets a new child."""
        child = self.run_child()
        stopped = self.service.stopService()
        self.service.startService()
        child.end()
        self.successResultOf(stopped)
        self.reactor.advance(0.5)
        self.assertIs(State.STARTING, self.service.state)

    def test_gone_before_signal(self) -> None:
        """A signal to a child that is gone already is no error."""
        child = self.run_child()
        child.gone = True
        stopped = self.service.stopService()
        child.end()
        self.successResultOf(stopped)


class TroubleTests(MonitorCase):
    """Children that fail."""

    def assert_replaced(self, reason: str) -> None:
        """The child got KILL for this reason, and its end is followed by a new child."""
        child = self.child
        self.assertIs(State.KILLING, self.service.state)
        self.assertEqual(["KILL"], child.signals)
        self.assertIn(reason, self.warnings())
        child.protocol.outReceived(HELLO + json.dumps(SAMPLE).encode() + b"\n" + b"x" * LINE_BYTES * 2)
        self.assertIsNone(self.service.last_sample)
        child.end(9)
        self.reactor.advance(0.5)
        self.assertIs(State.STARTING, self.service.state)
        self.assertIsNot(child, self.child)

    def test_death(self) -> None:
        """A child that dies is replaced after the back-off, with the reason in the log."""
        self.run_child().end(9)
        self.assertIs(State.WAITING, self.service.state)
        self.assertIn("ended: signal 9", self.warnings())
        self.reactor.advance(0.49)
        self.assertEqual(1, len(self.reactor.children))
        self.reactor.advance(0.01)
        self.assertEqual(2, len(self.reactor.children))

    def test_backoff(self) -> None:
        """Each failure doubles the back-off up to its maximum; a minute of life starts it anew."""
        self.service = self.make(restart_backoff_max_seconds=3)
        self.service.startService()
        for delay in (0.5, 1, 2, 3, 3, 3):
            self.child.end()
            self.assertAlmostEqual(delay, self.reactor.getDelayedCalls()[0].getTime() - self.reactor.seconds())
            self.reactor.advance(delay)
        for _ in range(30):
            self.child.protocol.outReceived(BEAT)
            self.reactor.advance(2)
        self.child.end()
        self.assertAlmostEqual(0.5, self.reactor.getDelayedCalls()[0].getTime() - self.reactor.seconds())

    def test_silence(self) -> None:
        """A silent child is replaced soon after silence_seconds; a beat in time saves it."""
        child = self.run_child()
        for _ in range(20):
            self.reactor.pump([1] * 9)
            child.protocol.outReceived(BEAT)
        self.assertIs(State.RUNNING, self.service.state)
        self.reactor.pump([0.5] * 19)
        self.assertIs(State.RUNNING, self.service.state)
        self.reactor.pump([0.5] * 6)
        self.assert_replaced("is silent for 10 seconds")

    def test_blocked_reactor(self) -> None:
        """A reactor that was blocked for long does not take its own absence for the child's silence."""
        child = self.run_child()
        self.reactor.advance(60)
        child.protocol.outReceived(BEAT)
        self.assertIs(State.RUNNING, self.service.state)

    def test_never_greets(self) -> None:
        """A child that never says a word is replaced too."""
        self.service.startService()
        self.reactor.pump([0.5] * 26)
        self.assert_replaced("is silent")

    def test_endless_line(self) -> None:
        """A line without end costs its child at LINE_BYTES + 1, and no earlier."""
        child = self.run_child()
        child.protocol.outReceived(b"x" * LINE_BYTES)
        self.assertIs(State.RUNNING, self.service.state)
        child.protocol.outReceived(b"x")
        self.assert_replaced("floods its pipe: a line without end")

    def test_long_line(self) -> None:
        """A line that is too long is not parsed, though its end came with it."""
        self.run_child().protocol.outReceived(b"x" * (LINE_BYTES + 1) + b"\n")
        self.assert_replaced("floods its pipe: a line too long")

    def test_many_lines(self) -> None:
        """More lines than a healthy child ever writes cost it its life, on stderr too."""
        child = self.run_child()
        allowed = int(LINES_A_SECOND * WINDOW_SECONDS)
        child.protocol.outReceived(BEAT * (allowed - 1))
        self.assertIs(State.RUNNING, self.service.state)
        self.reactor.advance(WINDOW_SECONDS)
        child.protocol.outReceived(BEAT * allowed)
        self.assertIs(State.RUNNING, self.service.state)
        child.protocol.errReceived(b"more")
        self.assert_replaced("lines a second")

    def test_bad_lines(self) -> None:
        """Some unreadable lines are forgiven, BAD_LINES are not."""
        child = self.run_child()
        child.protocol.outReceived(b"{}\n" * (BAD_LINES - 1))
        self.assertIs(State.RUNNING, self.service.state)
        child.protocol.outReceived(b"\xff\n")
        self.assert_replaced("unreadable lines")

    def test_no_process_left(self) -> None:
        """A fork that fails is tried again like any other failure."""
        self.reactor.refuses = True
        self.service.startService()
        self.assertIs(State.WAITING, self.service.state)
        self.assertIn("could not be started (Resource temporarily unavailable)", self.warnings())
        self.reactor.refuses = False
        self.reactor.advance(0.5)
        self.assertIs(State.STARTING, self.service.state)

    def test_stderr(self) -> None:
        """What the child complains about is logged."""
        self.run_child().protocol.errReceived(b"Traceback\n")
        self.assertIn("Traceback", self.warnings())


class TableTests(SynchronousTestCase):
    """The table itself."""

    def test_complete(self) -> None:
        """Every state can be stopped, ends where a child ends, and can be reached."""
        for state in State:
            self.assertIn((state, Input.STOP), TABLE)
        for state in (State.STARTING, State.RUNNING, State.KILLING, State.STOPPING):
            self.assertIn((state, Input.ENDED), TABLE)
        self.assertEqual(set(State), {state for state, _ in TABLE.values()})


class EnvironmentTests(SynchronousTestCase):
    """What the child learns of the server's environment."""

    def test_reduced(self) -> None:
        """Only what Python needs is passed on; a relative PYTHONPATH becomes absolute and the checkout joins it."""
        kept = child_environment({"PATH": "/bin", "HOME": "/h", "SECRET": "s", "PYTHONPATH": "lib:/abs:"})
        self.assertEqual({"PATH", "HOME", "PYTHONPATH"}, set(kept))
        paths = kept["PYTHONPATH"].split(":")
        self.assertEqual("/abs", paths[-1])
        self.assertTrue(all(path.startswith("/") for path in paths))
