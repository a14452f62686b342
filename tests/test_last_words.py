"""What a process leaves that is ended from outside."""

import signal
import stat
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.last_words import LastWords

PROGRAM = """
import resource, sys, time
from pathlib import Path
from chatserv.last_words import LastWords
from chatserv.interpreter import set_resource_limits
set_resource_limits()
def hang_here(secret):
    print(*resource.getrlimit(resource.RLIMIT_CORE), LastWords(Path(sys.argv[1])).open(), flush=True)
    time.sleep(600)
hang_here("c4n4ry")
"""


class LastWordsTests(SynchronousTestCase):
    """`LastWords`."""

    def setUp(self) -> None:
        """A directory that is not there yet."""
        self.directory = Path(self.mktemp()).absolute() / "logs"

    def end(self) -> list[str]:
        """What a program says that is ended by SIGABRT."""
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.directory)], stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdout is not None
            said = program.stdout.readline().split()
            program.send_signal(signal.SIGABRT)
            self.assertEqual(program.wait(60), -signal.SIGABRT)
        return said

    def test_abort(self) -> None:
        """It notes where it stood, without any value; the next one finds that, once. No core dump is written."""
        first = self.end()
        self.assertEqual((first[0], first[2]), ("1" if first[1] != "0" else "0", "False"))
        words = LastWords(self.directory)
        noted = words.path.read_text()
        self.assertIn("in hang_here", noted)
        self.assertNotIn("c4n4ry", noted)
        self.assertEqual(stat.S_IMODE(words.path.stat().st_mode), 0o600)
        self.assertEqual(self.end()[2], "True")
        self.assertEqual(words.older.read_text(), noted)
        self.assertEqual(len(list(self.directory.iterdir())), 2)
