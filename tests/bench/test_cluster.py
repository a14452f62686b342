"""What the benchmark of nodes makes of its runs."""

from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bench import cluster
from bench.cluster import APART, COLUMNS, RUNS, cluster_figures, table

COSTS = {1: 900.0, 2: 1000.0, 3: 1200.0}


class FiguresTests(SynchronousTestCase):
    """Lines and table."""

    def setUp(self) -> None:
        """A run of each kind that costs more with each node, and 100 us more each time."""
        self.times = 0

        def run(_parent: Path | None, layout: str, count: int, each: float, *_: object) -> dict[str, object]:
            self.times += 1
            cost = COSTS[count] + 100 * (self.times % 3) + each
            return {"layout": layout, "nodes": count, "offered_per_node": each, "nodes_cpu_us_per_message": cost}

        with mock.patch.object(cluster, "_run", run):
            self.lines = list(cluster_figures(None, 1.0, None, 3))

    def test_lines(self) -> None:
        """The median of the runs of each; what all nodes cost is compared with one at the same rate."""
        kinds = [(line["layout"], line["nodes"], line["offered_per_node"]) for line in self.lines]
        self.assertEqual(kinds, [*RUNS])
        self.assertEqual({line["runs"] for line in self.lines}, {3})
        for line in self.lines:
            each = float(str(line["offered_per_node"]))
            cost = COSTS[int(str(line["nodes"]))] + 100 + each
            self.assertEqual(line["nodes_cpu_us_per_message"], cost)
            self.assertEqual(line.get("of_linear"), None if line["layout"] == APART else round((1000 + each) / cost, 3))

    def test_table(self) -> None:
        """A row for each line under its columns, all of one width; what a line has not is left empty."""
        head, *rows = table(self.lines).splitlines()
        self.assertEqual([name for name in COLUMNS.values() if name not in head], [])
        self.assertEqual({len(row) for row in (head, *rows)}, {len(head)})
        self.assertEqual(
            [row.split()[:4] for row in rows[:2]],
            [["spread", "1", "25.0", "1025.0"], ["spread", "2", "25.0", "1125.0"]],
        )
