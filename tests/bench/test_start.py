"""Tests of `bench.start`."""

from twisted.trial.unittest import SynchronousTestCase

from bench.start import start_figures


class StartTests(SynchronousTestCase):
    """Starts that are measured, in small."""

    def test_figures(self) -> None:
        """Both stores start and say how long it took; a server that is stopped at once ends."""
        line = start_figures(None, 1000, 2)
        self.assertEqual((line["scenario"], line["messages"], line["rounds"]), ("start", 1000, 2))
        for store in ("empty", "full"):
            figures = []
            for name in ("cpu_s", "best_s", "login_best_s", "s", "login_s"):
                figure = line[f"{store}_{name}"]
                assert isinstance(figure, float)
                figures.append(figure)
            self.assertGreater(min(figures), 0)
            self.assertEqual(figures[1:3], sorted(figures[1:3]), "who is welcomed has connected before")
