"""The Makefile's choice of an interpreter, as ``make -n`` prints it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).parents[2]
HAS_TK = "import sys, tkinter; sys.exit(sys.version_info < (3, 11))"
DEBIAN = "/usr/bin/python3"


class InterpreterTests(SynchronousTestCase):
    """``make`` with a ``python3`` of the test's own at the front of the path."""

    def setUp(self) -> None:
        """A directory for it."""
        if shutil.which("make") is None:
            raise SkipTest("not installed: make")
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()

    def chosen(self, code: int, *arguments: str) -> str:
        """The interpreter that makes the environment, where ``python3`` ends with this code."""
        program = self.directory / "python3"
        program.write_text(f"#!/bin/sh\nexit {code}\n")
        program.chmod(0o700)
        done = subprocess.run(
            ["make", "-n", "install", f"VENV={self.directory}/venv", *arguments],
            cwd=ROOT,
            env={"PATH": f"{self.directory}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.search(r"^(\S+) -m venv ", done.stdout, re.MULTILINE)
        assert found is not None, done.stdout
        return found[1]

    def test_python3_is_taken_where_it_has_tk(self) -> None:
        """Nothing else is asked for."""
        self.assertEqual(self.chosen(0), "python3")

    def test_debians_own_is_taken_where_it_alone_has_tk(self) -> None:
        """Apt's python3-tk serves no other; without it, python3 has to do."""
        debian = (
            subprocess.run([DEBIAN, "-c", HAS_TK], capture_output=True, check=False) if Path(DEBIAN).exists() else None
        )
        wanted = DEBIAN if debian is not None and debian.returncode == 0 else "python3"
        self.assertEqual(self.chosen(1), wanted)

    def test_what_somebody_asks_for_is_taken(self) -> None:
        """As an argument."""
        self.assertEqual(self.chosen(1, "PYTHON=python3.12"), "python3.12")
