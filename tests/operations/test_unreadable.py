"""Operations where files cannot be read or written: words that name the file and who could, and never a traceback."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import SkipTest

from chatserv.bootstrap import prepare
from chatserv.config import Config
from chatserv.local_errors import of_system
from chatserv.operations.registry import Operation, Way
from chatserv.operations.table import OPERATIONS
from tests.cli.test_main import CommandCase

NOBODY = 65534
APART = {"run", "prove-blind"}  # these go on in a process of their own
GIVEN = {
    "ban add": ["account", "bob"],
    "ban lift": ["--all"],
    "completion": ["bash"],
    "downgrade": ["0.1.0"],
    "export": ["all.jsonl"],
    "room close": ["lobby", "--yes"],
    "store copy": ["sqlite", "postgresql://127.0.0.1:1/none"],
    "user delete": ["bob", "--yes"],
    "user reset": ["bob"],
    "user role": ["bob", "admin"],
    "user suspend": ["bob"],
    "user unsuspend": ["bob"],
}


class UnreadableTests(CommandCase):
    """Every operation, as somebody whose the files are not."""

    def setUp(self) -> None:
        """A place that anybody may enter, with a server's directory that root alone may."""
        super().setUp()
        if os.geteuid() != 0:
            raise SkipTest("only root can become somebody else")
        place = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)
        self.place.chmod(0o755)
        self.patch(os, "environ", {**os.environ, "XDG_CONFIG_HOME": str(self.place / "none")})
        self.directory = self.place / "state"
        prepare(Config(), self.directory, 1).state.release()
        self.broken, self.certificate = self.place / "broken.toml", self.place / "certificate.toml"
        self.broken.write_text("")
        self.broken.chmod(0o600)
        key = self.directory / "tls.key"
        self.certificate.write_text(f'[tls]\ncertificate = "{self.directory / "tls.crt"}"\nkey = "{key}"\n')

    @contextmanager
    def as_nobody(self) -> Iterator[None]:
        """Without any right of root's."""
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)

    def line(self, operation: Operation) -> list[str]:
        """How it is called."""
        given = GIVEN.get(operation.name, [])
        if operation.name in {"restore", "import"}:
            given = [str(self.directory / "identity.pem")]
        return [*operation.name.split(), *given]

    def each(self, *options: str, store: bool = True) -> dict[str, tuple[int, str]]:
        """Exit code and all that was said, by operation, as nobody; ``store``: also those that wait for a store."""
        said = {}
        for name, operation in OPERATIONS.items():
            if name not in APART and (store or Way.STORE not in operation.ways):
                with self.as_nobody():
                    code, out, err = self.run_command(*options, *self.line(operation))
                said[name] = code, out + err
        return said

    def test_directory(self) -> None:
        """Whatever reads the state directory names it and its owner, with code 1; the others do not mind."""
        for name, (code, said) in self.each().items():
            if name in {"completion", "config show", "default-config"}:
                self.assertEqual(0, code, name)
            elif name != "version":
                self.assertEqual(1, code, (name, said))
                self.assertIn(str(self.directory), said, name)
                self.assertIn("root", said, name)

    def test_parent(self) -> None:
        """The same where it is the directory around that nobody may enter."""
        (self.place / "locked").mkdir(mode=0o700)
        self.directory = self.directory.rename(self.place / "locked" / "state")
        said = self.each()
        for name in ("check-config", "doctor", "rotate-key", "downgrade", "backup", "init", "user list"):
            self.assertEqual(1, said[name][0], name)
            self.assertIn(f"{self.place / 'locked'} belongs to root", said[name][1], name)

    def test_settings(self) -> None:
        """Settings that nobody may read: the file, its owner, and code 2 wherever they are needed."""
        self.directory = self.place / "none"
        said = self.each("--config", str(self.broken))
        for name in ("check-config", "config show", "doctor", "init"):
            self.assertEqual(2, said[name][0], name)
            self.assertIn(f"Permission denied: {self.broken} belongs to root", said[name][1], name)

    def test_certificate(self) -> None:
        """A certificate of the settings that nobody may read is a fault of the settings, and is named."""
        self.directory = self.place / "none"
        with self.as_nobody():
            code, said, _err = self.run_command("--config", str(self.certificate), "check-config")
        self.assertEqual(1, code)
        self.assertIn(f"{self.place / 'state'} belongs to root", said)

    def test_things_of_another_kind(self) -> None:
        """A file in the place of the directory, and directories in the place of files."""
        plain = self.place / "plain"
        plain.write_text("x")
        for directory in (plain, plain / "state"):
            self.directory = directory
            for name, (code, said) in self.each(store=False).items():
                self.assertIn(code, {0, 1}, (name, said))
        self.assertIn("not a directory", self.each(store=False)["init"][1].lower())
        self.directory = self.place / "state"
        for name in ("chatserv.db", "lock", "identity.pem", "log-head", "last-backup"):
            (self.directory / name).unlink(missing_ok=True)
            (self.directory / name).mkdir()
        self.directory.chmod(0o700)
        for name in ("check-config", "doctor", "rotate-key", "downgrade", "backup", "verify"):
            code, out, err = self.run_command(*self.line(OPERATIONS[name]))
            self.assertEqual(1, code, name)
            self.assertIn(str(self.directory), out + err, name)

    def test_no_name(self) -> None:
        """What the system refuses without naming a file is told as it is."""
        self.assertEqual("No space left on device", str(of_system(OSError(28, "No space left on device"))))
