"""A turn of the reactor serves a bounded number of sockets: who talks does not wait until a crowd is served.

Twisted asks the system for everything that is ready. Where 10,000 connections end at once, a network fails, say, that was a
turn of 1.4 s (``python -m bench s5 --members 10000``; the reactor noted it as standing still). The system gives those that
were left out first the next time, so all are served in order (epoll_wait(2)).

While others talk, the threads of this process that are ready go first: where they share a core, the system lets the one that
writes have it back with its next tick, after 4 ms (sched_yield(2)).

This leans on a private name of Twisted's reactor. Where it is missing, or another reactor runs, turns are as long as they
are; tests/net/test_short_turns.py notices.
"""

import os
import select
from typing import Any, Final

from chatserv.turnstile import Turnstile, turnstile_of

SERVED: Final = 32  # sockets in a turn; one that ends takes 0.1 ms


class FewEvents:
    """A poller that gives at most `SERVED` events at once, and is the other one in everything else.

    Args:
        poller: The system's.
        turnstile: Knows whether others talk.
    """

    def __init__(self, poller: select.epoll, turnstile: Turnstile) -> None:
        self._poller, self._turnstile = poller, turnstile

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        """Waits so many seconds at most for events. While others talk, the other threads may have the core before."""
        if timeout == 0 and self._turnstile.short:
            os.sched_yield()
        return self._poller.poll(timeout, min(maxevents, SERVED))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)


def shorten_turns(reactor: Any) -> None:
    """From now on turns are short."""
    poller = getattr(reactor, "_poller", None)
    if isinstance(poller, select.epoll):
        reactor._poller = FewEvents(poller, turnstile_of(reactor))
