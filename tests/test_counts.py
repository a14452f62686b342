"""What the server counts."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.counts import COUNTED, MOST_LABELS, OTHER, Counts, Histogram


class CountsTests(SynchronousTestCase):
    """Numbers by name and label."""

    def test_numbers(self) -> None:
        """Each name and label has a number of its own; a name without labels begins at zero, for whoever watches it."""
        counts = Counts()
        counts.add("refusals", "busy")
        counts.add("refusals", "busy", by=2)
        counts.add("messages", by=5)
        self.assertEqual(dict(counts.of("refusals")), {"busy": 3})
        self.assertEqual((counts.of("messages"), counts.of("commits")), ({"": 5}, {"": 0}))

    def test_names(self) -> None:
        """What is not in the list is a mistake of whoever counts it, and so is a label where there is none."""
        counts = Counts()
        self.assertRaises(KeyError, counts.add, "rooms")
        self.assertRaises(ValueError, counts.add, "messages", "alice")
        self.assertRaises(ValueError, counts.add, "refusals")

    def test_bound(self) -> None:
        """Labels are bounded: what comes beyond is counted together."""
        counts = Counts()
        for number in range(MOST_LABELS + 2):
            counts.add("refusals", f"code_{number}")
        self.assertEqual(len(counts.of("refusals")), MOST_LABELS + 1)
        self.assertEqual(counts.of("refusals")[OTHER], 2)

    def test_words(self) -> None:
        """Names can stand in a metric, and each says what it is."""
        for name, (text, label) in COUNTED.items():
            self.assertRegex(name, r"^[a-z_]+$")
            self.assertRegex(text, r"^[A-Z]")
            self.assertRegex(label, r"^[a-z]*$")


class HistogramTests(SynchronousTestCase):
    """How often a figure was how large."""

    def test_numbers(self) -> None:
        """A figure belongs to the first bound that is not below it, or to none."""
        histogram = Histogram((1.0, 2.0))
        for figure in (0.5, 1.0, 1.5, 2.5):
            histogram.observe(figure)
        self.assertEqual((histogram.numbers, histogram.total), ([2, 1, 1], 5.5))
