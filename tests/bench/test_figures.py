"""The arithmetic of a run."""

from twisted.trial.unittest import SynchronousTestCase

from bench.accounts import account_name
from bench.figures import Reading, figures, percentile
from bench.ground import Scenario
from chatserv.domain.names import skeleton, user_name


class FigureTests(SynchronousTestCase):
    """What two readings say."""

    def test_figures(self) -> None:
        """Shares, quotients and marks."""
        before = Reading(10.0, 1.0, 0.0, 5.0, 100.0, 2**32 - 10, 50, 1000, 100)
        after = Reading(20.0, 9.0, 0.1, 14.5, 120.0, 90, 250, 11_000, 600)
        line = figures(Scenario("S1", 50, 10, 16), before, after, [3_000_000, 1_000_000, 2_000_000])
        self.assertEqual(line["server_cpu_us_per_delivery"], 800.0)
        self.assertEqual((line["commits"], line["messages_per_commit"], line["events_per_line"]), (100, 2.0, 20.0))
        self.assertEqual((line["p50_ms"], line["p99_ms"], line["deliveries_per_second"]), (2.0, 3.0, 1000))
        self.assertEqual((line["generator_cpu"], line["generator_bound"]), (0.95, True))
        self.assertEqual((line["other_cpu_share"], line["disturbed"]), (0.24, True))

    def test_nothing_delivered(self) -> None:
        """No quotient is made of nothing."""
        reading = Reading(1.0, 0, 0, 0, 0, 0, 0, 0, 0)
        later = Reading(2.0, 0, 0, 0, 0, 0, 0, 0, 0)
        self.assertIsNone(figures(Scenario("S2", 1, 1), reading, later, [])["server_cpu_us_per_delivery"])

    def test_percentile(self) -> None:
        """Nearest rank."""
        self.assertEqual(percentile([1_000_000], 0.99), 1.0)
        self.assertEqual(percentile([], 0.5), 0.0)

    def test_direct(self) -> None:
        """Where everybody has one to talk to, what is paid for is the message."""
        before, after = Reading(1.0, 0, 0, 0, 0, 0, 0, 0, 0), Reading(2.0, 0.5, 0, 0, 0, 0, 1000, 2000, 0)
        line = figures(Scenario("S6", 2, 2, 1, rooms=10, direct=True), before, after, [])
        self.assertEqual(line["server_cpu_us_per_message"], 500.0)
        self.assertNotIn("server_cpu_us_per_delivery", line)

    def test_scenario(self) -> None:
        """It is called by what is said in it."""
        self.assertEqual(str(Scenario("S1", 50, 1, 16)), "S1, 50 members, 1 sender")
        self.assertEqual(str(Scenario("S2", 100, 100, rate=50.0)), "S2, 100 members, 50 messages a second")
        self.assertEqual(str(Scenario("S3", 10, 10, rate=90.0, rooms=9)), "S3, 9 rooms of 10, 90 messages a second")
        self.assertEqual(str(Scenario("S6", 2, 2, 1, rooms=9, direct=True)), "S6, 9 pairs")

    def test_names(self) -> None:
        """Names of accounts are canonical and never look alike."""
        names = [account_name(number) for number in range(0, 1000, 7)]
        self.assertEqual([user_name(name) for name in names], names)
        self.assertEqual(len({skeleton(name) for name in names}), len(names))
