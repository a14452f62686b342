"""Files that are sent: whole or not at all, over any interruption, and never what is no file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import msgspec
from twisted.python.failure import Failure

from chatserv.client import (
    FileInvalid,
    FileProgress,
    MessageReceived,
    NoFiles,
    Preview,
    Quota,
    SendFailed,
    SendQueued,
    Sent,
    TextInvalid,
    Withdrawn,
)
from chatserv.client.errors import Muted, NotFound, TooLarge
from chatserv.client.files.spool import PIECE_BYTES, Spool
from chatserv.client.files.uploads import MAX_UPLOADS, Uploads
from chatserv.crypto.e2e.file import sealed_size
from chatserv.crypto.file_body import MAX_PREVIEW_BYTES
from chatserv.errors import StorageFull
from chatserv.wire import messages
from chatserv.wire.blobs import BadBlob
from tests.client.files.cases import FilesCase


class SentTests(FilesCase):
    """What arrives."""

    def test_whole(self) -> None:
        """The message comes with what was said, and the file is byte for byte the same; nothing is left in the spool."""
        message, data = self.sent("report.pdf", 100_000, "have a look")
        file = message.file
        assert file is not None
        self.assertEqual(
            (message.text, file.name, file.mime, file.size), ("have a look", "report.pdf", "application/pdf", 100_000)
        )
        self.assertEqual((file.state, file.message_id, message.own), ("there", message.message_id, False))
        self.assertGreater(file.expires_ms, message.at_ms)
        self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)
        self.assertEqual(self.spool(self.alice), [])
        self.assertEqual(self.alice.room("lobby").waiting(), [])
        own = self.alice.room("lobby").find(message.message_id)
        assert own.file is not None
        self.assertEqual((own.own, own.file.name), (True, "report.pdf"))

    def test_sizes(self) -> None:
        """Of any size, none included."""
        for size in (0, 1, 255, 256, 16_384, PIECE_BYTES, PIECE_BYTES + 1):
            message, data = self.sent(f"{size}.bin", size)
            self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data, size)

    def test_server_sees_nothing(self) -> None:
        """Neither bytes nor name, type or words are in what the server gets."""
        (self.folder / "secret name.txt").write_bytes(b"secret bytes" * 1000)
        self.alice.do(self.send(self.alice, str(self.folder / "secret name.txt"), "secret words"))
        seen = b"".join(command.data for command in self.watch.of(messages.PutChunk)) + repr(self.watch.asked).encode()
        self.assertNotIn(b"secret", seen)
        self.assertEqual(len(seen) > 12_000, True)
        (opened,) = self.watch.of(messages.OpenBlob)
        self.assertEqual(opened.size, sealed_size(12_000))

    def test_waiting(self) -> None:
        """It is shown as being sent with how far it is, and as an event; how far goes up to all of it."""
        path, _ = self.file()
        sent = self.send(self.alice, path, "look")
        (waiting,) = self.alice.room("lobby").waiting()
        assert waiting.file is not None
        self.assertEqual(
            (waiting.text, waiting.file.name, waiting.file.state, waiting.state),
            ("look", "report.pdf", "moving", "sending"),
        )
        queued = self.alice.events(SendQueued)[-1]
        self.assertEqual((queued.message_id, queued.text, queued.file), (sent.message_id, "look", waiting.file))
        self.alice.do(sent)
        told = [event for event in self.alice.events(FileProgress) if event.message_id == sent.message_id]
        self.assertEqual(
            (told[-1].done, told[-1].size, told[-1].state, told[-1].direction), (100_000, 100_000, "done", "up")
        )
        self.assertEqual([event.done for event in told], sorted(event.done for event in told))

    def test_preview(self) -> None:
        """It is in the message; one that is too large is refused, and so is a picture without a size."""
        path, _ = self.file("a.png")
        self.alice.do(self.send(self.alice, path, preview=Preview(640, 480, b"PNG")))
        self.world.settle()
        file = self.bob.events(MessageReceived)[-1].file
        assert file is not None
        self.assertEqual((file.width, file.height, file.preview), (640, 480, b"PNG"))
        for wrong in (Preview(640, 480, bytes(MAX_PREVIEW_BYTES + 1)), Preview(0, 480, b""), Preview(-1, -1, b"")):
            self.assertRaises(FileInvalid, self.send, self.alice, path, preview=wrong)

    def test_order(self) -> None:
        """Files of a room come in the order in which they were sent; texts do not wait for them."""
        names = ["a.txt", "b.txt", "c.txt"]
        sent = [self.send(self.alice, self.file(name, 200_000)[0]) for name in names]
        self.alice.do(self.alice.client.send("lobby", "a text"))
        for each in sent:
            self.alice.do(each)
        self.world.settle()
        came = [(each.text, each.file and each.file.name) for each in self.bob.events(MessageReceived)]
        self.assertEqual([name for _, name in came if name], names)
        self.assertEqual(came[0], ("a text", None))

    def test_at_most_two_pieces(self) -> None:
        """No more than two are under way, whatever the size, and none is larger than the wire takes."""
        path, _ = self.file(size=2_000_000)
        under_way = []
        real = type(self.alice.client.engine.requests).expect
        count = [0]

        async def expect(requests: object, kind: object, make: object, **fields: object) -> object:
            if make is not messages.PutChunk:
                return await real(requests, kind, make, **fields)  # type: ignore[arg-type]
            count[0] += 1
            under_way.append(count[0])
            try:
                return await real(requests, kind, make, **fields)  # type: ignore[arg-type]
            finally:
                count[0] -= 1

        with mock.patch.object(type(self.alice.client.engine.requests), "expect", expect):
            self.alice.do(self.send(self.alice, path))
        self.assertEqual((max(under_way), count), (2, [0]))
        self.assertLessEqual(max(len(each.data) for each in self.watch.of(messages.PutChunk)), 32_768)


class RefusedTests(FilesCase):
    """What is not sent."""

    def test_no_file(self) -> None:
        """Links, directories, pipes, devices, and what is not there; nothing waits for a pipe, and nothing is asked."""
        path, _ = self.file()
        (self.folder / "link").symlink_to(path)
        os.mkfifo(self.folder / "pipe")
        for name in (
            str(self.folder / "link"),
            str(self.folder / "pipe"),
            str(self.folder),
            "/dev/null",
            "",
            "nowhere",
            "a\0b",
        ):
            self.assertRaises(FileInvalid, self.send, self.alice, name)
        self.assertEqual((self.watch.asked, self.alice.room("lobby").waiting()), ([], []))

    def test_bounds(self) -> None:
        """Words that are too long, and more files than wait at a time."""
        path, _ = self.file(size=10)
        self.assertRaises(TextInvalid, self.send, self.alice, path, "w" * 2049)
        self.assertRaises(TextInvalid, self.send, self.alice, path, "\ud800")
        self.watch.before = self._storage_full
        for _ in range(MAX_UPLOADS):
            self.send(self.alice, path)
        self.assertRaises(Quota, self.send, self.alice, path)

    def _storage_full(self, _: object) -> None:
        raise StorageFull("the disk")

    def test_changes(self) -> None:
        """One that changes while it is read fails, and nothing of it is said."""
        path, data = self.file(size=3 * PIECE_BYTES)
        for mode in ("ab", "r+b"):
            Path(path).write_bytes(data)
            with mock.patch.object(Spool, "append", self.changing(path, mode)):
                sent = self.send(self.alice, path)
                self.assertRaises(FileInvalid, self.alice.do, sent)
        self.assertEqual((self.watch.of(messages.PutChunk), self.spool(self.alice)), ([], []))
        self.assertEqual(self.states(self.alice, "up")[-1], "failed")

    def changing(self, path: str, mode: str) -> Callable[..., None]:
        """In place of `Spool.append`: the file changes each time."""
        real = Spool.append

        def append(spool: Spool, name: str, offset: int, sealed: bytes, *, sync: bool = True) -> None:
            with open(path, mode) as file:
                file.write(b"x")
            os.utime(path, ns=(1, 1))
            real(spool, name, offset, sealed, sync=sync)

        return append

    def test_the_server_refuses(self) -> None:
        """What the server says fails the file, which is shown as failed; it can be sent again, or given up."""
        path, data = self.file()
        for error in (Quota("full"), TooLarge("too large"), Muted("muted")):

            def refuse(_: object, error: Exception = error) -> None:
                raise error

            self.watch.before = refuse
            sent = self.send(self.alice, path, "look")
            self.assertRaises(type(error), self.alice.do, sent)
            failed = self.alice.events(SendFailed)[-1]
            self.assertEqual((failed.message_id, type(failed.error)), (sent.message_id, type(error)))
            (waiting,) = self.alice.room("lobby").waiting()
            self.assertEqual(waiting.state, "failed")
            if not isinstance(error, Muted):
                self.alice.room("lobby").discard(sent.message_id)
        self.assertEqual(self.spool(self.alice), [])
        self.watch.before = lambda _: None
        again = self.alice.room("lobby").resend(sent.message_id)
        self.alice.do(again)
        self.world.settle()
        message = self.bob.events(MessageReceived)[-1]
        self.assertEqual((message.message_id, message.text), (again.message_id, "look"))
        self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)
        self.assertEqual(self.alice.room("lobby").waiting(), [])

    def test_for_now(self) -> None:
        """A full disk at the server: it is tried again."""
        self.watch.before = self._storage_full
        sent = self.send(self.alice, self.file()[0])
        self.world.settle(5)
        self.assertIsInstance(self.alice.client.refusal, StorageFull)
        self.watch.before = lambda _: None
        self.alice.do(sent)

    def test_unknown(self) -> None:
        """What is not on its way cannot be stopped, nor given up."""
        lobby = self.alice.room("lobby")
        for call in (lobby.pause_file, lobby.resume_file, lobby.discard, lobby.resend, lobby.forget_file):
            self.assertRaises(NotFound, call, b"x" * 16)


class NoFilesTests(FilesCase):
    """A server that takes none."""

    limits: ClassVar[dict[str, Any]] = {"blob_bytes": 0}

    def test_said(self) -> None:
        """It is said at once."""
        self.assertEqual(self.alice.client.file_limits.size, 0)
        self.assertRaises(NoFiles, self.send, self.alice, self.file()[0])


class SmallTests(FilesCase):
    """A server that takes small ones."""

    limits: ClassVar[dict[str, Any]] = {"blob_bytes": 50_000}

    def test_limit(self) -> None:
        """The largest file goes, and one byte more does not."""
        most = self.alice.client.file_limits.size
        message, data = self.sent("most.bin", most)
        self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)
        self.assertRaises(TooLarge, self.send, self.alice, self.file(size=most + 1)[0])


class InterruptedTests(FilesCase):
    """What happens on the way."""

    size = 3 * PIECE_BYTES + 123

    def begin(self, pieces: int, size: int = 0) -> tuple[Sent, str, bytes]:
        """A file of which so many pieces have come, and no more come; with its path, and its bytes."""
        path, data = self.file(size=size or self.size)
        self.watch.hold_after(pieces)
        sent = self.send(self.alice, path, "look")
        self.world.settle(2)
        self.assertGreater(len(self.watch.of(messages.OpenBlob)), 0)
        return sent, path, data

    def cut(self) -> None:
        """The connection goes, and what was held with it."""
        self.world.server.cut()
        self.watch.release()

    def check(self, data: bytes, most_again: int = 2 * 32_768) -> None:
        """It has come once, whole, and not much was sent twice."""
        self.world.settle(15)
        (message,) = [each for each in self.bob.events(MessageReceived) if each.file is not None]
        self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)
        self.assertLessEqual(self.watch.put, sealed_size(len(data)) + most_again)
        self.assertEqual(self.spool(self.alice), [])

    def test_connection_lost(self) -> None:
        """It goes on where it was, however often."""
        _, _, data = self.begin(3)
        for pieces in (20, 30):
            self.cut()
            self.watch.hold_after(pieces)
            self.world.settle(5)
        self.cut()
        self.check(data, 6 * 32_768)
        self.assertGreater(len(self.watch.of(messages.OpenBlob)), 3)

    def test_restart_at_every_moment(self) -> None:
        """The program ends, whatever it was at; it goes on from its files, and nothing comes twice, or wrong."""
        for moment in (0, 1, 2, 10, 50, 95, 97):
            _, _, data = self.begin(moment)
            self.alice.leave_the_machine()
            self.watch.release()
            self.alice.come_back()
            self.check(data, PIECE_BYTES)
            self.watch.asked.clear()
            self.bob.told.clear()

    def test_restart_before_it_is_said(self) -> None:
        """All of it is at the server, and the program ends before the message is stored."""
        path, data = self.file(size=self.size)
        engine = self.alice.client.engine
        with mock.patch.object(engine.outbox, "flush_soon"):
            self.send(self.alice, path)
            self.world.settle(3)
        self.assertEqual([name[-3:] for name in self.spool(self.alice)], [".up"])
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.check(data, 0)

    def test_restart_offline(self) -> None:
        """It is shown after a restart without a connection, and the file itself is not needed any more."""
        _, path, data = self.begin(0)
        self.alice.leave_the_machine()
        os.unlink(path)
        self.watch.release()
        self.alice.come_back()
        queued = self.alice.events(SendQueued)[0]
        assert queued.file is not None
        self.assertEqual((queued.text, queued.file.name), ("look", "report.pdf"))
        self.check(data)

    def test_gone_before_it_was_sealed(self) -> None:
        """The program ends before the file was read, and the file is another one then."""
        path, _ = self.file(size=self.size)
        with mock.patch.object(Uploads, "go"):
            self.send(self.alice, path)
            self.alice.leave_the_machine()
        Path(path).write_bytes(b"another")
        self.alice.come_back()
        self.assertIsInstance(self.alice.events(SendFailed)[-1].error, FileInvalid)
        self.assertEqual(self.spool(self.alice), [])

    def test_no_connection(self) -> None:
        """Without one it is sealed all the same."""
        self.world.server.up = False
        self.world.server.cut()
        self.world.settle(2)
        path, data = self.file(size=self.size)
        self.send(self.alice, path)
        self.world.settle(2)
        os.unlink(path)
        self.world.server.up = True
        self.world.settle(20)
        self.check(data)

    def test_at_its_end(self) -> None:
        """A server that has all of it, and has not looked at it yet, is asked again now and then, and not all the time."""
        asked: list[float] = []
        seconds = self.alice.client.engine.context.seconds

        def before(command: object) -> None:
            if isinstance(command, messages.OpenBlob):
                asked.append(seconds())

        def answers(answer: object) -> object:
            if isinstance(answer, messages.Blob) and len(asked) < 4:
                return msgspec.structs.replace(answer, received=answer.size, whole=False)
            return answer

        self.watch.before, self.watch.answers = before, answers
        message, data = self.sent()
        self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)
        self.assertEqual(len(asked), 4)
        self.assertGreaterEqual(asked[-1] - asked[0], 1.5)

    def test_expired_while_paused(self) -> None:
        """What the server has dropped is begun anew."""
        sent, _, data = self.begin(5)
        self.alice.room("lobby").pause_file(sent.message_id)
        self.watch.release()
        self.world.settle()
        (opened, *_) = self.watch.of(messages.OpenBlob)
        self.drop(opened.id)
        self.alice.room("lobby").resume_file(sent.message_id)
        self.check(data, PIECE_BYTES)

    def drop(self, blob_id: bytes) -> None:
        """The server forgets a blob."""
        self.alice.do(self.alice.client.engine.requests.ask(messages.DropBlob, id=blob_id))

    def test_dropped_on_the_way(self) -> None:
        """Likewise, in the middle of it, and where what arrived is not what was announced."""
        path, data = self.file(size=self.size)
        for error in (NotFound("blob"), BadBlob("blob")):
            done: list[int] = []

            def before(command: object, error: Exception = error, done: list[int] = done) -> None:
                if isinstance(command, messages.PutChunk) and command.offset > PIECE_BYTES and not done:
                    done.append(1)
                    raise error

            self.watch.before = before
            self.alice.do(self.send(self.alice, path))
        self.world.settle()
        for message in [each for each in self.bob.events(MessageReceived) if each.file is not None]:
            self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)

    def test_pause(self) -> None:
        """A person stops it, also over a restart, and lets it go on; other files go meanwhile."""
        lobby = self.alice.room("lobby")
        sent, _, data = self.begin(5)
        lobby.pause_file(sent.message_id)
        self.watch.release()
        self.world.settle()
        (waiting,) = lobby.waiting()
        assert waiting.file is not None
        self.assertEqual((waiting.file.state, self.states(self.alice, "up")[-1]), ("paused", "paused"))
        self.alice.leave_the_machine()
        self.alice.come_back()
        queued = self.alice.events(SendQueued)[0]
        assert queued.file is not None
        self.assertEqual(queued.file.state, "paused")
        self.alice.do(self.send(self.alice, self.file("other.bin")[0]))
        self.assertEqual([each.message_id for each in self.alice.room("lobby").waiting()], [sent.message_id])
        self.bob.told.clear()
        self.alice.room("lobby").resume_file(sent.message_id)
        self.check(data, PIECE_BYTES)

    def test_discard(self) -> None:
        """Given up: nothing is left of it, here or there, and nothing is said."""
        lobby = self.alice.room("lobby")
        sent, *_ = self.begin(5)
        failures = list[Failure]()
        sent.addErrback(failures.append)
        lobby.discard(sent.message_id)
        self.watch.release()
        self.world.settle()
        self.assertEqual((lobby.waiting(), self.spool(self.alice)), ([], []))
        self.assertTrue(failures[0].check(Withdrawn))
        self.assertEqual(self.alice.do(self.alice.client.files()).files, ())
        self.assertEqual([each for each in self.bob.events(MessageReceived) if each.file is not None], [])

    def test_forget_unsent(self) -> None:
        """A program gives up on what it has not got away, files included."""
        self.begin(0)
        self.assertEqual(self.alice.client.unacknowledged, 1)
        self.assertEqual(self.alice.client.forget_unsent(), 1)
        self.assertEqual((self.alice.client.unacknowledged, self.alice.room("lobby").waiting()), (0, []))


class OwnTests(FilesCase):
    """What the server has of ours."""

    def test_listed(self) -> None:
        """All of it, with what this device knows, and how much of the quota it takes."""
        message, _ = self.sent("report.pdf", 100_000)
        own = self.alice.do(self.alice.client.files())
        (file,) = own.files
        self.assertEqual((file.name, file.room, file.message_id), ("report.pdf", "lobby", message.message_id))
        self.assertEqual((file.size, file.received), (sealed_size(100_000),) * 2)
        self.assertGreater(own.quota, own.used)
        self.assertGreaterEqual(own.used, file.size)
        self.assertEqual(self.bob.do(self.bob.client.files()).files, ())
