"""The two clocks, and that every program waits by the one that never goes back."""

import re
import time
from pathlib import Path

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.clocks import JUMP_SECONDS, AwakeClock, steady_seconds, use_steady_clock

ROOT = Path(__file__).parents[1]
TAKES_REACTOR = re.compile(
    r"^\s*from twisted\.internet import reactor|(?<![.\w])(?<!def )react\(|asyncioreactor\.install", re.MULTILINE
)
PROGRAMS = ("chatserv", "clients", "bench")
OWNED_ELSEWHERE = {  # who runs a reactor that another one of these has given its clock
    "chatserv/testing/blindness/leaking.py": "chatserv/tap.py",
    "bench/window.py": "clients/window/main.py",
    "chatserv/testing/window_hands.py": "clients/window/main.py",
}


class SteadyTests(SynchronousTestCase):
    """What waits."""

    def test_counts_sleep(self) -> None:
        """It is the clock that counts the time that a machine sleeps, where there is one."""
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.assertTrue(before <= steady_seconds() <= time.clock_gettime(time.CLOCK_BOOTTIME))

    def test_reactor(self) -> None:
        """Calls that wait keep what is left; what comes later is measured by the steady clock, and so is a reset."""
        reactor = SelectReactor()
        early, soon = reactor.callLater(60, lambda: None), reactor.callLater(5, lambda: None)
        use_steady_clock(reactor)
        late = reactor.callLater(7, lambda: None)
        early.reset(30)
        now = steady_seconds()
        for call, seconds in ((early, 30), (soon, 5), (late, 7)):
            self.assertLess(abs(call.getTime() - now - seconds), 1)
        self.assertLess(abs((reactor.timeout() or 0.0) - 5), 1)
        self.assertIs(reactor.seconds, steady_seconds)


class AwakeTests(SynchronousTestCase):
    """Seconds without sleep."""

    def setUp(self) -> None:
        """A clock that is looked at each second."""
        self.clock = Clock()
        self.clock.advance(1000)
        self.awake = AwakeClock(self.clock.seconds)

    def look_for(self, seconds: int) -> float:
        """Time passes, and is looked at."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.awake.seconds()
        return self.awake.seconds()

    def test_awake(self) -> None:
        """It is the same clock as long as nobody sleeps, also when somebody is busy for a while."""
        self.assertEqual(self.look_for(100), 1100)
        self.clock.advance(JUMP_SECONDS - 0.5)
        self.assertEqual((self.awake.seconds(), self.awake.slept), (1129.5, 0))

    def test_slept(self) -> None:
        """A sleep takes no time, and every reader sees the same."""
        self.look_for(10)
        self.clock.advance(7200)
        self.assertEqual((self.awake.seconds(), self.awake.seconds(), self.awake.slept), (1010, 1010, 7200))
        self.assertEqual(self.look_for(5), 1015)


class ProgramsTests(SynchronousTestCase):
    """Who owns a reactor."""

    def test_every_program(self) -> None:
        """Whoever takes the global reactor, or runs one, gives it the steady clock; no other part of the code has one."""
        owners = set()
        for file in (path for name in PROGRAMS for path in (ROOT / name).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            if TAKES_REACTOR.search(text):
                name = str(file.relative_to(ROOT))
                owners.add(name)
                giver = (ROOT / OWNED_ELSEWHERE.get(name, name)).read_text(encoding="utf-8")
                self.assertTrue(re.search(r"use_steady_clock\(reactor\)|loop\.time = steady_seconds", giver), name)
        self.assertTrue(
            owners >= {"chatserv/tap.py", "clients/shared/program.py", "clients/window/main.py", *OWNED_ELSEWHERE}
        )

    def test_dates_come_from_one_place(self) -> None:
        """No code asks for the date but through `chatserv.clocks`, so that a new wait by it is seen where it is written."""
        asks = re.compile(r"\btime\.time(_ns)?\b|\bfrom time import\b|\b(datetime|date)\.(now|utcnow|today)\(")
        found = {
            str(file.relative_to(ROOT))
            for name in PROGRAMS
            for file in (ROOT / name).rglob("*.py")
            if asks.search(file.read_text(encoding="utf-8"))
        }
        self.assertEqual(
            found,
            {
                "chatserv/audit_log.py",
                "chatserv/clocks.py",
                "chatserv/logs.py",
                "chatserv/net/keys.py",
                "chatserv/reloading.py",
                "bench/figures.py",
                "bench/irc.py",
                "bench/recovery.py",
                "bench/sync.py",
            },
        )
