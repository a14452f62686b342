"""The socket of the operator's command: who may ask, what they may ask, and how much of it there can be."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor  # noqa: TID251 - a test of real sockets
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from chatserv.config import Config
from chatserv.errors import ChatError, Forbidden
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.net import control_socket
from chatserv.net.control_socket import LINE_BYTES, ControlSocket, Request
from chatserv.operations.remote import NoServer, ask

NOBODY = 65_534
ASKS = """
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
try:
    server.sendall(b'{"operation": "status"}\\r\\n')
except OSError:
    pass
sys.stdout.buffer.write(server.recv(65536))
"""


class ControlCase(TestCase):
    """A socket in a directory of its own, with an answer for everybody."""

    def setUp(self) -> None:
        """Makes the directory; a short path, as a socket is wanted without tricks too."""
        self.path = Path(tempfile.mkdtemp()) / "control"
        self.addCleanup(shutil.rmtree, self.path.parent)
        self.requests: list[Request] = []
        self.waiting: list[Deferred[None]] = []

    def start(self, path: Path | None = None, **limits: Any) -> ControlSocket:
        """Listens until the test ends."""
        control = ControlSocket(path or self.path, LiveSettings(Config(limits=Limits(**limits))), self.answer, reactor)
        control.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(control.stop()))
        return control

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """Tells of progress, and then what was asked."""
        self.requests.append(request)
        if request.operation == "forbid":
            raise Forbidden("not for you")
        if request.operation == "fail":
            raise RuntimeError("a bug")
        if request.operation == "much":
            return {"result": "a" * 2**22, "code": 0}
        if request.operation == "wait":
            waiting: Deferred[None] = Deferred()
            self.waiting.append(waiting)
            await waiting
        request.progress("half-way")
        return {"result": dict(request.arguments), "code": 0}

    async def asked(self, operation: str, path: Path | None = None, **arguments: Any) -> Any:
        """What is answered to our own command, with what was told on the way."""
        told: list[str] = []
        answer = await deferToThread(ask, path or self.path, operation, arguments, told.append)
        return {**answer, "told": told}

    async def said(self, data: bytes, *, closes: bool = True) -> bytes:
        """What comes back for these bytes, until the end."""

        def talk() -> bytes:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(60)
                peer.connect(str(self.path))
                peer.sendall(data)
                if closes:
                    peer.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: peer.recv(65_536), b""))

        return await deferToThread(talk)


class AnswerTests(ControlCase):
    """Questions and answers."""

    async def test_answer(self) -> None:
        """A question is answered, with what is told meanwhile; the answer knows who asked."""
        self.start()
        self.assertEqual(
            {"result": {"a": [1, "\x1b"]}, "code": 0, "told": ["half-way"]}, await self.asked("x", a=[1, "\x1b"])
        )
        self.assertEqual((os.geteuid(), "x"), (self.requests[0].uid, self.requests[0].operation))

    async def test_refusal(self) -> None:
        """What is refused comes with its code and words; a bug says nothing of itself, and is logged."""
        self.start()
        refused = await self.asked("forbid")
        self.assertEqual("forbidden", refused["error"]["code"])
        self.assertIn("not for you", refused["error"]["text"])
        self.assertEqual("internal", (await self.asked("fail"))["error"]["code"])
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    async def test_nonsense(self) -> None:
        """What is no question is refused, and does no harm."""
        self.start()
        deep = b"[" * 20_000
        for line in (
            b"",
            b"\xff",
            b"{",
            b"[]",
            b"1",
            deep,
            b'{"operation": 1}',
            b'{"operation": "x", "arguments": []}',
        ):
            self.assertIn(b'"bad_message"', await self.said(line + b"\r\n"), line[:20])
        self.assertEqual([], self.requests)

    async def test_much_nonsense(self) -> None:
        """However much of it comes, it takes nobody's place."""
        self.start(control_connections=2)
        for line in (b"{", b"[]", b"", b"a" * (LINE_BYTES + 1)) * 2:
            self.assertNotIn(b'"busy"', await self.said(line + b"\r\n"))
        self.assertIn("result", await self.asked("x"))

    async def test_longest_line(self) -> None:
        """A line as long as may be is read; one byte more is refused."""
        self.start()
        line = b'{"operation": "x", "arguments": {"a": ""}}'
        longest = line.replace(b'""', b'"%b"' % (b"a" * (LINE_BYTES - len(line))))
        self.assertIn(b'"result"', await self.said(longest + b"\r\n"))
        self.assertIn(b'"too_large"', await self.said(longest.replace(b'"a"', b'"aa"') + b"\r\n"))

    async def test_one_question(self) -> None:
        """A second question on the same connection is not heard."""
        self.start()
        line = b'{"operation": "x"}\r\n'
        self.assertEqual(1, (await self.said(line + line)).count(b'"result"'))
        self.assertEqual(1, len(self.requests))


class BoundTests(ControlCase):
    """How many, and how long."""

    async def test_connections(self) -> None:
        """As many as the limit may be there; one more is told so; who goes without a question makes a place."""
        control = self.start(control_connections=2)
        idle = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for each in idle:
            self.addCleanup(each.close)
            each.connect(str(self.path))
        self.assertEqual("busy", (await self.asked("x"))["error"]["code"])
        idle[0].close()
        while len(control.connections) > 1:
            await deferToThread(lambda: None)
        self.assertIn("result", await self.asked("x"))

    async def test_operations(self) -> None:
        """Who hangs up leaves their operation under way, and it has its place until it is done."""
        control = self.start(control_connections=1)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.path))
            peer.sendall(b'{"operation": "wait"}\r\n')
            while not self.waiting:
                await deferToThread(lambda: None)
        while control.connections:
            await deferToThread(lambda: None)
        self.assertEqual("busy", (await self.asked("x"))["error"]["code"])
        self.waiting[0].callback(None)
        self.assertIn("result", await self.asked("x"))

    async def test_silent(self) -> None:
        """Who says nothing is told that, and is gone."""
        self.start(control_ask_seconds=0.05)
        self.assertIn(b'"timed_out"', await self.said(b"", closes=False))

    async def test_unread(self) -> None:
        """Who does not read an answer is cut off."""
        control = self.start(control_ask_seconds=0.2)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.path))
            peer.sendall(b'{"operation": "much"}\r\n')
            while not self.requests or control.connections:
                await deferToThread(lambda: None)

    async def test_long(self) -> None:
        """An operation that takes too long is given up."""
        self.start(control_work_seconds=0.05)
        self.assertEqual("timed_out", (await self.asked("wait"))["error"]["code"])


class PeerTests(ControlCase):
    """Who may ask."""

    async def test_another_user(self) -> None:
        """Somebody who is neither root nor the server's user is refused, whatever they say."""
        self.patch(control_socket, "peer_uid", lambda _: NOBODY)
        self.start()
        self.assertEqual("forbidden", (await self.asked("x"))["error"]["code"])
        self.assertEqual([], self.requests)

    async def test_kernel(self) -> None:
        """It is the kernel's word who that is, even where the file modes would let them."""
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            raise SkipTest("needs root and setpriv")
        self.start()
        self.path.parent.chmod(0o755)
        self.path.chmod(0o666)
        command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", sys.executable, "-c", ASKS, str(self.path)]
        done = await deferToThread(subprocess.run, command, capture_output=True, check=False)
        self.assertIn(b'"forbidden"', done.stdout, done.stderr)
        self.assertEqual([], self.requests)

    def test_mode(self) -> None:
        """The socket itself is for its owner alone."""
        self.start()
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)


class PlaceTests(ControlCase):
    """Where it is."""

    async def test_stale(self) -> None:
        """The socket of a server that was killed is in nobody's way, and is told from one that runs."""
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(self.path))
        with self.assertRaises(NoServer):
            await self.asked("x")
        self.start()
        self.assertIn("result", await self.asked("x"))

    async def test_long_path(self) -> None:
        """A path that is too long for a socket's name is none for the command, nor for the server."""
        path = self.path.parent / ("d" * 120) / "control"
        path.parent.mkdir()
        self.start(path)
        self.assertIn("result", await self.asked("x", path))

    async def test_no_socket(self) -> None:
        """A file that is no socket is not removed; the server does without, and says so."""
        self.path.write_text("precious")
        self.start()
        self.assertEqual("precious", self.path.read_text())
        with self.assertRaises(ChatError):
            await self.asked("x")

    async def test_removed(self) -> None:
        """Where somebody has removed the file, it ends all the same."""
        control = self.start()
        self.path.unlink()
        await control.stop()
        self.assertFalse(
            [each for each in reactor.getReaders() if isinstance(getattr(each, "factory", None), ControlSocket)]
        )

    async def test_end(self) -> None:
        """When it ends the socket is gone, and so are who waits; a new one takes its place."""
        control = self.start()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.path))
            while not control.connections:
                await deferToThread(lambda: None)
            await control.stop()
            peer.settimeout(60)
            self.assertEqual(b"", await deferToThread(peer.recv, 100))
        self.assertFalse(self.path.exists())
        self.start()
        self.assertIn("result", await self.asked("x"))
