"""Secret files: private, whole or not at all."""

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import platformdirs
from twisted.trial.unittest import SynchronousTestCase

from chatserv.private_files import (
    PrivateFileError,
    make_directory,
    read_private,
    shell_word,
    user_directory,
    write_private,
)


class PrivateFilesTests(SynchronousTestCase):
    """What the functions promise."""

    def setUp(self) -> None:
        """A private directory."""
        self.directory = Path(self.mktemp())
        make_directory(self.directory)
        self.path = self.directory / "secret"

    def mode(self) -> int:
        """The file's permissions."""
        return stat.S_IMODE(self.path.stat().st_mode)

    def test_round_trip(self) -> None:
        """What is written is read, in a file for us alone, whatever the umask and whether it waits for the disk."""
        for mask in (0, 0o777):
            old = os.umask(mask)
            self.addCleanup(os.umask, old)
            for durable in (True, False):
                write_private(self.path, b"data", durable=durable)
                self.assertEqual((read_private(self.path), self.mode()), (b"data", 0o600))
            os.umask(old)

    def test_replaced(self) -> None:
        """A file is replaced as a whole, and becomes private where it was not."""
        self.path.write_bytes(b"a much longer content than the next")
        self.path.chmod(0o644)
        write_private(self.path, b"new")
        self.assertEqual((self.path.read_bytes(), self.mode()), (b"new", 0o600))
        self.assertEqual(os.listdir(self.directory), ["secret"])

    def test_none(self) -> None:
        """A file that is not there is None."""
        self.assertIsNone(read_private(self.path))

    def test_open_to_others(self) -> None:
        """A file that others may use in any way is refused, with what to do."""
        write_private(self.path, b"data")
        for mode in (0o601, 0o604, 0o610, 0o620, 0o640, 0o644):
            self.path.chmod(mode)
            error = self.assertRaises(PrivateFileError, read_private, self.path)
            self.assertIn(f"{mode:04o}", str(error))
            self.assertIn(f"chmod 600 {self.path}", str(error))

    def test_commands_can_be_copied(self) -> None:
        """The command that is printed does what it says in a shell, whatever the path is."""
        self.directory = self.directory / "it's [a]; $HOME"
        self.directory.mkdir(mode=0o755)
        error = self.assertRaises(PrivateFileError, make_directory, self.directory)
        subprocess.run(["/bin/sh", "-c", "chmod" + str(error).rpartition("chmod")[2]], check=True)
        self.path = self.directory / "secret"
        write_private(self.path, b"data")
        self.path.chmod(0o644)
        error = self.assertRaises(PrivateFileError, read_private, self.path)
        subprocess.run(["/bin/sh", "-c", "chmod" + str(error).rpartition("chmod")[2]], check=True)
        self.assertEqual((stat.S_IMODE(self.directory.stat().st_mode), self.mode()), (0o700, 0o600))

    def test_unreadable(self) -> None:
        """What cannot be read or written is an error that names it."""
        self.path.mkdir()
        self.path.chmod(0o700)
        for call in (read_private, lambda path: write_private(path, b"")):
            error = self.assertRaises(PrivateFileError, call, self.path)
            self.assertIn(str(self.path), str(error))

    def test_failed_write(self) -> None:
        """A write that fails leaves the old file as it was."""
        write_private(self.path, b"old")

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", full)
        error = self.assertRaises(PrivateFileError, write_private, self.path, b"new")
        self.assertIn("No space left", str(error))
        self.assertEqual(self.path.read_bytes(), b"old")

    def test_left_over(self) -> None:
        """What an interrupted write has left is written over, unless it is a link to somewhere else."""
        left = self.directory / "secret.new"
        left.write_bytes(b"left over and long")
        write_private(self.path, b"new")
        self.assertEqual(self.path.read_bytes(), b"new")
        elsewhere = self.directory / "elsewhere"
        left.symlink_to(elsewhere)
        self.assertRaises(PrivateFileError, write_private, self.path, b"newer")
        self.assertEqual((elsewhere.exists(), self.path.read_bytes()), (False, b"new"))

    def test_durable(self) -> None:
        """A durable write waits for the file and for its directory; another waits for neither."""
        waited: list[bool] = []

        def fsync(descriptor: int, real: Any = os.fsync) -> None:
            waited.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
            real(descriptor)

        self.patch(os, "fsync", fsync)
        write_private(self.path, b"data", durable=False)
        self.assertEqual(waited, [])
        write_private(self.path, b"data")
        self.assertEqual(waited, [False, True])

    def test_directory(self) -> None:
        """A directory is made with its parents; one that others may enter, or a file in its place, is refused."""
        deep = self.directory / "a" / "b"
        make_directory(deep)
        make_directory(deep)
        self.assertEqual(stat.S_IMODE(deep.stat().st_mode), 0o700)
        deep.chmod(0o701)
        self.assertIn("chmod 700", str(self.assertRaises(PrivateFileError, make_directory, deep)))
        self.path.write_bytes(b"")
        self.assertRaises(PrivateFileError, make_directory, self.path)

    def test_directory_of_another_user(self) -> None:
        """A directory that is not ours is refused."""
        self.patch(os, "geteuid", lambda: self.directory.stat().st_uid + 1)
        error = self.assertRaises(PrivateFileError, make_directory, self.directory)
        self.assertIn("another user", str(error))

    def test_copied_commands(self) -> None:
        """The command that mends a mode can be copied, whatever the directory is called."""
        for name, word in (
            ("plain", "{}/plain"),
            ("a b", "'{}/a b'"),
            ("a'b", """'{}/a'"'"'b'"""),
            ("chat[1]", "'{}/chat[1]'"),
            ("a?b#c%41;$x", "'{}/a?b#c%41;$x'"),
            ("two\nlines'", "$'{}/two\\x0alines\\x27'"),
            (os.fsdecode(b"b\xff\\"), "$'{}/b\\xff\\x5c'"),
            ("-x", "{}/-x"),
        ):
            base = Path(self.mktemp()).absolute()
            path = base / name
            make_directory(path)
            path.chmod(0o755)
            error = self.assertRaises(PrivateFileError, make_directory, path)
            self.assertTrue(error.detail.endswith(f": chmod 700 {word.format(base)}"), error.detail)
        self.assertEqual("./-x", shell_word(Path("-x")))

    def test_home(self) -> None:
        """The user's directory is below an absolute home; an empty, relative or unknown one is told of in words."""
        for environ, found in (
            ({"HOME": "/h"}, "/h/.local/state/chat"),
            ({"HOME": "", "XDG_STATE_HOME": "/s"}, "/s/chat"),
            ({"HOME": ""}, None),
            ({"HOME": "", "XDG_STATE_HOME": " "}, None),
        ):
            self.patch(os, "environ", environ)
            if found is not None:
                self.assertEqual(Path(found), user_directory("chat", "--there"))
            else:
                self.homeless()
        self.patch(os, "environ", {"HOME": "/h"})

        def unknown(*_: object, **__: object) -> str:
            raise RuntimeError

        for answer in (lambda *_, **__: "~/.local/state/chat", unknown):  # an older version of the library, a newer one
            self.patch(platformdirs, "user_state_path", answer)
            self.homeless()

    def homeless(self) -> None:
        """There is no home, and the error says what to do."""
        error = self.assertRaises(PrivateFileError, user_directory, "chat", "--there")
        self.assertIn("no home directory for chat", error.detail)
        self.assertIn("--there", error.detail)
