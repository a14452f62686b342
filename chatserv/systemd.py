"""What is said to systemd, and what it hands over: sd_notify(3), sd_listen_fds(3), the watchdog, the journal.

By the standard library alone; where there is no systemd, everything here says nothing and finds nothing.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final, TextIO

LISTEN_FDS_START: Final = 3
MOST_FDS: Final = 64  # as many as the settings take listeners
EXTEND_SECONDS: Final = 30.0  # so much more time is asked for, three times in that time
MOST_EXTENSIONS: Final = 360  # an hour: a start that takes longer does not end by itself
_NAMES: Final = {socket.AF_INET: "INET", socket.AF_INET6: "INET6", socket.AF_UNIX: "UNIX"}


class Notifier:
    """Tells the manager of this service how it stands.

    Args:
        environ: Where the manager says how: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC``, ``WATCHDOG_PID``.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status = ""
        self.watchdog_seconds = _watchdog(environ) if self.present else None
        """Within how many seconds the manager wants to hear `alive`; None: it does not watch."""

    @property
    def present(self) -> bool:
        """Whether a manager listens."""
        return self._address.startswith(("/", "\0"))

    def tell(self, *assignments: str) -> bool:
        """Sends ``NAME=value`` lines, as one message. Whether it was taken; a manager that is gone is nobody's trouble."""
        if not self.present:
            return False
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto("\n".join(assignments).encode(), self._address)
            return True
        return False

    def ready(self, status: str) -> None:
        """The service is there; or again, after `reloading`."""
        self._status = status
        self.tell("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def reloading(self) -> None:
        """The settings are read anew; `ready` ends that, in every case."""
        moment = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1_000_000)
        self.tell("RELOADING=1", f"MONOTONIC_USEC={moment}")

    def stopping(self) -> None:
        """The service ends."""
        self.tell("STOPPING=1", "STATUS=stopping")

    def alive(self, status: str) -> None:
        """The watchdog's food, and what ``systemctl status`` shows, where that has changed."""
        changed, self._status = status != self._status, status
        self.tell("WATCHDOG=1", *([f"STATUS={status}"] if changed else []))

    @contextmanager
    def starting(self) -> Iterator[None]:
        """What is inside may take longer than the manager waits by itself: it is told so, by a thread, until that ends."""
        if not self.present:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._extend, args=(ended,), name="starting", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _extend(self, ended: threading.Event) -> None:
        for _ in range(MOST_EXTENSIONS):
            self.tell(f"EXTEND_TIMEOUT_USEC={int(EXTEND_SECONDS * 1_000_000)}", "STATUS=reading the database")
            if ended.wait(EXTEND_SECONDS / 3):
                return


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """`Notifier.watchdog_seconds`, as of sd_watchdog_enabled(3)."""
    meant = environ.get("WATCHDOG_PID", "")
    interval = environ.get("WATCHDOG_USEC", "")
    if (meant and meant != str(os.getpid())) or not interval.isdecimal() or not int(interval):
        return None
    return int(interval) / 1_000_000


def inherited_endpoints(descriptors: Sequence[int]) -> tuple[str, ...]:
    """A Twisted endpoint string for each listening socket among the descriptors that were handed over, in their order."""
    found = []
    for index, descriptor in enumerate(descriptors[:MOST_FDS]):
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as given:
            if given.type == socket.SOCK_STREAM and given.family in _NAMES:
                found.append(f"systemd:domain={_NAMES[given.family]}:index={index}")
    return tuple(found)


def goes_to_journal(stream: TextIO | None, environ: Mapping[str, str] | None = None) -> bool:
    """Whether what is written to a stream becomes lines of the journal (systemd.exec(5), ``$JOURNAL_STREAM``)."""
    said = (os.environ if environ is None else environ).get("JOURNAL_STREAM")
    try:
        found = None if stream is None else os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return found is not None and said == f"{found.st_dev}:{found.st_ino}"
