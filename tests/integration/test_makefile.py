"""The Makefile: its choice of an interpreter, as ``make -n`` prints it, and how ``make test`` ends."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).parents[2]
HAS_TK = "import sys, tkinter; sys.exit(sys.version_info < (3, 11))"
DEBIAN = "/usr/bin/python3"


def needs_make() -> None:
    """Skips a test where there is no make."""
    if shutil.which("make") is None:
        raise SkipTest("not installed: make")


def outside() -> dict[str, str]:
    """The environment without what a make around the tests has put there: its variables would be those of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


class InterpreterTests(SynchronousTestCase):
    """``make`` with a ``python3`` of the test's own at the front of the path."""

    def setUp(self) -> None:
        """A directory for it."""
        needs_make()
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


class PathTests(SynchronousTestCase):
    """Paths that are given to ``make``."""

    def test_any_path(self) -> None:
        """The settings and the state directory reach twistd as they were given."""
        needs_make()
        for path in ("a b", "a'b", "chat[1]", "$HOME `id`", '"q"; x', "two#$(x)"):
            done = subprocess.run(
                ["make", "-n", "run", f"CONFIG={path}", f"STATE_DIR={path}/state"],
                cwd=ROOT, env=outside(), capture_output=True, text=True, check=True,
            )  # fmt: skip
            begin = done.stdout.rindex("--config")
            self.assertEqual(["--config", path, "--state-dir", f"{path}/state"], shlex.split(done.stdout[begin:]))


class RunningTests(SynchronousTestCase):
    """``make test`` and what it is started from."""

    def make(self, module: str) -> int:
        """How ``make test`` ends for one module, in this environment."""
        venv = Path(self.mktemp()).absolute()
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "python").symlink_to(sys.executable)
        command = ["make", "--old-file", f"{venv}/.stamp-test", "test", f"VENV={venv}", f"ARGS={module}"]
        environment = {**outside(), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        return done.returncode

    def test_one_module(self) -> None:
        """One module ends as its tests do, however little of the whole it covers."""
        needs_make()
        self.assertEqual(self.make("tests.test_qr"), 0)
        self.assertNotEqual(self.make("tests.no_such_module"), 0)

    def dry(self, *goal: str) -> str:
        """What make would do."""
        needs_make()
        command = ["make", "-n", *goal]
        return subprocess.run(command, cwd=ROOT, env=outside(), capture_output=True, text=True, check=True).stdout

    def test_lock(self) -> None:
        """All three sets are locked with hashes, by the configuration of nobody; the two smaller ones within the largest."""
        compiling = [line for line in self.dry("lock").splitlines() if " pip compile " in line]
        self.assertEqual(len(compiling), 3)
        for name, line in zip(("dev", "test", "run"), compiling, strict=True):
            self.assertIn(f"--output-file requirements/{name}.txt", line)
            self.assertIn(" --no-config ", line)
            self.assertIn(" --generate-hashes ", line)
            self.assertEqual("--constraint requirements/dev.txt" in line, name != "dev")

    def test_latest(self) -> None:
        """The newest versions go into an environment of their own; tests and types both run there."""
        done = self.dry("latest", "ARGS=tests.wire")
        self.assertNotIn("requirements/", done)
        for step in ("-m venv build/latest-venv", "--editable '.[dev]'", "-m twisted.trial tests.wire", "/bin/mypy"):
            self.assertIn(step, done)

    def test_ignored_signals(self) -> None:
        """Tests can interrupt the programs that they start, whoever started the tests."""
        code = "import signal, tests; print([signal.getsignal(each) for each in (signal.SIGINT, signal.SIGQUIT)])"
        script = 'trap "" INT QUIT; exec "$0" -c "$1"'
        done = subprocess.run(
            ["sh", "-c", script, sys.executable, code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        self.assertNotIn("SIG_IGN", done.stdout)
