"""The state directory: which process holds it, and what lies where in it."""

import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from chatserv.local_errors import StateDirectoryError
from chatserv.owners import reason
from chatserv.private_files import FILE_MODE, make_directory, user_directory

READY: Final = "restore-*.ready"  # what a restore has made, to be put in its place by itself or the next start


def default_directory() -> Path:
    """``$STATE_DIRECTORY`` (systemd's, its first), or the user's state directory. Raises `PrivateFileError`: no home."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":", 1)[0]
    return Path(given) if given else user_directory("chatserv", "--state-dir")


class StatePaths:
    """What lies where in a state directory; nothing is opened or made.

    Args:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def holder(self) -> int | None:
        """The process that holds the directory, 0 where its number is not known; None: nobody does.

        Raises:
            StateDirectoryError: It is not ours to look into.
        """
        try:
            lock = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateDirectoryError(f"{self.lock}: {reason(self.lock, error)}") from None
        try:
            if not stat.S_ISREG(os.fstat(lock).st_mode):
                raise StateDirectoryError(f"{self.lock}: not a file")
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            return int(said) if said.isascii() and said.isdecimal() else 0
        else:
            return None
        finally:
            os.close(lock)

    @property
    def lock(self) -> Path:
        """The lock of the one process that holds the directory; it says which."""
        return self.path / "lock"

    @property
    def control(self) -> Path:
        """The socket by which the operator reaches the running server."""
        return self.path / "control"

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.path / "chatserv.db"

    @property
    def identity_key(self) -> Path:
        """The server's RSA-3072 identity key, PKCS #8 in PEM."""
        return self.path / "identity.pem"

    @property
    def next_identity_key(self) -> Path:
        """The one that is to take its place, while a rotation is under way."""
        return self.path / "identity-next.pem"

    @property
    def tls_key(self) -> Path:
        """The P-256 key of the TLS certificate."""
        return self.path / "tls.key"

    @property
    def tls_certificate(self) -> Path:
        """The self-signed TLS certificate."""
        return self.path / "tls.crt"

    @property
    def log_head(self) -> Path:
        """The highest signed head of the log, by which an old copy of the database is known."""
        return self.path / "log-head"

    @property
    def last_backup(self) -> Path:
        """Which backup was the last one, when it was made, and by which key."""
        return self.path / "last-backup"

    @property
    def last_place(self) -> Path:
        """The last place that a message was given, by which a database that lost its newest messages is known."""
        return self.path / "last-place"

    @property
    def first_invite(self) -> Path:
        """The first administrator's invite, until there is an administrator."""
        return self.path / "first-invite"


class StateDirectory(StatePaths):
    """A directory that one server instance holds, from before the fork until its process ends.

    The lock is ``flock`` on ``lock`` (it survives the fork, ``lockf`` would not); the file names the holder's pid.

    Args:
        path: Where it is; made where it is missing.

    Raises:
        PrivateFileError: It cannot be made, is not ours, or is open to others.
        StateDirectoryError: Another instance holds it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        make_directory(self.path)
        try:
            self._lock = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise StateDirectoryError(f"{self.lock}: {reason(self.lock, error)}") from None
        self._take()

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            raise StateDirectoryError(f"{self.path}: in use by another chatserv, pid {holder}") from None
        self.note_pid()

    def note_pid(self) -> None:
        """Writes this process's id into the lock file; again after a fork."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets another instance in."""
        os.close(self._lock)
