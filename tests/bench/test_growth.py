"""What ``python -m bench growth`` measures, in small."""

from twisted.trial.unittest import SynchronousTestCase

from bench import audience, growth
from bench.accounts import SharedKeys
from bench.options import Options
from tests.bench.test_e2e import keys


class GrowthTests(SynchronousTestCase):
    """At a real server's store."""

    def test_figures(self) -> None:
        """Rows are appended to a store that has others, pages are read from it, and the server starts with it."""
        self.patch(SharedKeys, "generate", lambda: keys().shared)
        self.patch(growth, "SIZES", (5_000,))
        self.patch(growth, "BATCHES", 3)
        self.patch(audience, "AUDIENCES", (3, 70))
        self.patch(audience, "DELIVERIES", 210)
        line, *rooms = growth.growth(Options())
        self.assertEqual(
            [("a room of 3", 3), ("a room of 70", 70)], [(each["what"], each["members"]) for each in rooms]
        )
        for each in rooms:
            self.assertGreater(float(str(each["deliver_us"])), 0, each)
        self.assertEqual((line["what"], line["stored"]), ("5,000 messages stored", 5_000))
        for name in ("append_us", "page_us", "start_s"):
            self.assertGreater(float(str(line[name])), 0, name)
