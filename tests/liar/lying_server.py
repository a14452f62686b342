"""The server under twistd, which shows one user another log than everybody else: ``python -m tests.liar.lying_server USER``.

The shipped server cannot do this; the lie is put around its functions here, in its process, before it starts.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred

from chatserv.commands import context
from chatserv.commands.broadcast import notify, notify_if_place
from chatserv.commands.log_keeper import LogKeeper
from chatserv.crypto.log_leaves import LEAF_BYTES, TreeHead, signed_tree_head, tree_head_to_sign
from chatserv.crypto.merkle import Frontier, leaf_hash
from chatserv.domain.hub import LiveSession
from chatserv.testing.blindness.watched import run_twistd
from chatserv.wire import messages

LIE: Final = "lie"  # a file in the current directory: from then on
COMMAND: Final = (sys.executable, "-m", "tests.liar.lying_server")
_LOW_BYTE_OF_TIME: Final = 8


class Liar:
    """Signs two logs.

    Args:
        user: Who is shown the other one, once, and nothing more of the log by itself.
    """

    def __init__(self, user: str) -> None:
        self._user, self._lied = user, False
        self._keeper: LogKeeper | None = None

    def install(self) -> None:
        """From now on everything goes by it."""
        begin = LogKeeper.__init__

        def begin_and_tell(keeper: LogKeeper, *args: Any, **kwargs: Any) -> None:
            begin(keeper, *args, **kwargs)
            self._keeper = keeper

        LogKeeper.__init__ = begin_and_tell  # type: ignore[method-assign, assignment]
        context.notify_if_place = self._publish  # type: ignore[attr-defined]

    def _publish(self, sessions: Iterable[LiveSession], part: bytes) -> None:
        sessions = list(sessions)
        notify_if_place([each for each in sessions if each.name != self._user], part)
        lied_to = [each for each in sessions if each.name == self._user]
        if lied_to and not self._lied and self._keeper is not None and Path(LIE).exists():
            self._lied = True
            notice = msgspec.msgpack.decode(part, type=messages.LogHead)
            Deferred.fromCoroutine(self._show(self._keeper, notice.after, lied_to))
        elif not self._lied:
            notify_if_place(lied_to, part)

    async def _show(self, keeper: LogKeeper, after: int, sessions: list[LiveSession]) -> None:
        """The newest leaf as if it had come at another time, and a signed head over that."""
        size, leaves = keeper.covered_size, bytearray(keeper.leaves(0, keeper.covered_size))
        leaves[_LOW_BYTE_OF_TIME - LEAF_BYTES] ^= 1
        hashes = (leaf_hash(bytes(leaves[at : at + LEAF_BYTES])) for at in range(0, len(leaves), LEAF_BYTES))
        head = TreeHead(size, Frontier().extend(hashes).root, TreeHead.decode(keeper.signed_head[:48]).at_ms)
        signed = signed_tree_head(head, await keeper._sign(tree_head_to_sign(head, keeper.server_id)))
        notify(sessions, messages.LogHead(after, bytes(leaves[after * LEAF_BYTES :]), signed))


if __name__ == "__main__":
    Liar(sys.argv[1]).install()
    run_twistd(sys.argv[2:])
