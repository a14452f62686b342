"""The state directory: which process holds it, and what lies where in it."""

import fcntl
import os
from pathlib import Path

from chatserv.local_errors import StateDirectoryError
from chatserv.private_files import FILE_MODE, make_directory, user_directory


def default_directory() -> Path:
    """``$STATE_DIRECTORY`` (systemd's, its first), or the user's state directory. Raises `PrivateFileError`: no home."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":", 1)[0]
    return Path(given) if given else user_directory("chatserv", "--state-dir")


class StateDirectory:
    """A directory that one server instance holds, from before the fork until its process ends.

    The lock is ``flock`` on ``lock`` (it survives the fork, ``lockf`` would not); the file names the holder's pid.

    Args:
        path: Where it is; made where it is missing.

    Raises:
        PrivateFileError: It cannot be made, is not ours, or is open to others.
        StateDirectoryError: Another instance holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        make_directory(self.path)
        try:
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise StateDirectoryError(f"{self.path}/lock: {error.strerror}") from None
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

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.path / "chatserv.db"

    @property
    def identity_key(self) -> Path:
        """The server's RSA-3072 identity key, PKCS #8 in PEM."""
        return self.path / "identity.pem"

    @property
    def tls_key(self) -> Path:
        """The P-256 key of the TLS certificate."""
        return self.path / "tls.key"

    @property
    def tls_certificate(self) -> Path:
        """The self-signed TLS certificate."""
        return self.path / "tls.crt"

    @property
    def first_invite(self) -> Path:
        """The first administrator's invite, until there is an administrator."""
        return self.path / "first-invite"
