"""The Debian package, which carries its own environment, and the recipe of the container."""

import re
import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.integration.test_daemon import ROOT
from tests.integration.test_wheel import build, run

DEBIAN_PYTHON = Path("/usr/bin/python3")


class DebianTests(SynchronousTestCase):
    """What an administrator of Debian installs."""

    def setUp(self) -> None:
        """Builds it, and unpacks it where nothing of the system is."""
        if shutil.which("dpkg-deb") is None or not DEBIAN_PYTHON.exists():
            raise SkipTest("not Debian: there is no dpkg-deb")
        base = build()
        (wheel,) = (base / "dist").glob("*.whl")
        target = base / "debian"
        self.addCleanup(shutil.rmtree, target, ignore_errors=True)  # some 200 MB
        target.mkdir()
        lines = run(base / "source" / "deploy" / "make-deb", wheel, target, directory=base).splitlines()
        self.package = Path(lines[-1])
        self.root = target / "root"
        run("dpkg-deb", "--extract", self.package, self.root, directory=base)
        self.base = base

    def test_package(self) -> None:
        """Programs, units, settings, page and completions lie where they should; nothing says where it was made; it runs."""
        for name in (
            "etc/chatserv/settings.toml",
            "lib/systemd/system/chatserv.service",
            "lib/systemd/system/chatserv.socket",
            "lib/systemd/system/chatserv-backup.service",
            "lib/systemd/system/chatserv-backup.timer",
            "opt/chatserv/bin/twistd",
            "usr/share/man/man1/chatserv.1.gz",
            "usr/share/bash-completion/completions/chatserv",
            "usr/share/zsh/vendor-completions/_chatserv",
            "usr/share/fish/vendor_completions.d/chatserv.fish",
        ):
            self.assertTrue((self.root / name).stat().st_size, name)
        for name in ("chatserv", "chatserv-client", "chatserv-tk", "chatserv-irc"):
            link = (self.root / "usr/bin" / name).readlink()
            self.assertEqual(Path("/opt/chatserv/bin", name), link)
            script = self.root / str(link).lstrip("/")
            self.assertTrue(script.read_text().startswith("#!/opt/chatserv/bin/python"), script)
        for script in (self.root / "opt/chatserv/bin").iterdir():
            if script.is_file() and not script.is_symlink():
                self.assertNotIn(b"/tmp/tmp", script.read_bytes(), script)
        unit = (self.root / "lib/systemd/system/chatserv.service").read_text()
        (program,) = re.findall(r"^ExecStart=(\S+)", unit, re.MULTILINE)
        self.assertTrue((self.root / program.lstrip("/")).exists(), program)
        fields = run("dpkg-deb", "--field", self.package, directory=self.base)
        self.assertRegex(fields, r"(?m)^Depends: passwd, python3 \(>= 3\.\d+\), python3 \(<< 3\.\d+\)$")
        files = run("dpkg-deb", "--contents", self.package, directory=self.base)
        self.assertEqual([], [line for line in files.splitlines() if "root/root" not in line])
        python = self.root / "opt/chatserv/bin/python"
        self.assertIn("chatserv 0.", run(python, "-m", "chatserv", "version", directory=self.base))
        listed = run(python, "-m", "twisted", "--help", directory=self.base)
        self.assertIn("chatserv", listed)


class ContainerTests(SynchronousTestCase):
    """The recipe; building it needs a machine with containers, and a registry: ``make container`` there."""

    def test_recipe(self) -> None:
        """What it copies and runs is there, as a user of its own, and the state is on a volume."""
        text = (ROOT / "deploy" / "Containerfile").read_text()
        for needed in ("USER chatserv", "VOLUME /var/lib/chatserv", "HEALTHCHECK", 'CMD ["chatserv", "run"]'):
            self.assertIn(needed, text)
        for name in re.findall(r"/source/(\S+)", text):
            self.assertTrue((ROOT / name).exists(), name)

    def test_build(self) -> None:
        """Where there are containers, and the base can be had, it is built and says which version it is."""
        for engine in ("podman", "docker"):
            if shutil.which(engine) and self.works(engine, "info") and self.works(engine, "pull", "python:3.11-slim"):
                break
        else:
            raise SkipTest("no container engine that reaches a registry")
        tag = "chatserv-test"
        run(engine, "build", "--file", "deploy/Containerfile", "--tag", tag, ".", directory=ROOT)
        self.assertIn("chatserv 0.", run(engine, "run", "--rm", tag, "chatserv", "version", directory=ROOT))

    @staticmethod
    def works(*command: str) -> bool:
        """Whether a command ends well, and soon."""
        try:
            return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False
