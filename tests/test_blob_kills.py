"""A process that takes files dies wherever it may: at most a MiB comes again, and no byte is another one."""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.blob_directory import BlobDirectory
from chatserv.commands.uploads import SYNC_BYTES
from chatserv.failpoints import VARIABLE
from chatserv.testing.processes import child_environment
from tests.store.contract_blobs import new_blob
from tests.support.blob_uploader import WHOLE

PIECES = SYNC_BYTES // 32_768
POINTS = {  # with the time at which each is in the second MiB, or where it ends
    "blob.writing": PIECES + 9,
    "blob.written": 2 * PIECES,
    "blob.syncing": 2,
    "blob.synced": 2,
    "blob.noting": 2,
    "blob.noted": 2,
}
AT_THE_END = {"blob.written": 3 * PIECES + 1, "blob.synced": 4, "blob.noting": 4, "blob.noted": 4}


class KillTests(SynchronousTestCase):
    """Real processes, killed by themselves."""

    def run_until(self, directory: Path, order: str = "") -> tuple[int, list[int]]:
        """Uploads until the end, or the kill. Gives the exit code, and the positions that were told."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.blob_uploader", str(directory.absolute())],
            env={**child_environment(directory), VARIABLE: order},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        told = [int(line.split()[1]) for line in done.stdout.splitlines()]
        self.assertTrue(told, done.stderr)
        return done.returncode, told

    def check(self, point: str, time: int) -> None:
        """Kills one, and lets another one go on."""
        directory = Path(self.mktemp())
        directory.mkdir(mode=0o700)
        code, told = self.run_until(directory, f"{point}=kill@{time}")
        self.assertEqual(-9, code, point)
        code, again = self.run_until(directory)
        self.assertEqual(0, code, point)
        self.assertLessEqual(told[-1] - again[0], SYNC_BYTES, point)
        self.assertEqual(len(WHOLE), again[-1])
        blob_id, files = new_blob(1).blob_id, BlobDirectory(directory / "blobs")
        self.assertEqual(WHOLE, files.read(blob_id, 0, len(WHOLE) + 1), point)

    def test_within(self) -> None:
        """In the middle of an upload."""
        for point, time in POINTS.items():
            self.check(point, time)

    def test_at_the_end(self) -> None:
        """While it becomes whole."""
        for point, time in AT_THE_END.items():
            self.check(point, time)
