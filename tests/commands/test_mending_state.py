"""When a mending ends: some time after the last offer, and some time after it began in any case."""

from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.effects import Effects
from chatserv.commands.mending_state import Mending, Report
from chatserv.config import Config
from chatserv.live_settings import LiveSettings
from chatserv.mending_models import MendingState


class EndTests(SynchronousTestCase):
    """A server that was restored, and a member who does not want it to go on."""

    def setUp(self) -> None:
        """It has just begun."""
        self.clock, self.finished, self.limits = Clock(), list[float](), Config().limits
        effects: Any = SimpleNamespace(seconds=self.clock.seconds, later=self.clock.callLater, spawn=self.spawn)
        self.mending = Mending(LiveSettings(Config()), cast(Effects, effects))
        self.mending.take_in(MendingState(mending=True), bytes(32), lambda _: b"", self.work)
        self.mending.begin()

    def spawn(self, work: Any) -> None:
        """Runs what waits for nothing."""
        with self.assertRaises(StopIteration):
            work.send(None)

    async def work(self) -> Report:
        """Decides."""
        self.finished.append(self.clock.seconds())
        return {}

    def test_quiet(self) -> None:
        """Each offer puts it off."""
        self.clock.advance(100)
        self.mending.came()
        self.clock.advance(self.limits.mending_quiet_seconds - 1)
        self.assertTrue(self.mending.active)
        self.clock.advance(1)
        self.assertEqual([100 + self.limits.mending_quiet_seconds], self.finished)

    def test_offers_without_end(self) -> None:
        """Who offers a little again and again keeps nobody from writing for longer than an hour."""
        pause = self.limits.mending_quiet_seconds - 1
        while self.mending.active and self.clock.seconds() < 2 * self.limits.mending_seconds:
            self.mending.came()
            self.clock.advance(pause)
        self.assertFalse(self.mending.active)
        self.assertEqual(1, len(self.finished))
        self.assertLessEqual(self.clock.seconds(), self.limits.mending_seconds + pause)
