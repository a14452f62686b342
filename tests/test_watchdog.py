"""How late the reactor is, and where it stands when it stands still."""

import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatserv.counts import Counts
from chatserv.logs import format_line
from chatserv.watchdog import LOOK_SECONDS, TICK_SECONDS, LagMeter


class _Reactor(Clock):
    """A clock whose calls may come late; ``seconds`` goes on by itself."""

    def stand(self, seconds: float) -> None:
        """Nothing is called for so long, though the time passes."""
        self.rightNow += seconds
        self.advance(0)


class LagTests(SynchronousTestCase):
    """`LagMeter` by a clock, without its thread."""

    def setUp(self) -> None:
        """A meter."""
        self.clock, self.counts = _Reactor(), Counts()
        self.meter = LagMeter(self.clock, self.counts.add, self.clock.seconds)
        self.busy = 0.0
        self.patch(self.meter, "_used", lambda: self.busy)  # from the start on: this thread may have run for long
        self.patch(self.meter, "_look_on", lambda: None)  # these tests say themselves when it has looked
        self.meter.start()
        self.addCleanup(self.meter.stop)

    def test_prompt(self) -> None:
        """A reactor that comes in time has no lag."""
        self.clock.pump([TICK_SECONDS] * 40)
        self.assertEqual((self.meter.last, self.meter.worst("a"), self.counts.of("stalls")[""]), (0.0, 0.0, 0))

    def test_stall(self) -> None:
        """One that comes late by 100 ms is counted; each who asks gets the longest since they asked."""
        self.meter.worst("a")
        self.meter.worst("b")
        self.busy += 0.2
        self.clock.stand(TICK_SECONDS + 0.2)
        self.clock.pump([TICK_SECONDS] * 3)
        self.assertAlmostEqual(self.meter.worst("a"), 0.2)
        self.assertEqual((self.meter.worst("a"), self.meter.last), (0.0, 0.0))
        self.assertAlmostEqual(self.meter.worst("b"), 0.2)
        self.assertEqual(self.counts.of("stalls")[""], 1)
        self.assertAlmostEqual(self.meter.lags.total, 0.2)

    def test_stall_that_goes_on(self) -> None:
        """The one that goes on counts as well: it may never end."""
        self.clock.rightNow += 7
        self.assertAlmostEqual(self.meter.worst("a"), 7 - TICK_SECONDS)

    def test_pause(self) -> None:
        """Time in which the whole process stood, as after SIGSTOP or in a machine that sleeps, is no lag."""
        self.meter._looked = self.clock.seconds()
        self.clock.stand(40)
        self.assertEqual((self.meter.last, self.counts.of("stalls")[""]), (0.0, 0))

    def test_held_interpreter(self) -> None:
        """A call into C that lets no thread run is lag: the reactor's thread has used the processor meanwhile."""
        self.meter._looked = self.clock.seconds()
        self.busy += 39
        self.clock.stand(40)
        self.assertAlmostEqual(self.meter.last, 40 - TICK_SECONDS)

    def test_stuck_in_a_wait(self) -> None:
        """A call that waits, for a disk that does not answer, is lag: the other thread has run meanwhile."""
        self.meter._looked = self.clock.seconds() + 39.8
        self.clock.stand(40)
        self.assertAlmostEqual(self.meter.last, 40 - TICK_SECONDS)


class StackTests(SynchronousTestCase):
    """The thread that looks on."""

    def test_stack(self) -> None:
        """After a second without the reactor the log has the place where its thread stands, and how long it was."""
        clock = _Reactor()
        meter = LagMeter(clock, Counts().add)
        self.patch(meter, "_paused", lambda _: False)  # the machine may be slow; that is not the question here
        with capturedLogs() as logs:
            meter.start()
            self._stand_here(logs)
            clock.advance(TICK_SECONDS)
            meter.stop()
        shown = [each for each in logs if "log_stack" in each]
        self.assertTrue(shown)
        self.assertEqual(shown[0]["log_level"], LogLevel.error)
        self.assertIn("_stand_here", "".join(shown[0]["log_stack"]))
        lines = format_line(shown[0], 0).splitlines()
        self.assertIn("the reactor has stood still for", lines[0])
        self.assertTrue(all(line.startswith("\t") for line in lines[1:]) and len(lines) > 2)
        said: list[Any] = [each for each in logs if "stood still for" in each["log_format"]]
        self.assertGreaterEqual(said[-1]["seconds"], 1)

    def _stand_here(self, logs: Sequence[LogEvent]) -> None:
        while not any("log_stack" in each for each in logs):
            time.sleep(LOOK_SECONDS)
