"""Supervision of the monitor child: starts it, reads it, replaces it when it dies, hangs or floods its pipe.

The chat never depends on it: whatever the child does costs one log line and a restart after a back-off.
"""

import os
import sys
from collections.abc import Callable, Mapping
from enum import Enum

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorProcess, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatserv.config import Monitoring
from chatserv.monitor.reading import MonitorProcess, child_environment
from chatserv.monitor.samples import Hello, Message, Sample

__all__ = ["TABLE", "Input", "MonitorProcess", "MonitorReactor", "MonitorService", "State"]

STABLE_SECONDS = 60.0  # a child that lived so long starts the back-off anew
TERM_SECONDS = 2.0  # between TERM and KILL
PULSE_SECONDS = 1.0  # between two signs of life for the child
SILENCE_TICKS = 4  # silence counts in ticks of the reactor, so that a blocked reactor does not pass for a silent child


class MonitorReactor(IReactorProcess, IReactorTime):
    """What the supervision needs of a reactor."""


class State(Enum):
    """Where the supervision stands."""

    STOPPED = "stopped"
    STARTING = "starting"  # spawned, no hello yet
    RUNNING = "running"
    KILLING = "killing"  # sent KILL, to be replaced
    WAITING = "waiting"  # no child until the back-off is over
    STOPPING = "stopping"  # sent TERM, not to be replaced


class Input(Enum):
    """What can happen."""

    START = "startService"
    STOP = "stopService"
    HELLO = "the child said hello"
    FAULT = "the child misbehaved"
    ENDED = "the child is gone, or never came to be"
    DUE = "the back-off is over"


class MonitorService(Service):
    """Keeps one monitor child alive. Nothing happens before `startService`, which must come after a daemon's fork.

    Args:
        reactor: Spawns and times.
        settings: Interval, silence and back-off.
        executable: The Python that runs the child.
        environ: What the child's environment is taken from; by default the process's own.
        lag: How late the reactor was at most since this was asked the last time, in seconds.
    """

    log = Logger(namespace="chatserv.monitor")
    name = "monitor"

    def __init__(
        self,
        reactor: MonitorReactor,
        settings: Monitoring,
        executable: str = sys.executable,
        environ: Mapping[str, str] | None = None,
        lag: Callable[[], float] = float,
    ) -> None:
        self.state = State.STOPPED
        self.last_sample: Sample | None = None
        self._reactor = reactor
        self._settings = settings
        self._executable = executable
        self._environ = environ
        self._pid: int | None = None  # of the child, remembered beyond its end
        self._child: MonitorProcess | None = None
        self._failures = 0
        self._started_at = 0.0
        self._timer: IDelayedCall | None = None
        self._silent_ticks = 0
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = reactor
        self._lag = lag
        self._pulse = LoopingCall(self._beat)
        self._pulse.clock = reactor
        self._stopped: list[Deferred[None]] = []

    def startService(self) -> None:
        """Starts the child, unless the settings say ``enabled = false``."""
        Service.startService(self)
        if self._settings.enabled:
            self._happened(Input.START)

    def stopService(self) -> Deferred[None]:
        """Ends the child: TERM, then KILL after 2 seconds. Fires when it is gone."""
        Service.stopService(self)
        self._happened(Input.STOP)
        if self.state is State.STOPPED:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._stopped.append(done)
        return done

    def follow(self, settings: Monitoring) -> None:
        """Goes on by other settings: a child that runs by the old ones is replaced, or ended where none is wanted."""
        if settings == self._settings:
            return
        self._settings = settings
        if self.running:
            self._happened(Input.STOP)
            if settings.enabled:
                self._happened(Input.START)

    # What the child tells.

    def line_arrived(self, message: Message) -> None:
        """Notes a sign of life."""
        self._silent_ticks = 0
        if isinstance(message, Hello):
            self._happened(Input.HELLO)
        elif isinstance(message, Sample):
            self.last_sample = message
            for line in message.lines():
                self.log.info("{line}", line=line, sample=message)

    def child_misbehaved(self, reason: str) -> None:
        """Replaces the child."""
        self.log.warn("monitor child {pid} {reason}; it is killed", pid=self._pid, reason=reason)
        self._happened(Input.FAULT)

    def child_ended(self, reason: str) -> None:
        """Notes the end, expected or not."""
        if self.state is State.STOPPING:
            self.log.info("monitor child {pid} ended: {reason}", pid=self._pid, reason=reason)
        else:
            self.log.warn("monitor child {pid} ended: {reason}", pid=self._pid, reason=reason)
        self._happened(Input.ENDED)

    # The state machine: the table is below.

    def _happened(self, what: Input) -> None:
        self.state, action = TABLE[self.state, what]
        action(self)

    def _nothing(self) -> None:
        pass

    def _spawn(self) -> None:
        settings = self._settings
        self._child = MonitorProcess(self, self._reactor.seconds, self.log)
        self._started_at = self._reactor.seconds()
        self._silent_ticks = 0
        command = [self._executable, "-P", "-m", "chatserv.monitor.child"]  # -P: the directory is no place for modules
        command += ["--interval", f"{settings.interval:g}", "--server-pid", str(os.getpid())]
        command += ["--stuck-seconds", f"{settings.stuck_seconds:g}"]
        if settings.show_python_processes:
            command.append("--python-processes")
        environment = child_environment(os.environ if self._environ is None else self._environ)
        try:
            self._reactor.spawnProcess(self._child, self._executable, command, env=environment)
        except OSError as error:  # no process or descriptor left; there may be one later
            self._child = None
            self.child_ended(f"it could not be started ({error.strerror})")
            return
        self._pid = getattr(self._child.transport, "pid", None)
        self._ticks.start(settings.silence_seconds / SILENCE_TICKS, now=False)
        self._pulse.start(PULSE_SECONDS)

    def _tick(self) -> None:
        self._silent_ticks += 1
        if self._silent_ticks > SILENCE_TICKS:
            self.child_misbehaved(f"is silent for {self._settings.silence_seconds:g} seconds")

    def _beat(self) -> None:
        """Tells the child that the reactor lives, and how late it was."""
        if self._child is not None:
            self._child.transport.writeToChild(0, b"%d\n" % min(self._lag() * 1000, 10**9))

    def _greet(self) -> None:
        self.log.info("monitor child {pid} runs", pid=self._pid)

    def _kill(self) -> None:
        self._let_go("KILL")

    def _terminate(self) -> None:
        self._let_go("TERM")
        self._timer = self._reactor.callLater(TERM_SECONDS, self._kill_late)

    def _kill_late(self) -> None:
        self._timer = None
        self._let_go("KILL")

    def _let_go(self, signal: str) -> None:
        self._stop_ticks()
        if self._child is not None:
            self._child.stop_reading()
            self._child.signal(signal)

    def _wait(self) -> None:
        self._clean_up()
        if self._reactor.seconds() - self._started_at >= STABLE_SECONDS:
            self._failures = 0
        settings = self._settings
        exponent = min(self._failures, 64)
        delay = min(settings.restart_backoff_min_seconds * 2.0**exponent, settings.restart_backoff_max_seconds)
        self._failures += 1
        self.log.warn("the monitor child starts again in {delay} s", delay=f"{delay:g}")
        self._timer = self._reactor.callLater(delay, self._due)
        self._tell_stopped()  # somebody may have stopped and started the service while the child was ending

    def _due(self) -> None:
        self._timer = None
        self._happened(Input.DUE)

    def _finish(self) -> None:
        self._clean_up()
        self._failures = 0
        self._tell_stopped()

    def _tell_stopped(self) -> None:
        waiting, self._stopped = self._stopped, []
        for done in waiting:
            done.callback(None)

    def _clean_up(self) -> None:
        self._stop_ticks()
        self._child = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_ticks(self) -> None:
        for call in (self._ticks, self._pulse):
            if call.running:
                call.stop()


Action = Callable[[MonitorService], None]
_ = MonitorService._nothing

TABLE: dict[tuple[State, Input], tuple[State, Action]] = {
    (State.STOPPED, Input.START): (State.STARTING, MonitorService._spawn),
    (State.STOPPED, Input.STOP): (State.STOPPED, _),
    (State.STARTING, Input.HELLO): (State.RUNNING, MonitorService._greet),
    (State.STARTING, Input.FAULT): (State.KILLING, MonitorService._kill),
    (State.STARTING, Input.ENDED): (State.WAITING, MonitorService._wait),
    (State.STARTING, Input.STOP): (State.STOPPING, MonitorService._terminate),
    (State.RUNNING, Input.HELLO): (State.RUNNING, _),
    (State.RUNNING, Input.FAULT): (State.KILLING, MonitorService._kill),
    (State.RUNNING, Input.ENDED): (State.WAITING, MonitorService._wait),
    (State.RUNNING, Input.STOP): (State.STOPPING, MonitorService._terminate),
    (State.KILLING, Input.ENDED): (State.WAITING, MonitorService._wait),
    (State.KILLING, Input.STOP): (State.STOPPING, _),
    (State.WAITING, Input.DUE): (State.STARTING, MonitorService._spawn),
    (State.WAITING, Input.STOP): (State.STOPPED, MonitorService._finish),
    (State.STOPPING, Input.ENDED): (State.STOPPED, MonitorService._finish),
    (State.STOPPING, Input.STOP): (State.STOPPING, _),
    (State.STOPPING, Input.START): (State.KILLING, _),
}
