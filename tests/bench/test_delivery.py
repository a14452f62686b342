"""The load runs on the real server; what it measures is not looked at."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import __main__ as program
from bench.figures import Scenario


class DeliveryTests(SynchronousTestCase):
    """Both loads, as short as they can be."""

    def check(self, scenario: Scenario) -> None:
        """Every member gets every message, and the run has figures."""
        self.patch(program, "WARM_UP_SECONDS", 0.1)
        parent = Path(self.mktemp())
        parent.mkdir()
        options = program.arguments(["--seconds", "0.3", "--directory", str(parent)])
        line = program.run(scenario, options, None)
        self.assertEqual(line["scenario"], scenario.name)
        sent, deliveries = line["sent"], line["deliveries"]
        assert isinstance(sent, int)
        assert isinstance(deliveries, int)
        self.assertGreater(min(sent, deliveries), 0)
        self.assertEqual(list(parent.iterdir()), [])

    def test_window(self) -> None:
        """Senders that do not listen fill a room of members that do."""
        self.check(Scenario("S1", members=3, senders=2, outstanding=4))

    def test_pace(self) -> None:
        """Members send in turn, each message at its time."""
        self.check(Scenario("S2", members=3, senders=3, rate=50.0))

    def test_too_many(self) -> None:
        """More members than one commit can bring in are refused before anything is started."""
        for words in (["--members", "500"], ["--members", "300", "--senders", "201"]):
            self.assertRaises(SystemExit, program.arguments, words)
        program.arguments(["--members", "300", "--senders", "200"])
