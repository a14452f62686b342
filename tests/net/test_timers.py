"""The timer wheel: never early, a tick late at most, and not disturbed by what it wakes."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.net.timers import TICK_SECONDS, TimerWheel

FUZZ = 1e-6  # seconds are floats


def exact(low: int, high: int) -> st.SearchStrategy[float]:
    """Seconds from ``low`` to ``high`` that add up without rounding."""
    return st.integers(low * 1024, high * 1024).map(lambda number: number / 1024)


class Sleeper:
    """Remembers when it was woken; ``then`` says what it does about it."""

    def __init__(self, then: Callable[[float], float | None] = lambda _: None) -> None:
        self.woken_at: list[float] = []
        self._then = then

    def woken(self, now: float) -> float | None:
        """The wheel calls this."""
        self.woken_at.append(now)
        return self._then(now)


class TimerWheelTests(SynchronousTestCase):
    """What `TimerWheel` promises."""

    def setUp(self) -> None:
        """A wheel that turns, begun between two whole seconds."""
        self.clock = Clock()
        self.clock.advance(1000.75)
        self.wheel = TimerWheel(self.clock)
        self.wheel.start()

    def pass_time(self, seconds: float) -> None:
        """Lets time pass in quarters of a second."""
        for _ in range(int(seconds * 4)):
            self.clock.advance(0.25)

    def test_empty(self) -> None:
        """A wheel without anything to wake holds nothing."""
        self.pass_time(5)
        self.assertEqual(len(self.wheel), 0)

    @given(
        began=exact(0, 1_000_000),
        delays=st.lists(exact(0, 30), min_size=1, max_size=8),
        steps=st.lists(exact(0, 3), max_size=40),
    )
    def test_never_early_and_a_tick_late(self, began: float, delays: list[float], steps: list[float]) -> None:
        """Whatever the times and the reactor's pace, each is woken once, never early, within a tick of the time it could."""
        clock = Clock()
        clock.advance(began)
        wheel = TimerWheel(clock)
        wheel.start()
        start = clock.seconds()
        sleepers = [Sleeper() for _ in delays]
        for sleeper, delay in zip(sleepers, delays, strict=True):
            wheel.wake_at(sleeper, start + delay)
        longest = max(steps, default=0)
        for step in [*steps, *[0.5] * 70]:
            clock.advance(step)
        for sleeper, delay in zip(sleepers, delays, strict=True):
            (when,) = sleeper.woken_at
            self.assertGreaterEqual(when, start + delay)
            self.assertLessEqual(when, start + delay + TICK_SECONDS + max(longest, 0.5) + FUZZ)
        self.assertEqual(len(wheel), 0)

    def test_at_most_a_tick_late(self) -> None:
        """With a reactor that is never late, nothing is woken more than a tick after its time."""
        for at in range(40):
            due = self.clock.seconds() + at * 0.125
            sleeper = Sleeper()
            self.wheel.wake_at(sleeper, due)
            self.pass_time(8)
            (when,) = sleeper.woken_at
            self.assertTrue(due <= when <= due + TICK_SECONDS + FUZZ, (due, when))

    def test_later_time_replaces_the_earlier(self) -> None:
        """A thing has one time: setting another one forgets the first."""
        sleeper = Sleeper()
        now = self.clock.seconds()
        self.wheel.wake_at(sleeper, now + 2)
        self.wheel.wake_at(sleeper, now + 9)
        self.assertEqual(len(self.wheel), 1)
        self.pass_time(8)
        self.assertEqual(sleeper.woken_at, [])
        self.pass_time(4)
        self.assertEqual(len(sleeper.woken_at), 1)

    def test_forget(self) -> None:
        """What is forgotten is not woken and takes no place; forgetting it again is harmless."""
        sleeper, other = Sleeper(), Sleeper()
        for timed in (sleeper, other):
            self.wheel.wake_at(timed, self.clock.seconds() + 3)
        self.wheel.forget(sleeper)
        self.wheel.forget(sleeper)
        self.assertEqual(len(self.wheel), 1)
        self.wheel.forget(other)
        self.assertEqual((len(self.wheel), self.wheel._slots), (0, {}))
        self.pass_time(10)
        self.assertEqual(sleeper.woken_at + other.woken_at, [])

    def test_woken_again(self) -> None:
        """The time that ``woken`` returns is the next one."""
        sleeper = Sleeper(lambda now: now + 10)
        self.wheel.wake_at(sleeper, self.clock.seconds() + 1)
        self.pass_time(34)
        self.assertEqual(len(sleeper.woken_at), 4)
        self.assertEqual(len(self.wheel), 1)

    def test_armed_again_inside_woken(self) -> None:
        """``wake_at`` from within ``woken`` holds, also for a time that has just passed."""
        for delay in (-5.0, 0.0, 0.01, 0.9, 4.0):
            sleeper = Sleeper()
            sleeper._then = lambda now, delay=delay, sleeper=sleeper: (  # type: ignore[misc]
                self.wheel.wake_at(sleeper, now + delay) if len(sleeper.woken_at) == 1 else None
            )
            self.wheel.wake_at(sleeper, self.clock.seconds() + 1)
            self.pass_time(8)
            self.assertEqual(len(sleeper.woken_at), 2, delay)

    def test_returned_time_that_has_passed(self) -> None:
        """A next time that lies behind is not lost: the next tick wakes it."""
        sleeper = Sleeper()
        sleeper._then = lambda now: now - 0.5 if len(sleeper.woken_at) == 1 else None
        self.wheel.wake_at(sleeper, self.clock.seconds() + 1)
        self.pass_time(4)
        self.assertEqual(len(sleeper.woken_at), 2)

    def test_one_forgets_the_other_of_the_same_tick(self) -> None:
        """One thing may forget, or put off, another that is due in the same tick."""
        for put_off in (False, True):
            pair: list[Sleeper] = []

            def meddle(now: float, pair: list[Sleeper] = pair, put_off: bool = put_off) -> None:
                for other in pair:
                    if not other.woken_at:
                        self.wheel.wake_at(other, now + 5) if put_off else self.wheel.forget(other)

            pair += [Sleeper(meddle), Sleeper(meddle)]
            for sleeper in pair:
                self.wheel.wake_at(sleeper, self.clock.seconds() + 1)
            self.pass_time(3)
            self.assertEqual(sorted(len(sleeper.woken_at) for sleeper in pair), [0, 1])
            self.pass_time(6)
            self.assertEqual(sorted(len(sleeper.woken_at) for sleeper in pair), [int(put_off), 1])
            self.assertEqual(self.flushLoggedErrors(), [])

    def test_failure_of_one_leaves_the_others(self) -> None:
        """A thing that fails when woken is logged and forgotten; the wheel turns on for all others."""

        def fail(_: float) -> float | None:
            raise RuntimeError("a bug")

        broken, same_tick, later = Sleeper(fail), Sleeper(), Sleeper()
        now = self.clock.seconds()
        for timed, delay in ((broken, 1), (same_tick, 1), (later, 6)):
            self.wheel.wake_at(timed, now + delay)
        self.pass_time(9)
        self.assertEqual([len(timed.woken_at) for timed in (broken, same_tick, later)], [1, 1, 1])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(self.wheel), 0)

    def test_reactor_that_was_blocked(self) -> None:
        """After a jump of the clock everything that is due is woken at once, each once."""
        sleepers = [Sleeper() for _ in range(20)]
        now = self.clock.seconds()
        for at, sleeper in enumerate(sleepers):
            self.wheel.wake_at(sleeper, now + at)
        self.clock.advance(60)
        self.assertEqual({len(sleeper.woken_at) for sleeper in sleepers}, {1})

    def test_stopped(self) -> None:
        """A stopped wheel wakes nothing and leaves no call in the reactor; it may be stopped twice."""
        sleeper = Sleeper()
        self.wheel.wake_at(sleeper, self.clock.seconds() + 1)
        self.wheel.stop()
        self.wheel.stop()
        self.pass_time(5)
        self.assertEqual(sleeper.woken_at, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
