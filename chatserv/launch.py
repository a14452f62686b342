"""What ``twistd`` itself was told, before ``chatserv``: what of it is kept, and what is refused in words, before any fork.

twistd switches its user after the fork and after the ports are bound. Until then root makes and opens files in a directory
that belongs to somebody else, so it does that as them.
"""

import fcntl
import os
import pwd
import resource
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from msgspec import Struct

from chatserv.errors import ChatError
from chatserv.owners import reason

P = ParamSpec("P")
R = TypeVar("R")
LEAST_FILES = 32  # open at once; a server without anybody takes 24
PIDFILE_BYTES = 4096  # a larger file is somebody's text, and no pid file whatever it says


class CannotStart(ChatError):
    """The server cannot be started like this; the detail is one line and says what to do."""

    code = "start"


class Owner(Struct, frozen=True):
    """The user that the server will run as; ``name`` is empty where the system knows the number alone."""

    uid: int
    gid: int
    name: str

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Does what is inside as this user, where we are root; root's rights come back afterwards."""
        if os.geteuid() != 0 or self.uid == 0:
            yield
            return
        group, groups = os.getegid(), os.getgroups()
        if self.name:
            os.initgroups(self.name, self.gid)
        else:
            os.setgroups([self.gid])
        os.setegid(self.gid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)


def owner_of(path: Path) -> Owner:
    """Whose a directory is; where there is none yet, we who would make it."""
    try:
        facts = path.stat()
    except OSError:
        return Owner(os.geteuid(), os.getegid(), "")
    try:
        entry = pwd.getpwuid(facts.st_uid)
    except KeyError:  # of a service whose user comes and goes with it
        return Owner(facts.st_uid, facts.st_gid, "")
    return Owner(entry.pw_uid, entry.pw_gid, entry.pw_name)


class Launch(Struct, frozen=True):
    """What of twistd's options concerns us. ``owner``: as whom the server runs, if not as who starts it."""

    owner: Owner | None = None
    pidfile: Path | None = None
    directory: str = "."

    @contextmanager
    def acting(self) -> Iterator[None]:
        """As `Owner.acting`."""
        if self.owner is None:
            yield
        else:
            with self.owner.acting():
                yield

    def does(self, call: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """What the call gives that the owner makes."""
        with self.acting():
            return call(*args, **named)


def read_launch(given: Mapping[str, Any]) -> Launch:
    """Reads twistd's options.

    Raises:
        CannotStart: One of them cannot be heeded, or there is no room for a server in this process.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files != resource.RLIM_INFINITY and files < LEAST_FILES:
        raise CannotStart(
            f"only {files} files may be open here (ulimit -n): the server takes {LEAST_FILES} and its clients"
        )
    log = given.get("logfile")
    if log not in {None, "", "-"} or given.get("syslog") or given.get("logger"):
        option = "--syslog" if given.get("syslog") else "--logger" if given.get("logger") else "--logfile"
        raise CannotStart(f"twistd's {option} is not for this server: name its log in the settings, logging.file")
    if log == "-" and not given.get("nodaemon"):
        raise CannotStart("twistd's --logfile - needs --nodaemon: in the background there is no terminal")
    if given.get("chroot"):
        raise CannotStart("twistd's --chroot is not for this server: docs/operations.rst shows a unit that locks it up")
    directory = given.get("rundir") or "."
    if not os.path.isdir(directory):
        raise CannotStart(f"twistd's --rundir: {directory}: not a directory")
    pidfile = given.get("pidfile")
    return Launch(_owner(given), Path(os.path.abspath(pidfile)) if pidfile else None, directory)


def _owner(given: Mapping[str, Any]) -> Owner | None:
    uid, gid = given.get("uid"), given.get("gid")
    if uid is None and gid is None:
        return None
    if given.get("euid"):
        raise CannotStart("twistd's --euid is not for this server: it never needs root's rights again; leave it out")
    if os.geteuid() != 0:
        if uid in {None, os.geteuid()} and gid in {None, os.getegid()}:
            return None
        raise CannotStart("twistd's --uid and --gid: only root can start the server as another user")
    if uid is None:
        raise CannotStart("twistd's --gid: name the user too, with --uid")
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise CannotStart(f"twistd's --uid: the system has no user {uid}") from None
    return Owner(uid, entry.pw_gid if gid is None else gid, entry.pw_name)


# -- the pid file ------------------------------------------------------------------------------------------------------


def free_pidfile(path: Path) -> None:
    """Removes a pid file that nobody holds any more, whatever it says; twistd itself would take it at its word.

    Raises:
        CannotStart: A server that runs holds it, or nothing can be written there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise CannotStart(
                f"twistd's --pidfile: {path.parent}: cannot be written to; --pidfile= is for none"
            ) from None
        return
    except OSError as error:
        raise CannotStart(f"twistd's --pidfile: {path}: {reason(path, error)}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or os.fstat(descriptor).st_size > PIDFILE_BYTES:
            raise CannotStart(f"twistd's --pidfile: {path}: not a pid file; --pidfile= is for none")
        said = os.pread(descriptor, PIDFILE_BYTES, 0).decode("ascii", "replace").strip()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(f"twistd's --pidfile: {path}: another server runs, pid {said}") from None
        if not _is_another_twistd(said):
            path.unlink()
    except OSError as error:
        raise CannotStart(f"twistd's --pidfile: {path}: {reason(path, error)}") from None
    finally:
        os.close(descriptor)


def _is_another_twistd(said: str) -> bool:
    """Whether a twistd with another application runs under this pid: its file is its own, though it does not lock it."""
    import psutil  # noqa: PLC0415 - for a pid file that somebody has left

    try:
        command = psutil.Process(int(said)).cmdline() if said.isascii() and said.isdecimal() else []
    except (psutil.Error, ValueError, OverflowError):
        return False
    return any(os.path.basename(part) == "twistd" for part in command[:2]) and "chatserv" not in command


def hold_pidfile(path: Path) -> int | None:
    """Locks the pid file that twistd has written, for as long as this process lives. Gives the descriptor, or None."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    return None
