"""The table: medians, ratios by round, marks, and what is aimed at."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench.table import rst, table, text

S1 = "S1, 50 members, 1 sender"


def line(cpu: float | None, **changes: Any) -> dict[str, Any]:
    """A run's line."""
    return {"what": S1, "server_cpu_us_per_delivery": cpu, "p50_ms": 2.0, "anything": 7, **changes}


class TableTests(SynchronousTestCase):
    """Lines in, rows out."""

    def test_one_side(self) -> None:
        """A row for each figure that a line has, under what was measured; several runs have a spread."""
        rows = table({"here": [line(3.0), line(5.0), line(4.0), {"what": "other", "p99_ms": 1234.5}]}, "here")
        self.assertEqual(
            rows,
            [
                ("", "", "here", "reach"),
                (S1, "us of CPU a delivery", "4 (3 to 5)", "2.5"),
                ("", "p50, ms", "2 (2 to 2)", ""),
                ("other", "p99, ms", "1,234", ""),
            ],
        )

    def test_ratios(self) -> None:
        """The ratio is the median of the rounds, with the lowest and the highest; marks are counted."""
        base = [line(2.0), line(4.0, disturbed=True), line(1.0)]
        here = [line(3.0, disturbed=True), line(4.0), line(0.5)]
        rows = table({"base": base, "here": here}, "here")
        self.assertEqual(rows[0], ("", "", "base", "here", "here / base", "reach"))
        self.assertEqual(rows[1][2:5], ("2 (1 to 4)", "3 (0.5 to 4)", "1 (0.5 to 1.5)"))
        self.assertEqual(rows[-1][1], "2 of 6 runs disturbed")

    def test_several_sides(self) -> None:
        """Each has its ratio; what a side does not have is left empty."""
        rows = table({"here": [line(3.0)], "one": [line(1.0)], "two": []}, "here")
        self.assertEqual(rows[1][2:], ("3", "1", "", "3", "", "2.5"))

    def test_nothing(self) -> None:
        """A line without a figure, or without a name, has no row."""
        self.assertEqual(table({"here": [line(None, p50_ms=0), {"scenario": "start", "p50_ms": 1.0}]}, "here")[1:], [])

    def test_shapes(self) -> None:
        """Columns are aligned; in a document an empty first cell is said to be one."""
        rows = table({"here": [line(3.0)]}, "here")
        head, first, second = text(rows).splitlines()
        self.assertEqual(head.index("here"), first.index("3"))
        self.assertEqual(second.split(), ["p50,", "ms", "2"])
        rule, *body = rst(rows).splitlines()
        self.assertEqual([body[1], body[-1]], [rule, rule])
        self.assertEqual(body[3][:2], "\\ ")
