"""Named places in the server's code at which a test lets it die, wait or fail. Nothing happens at them otherwise.

They are on only where ``CHATSERV_FAILPOINTS`` is in the environment of the process, and the log says so. Its value names
points with what each does, and, after ``@``, at which time that it is reached (the first); ``+`` is from then on::

    CHATSERV_FAILPOINTS="store.committed=kill@20 store.committing=EIO send.stored=sleep:0.5@1+"

``all=note`` only tells which points are reached. Each point is in `NAMES` and stands in the code once. What happens at one
is told on standard error before it does.
"""

import errno
import os
import re
import signal
import time
from typing import Final

from msgspec import Struct

VARIABLE: Final = "CHATSERV_FAILPOINTS"
DISK: Final = frozenset({
    "store.beginning", "store.inserted", "store.committing", "file.writing", "file.replacing", "logs.opening",
    "logs.writing", "blob.writing", "blob.syncing",
})  # fmt: skip
"""Where a disk can fail: the only ones that ``EIO`` and ``ENOSPC`` are for."""
NAMES: Final = (
    # receiving
    "net.accepted", "net.line_in", "net.commands_in", "login.proved", "login.welcoming", "registration.checked",
    "registration.stored",
    # a message, from the command to the answer
    "send.checked", "store.batched", "store.beginning", "store.inserted", "store.committing", "store.committed",
    "store.publishing", "store.published", "store.answered", "send.stored", "command.answering",
    # delivering
    "deliver.begun", "deliver.room_done", "sendq.sealing", "sendq.written",
    # catching up
    "sync.begun", "sync.page_read", "sync.live",
    # the transparency log
    "log.taking", "log.signing", "log.signed", "log.kept", "log.adopted",
    # a change of a room
    "commit.leased", "commit.wraps_kept", "commit.validated", "commit.inserted", "commit.stored", "commit.delivering",
    "commit.delivered",
    # starting and stopping
    "start.keys_made", "start.checked", "start.opened", "stop.draining", "stop.drained", "stop.closed",
    # backing up and putting back
    "backup.copied", "backup.written", "restore.staged", "restore.decided", "restore.moving_away", "restore.moving_in",
    "restore.moved",
    # files
    "file.writing", "file.replacing", "logs.opening", "logs.writing",
    # what people send as files
    "blob.writing", "blob.written", "blob.syncing", "blob.synced", "blob.noting", "blob.noted", "blob.removing",
)  # fmt: skip
ERRORS: Final = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
_WORD: Final = re.compile(r"([a-z_.]+)=(kill|raise|note|EIO|ENOSPC|sleep:[0-9.]+)(?:@([1-9][0-9]*)(\+?))?")


class FailpointReached(Exception):
    """What a point raises that is told to ``raise``."""


class Order(Struct):
    """What a point is told to do.

    Attributes:
        action: ``kill``, ``raise``, ``note``, ``EIO``, ``ENOSPC`` or ``sleep:SECONDS``.
        first: At which time that it is reached, from 1.
        always: Whether from then on each time.
        reached: How often it was.
    """

    action: str
    first: int = 1
    always: bool = False
    reached: int = 0


def parse(text: str) -> dict[str, Order]:
    """The orders by point. Raises ValueError for what is no order, or for no point."""
    orders = {}
    for word in text.split():
        found = _WORD.fullmatch(word)
        if found is None:
            raise ValueError(
                f"{VARIABLE}: {word!r}: write point=kill, raise, note, EIO, ENOSPC or sleep:SECONDS, and @NUMBER"
            )
        name, action, first, always = found.groups()
        if name not in {*NAMES, "all"}:
            raise ValueError(f"{VARIABLE}: there is no point {name!r}")
        if action in ERRORS and name not in DISK:
            raise ValueError(f"{VARIABLE}: no disk fails at {name!r}")
        for each in NAMES if name == "all" else [name]:
            orders[each] = Order(action, int(first or 1), bool(always))
    return orders


def failpoint(name: str) -> None:
    """A place called ``name``, one of `NAMES`. Does nothing unless the environment says otherwise."""
    if _orders:
        _reach(name)


def active() -> str:
    """Which points are on and what they do, for the log; empty where none is."""
    return " ".join(f"{name}={order.action}" for name, order in _orders.items())


def _reach(name: str) -> None:
    order = _orders.get(name)
    if order is None:
        return
    order.reached += 1
    if order.reached < order.first or (order.reached > order.first and not order.always):
        return
    os.write(2, f"failpoint {name}: {order.action}\n".encode())
    if order.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order.action == "raise":
        raise FailpointReached(name)
    elif order.action in ERRORS:
        number = ERRORS[order.action]
        raise OSError(number, os.strerror(number), f"failpoint {name}")
    elif order.action != "note":
        time.sleep(float(order.action.partition(":")[2]))


_orders: Final = parse(os.environ.get(VARIABLE, ""))
