"""Files at the server: who may do what, every bound and one more, and what a crash leaves."""

from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.blob_models import NewBlob
from chatserv.commands.uploads import SYNC_BYTES
from chatserv.crypto.commits import Remove, SetMember
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.errors import ReadOnly, StorageFull
from chatserv.wire import messages
from tests.support.server import MemoryClient, WireServer
from tests.support.smith import code

MIB = 1 << 20
HALF = SYNC_BYTES
PIECE = messages.CHUNK_BYTES


def bytes_of(size: int, number: int = 1) -> bytes:
    """So many bytes, by number."""
    return (sha256(b"file %d" % number) * (size // 32 + 1))[:size]


class _Slow:
    """A call whose first answer waits for ``answer``."""

    def __init__(self, call: Callable[[Any], Awaitable[Any]]) -> None:
        self._call, self._first = call, True
        self.answer: Deferred[None] = Deferred()

    async def __call__(self, asked: Any) -> Any:
        first, self._first = self._first, False
        found = await self._call(asked)
        if first:
            await self.answer
        return found


class BlobCase(SynchronousTestCase):
    """Alice and Bob in the lobby."""

    def setUp(self) -> None:
        """Rates that nobody reaches."""
        self.start()

    def start(self, **limits: Any) -> None:
        """A new server."""
        self.server = WireServer(**{"blob_burst_bytes": 2**30, **limits})
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")

    def begin(self, data: bytes, number: int = 1, client: MemoryClient | None = None, **changes: Any) -> Any:
        """Alice, or somebody, begins a blob."""
        fields = {"room": self.server.lobby, "id": bytes([number]) * 16, "size": len(data), "hash": sha256(data)}
        return (client or self.alice).ask(messages.OpenBlob, **{**fields, **changes})

    def put(self, data: bytes, number: int = 1, start: int = 0, end: int | None = None) -> Any:
        """Alice uploads a part of it, piece by piece; gives the last answer."""
        reply: Any = None
        stop = len(data) if end is None else end
        for offset in range(start, stop, PIECE):
            piece = data[offset : min(offset + PIECE, stop)]
            reply = self.alice.ask(messages.PutChunk, id=bytes([number]) * 16, offset=offset, data=piece)
        return reply

    def uploaded(self, size: int = 100, number: int = 1) -> bytes:
        """A whole blob of Alice's."""
        data = bytes_of(size, number)
        self.begin(data, number)
        self.assertTrue(self.put(data, number).whole)
        return data

    def read(self, client: MemoryClient, offset: int = 0, number: int = 1, **fields: Any) -> Any:
        """Somebody reads a piece."""
        return client.ask(messages.ReadBlob, id=bytes([number]) * 16, offset=offset, **fields)

    def stored(self, number: int = 1) -> Any:
        """The row of a blob."""
        return self.server.wait(self.server.memory.blob(bytes([number]) * 16))


class UploadTests(BlobCase):
    """Up and down."""

    def test_begun_anew(self) -> None:
        """Where a restored store has no row of a file that lies there whole, it can be uploaded again under its id."""
        data = self.uploaded(MIB + 5)
        blob_id = bytes([1]) * 16
        self.server.wait(self.server.memory.end_blobs([blob_id]))
        self.server.wait(self.server.memory.forget_blobs([blob_id]))
        self.server.uploads.forget("alice")
        self.assertIn(blob_id, self.server.files.files)
        self.assertEqual(0, self.begin(data).received)
        self.assertTrue(self.put(data).whole)
        self.assertEqual(data[:PIECE], self.read(self.bob).data)

    def test_read_while_begun(self) -> None:
        """Who asks for a blob that is begun meanwhile, and goes on, does not set it back; nor does who begins it twice."""
        data, blob_id, uploads = bytes_of(3 * PIECE), b"\1" * 16, self.server.uploads
        self.begin(data)
        row = self.stored()
        again = NewBlob(blob_id, row.owner, row.room, row.size, row.hash, row.created_ms, row.expires_ms)
        for place, name, ask in (
            (self.server.memory, "blob", lambda: uploads.find(blob_id, whole=True)),
            (self.server.files, "remove", lambda: uploads.begin(again)),
        ):
            uploads.forget("alice")
            slow = _Slow(getattr(place, name))
            with patch.object(place, name, slow):
                asked = Deferred.fromCoroutine(ask())
                self.assertEqual(0, self.begin(data).received)
                self.put(data, end=PIECE)
                slow.answer.callback(None)
                self.successResultOf(asked)
            self.assertEqual(2 * PIECE, self.put(data, start=PIECE, end=2 * PIECE).received, name)

    def test_round_trip(self) -> None:
        """What Alice uploads in pieces Bob reads in pieces; behind the end there is nothing."""
        data = bytes_of(2 * MIB + 77)
        begun = self.begin(data)
        self.assertEqual((begun.received, begun.whole, begun.size), (0, False, len(data)))
        done = self.put(data)
        self.assertEqual((done.received, done.whole), (len(data), True))
        read = b"".join(self.read(self.bob, offset).data for offset in range(0, len(data), PIECE))
        self.assertEqual(data, read)
        self.assertEqual((b"", len(data)), (self.read(self.bob, len(data)).data, self.read(self.bob).size))
        self.assertEqual(data[5:15], self.read(self.bob, 5, limit=10).data)

    def test_expires(self) -> None:
        """An upload has hours to go on, and a whole blob days, but no longer than messages are kept."""
        self.start(blob_open_hours=2, blob_days=3)
        data = bytes_of(100)
        now = self.server.now_ms()
        self.assertEqual(now + 2 * 3_600_000, self.begin(data).expires)
        self.assertEqual(now + 3 * 86_400_000, self.put(data).expires)
        limits = self.alice.one(messages.Welcome).limits
        self.assertEqual((104_857_600, 3), (limits.blob_bytes, limits.blob_days))
        self.server.advance(3 * 86_400 - 1)
        alice = self.server.log_in(self.alice.account)
        self.assertEqual(data, self.read(alice).data)
        self.server.advance(1)
        self.assertEqual("not_found", code(self.read(self.server.log_in(self.alice.account))))

    def test_resumed(self) -> None:
        """Begun once more the same is as far as it was, on this connection and another one."""
        data = bytes_of(3 * PIECE)
        self.begin(data)
        self.put(data, end=PIECE)
        self.assertEqual(PIECE, self.begin(data).received)
        self.alice.drop()
        self.alice = self.server.log_in(self.alice.account)
        self.assertEqual(PIECE, self.begin(data).received)
        self.assertTrue(self.put(data, start=PIECE).whole)
        self.assertTrue(self.begin(data).whole)

    def test_twice(self) -> None:
        """A piece that is there is answered and not written again, whatever it says; of a whole blob any is."""
        data = bytes_of(2 * PIECE)
        self.begin(data)
        self.put(data, end=PIECE)
        again = self.alice.ask(messages.PutChunk, id=b"\1" * 16, offset=0, data=b"other")
        self.assertEqual((PIECE, False), (again.received, again.whole))
        self.put(data, start=PIECE)
        again = self.alice.ask(messages.PutChunk, id=b"\1" * 16, offset=PIECE, data=b"other")
        self.assertTrue(again.whole)
        self.assertEqual(data[:PIECE], self.read(self.bob).data)

    def test_not_the_next(self) -> None:
        """A piece that leaves a gap, or goes beyond the end, is refused, and the upload goes on."""
        data = bytes_of(100)
        self.begin(data)
        for offset, piece in ((1, b"x"), (0, bytes(101))):
            reply = self.alice.ask(messages.PutChunk, id=b"\1" * 16, offset=offset, data=piece)
            self.assertEqual("bad_message", code(reply))
        self.assertTrue(self.put(data).whole)

    def test_another_hash(self) -> None:
        """What does not have its hash is dropped, bytes and all; the id is free again."""
        data = bytes_of(100)
        self.begin(data, hash=bytes(32))
        self.assertEqual("bad_blob", code(self.put(data)))
        self.assertEqual(({}, None), (self.server.files.files, self.stored()))
        self.begin(data)
        self.assertTrue(self.put(data).whole)

    def test_taken(self) -> None:
        """Under an id there is one blob: of this account, in this room, of this size and hash."""
        data = bytes_of(100)
        self.begin(data)
        for changes in ({"client": self.bob}, {"size": 99}, {"hash": bytes(32)}):
            self.assertEqual("bad_message", code(self.begin(data, **changes)))
        self.assertEqual("not_found", code(self.bob.ask(messages.PutChunk, id=b"\1" * 16, offset=0, data=b"x")))


class PermissionTests(BlobCase):
    """Who may."""

    def test_outsiders(self) -> None:
        """Who is not in the room begins nothing there and reads nothing of it; nor does who was put out."""
        data, carol = self.uploaded(), self.server.join("carol", lobby=False)
        self.assertEqual("not_member", code(self.begin(data, 2, carol)))
        self.assertEqual("not_member", code(self.read(carol)))
        self.assertEqual("not_member", code(carol.ask(messages.DropBlob, id=b"\1" * 16)))
        leaf = self.server.smith.leaf(self.bob.account, self.server.lobby)
        self.assertEqual(data, self.read(self.bob).data)
        self.server.put(self.server.founder, self.server.lobby, Remove(leaf))
        self.assertEqual("not_member", code(self.read(self.bob)))

    def test_muted(self) -> None:
        """Who is muted, in the room or by the server, uploads nothing more, and reads."""
        data = bytes_of(2 * PIECE)
        self.begin(data)
        self.put(data, end=PIECE)
        self.server.put(self.server.founder, self.server.lobby, SetMember("alice", RoomRole.MEMBER, muted=True))
        refused = self.put(data, start=PIECE)
        self.assertEqual(("muted", "room"), (refused.code, refused.by))
        self.server.put(self.server.founder, self.server.lobby, SetMember("alice", RoomRole.MEMBER))
        dora = self.server.join("dora", Role.ADMIN)
        dora.ask(messages.ServerMute, user="alice", on=True)
        self.assertEqual("server", self.put(data, start=PIECE).by)
        self.assertEqual("muted", code(self.begin(data, 2)))
        dora.ask(messages.ServerMute, user="alice", on=False)
        self.assertTrue(self.put(data, start=PIECE).whole)

    def test_half(self) -> None:
        """What is not whole nobody reads."""
        data = bytes_of(2 * PIECE)
        self.begin(data)
        self.put(data, end=PIECE)
        for client in (self.alice, self.bob):
            self.assertEqual("not_found", code(self.read(client)))

    def test_made_whole_elsewhere(self) -> None:
        """What one node knows as half, and another one has made whole since, is read at both, for as long as it is kept."""
        self.start(blob_open_hours=1, blob_days=1)
        data = bytes_of(2 * PIECE)
        self.begin(data)
        self.put(data, end=PIECE)
        self.server.files.files[b"\1" * 16][:] = data
        until = self.server.now_ms() + 86_400_000
        self.server.wait(self.server.memory.note_received(b"\1" * 16, 0, len(data), until, whole=True))
        self.server.advance(7200)
        bob = self.server.log_in(self.bob.account)
        self.assertEqual(data[:PIECE], self.read(bob).data)
        self.assertEqual("Ok", code(self.server.log_in(self.alice.account).ask(messages.DropBlob, id=b"\1" * 16)))

    def test_drop(self) -> None:
        """The owner drops a blob, or a moderator; no other member. Then it is there for nobody, and its bytes are gone."""
        self.uploaded()
        self.assertEqual("forbidden", code(self.bob.ask(messages.DropBlob, id=b"\1" * 16)))
        self.server.put(self.server.founder, self.server.lobby, SetMember("bob", RoomRole.MODERATOR))
        self.assertEqual("Ok", code(self.bob.ask(messages.DropBlob, id=b"\1" * 16)))
        self.assertEqual({}, self.server.files.files)
        self.assertEqual("not_found", code(self.read(self.alice)))
        self.uploaded()
        self.assertEqual("Ok", code(self.alice.ask(messages.DropBlob, id=b"\1" * 16)))
        self.assertEqual("not_found", code(self.alice.ask(messages.DropBlob, id=b"\1" * 16)))

    def test_drop_of_whom(self) -> None:
        """Who drops a blob may say whose it has to be, a moderator and its owner alike; else it stays."""
        data = self.uploaded()
        self.server.put(self.server.founder, self.server.lobby, SetMember("bob", RoomRole.MODERATOR))
        for client in (self.alice, self.bob):
            self.assertEqual("forbidden", code(client.ask(messages.DropBlob, id=b"\1" * 16, owner="bob")))
        self.assertEqual(data, self.read(self.bob).data)
        self.assertEqual("Ok", code(self.bob.ask(messages.DropBlob, id=b"\1" * 16, owner="alice")))

    def test_dropped_meanwhile(self) -> None:
        """A blob that is dropped while it is uploaded does not become whole."""
        data = bytes_of(2 * PIECE)
        self.begin(data)
        self.put(data, end=PIECE)
        self.alice.ask(messages.DropBlob, id=b"\1" * 16)
        self.assertEqual("not_found", code(self.put(data, start=PIECE)))

    def test_list(self) -> None:
        """One's own are listed with what they count for, in pages; those of others are not."""
        self.start(blob_open=200)
        for number in range(1, 103):
            self.begin(b"x", number)
        self.begin(b"y", 200, self.bob)
        first = self.alice.ask(messages.ListBlobs)
        self.assertEqual((100, True), (len(first.blobs), first.more))
        rest = self.alice.ask(messages.ListBlobs, after=first.blobs[-1].id)
        self.assertEqual((2, False), (len(rest.blobs), rest.more))
        self.assertEqual((102 * 65_536, 2**30), (rest.used, rest.quota))
        info = rest.blobs[-1]
        self.assertEqual((bytes([102]) * 16, self.server.lobby, 1, 0), (info.id, info.room, info.size, info.received))

    def test_no_files(self) -> None:
        """A server that takes none says so, at login and to whoever tries."""
        self.start(blob_bytes=0)
        self.assertEqual("forbidden", code(self.begin(b"x")))
        limits = self.alice.one(messages.Welcome).limits
        self.assertEqual((0, 0), (limits.blob_bytes, limits.blob_days))


class BoundTests(BlobCase):
    """Each bound, and one more."""

    def test_size(self) -> None:
        """The largest blob."""
        self.start(blob_bytes=1000)
        self.assertEqual("too_large", code(self.begin(bytes(1001))))
        self.assertEqual("Blob", code(self.begin(bytes(1000))))

    def test_open(self) -> None:
        """Uploads of an account at a time."""
        self.start(blob_open=2)
        for number in (1, 2):
            self.begin(b"x", number)
        self.assertEqual("quota", code(self.begin(b"x", 3)))
        self.put(b"x", 1)
        self.assertEqual("Blob", code(self.begin(b"x", 3)))

    def test_account(self) -> None:
        """Bytes of an account."""
        self.start(blob_bytes=65_536, blob_account_bytes=2 * 65_536)
        self.uploaded(number=1)
        self.uploaded(number=2)
        self.assertEqual("quota", code(self.begin(b"x", 3)))
        self.assertEqual("Blob", code(self.begin(b"x", 3, self.bob)))

    def test_known(self) -> None:
        """What a node knows of blobs: one more pushes out what was not used for longest, not an upload that goes on."""
        self.start(blobs_known=2)
        data = bytes_of(3 * PIECE)
        self.begin(data)
        self.put(data, end=PIECE)
        for number in (2, 3):
            self.begin(b"x", number)
            self.put(data, start=(number - 1) * PIECE, end=number * PIECE)
        self.assertTrue(self.begin(data).whole)
        self.begin(data, 4)
        self.put(data, 4, end=PIECE)
        for number in (2, 3):
            self.begin(b"x", number)
        self.assertEqual("bad_message", code(self.put(data, 4, start=PIECE)), "what was pushed out begins anew")

    def test_server(self) -> None:
        """Bytes of all, and how full the disk may be."""
        self.start(blob_bytes=65_536, blob_account_bytes=65_536, blob_server_bytes=65_536)
        self.begin(b"x", 1)
        self.assertEqual("storage_full", code(self.begin(b"x", 2, self.bob)))
        self.server.files.full = True
        self.alice.ask(messages.DropBlob, id=b"\1" * 16)
        self.assertEqual("storage_full", code(self.begin(b"x", 2)))

    def test_rate(self) -> None:
        """So many bytes at once, then so many a second: pieces wait, and what else there is does not wait behind them."""
        self.start(blob_burst_bytes=4 * PIECE, blob_bytes_per_second=PIECE)
        data = bytes_of(6 * PIECE)
        self.begin(data)
        labels = []
        for offset in range(0, len(data), PIECE):
            labels.append(self.alice.label())
            piece = data[offset : offset + PIECE]
            self.alice.tell(messages.PutChunk(labels[-1], b"\1" * 16, offset, piece))
        self.server.settle()
        answered = [self.alice.reply(label) is not None for label in labels]
        self.assertEqual([True] * 4 + [False] * 2, answered)
        self.assertEqual("Sent", code(self.alice.say("not behind the file")))
        self.server.advance(1)
        self.assertIsNone(self.alice.reply(labels[5]))
        self.server.advance(1)
        self.assertTrue(self.alice.reply(labels[5]).whole)

    def test_two_at_a_time(self) -> None:
        """Of a session's pieces two are under way; a third waits for one of them, and other commands do not."""
        self.uploaded(3 * PIECE)
        waiting: list[Deferred[None]] = []

        async def slow(blob_id: bytes, offset: int, limit: int) -> bytes:
            waiting.append(Deferred())
            await waiting[-1]
            return bytes(self.server.files.files[blob_id][offset : offset + limit])

        self.patch(self.server.files, "read", slow)
        labels = [self.bob.label() for _ in range(3)]
        for number, label in enumerate(labels):
            self.bob.tell(messages.ReadBlob(label, b"\1" * 16, number * PIECE))
        self.server.settle()
        self.assertEqual(2, len(waiting))
        self.assertEqual("Ok", code(self.bob.ask(messages.Ping)))
        waiting[0].callback(None)
        self.server.settle()
        self.assertEqual(3, len(waiting))
        for each in waiting[1:]:
            each.callback(None)
        self.server.settle()
        self.assertEqual([0, PIECE, 2 * PIECE], [self.bob.reply(label).offset for label in labels])


class CrashTests(BlobCase):
    """What the disk and the store know."""

    def test_crash(self) -> None:
        """After the machine has died at most a MiB comes again, and no byte is another one."""
        data = bytes_of(3 * MIB + 5 * PIECE)
        self.begin(data)
        self.put(data, end=2 * MIB + 7 * PIECE)
        self.server.files.crash()
        self.server.restart()
        self.alice, self.bob = (self.server.log_in(each.account) for each in (self.alice, self.bob))
        self.assertEqual(2 * MIB, self.begin(data).received)
        self.assertTrue(self.put(data, start=2 * MIB).whole)
        self.assertEqual(data, bytes(self.server.files.files[b"\1" * 16]))

    def test_told_whole(self) -> None:
        """What is told to be whole is on the disk, and in the store."""
        data = self.uploaded(MIB + 5)
        self.assertEqual(len(data), self.server.files.durable[b"\1" * 16])
        self.assertEqual((len(data), True), (self.stored().received, self.stored().whole))

    def test_disk_fails(self) -> None:
        """Where the disk takes a piece not, the client asks how far the blob is, and goes on from there."""
        data = bytes_of(2 * MIB)
        self.begin(data)
        self.put(data, end=MIB + 2 * PIECE)
        for error in (StorageFull("blob"), ReadOnly("blob")):
            self.server.files.fail = error
            self.assertEqual(error.code, code(self.put(data, start=MIB + 2 * PIECE, end=MIB + 3 * PIECE)))
            self.assertEqual(MIB, self.begin(data).received)
            self.assertEqual("Blob", code(self.put(data, start=MIB, end=MIB + 2 * PIECE)))
        self.assertTrue(self.put(data, start=MIB + 2 * PIECE).whole)
        self.assertEqual(data, bytes(self.server.files.files[b"\1" * 16]))

    def test_disk_fills(self) -> None:
        """What was begun while there was place goes on no longer than the disk has it; then from the last half MiB on."""
        data = bytes_of(2 * MIB)
        self.begin(data)
        self.put(data, end=MIB)
        self.server.files.full = True
        self.assertEqual("storage_full", code(self.begin(bytes_of(100, 2), 2)))
        self.put(data, start=MIB, end=MIB + HALF - PIECE)
        self.server.files.full = False
        self.assertTrue(self.put(data, start=MIB + HALF - PIECE).whole)
        self.start()
        data = bytes_of(3 * MIB)
        self.begin(data)
        self.put(data, end=MIB)
        self.server.files.full = True
        self.assertEqual("storage_full", code(self.put(data, start=MIB, end=MIB + HALF)))
        self.server.files.full = False
        self.assertEqual(MIB, self.begin(data).received)
        self.assertTrue(self.put(data, start=MIB).whole)

    def test_piece_behind_a_failed_one(self) -> None:
        """While a piece fails, none that comes behind it makes the store believe that it is there."""
        data = bytes_of(2 * MIB)
        self.begin(data)
        self.put(data, end=MIB - 2 * PIECE)
        held: list[Deferred[None]] = []
        write = self.server.files.write

        async def slow(blob_id: bytes, offset: int, piece: bytes) -> None:
            held.append(Deferred())
            await held[-1]
            await write(blob_id, offset, piece)

        self.patch(self.server.files, "write", slow)
        labels = [self.alice.label() for _ in range(2)]
        for number, label in enumerate(labels):
            offset = MIB - (2 - number) * PIECE
            self.alice.tell(messages.PutChunk(label, b"\1" * 16, offset, data[offset : offset + PIECE]))
        self.server.settle()
        self.assertEqual(2, len(held))
        held[0].errback(StorageFull("blob"))
        held[1].callback(None)
        self.server.settle()
        self.assertEqual(["storage_full", "busy"], [code(self.alice.reply(label)) for label in labels])
        self.assertEqual(HALF, self.stored().received)

    def test_bytes_missing(self) -> None:
        """Where bytes are gone that the store believes in, nobody is told something else instead."""
        self.uploaded()
        del self.server.files.files[b"\1" * 16][50:]
        self.assertEqual("not_found", code(self.read(self.bob)))
