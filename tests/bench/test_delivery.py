"""The load runs on the real server; what it measures is not looked at."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import delivery
from bench.accounts import SharedKeys
from bench.ground import Scenario
from bench.options import Options
from bench.server import BenchError
from tests.bench.test_e2e import keys


class DeliveryTests(SynchronousTestCase):
    """Each load, as short as it can be."""

    def check(self, scenario: Scenario) -> None:
        """Every member gets every message, and the run has figures."""
        self.patch(SharedKeys, "generate", lambda: keys().shared)
        self.patch(delivery, "WARM_UP_SECONDS", 0.1)
        parent = Path(self.mktemp())
        parent.mkdir()
        line = delivery._run(scenario, Options(seconds=1.0, directory=parent))
        self.assertEqual((line["scenario"], line["what"]), (scenario.name, str(scenario)))
        sent, deliveries = line["sent"], line["deliveries"]
        assert isinstance(sent, int)
        assert isinstance(deliveries, int)
        self.assertGreater(min(sent, deliveries), 0)
        self.assertEqual(list(parent.iterdir()), [])

    def test_window(self) -> None:
        """Senders that do not listen fill a room of members that do."""
        self.check(Scenario("S1", members=3, senders=2, window=8))

    def test_pace(self) -> None:
        """Members of two rooms send in turn, each message at its time."""
        self.check(Scenario("S3", members=3, senders=3, rate=50.0, rooms=2))

    def test_pairs(self) -> None:
        """Two people who are alone answer one another."""
        self.check(Scenario("S6", members=2, senders=2, window=1, rooms=2, direct=True))

    def test_scenarios(self) -> None:
        """A window of many senders, of one, and a load of many; what is asked for alone."""
        found: list[Scenario] = []

        def run(scenario: Scenario, *_: object) -> dict[str, object]:
            found.append(scenario)
            return {}

        self.patch(delivery, "_run", run)
        list(delivery.saturated(Options()))
        expected = [Scenario("S1", 50, 10, 160), Scenario("S1", 50, 1, 16), Scenario("S1", 50, 10, rate=1000)]
        self.assertEqual(found, expected)
        del found[:]
        list(delivery.saturated(Options(full=True)))
        self.assertEqual([each.rate for each in found], [0, 0, 200, 1000, 2000, 0, 0, 20, 102, 204])
        self.assertEqual([each.members for each in found], [50] * 5 + [delivery.S1_MANY] * 5)
        del found[:]
        list(delivery.saturated(Options(members=7, senders=3, outstanding=2)))
        list(delivery.light(Options(members=7, rate=9)))
        list(delivery.many_rooms(Options()))
        list(delivery.pairs(Options(members=4)))
        self.assertEqual(found[:2], [Scenario("S1", 7, 3, 6), Scenario("S2", 7, 7, rate=9)])
        self.assertEqual(found[2], Scenario("S3", 10, 10, rate=1000, rooms=100))
        self.assertEqual(found[3], Scenario("S6", 2, 2, 1, rooms=2, direct=True))

    def test_too_many(self) -> None:
        """More members than one commit can bring in are refused."""
        for members, senders in ((500, 10), (300, 201)):
            self.assertRaises(BenchError, next, delivery.saturated(Options(members=members, senders=senders)))
