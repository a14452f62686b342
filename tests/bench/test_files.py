"""``python -m bench files``."""

from twisted.trial.unittest import SynchronousTestCase

from bench.files import file_figures
from bench.options import Options
from bench.slow_files import line_figures


class FilesTests(SynchronousTestCase):
    """A small file."""

    def test_figures(self) -> None:
        """It goes up and comes down, and somebody talks meanwhile."""
        line = file_figures(Options(), 10**6)
        self.assertEqual((line["scenario"], line["what"]), ("files", "files, 1 MB"))
        for figure in ("up_mb_per_second", "down_mb_per_second", "quiet_p95_ms", "beside_p95_ms"):
            self.assertGreater(float(str(line[figure])), 0, figure)

    def test_line(self) -> None:
        """A line that is slow is in use both ways, and the lines that are said beside a file come."""
        line = line_figures(Options(), 20, 3)
        self.assertEqual((line["scenario"], line["what"]), ("files", "files, a line of 20 Mbit/s"))
        for figure in ("quiet_p95_ms", "up_use_percent", "down_use_percent"):
            self.assertGreater(float(str(line[figure])), 0, figure)
