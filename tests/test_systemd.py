"""What is said to systemd, and what it hands over."""

import io
import os
import socket
import tempfile
import time
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import ReadOnly
from chatserv.systemd import Notifier, goes_to_journal, inherited_endpoints
from chatserv.watchdog import Feeder


class NotifyCase(SynchronousTestCase):
    """A manager's socket."""

    def setUp(self) -> None:
        """Listens."""
        self.directory = Path(tempfile.mkdtemp())  # a socket's path has 107 bytes at most
        self.address = str(self.directory / "notify")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(self.address)
        self.manager.setblocking(False)
        self.addCleanup(self.directory.rmdir)
        self.addCleanup(os.unlink, self.address)
        self.addCleanup(self.manager.close)

    def notifier(self, **environ: str) -> Notifier:
        """One that this manager hears."""
        return Notifier({"NOTIFY_SOCKET": self.address, **environ})

    def heard(self) -> list[str] | None:
        """The next message, by lines; None where there is none."""
        try:
            return self.manager.recv(4096).decode().split("\n")
        except BlockingIOError:
            return None


class NotifierTests(NotifyCase):
    """`Notifier`."""

    def test_life(self) -> None:
        """A start, a reload and a stop, in systemd's words."""
        notifier = self.notifier()
        notifier.ready("0 sessions")
        self.assertEqual(self.heard(), ["READY=1", "STATUS=0 sessions", f"MAINPID={os.getpid()}"])
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        notifier.reloading()
        name, moment = self.heard() or ["", ""]
        self.assertEqual(name, "RELOADING=1")
        self.assertGreaterEqual(int(moment.removeprefix("MONOTONIC_USEC=")), int(before * 1e6))
        notifier.stopping()
        self.assertEqual((self.heard() or [""])[0], "STOPPING=1")

    def test_abstract(self) -> None:
        """The socket may be one without a file."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0chatserv-test-{os.getpid()}")
            self.assertTrue(Notifier({"NOTIFY_SOCKET": f"@chatserv-test-{os.getpid()}"}).tell("READY=1"))
            self.assertEqual(manager.recv(100), b"READY=1")

    def test_nobody(self) -> None:
        """Without a manager, or with one that is gone, nothing happens."""
        for environ in (
            {},
            {"NOTIFY_SOCKET": ""},
            {"NOTIFY_SOCKET": "vsock:2:1"},
            {"NOTIFY_SOCKET": "/nowhere/at/all"},
        ):
            notifier = Notifier({**environ, "WATCHDOG_USEC": ""})
            notifier.ready("")
            notifier.stopping()
            self.assertFalse(notifier.tell("READY=1"))
            self.assertIsNone(notifier.watchdog_seconds)

    def test_full_socket(self) -> None:
        """A manager that does not read holds nobody up."""
        notifier = self.notifier()
        sent = 0
        while notifier.tell("WATCHDOG=1"):
            sent += 1
            self.assertLess(sent, 100_000)

    def test_watchdog(self) -> None:
        """It is fed within the time that is asked for, where it is this process that is meant."""
        self.assertEqual(self.notifier(WATCHDOG_USEC="30000000").watchdog_seconds, 30.0)
        mine, other = str(os.getpid()), str(os.getpid() + 1)
        self.assertEqual(self.notifier(WATCHDOG_USEC="500000", WATCHDOG_PID=mine).watchdog_seconds, 0.5)
        self.assertIsNone(self.notifier(WATCHDOG_USEC="500000", WATCHDOG_PID=other).watchdog_seconds)
        for wrong in ("", "0", "-1", "1.5", "much"):
            self.assertIsNone(self.notifier(WATCHDOG_USEC=wrong).watchdog_seconds)

    def test_starting(self) -> None:
        """While a start takes its time, more of it is asked for; not any more when it is over."""
        notifier = self.notifier()
        with notifier.starting():
            deadline = time.monotonic() + 100
            while (heard := self.heard()) is None and time.monotonic() < deadline:
                time.sleep(0.01)
        self.assertEqual((heard or [""])[0], "EXTEND_TIMEOUT_USEC=30000000")
        self.assertIsNone(self.heard())


class FeederTests(NotifyCase):
    """The watchdog is fed after the store has answered, and not before."""

    def setUp(self) -> None:
        """A feeder whose store answers when the test says so."""
        super().setUp()
        self.clock = Clock()
        self.asked: list[Deferred[None]] = []
        notifier = self.notifier(WATCHDOG_USEC="4000000")
        self.feeder = Feeder(self.clock, notifier, self._ping, lambda: f"{len(self.asked)} asked")
        self.feeder.start()
        self.addCleanup(self.feeder.stop)

    async def _ping(self) -> None:
        self.asked.append(Deferred())
        await self.asked[-1]

    def test_fed(self) -> None:
        """Four times within its time, with the status where it has changed."""
        self.asked[0].callback(None)
        self.assertEqual(self.heard(), ["WATCHDOG=1", "STATUS=1 asked"])
        self.clock.advance(1)
        self.asked[1].callback(None)
        self.assertEqual(self.heard(), ["WATCHDOG=1", "STATUS=2 asked"])

    def test_hanging_store(self) -> None:
        """A store that does not answer starves it, and is not asked a second time meanwhile."""
        self.clock.pump([1] * 20)
        self.assertEqual((len(self.asked), self.heard()), (1, None))
        self.asked[0].callback(None)
        self.assertEqual((self.heard() or [""])[0], "WATCHDOG=1")

    def test_failing_store(self) -> None:
        """A store that answers with a refusal lives; no restart would heal its disk."""
        self.asked[0].errback(ReadOnly("disk"))
        self.assertEqual((self.heard() or [""])[0], "WATCHDOG=1")

    def test_broken(self) -> None:
        """What is a bug of ours is logged, and the watchdog starves."""
        self.asked[0].errback(ZeroDivisionError())
        self.clock.pump([1] * 9)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIsNone(self.heard())

    def test_unwatched(self) -> None:
        """Where nobody watches, nobody is asked."""
        asked: list[bool] = []

        async def ping() -> None:
            asked.append(True)

        feeder = Feeder(self.clock, self.notifier(), ping, str)
        feeder.start()
        self.clock.pump([1] * 9)
        feeder.stop()
        self.assertEqual(asked, [])


class HandedOverTests(SynchronousTestCase):
    """Listening sockets, and the journal."""

    def test_endpoints(self) -> None:
        """Each stream socket is an endpoint of its own family; what is no listener is left out."""
        made = [
            socket.create_server(("127.0.0.1", 0)),
            socket.create_server(("::1", 0), family=socket.AF_INET6),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        ]
        for one in made:
            self.addCleanup(one.close)
        numbers = [one.fileno() for one in made]
        self.assertEqual(inherited_endpoints(numbers), ("systemd:domain=INET:index=0", "systemd:domain=INET6:index=1"))
        self.assertEqual(inherited_endpoints(list(reversed(numbers)))[0], "systemd:domain=INET6:index=1")
        self.assertEqual(inherited_endpoints([]), ())

    def test_journal(self) -> None:
        """A stream goes to the journal where systemd says that it is that very one."""
        with Path(self.mktemp()).open("w") as stream:
            found = os.fstat(stream.fileno())
            here = f"{found.st_dev}:{found.st_ino}"
            self.assertTrue(goes_to_journal(stream, {"JOURNAL_STREAM": here}))
            self.assertFalse(goes_to_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"}))
            self.assertFalse(goes_to_journal(stream, {}))
        for gone in (None, io.StringIO(), stream):
            self.assertFalse(goes_to_journal(gone, {"JOURNAL_STREAM": here}))
