"""Many people who come at once, each again and again until they are in, as clients do: one thread, and one epoll.

What 2,000 people do would be done by 2,000 machines. So it takes as little of this one as may be, no thread of its own for
anybody, and only what servers leave.
"""

import os
import resource
import select
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from heapq import heappop, heappush

from OpenSSL import SSL

from bench.accounts import Account, Accounts
from bench.connection import Steps
from bench.crowd import together
from bench.member import Device, tls_context
from bench.server import BenchError
from chatserv.wire.link import ServerLink
from tests.faults.peers import address
from tests.faults.rows import check

FIRST_WAIT_SECONDS = 0.2  # as clients wait once all addresses have failed; grows by half
LONGEST_SECONDS = 30.0  # of one try, as a server gives it
REGISTERING = 8  # at a time


class Comer(Device):
    """One of them, which knows servers in an order of its own.

    Args:
        number: Which.
        links: To each server.
        context: As of `Device`.
        accounts: Likewise.
        account: Whose.
    """

    def __init__(
        self, number: int, links: Sequence[ServerLink], context: SSL.Context, accounts: Accounts, account: Account
    ) -> None:
        self.number = number
        self._links, self._next = [links[(number + at) % len(links)] for at in range(len(links))], 0
        self._pause = FIRST_WAIT_SECONDS
        self.steps: Steps[object]
        self.until = 0.0
        super().__init__(self._links[0], context, accounts, account)

    def try_next(self) -> None:
        """Goes to the next server."""
        self._link = self._links[self._next % len(self._links)]
        self._next += 1
        self.steps, self.until = self.entering(), time.monotonic() + LONGEST_SECONDS

    def wait_seconds(self, longest: float) -> float:
        """How long until it tries again: not at all where there is a server that it has not tried this time."""
        if self._next % len(self._links):
            return 0.0
        wait = self._pause * (0.5 + self.number % 16 / 16)
        self._pause = min(self._pause * 1.5, longest)
        return wait

    def rest(self, links: Sequence[ServerLink]) -> None:
        """From here on these servers are known, and none has been tried."""
        self._links, self._next = [links[(self.number + at) % len(links)] for at in range(len(links))], 0
        self._pause = FIRST_WAIT_SECONDS


class Comers:
    """So many people, whose accounts are made at once.

    Args:
        links: To each server.
        accounts: Makes keys.
        numbers: Of the accounts.
        near: Whether all have one address; else each has its own.
        longest_wait: Of one person, between two tries of all servers, in seconds.

    Attributes:
        inside: Who is in.
        tries: How often somebody has tried, since `come`.
    """

    def __init__(
        self,
        links: Sequence[ServerLink],
        accounts: Accounts,
        numbers: range,
        *,
        near: bool = False,
        longest_wait: float = 60.0,
    ) -> None:
        _allow_descriptors()
        context = tls_context()
        self.people = [Comer(at, links, context, accounts, accounts.make(number)) for at, number in enumerate(numbers)]
        for each in self.people:
            each.source = "" if near else address(each.number)
        self.inside: list[Comer] = []
        self.tries, self._longest_wait = 0, longest_wait
        together([(each, each.registering()) for each in self.people], REGISTERING)
        self.leave()

    def gather(self, link: ServerLink, at_once: int) -> None:
        """All come to one server, so many at a time, which has a place for each."""
        for each in self.people:
            each.rest([link])
            each.try_next()
        together([(each, each.steps) for each in self.people], at_once)
        self.inside = list(self.people)

    def come(self, links: Sequence[ServerLink], seconds: float) -> float:
        """All come at once, each to any of these; how long that took until all were in.

        Raises:
            RowFailed: Not all are in after so many seconds.
        """
        self.tries, self.inside = 0, []
        for each in self.people:
            each.rest(links)
        began = time.monotonic()
        thread = threading.Thread(target=self._come, args=(began + seconds,), daemon=True)
        thread.start()
        thread.join()
        took = time.monotonic() - began
        check(
            len(self.inside) == len(self.people), f"{len(self.inside)} of {len(self.people)} are in after {took:.0f} s"
        )
        return took

    def _come(self, until: float) -> None:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # of this thread alone
        due = [(0.0, each.number) for each in self.people]
        trying: dict[int, Comer] = {}
        with select.epoll() as epoll:
            while len(self.inside) < len(self.people) and (now := time.monotonic()) < until:
                while due and due[0][0] <= now:
                    self._begin(self.people[heappop(due)[1]], epoll, trying, due)
                wait = min(due[0][0] - now, 1.0) if due else 1.0
                for descriptor, _ in epoll.poll(max(wait, 0.0)):
                    self._go_on(trying[descriptor], epoll, trying, due)
                for each in [each for each in trying.values() if each.until < now]:
                    self._fail(each, trying, due)

    def _begin(self, each: Comer, epoll: select.epoll, trying: dict[int, Comer], due: list[tuple[float, int]]) -> None:
        self.tries += 1
        each.try_next()
        try:
            mask = next(each.steps)
        except (BenchError, OSError):
            self._fail(each, trying, due)
            return
        trying[each.fileno()] = each
        epoll.register(each.fileno(), mask)

    def _go_on(self, each: Comer, epoll: select.epoll, trying: dict[int, Comer], due: list[tuple[float, int]]) -> None:
        try:
            epoll.modify(each.fileno(), next(each.steps))
        except StopIteration:
            epoll.unregister(each.fileno())
            del trying[each.fileno()]
            self.inside.append(each)
        except (BenchError, OSError):
            self._fail(each, trying, due)

    def _fail(self, each: Comer, trying: dict[int, Comer], due: list[tuple[float, int]]) -> None:
        trying.pop(each.fileno(), None)
        each.close()  # which takes it out of the epoll
        heappush(due, (time.monotonic() + each.wait_seconds(self._longest_wait), each.number))

    def leave(self) -> None:
        """All connections end."""
        for each in self.people:
            each.close()
        self.inside = []


def _allow_descriptors() -> None:
    """As many as there may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
