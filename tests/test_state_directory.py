"""The state directory: held by one instance, private, and where its files lie."""

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.local_errors import StateDirectoryError
from chatserv.private_files import PrivateFileError
from chatserv.state_directory import StateDirectory, default_directory
from tests.support.processes import open_files


class StateDirectoryTests(SynchronousTestCase):
    """What `StateDirectory` promises."""

    def setUp(self) -> None:
        """A path where nothing is yet."""
        self.path = Path(self.mktemp())

    def take(self) -> StateDirectory:
        """Holds the directory until the test ends."""
        state = StateDirectory(self.path)
        self.addCleanup(state.release)
        return state

    def test_made(self) -> None:
        """A directory that is missing is made, with its parents, for us alone."""
        self.path = self.path / "deep" / "state"
        state = self.take()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o700)
        self.assertTrue(state.path.is_absolute())

    def test_in_use(self) -> None:
        """A second instance is refused and told the pid of the first; the first keeps it."""
        self.take()
        for _ in range(2):
            error = self.assertRaises(StateDirectoryError, StateDirectory, self.path)
            self.assertIn(f"pid {os.getpid()}", str(error))
            self.assertIn(str(self.path), str(error))

    def test_pid_after_a_fork(self) -> None:
        """The file names who holds the lock now, also where a longer number stood before."""
        state = self.take()
        (self.path / "lock").write_text("123456789012\n")
        state.note_pid()
        self.assertEqual((self.path / "lock").read_text(), f"{os.getpid()}\n")

    def test_stale_pid(self) -> None:
        """A lock file that nobody holds, whatever it says, keeps nobody out."""
        self.path.mkdir(mode=0o700)
        (self.path / "lock").write_bytes(b"1\n")
        self.take()

    def test_holder_without_a_name(self) -> None:
        """A lock file without a pid still keeps the second instance out."""
        self.take()
        (self.path / "lock").write_bytes(b"")
        error = self.assertRaises(StateDirectoryError, StateDirectory, self.path)
        self.assertIn("pid unknown", str(error))

    def test_released(self) -> None:
        """What was let go can be taken again."""
        StateDirectory(self.path).release()
        self.take()

    def test_refusal_leaves_no_descriptor(self) -> None:
        """Refused tries leave no open files behind."""
        self.take()
        before = open_files()
        for _ in range(10):
            self.assertRaises(StateDirectoryError, StateDirectory, self.path)
        self.assertEqual(open_files() - before, set())

    def test_open_to_others(self) -> None:
        """A directory that others may enter is refused, with what to do."""
        self.path.mkdir()
        self.path.chmod(0o750)
        error = self.assertRaises(PrivateFileError, StateDirectory, self.path)
        self.assertIn("chmod 700", str(error))

    def test_lock_is_a_link(self) -> None:
        """A lock file that is a symbolic link is not followed."""
        self.path.mkdir(mode=0o700)
        (self.path / "lock").symlink_to("elsewhere")
        self.assertRaises(StateDirectoryError, StateDirectory, self.path)
        self.assertFalse((self.path / "elsewhere").exists())

    def test_files(self) -> None:
        """All files lie in the directory, under different names."""
        state = self.take()
        files = [state.database, state.identity_key, state.tls_key, state.tls_certificate, state.first_invite]
        self.assertEqual({file.parent for file in files}, {state.path})
        self.assertEqual(len({file.name for file in files}), len(files))


class DefaultDirectoryTests(SynchronousTestCase):
    """What `default_directory` promises."""

    def environ(self, value: str | None) -> None:
        """Sets or removes the variable."""
        changed = dict(os.environ)
        changed.pop("STATE_DIRECTORY", None)
        self.patch(os, "environ", changed if value is None else changed | {"STATE_DIRECTORY": value})

    def test_of_the_system(self) -> None:
        """The service manager's directory is used, the first if there are several."""
        for value in ("/var/lib/chatserv", "/var/lib/chatserv:/var/lib/other"):
            self.environ(value)
            self.assertEqual(default_directory(), Path("/var/lib/chatserv"))

    def test_of_the_user(self) -> None:
        """Without it, or with an empty one, it is the user's."""
        for value in (None, ""):
            self.environ(value)
            self.assertEqual(default_directory().name, "chatserv")
            self.assertTrue(default_directory().is_absolute())
