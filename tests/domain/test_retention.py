"""Tests of `chatserv.domain.retention`: a clock that is set deletes nothing."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.retention import CONFIRM_SECONDS, STEADY_MS, ConfirmedClock

START_MS = 1_800_000_000_000
HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400


class ConfirmedClockTests(SynchronousTestCase):
    """The clock that says how old messages are, ticked every hour."""

    def setUp(self) -> None:
        """A machine whose clock is right, and a confirmed clock that begins."""
        self.seconds, self.ahead = 0.0, 0.0
        self.clock = ConfirmedClock(0, START_MS, 0.0)

    def live(self, seconds: float) -> float:
        """The server runs for so long; gives by how much the clock went on, in seconds."""
        before, until = self.clock.now_ms, self.seconds + seconds
        while self.seconds < until:
            self.seconds = min(until, self.seconds + HOUR)
            self.clock.tick(round(START_MS + (self.seconds + self.ahead) * 1000), self.seconds)
        return (self.clock.now_ms - before) / 1000

    def test_runs(self) -> None:
        """It goes as time does."""
        self.assertEqual(30 * DAY, self.live(30 * DAY))

    def test_jump_and_back(self) -> None:
        """A date a year ahead counts for nothing, if somebody sets it right within a week, however often that happens."""
        for _ in range(20):
            self.ahead = YEAR
            self.assertEqual(6 * DAY, self.live(6 * DAY))
            self.ahead = 0.0
            self.assertEqual(6 * DAY, self.live(6 * DAY))

    def test_new_date(self) -> None:
        """One that stays is believed after a week of running, not a moment before."""
        self.ahead = YEAR
        self.assertEqual(CONFIRM_SECONDS, self.live(CONFIRM_SECONDS))
        self.assertEqual(YEAR + HOUR, self.live(HOUR))
        self.assertEqual(DAY, self.live(DAY))

    def test_back(self) -> None:
        """It never goes back, nor stands still, where the machine's clock is set back."""
        self.live(DAY)
        self.ahead = -YEAR
        self.assertEqual(30 * DAY, self.live(30 * DAY))

    def test_drift(self) -> None:
        """A clock that drifts, by 50 millionths, is followed as one that stays."""
        for _ in range(24 * 30):
            self.live(HOUR)
            self.ahead += 0.18
        self.assertLess(abs(self.clock.now_ms - START_MS - (self.seconds + self.ahead) * 1000), STEADY_MS)

    def test_restart(self) -> None:
        """What was kept goes on; the time in which no server ran counts after a week."""
        self.live(DAY)
        kept = self.clock.now_ms
        self.clock = ConfirmedClock(kept, START_MS + 31 * DAY * 1000, 0.0)
        self.seconds, self.ahead = 0.0, 31 * DAY
        self.assertEqual(CONFIRM_SECONDS - HOUR, self.live(CONFIRM_SECONDS - HOUR))
        self.assertEqual(30 * DAY + HOUR, self.live(HOUR))
