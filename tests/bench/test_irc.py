"""The generator at IRC servers, without one: what it says, and what it makes of what is said."""

import select
import subprocess
from array import array
from collections import deque
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import peers
from bench.connection import Steps, tls13
from bench.irc import PAYLOAD_BYTES, IrcPerson
from bench.server import BenchError


class Anna(IrcPerson):
    """Somebody whose server is a list."""

    def __init__(self, latencies: "array[int] | None" = None) -> None:
        super().__init__(0, tls13(), 7, "#r1", "#r1", latencies)
        self.there: deque[bytes] = deque()
        self.said: list[bytes] = []

    def dialing(self, host: str, port: int, context: object) -> Steps[None]:  # noqa: ARG002 - as the real one
        """It is up at once."""
        yield from ()

    def read(self) -> bytes:
        """What is there."""
        return self.there.popleft()

    def _write(self, data: bytes) -> None:
        self.said.append(data)


class PersonTests(SynchronousTestCase):
    """One of them."""

    def test_coming(self) -> None:
        """Says who it is, joins once it is welcome, and is there once the names are; lines may come in pieces."""
        anna = Anna()
        anna.there.extend(
            [b":irc NOTICE * :hi\r\n:irc 00", b"1 u7 :Welcome\r\n:irc 422 u7 :none\r\n", b":irc 366 u7 #r1 :End\r\n"]
        )
        self.assertEqual(list(anna.coming()), [select.POLLIN] * 3)
        self.assertEqual(anna.said, [b"NICK u7\r\nUSER u7 0 * :bench\r\n", b"JOIN #r1\r\n"])

    def test_refused(self) -> None:
        """An error of the server ends the run, before and after one is in."""
        for lines in (b"ERROR :Too many\r\n", b":irc 433 * u7 :in use\r\n"):
            anna = Anna()
            anna.there.append(lines)
            self.assertRaises(BenchError, list, anna.coming())
        anna.there.append(b":irc 404 u7 #r1 :Cannot send\r\n")
        self.assertRaises(BenchError, anna.hear)

    def test_hearing(self) -> None:
        """What one says, another counts; whoever is sampled takes the time; half a line waits for the other."""
        anna, latencies = Anna(), array("q")
        anna.say(2, 1)
        (said,) = anna.said
        text = said.splitlines()[0].partition(b":")[2]
        self.assertEqual((said.count(b"\r\n"), len(text), anna.acknowledged), (2, PAYLOAD_BYTES, 2))
        heard = b":u8!u8@host " + said.replace(b"\r\n", b"\r\n:u8!u8@host ", 1)
        for person in (Anna(), Anna(latencies)):
            person.there.extend([heard[:170], heard[170:]])
            self.assertEqual((person.hear(), person.hear(), person.lines), (1, 1, 2))
        self.assertEqual(len(latencies), 2)
        self.assertGreater(min(latencies), 0)


class TurnTests(SynchronousTestCase):
    """Several servers."""

    def test_turns(self) -> None:
        """Each thing is measured at all of them before the next; another one begins each time."""
        runs = {side: iter([{"what": f"{side}{number}"} for number in range(3)]) for side in "abc"}
        order = [line["what"] for _, line in peers.in_turns(runs, 1)]
        self.assertEqual(order, ["b0", "c0", "a0", "c1", "a1", "b1", "a2", "b2", "c2"])

    def test_settings(self) -> None:
        """Each has every value that it needs, and no other."""
        values = {"root": "/", "directory": "/tmp/x", "port": 1, "cert": "/c", "key": "/k"}
        for daemon in peers.DAEMONS:
            text = daemon.settings.format(**values)
            self.assertNotIn("{", text)
            self.assertIn("/c", text)

    def test_none(self) -> None:
        """What is neither installed nor to be had is said."""

        def run(*_: object, **__: object) -> None:
            raise FileNotFoundError("apt-get")

        self.patch(peers, "FETCHED", Path(self.mktemp()))
        self.patch(subprocess, "run", run)
        self.assertRaises(BenchError, peers.fetch)
