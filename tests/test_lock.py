"""The locked requirements: they are what `pyproject.toml` asks for, named by version and hash, and by nothing else."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).parents[1]
SETS: dict[str, tuple[str, ...]] = {"run": (), "test": ("test",), "dev": ("test", "dev")}
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>.*?))?(?P<hashes>(?: --hash=\S+)*)$")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def locked(name: str) -> list[re.Match[str]]:
    """The pins of a set, each with its hashes on one line."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n    ", "")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            pin = PIN.match(line)
            assert pin is not None, line[:200]
            found.append(pin)
    return found


def pins(name: str) -> dict[str, str]:
    """Versions by name, as far as they are for this interpreter."""
    return {
        pin["name"]: pin["version"]
        for pin in locked(name)
        if pin["marker"] is None or Requirement(f"x; {pin['marker']}").marker.evaluate()  # type: ignore[union-attr]
    }


class LockTests(SynchronousTestCase):
    """The files in ``requirements/``."""

    def setUp(self) -> None:
        """What `pyproject.toml` declares."""
        if not (ROOT / "pyproject.toml").exists():
            raise SkipTest("not in a checkout")
        with (ROOT / "pyproject.toml").open("rb") as file:
            self.declared: dict[str, Any] = tomllib.load(file)

    def test_hashes(self) -> None:
        """Each pin has hashes of the index, and nothing says where to get it."""
        for name in SETS:
            for pin in locked(name):
                hashes = pin["hashes"].split()
                self.assertTrue(hashes, pin["name"])
                for each in hashes:
                    self.assertRegex(each, HASH)

    def test_ranges(self) -> None:
        """What runs, tests and develops chatserv is in its set, in a version of the declared range; so is what builds it."""
        project, build = self.declared["project"], self.declared["build-system"]["requires"]
        for name, extras in SETS.items():
            found = pins(name)
            wanted = [*build, *project["dependencies"]]
            for extra in extras:
                wanted += project["optional-dependencies"][extra]
            for requirement in map(Requirement, wanted):
                if requirement.name != "chatserv":
                    version = found.get(canonicalize_name(requirement.name))
                    self.assertIsNotNone(version, f"{name}: {requirement}: run make lock")
                    self.assertTrue(
                        requirement.specifier.contains(str(version)), f"{requirement}: {version}: make lock"
                    )

    def test_one_version(self) -> None:
        """A package has the same version in every set."""
        run, test, dev = (pins(name) for name in SETS)
        self.assertEqual(run, run | {name: test.get(name, "") for name in run})
        self.assertEqual(test, test | {name: dev.get(name, "") for name in test})

    def test_make(self) -> None:
        """``make`` installs what is locked, and ourselves without anything else."""
        if shutil.which("make") is None:
            raise SkipTest("not installed: make")
        venv = self.mktemp()
        for name in SETS:
            command = ["make", "-n", f"{venv}/.stamp-{name}", f"VENV={venv}"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            installs = [line.partition(" install ")[2] for line in done.stdout.splitlines() if " install " in line]
            self.assertEqual(
                installs,
                [
                    f"--quiet --require-hashes --requirement requirements/{name}.txt",
                    "--quiet --no-deps --no-build-isolation --editable .",
                ],
            )
