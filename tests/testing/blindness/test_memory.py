"""The memory of a process, as a file."""

import subprocess
import sys
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.blindness import memory
from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.searching import Searcher
from chatserv.testing.processes import ProgramError

# Keeps a text that it has read, in the other letter case, so that it is nowhere else.
HOLDER = (
    "import sys; kept = sys.stdin.readline().upper().encode('utf-16-le'); print('ready', flush=True); sys.stdin.read()"
)
MAPS = """\
00400000-00401000 r-xp 00000000 08:01 131      /usr/bin/a program
7f0000000000-7f0000002000 rw-p 00000000 00:00 0
7f0000002000-7f0000003000 ---p 00000000 00:00 0
7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0                          [stack]
7ffc00002000-7ffc00003000 r--p 00000000 00:00 0                          [vvar]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""


class DumpTests(SynchronousTestCase):
    """What a process knows is in the file, however it is made."""

    def setUp(self) -> None:
        """A process that knows a canary, and a directory."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.flock = Flock.hatch(("known", "unknown"))
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(self.end)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(self.flock["known"].text.upper() + "\n")
        self.process.stdin.flush()
        self.assertEqual(self.process.stdout.readline(), "ready\n")

    def end(self) -> None:
        """Ends the process."""
        self.process.communicate(timeout=60)
        self.assertEqual(self.process.returncode, 0)

    def assert_known(self, file: Path) -> None:
        """The one canary is in the file, and the other is not."""
        flock = Flock(
            self.flock.mark.upper(), tuple(type(each)(each.name, each.text.upper()) for each in self.flock.canaries)
        )
        finds = {(find.canary, find.encoding) for find in Searcher(flock).file(file)}
        self.assertIn(("known", "utf-16"), finds)
        self.assertNotIn("unknown", {name for name, _ in finds})

    def test_dump(self) -> None:
        """By the debugger, if there is one."""
        file, how = memory.dump(self.process.pid, self.directory)
        self.assertTrue(how)
        self.assert_known(file)

    def test_without_debugger(self) -> None:
        """Without one, from /proc."""
        with mock.patch("shutil.which", return_value=None):
            file, how = memory.dump(self.process.pid, self.directory)
        self.assertEqual(how, f"/proc/{self.process.pid}/mem")
        self.assert_known(file)

    def test_debugger_that_fails(self) -> None:
        """With one that may not, from /proc as well."""
        with mock.patch("shutil.which", return_value="/bin/false"):
            file, how = memory.dump(self.process.pid, self.directory)
        self.assertEqual(how, f"/proc/{self.process.pid}/mem")
        self.assert_known(file)

    def test_debugger_that_hangs(self) -> None:
        """A debugger that does not come to an end is ended."""
        slow = self.directory / "slow"
        slow.write_text("#!/bin/sh\nexec sleep 60\n")
        slow.chmod(0o700)
        with mock.patch.object(memory, "DUMP_SECONDS", 0.1):
            self.assertIsNone(memory.by_gcore(str(slow), self.process.pid, self.directory))

    def test_nobody(self) -> None:
        """A process that is not there has no memory."""
        with self.assertRaises(ProgramError):
            memory.from_proc(2**22 + 1, self.directory)


class MappingTests(SynchronousTestCase):
    """What of an address space is read."""

    def test_mappings(self) -> None:
        """Everything readable that is not the kernel's."""
        wanted = [(0x400000, 0x401000), (0x7F0000000000, 0x7F0000002000), (0x7FFC00000000, 0x7FFC00001000)]
        self.assertEqual(list(memory.mappings(MAPS)), wanted)
