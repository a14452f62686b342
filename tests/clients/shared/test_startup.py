"""What programs do before anything else."""

import ctypes
import os
import resource
import subprocess
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

SECONDS = 60
_LOOK = """
import ctypes, resource
from {module} import begin_program
begin_program()
print(*resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
_NUMBERS = """
import os, sys
from clients.shared.startup import begin_program
print(sorted(begin_program()), file=open({out!r}, "w"))
print(os.open({out!r}, os.O_RDONLY), os.fstat(0).st_rdev == os.stat(os.devnull).st_rdev, file=open({out!r}, "a"))
"""

_SIGNALS = """
from twisted.internet import reactor
from clients.shared.startup import end_once
end_once(reactor)
reactor.callWhenRunning(reactor.sigTerm, 15)
reactor.callWhenRunning(reactor.sigInt, 2)
reactor.run()
"""


class StartingTests(SynchronousTestCase):
    """`clients.shared.startup`."""

    def test_two_signals(self) -> None:
        """A second signal while the program ends causes no traceback."""
        for script, quiet in ((_SIGNALS, True), (_SIGNALS.replace("end_once(reactor)", ""), False)):
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=SECONDS, check=False)
            self.assertEqual(quiet, done.stderr == b"", done.stderr)

    def test_no_core(self) -> None:
        """Neither program writes a core dump, and others of the same user cannot attach to it."""
        if not hasattr(ctypes.CDLL(None), "prctl"):
            raise SkipTest("not here: prctl")
        for module in ("clients.stdio", "clients.window.main"):
            done = subprocess.run(
                [sys.executable, "-c", _LOOK.format(module=module)],
                capture_output=True, text=True, timeout=SECONDS, check=True,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2),
            )  # fmt: skip
            self.assertEqual(done.stdout, "0 0 0\n", module)

    def test_numbers(self) -> None:
        """No file that is opened later gets the number of a stream that was closed."""
        out = os.path.abspath(self.mktemp())
        code = [sys.executable, "-c", _NUMBERS.format(out=out)]
        for closing, names in (("<&-", "['stdin']"), ("<&- >&- 2>&-", "['stderr', 'stdin', 'stdout']")):
            subprocess.run(["/bin/sh", "-c", f'exec "$@" {closing}', "sh", *code], timeout=SECONDS, check=True)
            with open(out, encoding="utf-8") as file:
                said, number, null = file.readline(), *file.readline().split()
            self.assertEqual((said, int(number) > 2, null), (f"{names}\n", True, "True"))
