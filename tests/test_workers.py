"""Threads that do what blocks."""

import os
import threading
from itertools import pairwise

from twisted.internet import reactor  # noqa: TID251 - answers come back from threads
from twisted.internet.defer import AlreadyCalledError
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from chatserv.turnstile import turnstile_of
from chatserv.workers import Workers


class WorkersTests(TestCase):
    """What `Workers` promises."""

    def workers(self, count: int) -> Workers:
        """So many, started, and ended with the test."""
        workers = Workers("worker", count, reactor)
        workers.start()
        self.addCleanup(workers.stop)
        return workers

    async def test_answer(self) -> None:
        """What a function returns or raises comes back in the reactor's thread, from another one."""
        workers = self.workers(1)
        self.assertEqual(1024, await workers.call(pow, 2, 10))
        self.assertEqual("worker", (await workers.call(threading.current_thread)).name)
        await self.assertFailure(workers.call(divmod, 1, 0), ZeroDivisionError)
        heard = workers.call(int).addCallback(lambda _: threading.current_thread())
        self.assertIs(threading.current_thread(), await heard)

    async def test_order(self) -> None:
        """One thread does one thing after the other, in the order in which they were given."""
        workers, done = self.workers(1), list[int]()
        running = [workers.call(done.append, number) for number in range(100)]
        for each in running:
            await each
        self.assertEqual([*range(100)], done)

    async def test_beside(self) -> None:
        """Several do several things at once, and are all there from the start."""
        workers, meeting = self.workers(3), threading.Barrier(3)
        self.assertEqual(3, sum(thread.name == "worker" for thread in threading.enumerate()))
        running = [workers.call(meeting.wait, 60) for _ in range(3)]
        self.assertEqual([0, 1, 2], sorted([await each for each in running]))

    async def test_giving_way(self) -> None:
        """Threads that give way stand behind the others by that much, for the system; the one that starts them stays."""

        def standing() -> int:
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        before = standing()
        workers = Workers("worker", 2, reactor, nice=3)
        workers.start()
        self.addCleanup(workers.stop)
        self.assertEqual(min(19, before + 3), await workers.call(standing))
        self.assertEqual(before, await self.workers(1).call(standing))
        self.assertEqual(before, standing())

    async def test_no_way(self) -> None:
        """Where the system does not let a thread give way, it works all the same."""

        def refuse(*_: object) -> None:
            raise PermissionError

        self.patch(os, "setpriority", refuse)
        workers = Workers("worker", 1, reactor, nice=3)
        workers.start()
        self.addCleanup(workers.stop)
        self.assertEqual(8, await workers.call(pow, 2, 3))

    async def test_told_in_several_turns(self) -> None:
        """What comes of many calls at once is told a short while in each turn, in order: others are served in between."""
        self.patch(turnstile_of(reactor), "_most", 1e-9)
        workers, seen = self.workers(1), list[str]()
        go = threading.Event()
        workers.call(go.wait, 60)
        running = [workers.call(str, number).addCallback(seen.append) for number in range(3)]
        told = workers.call(int)
        go.set()
        while not told.called:
            seen.append("turn")
            await deferLater(reactor, 0)
        for each in running:
            await each
        self.assertEqual(["0", "1", "2"], [each for each in seen if each != "turn"])
        self.assertNotIn(("0", "1"), [*pairwise(seen)])
        self.assertNotIn(("1", "2"), [*pairwise(seen)])

    async def test_what_cannot_be_told(self) -> None:
        """An answer that is no longer wanted takes nothing from those that follow."""
        workers, go = self.workers(1), threading.Event()
        workers.call(go.wait, 60)
        given_twice, after = workers.call(pow, 2, 2), workers.call(pow, 2, 3)
        given_twice.callback(0)
        go.set()
        self.assertEqual(8, await after)
        self.assertEqual(1, len(self.flushLoggedErrors(AlreadyCalledError)))

    async def test_end(self) -> None:
        """What was given before the end is done; then no thread is left. Who never began ends as well."""
        Workers("worker", 2, reactor).stop()
        workers = Workers("worker", 2, reactor)
        workers.start()
        running = [workers.call(pow, 2, number) for number in range(10)]
        workers.stop()
        self.assertEqual([2**number for number in range(10)], [await each for each in running])
        self.assertNotIn("worker", [thread.name for thread in threading.enumerate()])
