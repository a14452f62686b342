"""Files that a program does not want any more while a thread is at work on them: the thread ends first, then all goes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred

from chatserv.client import MessageReceived
from chatserv.client.files.saving import Saving
from chatserv.client.files.spool import PIECE_BYTES, Sealing, Spool
from tests.client.files.cases import FilesCase


class CancelledTests(FilesCase):
    """In memory a thread is a call: one that gives a `Deferred` is a thread that takes until it fires."""

    def held(self, kind: type, name: str, after: int = 0) -> tuple["Deferred[None]", list[object]]:
        """The call of a method after so many takes until the first of these fires; what it came to then is in the second."""
        go: Deferred[None] = Deferred()
        came: list[object] = []
        real: Callable[..., Any] = getattr(kind, name)
        left = [after]

        def call(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                return real(*args, **more)
            patch.stop()

            def work(_: None) -> Any:
                came.append(real(*args, **more))
                return came[-1]

            return go.addCallback(work)

        patch = mock.patch.object(kind, name, call)
        patch.start()
        return go, came

    def begin(self, message: MessageReceived) -> tuple["Deferred[str]", Path]:
        """Bob saves a file into a new directory."""
        target = Path(self.mktemp())
        target.mkdir()
        self.before = set(os.listdir("/proc/self/fd"))
        saved = Deferred.fromCoroutine(self.bob.room("lobby").save_file(message.message_id, str(target)))
        return saved, target

    def cancelled(self, name: str) -> list[str]:
        """A save is cancelled, twice, while a thread is at this method of `Saving`; what is in the directory then."""
        go, came = self.held(Saving, name)
        saved, target = self.begin(self.sent(size=2 * PIECE_BYTES)[0])
        self.world.settle()
        saved.cancel()
        saved.cancel()
        self.assertNoResult(saved)
        go.callback(None)
        self.failureResultOf(saved, CancelledError)
        self.assertEqual(len(came), 1)
        self.assertEqual(set(os.listdir("/proc/self/fd")), self.before)
        return os.listdir(target)

    def test_while_it_is_opened(self) -> None:
        """Its descriptors are there until the thread is done; nothing is left of it in the directory."""
        self.assertEqual(self.cancelled("step"), [])
        patch = mock.patch("chatserv.client.files.saving._unnamed", return_value=None)
        patch.start()
        self.addCleanup(patch.stop)
        self.assertEqual(self.cancelled("step"), [])

    def test_while_it_gets_its_name(self) -> None:
        """It is there then, whole."""
        self.assertEqual(self.cancelled("finish"), ["report.pdf"])

    def test_a_step_that_fails(self) -> None:
        """The disk is full then, too: nobody is told so any more."""
        go, _ = self.held(Saving, "step")
        saved, target = self.begin(self.sent()[0])
        self.world.settle()
        saved.cancel()
        self.assertNoResult(saved)
        with mock.patch("chatserv.client.files.saving.write_all", side_effect=OSError(28, "No space left on device")):
            go.callback(None)
        self.failureResultOf(saved, CancelledError)
        self.assertEqual(os.listdir(target), [])

    def test_while_it_comes(self) -> None:
        """Another save of the same file waits until the thread of the first has written its piece, and gets all of it."""
        message, data = self.sent(size=2 * PIECE_BYTES)
        go, came = self.held(Spool, "append")
        saved, target = self.begin(message)
        self.world.settle()
        saved.cancel()
        again = Deferred.fromCoroutine(self.bob.room("lobby").save_file(message.message_id, str(target)))
        self.world.settle()
        self.assertNoResult(again)
        go.callback(None)
        self.failureResultOf(saved, CancelledError)
        self.assertEqual(self.states(self.bob, "down")[-1], "failed")
        self.assertEqual(Path(self.bob.do(again)).read_bytes(), data)
        self.assertEqual(len(came), 1)

    def test_given_up_at_the_last_piece(self) -> None:
        """One that is given up while the last of it is sealed leaves nothing in the spool."""
        path, _ = self.file(size=10)
        go, came = self.held(Sealing, "step", after=1)
        sent = self.send(self.alice, path)
        sent.addErrback(lambda _: None)
        self.world.settle()
        self.alice.room("lobby").discard(sent.message_id)
        go.callback(None)
        self.assertEqual((came, self.spool(self.alice)), ([False], []))
