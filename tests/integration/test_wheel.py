"""The wheel and an editable install, each in a virtual environment that holds nothing else, outside the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.integration.test_daemon import ROOT, Front, Installation, read

STEP_SECONDS = 900
SETUPTOOLS = 77  # as pyproject.toml asks for
MADE_HERE = shutil.ignore_patterns(
    ".*", "venv", "env", "build", "dist", "*.egg-info", "__pycache__", "_trial_temp*", "dropin.cache", "*.log"
)


def run(*command: str | Path, directory: Path) -> str:
    """What a command prints; fails with all of it where the command does."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise AssertionError(f"{command} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


def has_setuptools() -> bool:
    """Whether the tests' own environment can build without fetching anything."""
    try:
        return int(version("setuptools").partition(".")[0]) >= SETUPTOOLS
    except PackageNotFoundError:
        return False


@cache
def build() -> Path:
    """Copies the tree and builds sdist and, from that, the wheel, once. Gives the directory with ``source`` and ``dist``.

    Raises:
        SkipTest: There is no package index.
    """
    base = Path("wheel-tests").absolute()
    source = base / "source"
    shutil.copytree(ROOT, source, ignore=MADE_HERE)
    (source / "twisted" / "plugins" / "dropin.cache").write_bytes(b"stale")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    try:
        run(*pip, "download", "--no-deps", "--dest", base / "probe", "setuptools", directory=base)
    except AssertionError as error:
        raise SkipTest(f"pip reaches no package index: {str(error).splitlines()[-1]}") from None
    isolation = ["--no-isolation"] if has_setuptools() else []
    run(sys.executable, "-m", "build", *isolation, "--outdir", base / "dist", source, directory=base)
    return base


class WheelTests(SynchronousTestCase):
    """What a user gets who installs chatserv with pip."""

    def setUp(self) -> None:
        """Builds, where no test before did."""
        self.base = build()
        self.source = self.base / "source"

    def file(self, suffix: str) -> Path:
        """The one built file of this kind."""
        (found,) = (self.base / "dist").glob(f"*{suffix}")
        return found

    def test_wheel_contents(self) -> None:
        """The wheel holds server, clients and plugin with their data, and neither tests nor a package ``twisted``."""
        names = set(zipfile.ZipFile(self.file(".whl")).namelist())
        for name in (
            "chatserv/py.typed",
            "chatserv/openssl.cnf",
            "chatserv/locale/en/LC_MESSAGES/chatserv.mo",
            "chatserv/locale/es/LC_MESSAGES/chatserv.mo",
            "chatserv/store/migrations/env.py",
            "clients/stdio.py",
            "twisted/plugins/chatserv_plugin.py",
        ):
            self.assertIn(name, names)
        for name in ("twisted/__init__.py", "twisted/plugins/__init__.py", "twisted/plugins/dropin.cache"):
            self.assertNotIn(name, names)
        tops = {name.partition("/")[0] for name in names}
        self.assertEqual(
            {"chatserv", "clients", "twisted"}, {top for top in tops if not top.endswith((".dist-info", ".data"))}
        )
        page = [name for name in names if name.endswith(".data/data/share/man/man1/chatserv.1")]
        self.assertEqual(1, len(page), names)
        packed = {name for name in names if name.endswith(".py")}
        tree = {
            str(path.relative_to(self.source))
            for top in ("chatserv", "clients")
            for path in self.source.glob(f"{top}/**/*.py")
        }
        self.assertEqual(tree, {name for name in packed if not name.startswith("twisted/")})

    def test_sdist_contents(self) -> None:
        """The sdist holds what is needed to run the tests and read the documents, and no cache."""
        with tarfile.open(self.file(".tar.gz")) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        for name in (
            "chat.tac",
            "chatserv/locale/es/LC_MESSAGES/chatserv.po",
            "Makefile",
            "LICENSE",
            "docs/operations.rst",
            "deploy/chatserv.service",
            "tests/test_config.py",
        ):
            self.assertIn(name, names)
        self.assertEqual([], [name for name in names if name.endswith(("dropin.cache", ".pyc"))])

    def test_install(self) -> None:
        """Installed from the wheel, then from a checkout: twistd lists chatserv once, both programs run."""
        environment = self.base / "venv"
        self.addCleanup(shutil.rmtree, environment)  # some 200 MB
        venv.create(environment, with_pip=True, symlinks=True)
        binaries = environment / "bin"
        pip = (binaries / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile")
        run(*pip, self.file(".whl"), directory=self.base)
        self.assertIn("site-packages", self.home(binaries))
        self.check_programs(binaries)
        self.check_server(binaries)
        run(*pip, "--no-deps", "--editable", self.source, directory=self.base)
        self.assertEqual(str(self.source / "chatserv" / "__init__.py"), self.home(binaries))
        self.check_programs(binaries)

    def home(self, binaries: Path) -> str:
        """Where this environment finds chatserv."""
        return run(binaries / "python", "-c", "import chatserv; print(chatserv.__file__)", directory=self.base).strip()

    def check_programs(self, binaries: Path) -> None:
        """The plugin is there once, wherever one stands; the client's console script explains itself."""
        for directory in (self.base, self.source):
            lines = run(binaries / "twistd", "--help", directory=directory).splitlines()
            self.assertEqual(1, sum(line.split()[:1] == ["chatserv"] for line in lines))
        self.assertIn("--state-dir", run(binaries / "twistd", "chatserv", "--help", directory=self.base))
        self.assertIn("LINK", run(binaries / "chatserv-client", "--help", directory=self.base))
        self.assertIn("check-config", run(binaries / "chatserv", "--help", directory=self.base))
        run(binaries / "python", "-m", "pip", "--disable-pip-version-check", "check", directory=self.base)

    def check_server(self, binaries: Path) -> None:
        """The server starts, and so has its migrations and its monitor, and stops."""
        installation = Installation(self.base / "server", binaries / "twistd", path="")
        server = Front(installation, installation.command("-n"))
        self.addCleanup(server.process.kill)
        server.listens()
        self.assertEqual(0, server.stops(), read(server.err))
