"""Files that are received: saved as they were sent, or not at all, and never where or over what a member likes."""

import errno
import os
import stat
from dataclasses import replace
from pathlib import Path
from unittest import mock

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import FileDamaged, FileGone, LocalFileError, MessageDeleted, MessageReceived, seal_profile
from chatserv.client.errors import NotFound
from chatserv.client.file_names import safe_file_name
from chatserv.client.files.saving import Saving
from chatserv.client.files.spool import PIECE_BYTES, Spool
from chatserv.crypto.e2e.file import FileSealer, sealed_size
from chatserv.crypto.file_body import File
from chatserv.errors import Busy
from chatserv.wire import messages
from tests.client.files.cases import FilesCase

ROOM, KEY = b"r" * 16, b"k" * 32
HOSTILE = (
    "../../escaped",
    "..\\..\\escaped",
    "/etc/passwd",
    "~/.ssh/authorized_keys",
    ".bashrc",
    "-rf",
    "CON",
    "nul.txt",
    "a\0b",
    "photo\u202egnp.exe",
    "\u00e9" * 127 + ".png",
    "x" * 255,
    "..",
    "",
    "a/b/../../c",
    "\r\n\x1b[2J",
)


class SavingTests(SynchronousTestCase):
    """`Saving`, by itself."""

    def setUp(self) -> None:
        """A spool, and a directory to save to, beside one that nobody has chosen."""
        self.base = Path(self.mktemp())
        self.chosen, self.other, profile = (self.base / name for name in ("chosen", "other", "profile"))
        for each in (self.base, self.chosen, self.other, profile):
            each.mkdir(mode=0o700)
        self.spool = Spool(profile)

    def save(self, name: str, data: bytes = b"hello", size: int | None = None) -> str:
        """Saves what a member has sent under this name; ``size``: what they announce."""
        sealer = FileSealer(KEY, ROOM, len(data))
        self.spool.append("x.down", 0, sealer.update(data) + sealer.finalize())
        file = File(b"b" * 16, KEY, sealer.hash, len(data) if size is None else size, name)
        saving = Saving(self.spool, "x.down", ROOM, file, str(self.chosen), "part of x")
        try:
            while saving.step():
                pass
            return saving.finish()
        finally:
            saving.close()

    def test_mode_and_bytes(self) -> None:
        """The file is ours alone, with what was sent; nothing else is left there."""
        path = self.save("a.txt")
        self.assertEqual((path, Path(path).read_bytes()), (str(self.chosen / "a.txt"), b"hello"))
        self.assertEqual(stat.S_IMODE(os.lstat(path).st_mode), 0o600)
        self.assertEqual(os.listdir(self.chosen), ["a.txt"])

    def test_nothing_is_overwritten(self) -> None:
        """Not a file, a link to one, a link to nothing, a directory: the name gets a number."""
        (self.other / "target").write_bytes(b"theirs")
        (self.chosen / "a.txt").write_bytes(b"mine")
        (self.chosen / "a (2).txt").symlink_to(self.other / "target")
        (self.chosen / "a (3).txt").symlink_to(self.other / "new")
        (self.chosen / "a (4).txt").mkdir()
        os.mkfifo(self.chosen / "a (5).txt")
        self.assertEqual(self.save("a.txt"), str(self.chosen / "a (6).txt"))
        self.assertEqual((self.chosen / "a.txt").read_bytes(), b"mine")
        self.assertEqual((self.other / "target").read_bytes(), b"theirs")
        self.assertEqual(os.listdir(self.other), ["target"])

    def test_the_part_is_no_door(self) -> None:
        """A link under the name of the unfinished file is not followed, and stays."""
        self.no_unnamed_files()
        (self.chosen / "part of x.part").symlink_to(self.other / "new")
        self.assertRaises(LocalFileError, self.save, "a.txt")
        self.assertEqual((os.listdir(self.chosen), os.listdir(self.other)), (["part of x.part"], []))

    def no_unnamed_files(self) -> None:
        """The file system has none from now on."""
        patch = mock.patch("chatserv.client.files.saving._unnamed", return_value=None)
        patch.start()
        self.addCleanup(patch.stop)

    def seen_meanwhile(self) -> set[str]:
        """What is in the directory while a file of nine pieces is saved."""
        seen: set[str] = set()
        real = Saving.step

        def step(saving: Saving) -> bool:
            seen.update(os.listdir(self.chosen))
            return real(saving)

        with mock.patch.object(Saving, "step", step):
            path = self.save("a.txt", b"x" * (2 * PIECE_BYTES + 1))
        self.assertEqual(Path(path).read_bytes(), b"x" * (2 * PIECE_BYTES + 1))
        self.assertEqual(os.listdir(self.chosen), ["a.txt"])
        os.unlink(path)
        return seen

    def test_nothing_before_the_end(self) -> None:
        """Who is killed meanwhile leaves nothing there, but where a file system has no files without a name."""
        self.assertEqual(self.seen_meanwhile(), set())
        self.no_unnamed_files()
        self.assertEqual(self.seen_meanwhile(), {"part of x.part"})

    def test_the_directory_is_changed(self) -> None:
        """It stays the one that was chosen, whatever has its name at the end."""
        data = b"x" * (PIECE_BYTES + 1)
        real = Saving.step

        def step(saving: Saving) -> bool:
            if self.chosen.exists() and not self.chosen.is_symlink():
                self.chosen.rename(self.base / "moved")
                self.chosen.symlink_to(self.other, target_is_directory=True)
            return real(saving)

        with mock.patch.object(Saving, "step", step):
            self.save("a.txt", data)
        self.assertEqual((os.listdir(self.base / "moved"), os.listdir(self.other)), (["a.txt"], []))

    @settings(deadline=None, max_examples=60)
    @given(st.text(st.characters(codec="utf-8"), max_size=250) | st.sampled_from(HOSTILE))
    @example("../../escaped")
    @example("\u00e9" * 127 + ".png")
    def test_names(self, name: str) -> None:
        """Whatever a member calls it: one file in the directory, and nothing elsewhere."""
        if len(name.encode(errors="ignore")) > 1024 or (not name.isprintable() and "\ud800" <= max(name) <= "\udfff"):
            return
        os.unlink(self.save("a.txt"))
        before = {each for each in self.base.rglob("*") if self.chosen not in each.parents}
        path = self.save(name)
        self.assertEqual(os.path.dirname(path), str(self.chosen))
        self.assertEqual(os.listdir(self.chosen), [os.path.basename(path)])
        self.assertEqual({each for each in self.base.rglob("*") if self.chosen not in each.parents}, before)
        os.unlink(path)

    def test_lies_about_the_size(self) -> None:
        """More or fewer bytes than announced: nothing is saved, and no more than announced was ever written."""
        written: list[int] = []
        real = os.pwrite

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            written.append(len(data))
            return real(descriptor, data, offset)

        for announced in (0, 10, 3 * PIECE_BYTES, 5 * PIECE_BYTES):
            written.clear()
            with mock.patch("chatserv.client.files.spool.os.pwrite", pwrite):
                self.assertRaises((FileDamaged, LocalFileError), self.save, "a.txt", bytes(4 * PIECE_BYTES), announced)
            self.assertLessEqual(sum(written) - sealed_size(4 * PIECE_BYTES), announced)
            self.assertEqual(os.listdir(self.chosen), [])

    def test_no_links_there(self) -> None:
        """A file system without links: the name is taken before the file gets it, and nothing is overwritten."""
        (self.chosen / "a.txt").write_bytes(b"mine")
        data = b"x" * (2 * PIECE_BYTES + 1)
        with mock.patch("chatserv.client.files.saving.os.link", side_effect=PermissionError):
            self.assertEqual(self.save("a.txt", data), str(self.chosen / "a (2).txt"))
            self.no_unnamed_files()
            self.assertEqual(self.save("a.txt", data), str(self.chosen / "a (3).txt"))
        self.assertEqual((self.chosen / "a.txt").read_bytes(), b"mine")
        for name in ("a (2).txt", "a (3).txt"):
            self.assertEqual((self.chosen / name).read_bytes(), data)
            self.assertEqual(stat.S_IMODE(os.lstat(self.chosen / name).st_mode), 0o600)
        self.assertEqual(sorted(os.listdir(self.chosen)), ["a (2).txt", "a (3).txt", "a.txt"])

    def test_words_for_no_links(self) -> None:
        """Network drives and what shuts programs in say it each in its own way."""
        for number, code in enumerate((errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK), 1):
            with mock.patch("chatserv.client.files.saving.os.link", side_effect=OSError(code, "no links")):
                self.assertEqual(self.save(f"{number}.txt"), str(self.chosen / f"{number}.txt"))
        self.assertEqual(sorted(os.listdir(self.chosen)), ["1.txt", "2.txt", "3.txt", "4.txt"])

    def test_no_links_and_a_full_disk(self) -> None:
        """Where a copy has to be made and there is no room for it, neither a file nor a descriptor stays behind."""
        before = os.listdir("/proc/self/fd")
        with (
            mock.patch("chatserv.client.files.saving.os.link", side_effect=PermissionError),
            mock.patch("chatserv.client.files.saving.os.sendfile", side_effect=OSError(28, "No space left on device")),
        ):
            self.assertRaises(LocalFileError, self.save, "a.txt")
        self.assertEqual((before, []), (os.listdir("/proc/self/fd"), os.listdir(self.chosen)))

    def test_nowhere(self) -> None:
        """A client that keeps nothing on a disk has no spool: what is asked of it is refused, and nothing is written."""
        nowhere = Spool(None)
        nowhere.sweep([])
        nowhere.remove("x")
        self.assertEqual(nowhere.size("x"), 0)
        self.assertRaises(LocalFileError, nowhere.append, "x", 0, b"data")

    def test_full_disk(self) -> None:
        """It is said which directory it is, and nothing is left."""
        full = OSError(28, "No space left on device")
        with mock.patch("chatserv.client.files.saving.write_all", side_effect=full):
            self.assertRaises(LocalFileError, self.save, "a.txt")
        self.assertEqual(os.listdir(self.chosen), [])


class ReceivedTests(FilesCase):
    """From the message to the file."""

    size = 2 * PIECE_BYTES + 17

    def test_kept(self) -> None:
        """What came is kept, sealed, and not asked for again; until it is forgotten."""
        message, data = self.sent("report.pdf", self.size)
        room = self.bob.room("lobby")
        first = self.save(message.message_id)
        asked = self.read()
        second = self.save(message.message_id, os.path.dirname(first))
        self.assertEqual((os.path.basename(second), Path(second).read_bytes()), ("report (2).pdf", data))
        self.assertEqual(self.read(), asked)
        self.assertEqual(self.state(message), "kept")
        kept = (self.bob.profile.directory / "files" / self.spool(self.bob)[0]).read_bytes()
        self.assertNotIn(data[:32], kept)
        room.forget_file(message.message_id)
        self.assertEqual((self.state(message), self.spool(self.bob)), ("there", []))
        self.save(message.message_id)
        self.assertEqual(self.read(), 2 * asked)

    def state(self, message: MessageReceived) -> str:
        """How bob's device says that the file stands."""
        file = self.bob.room("lobby").find(message.message_id).file
        assert file is not None
        return file.state

    def begin(self, pieces: int) -> tuple[MessageReceived, bytes, "Deferred[str]", Path]:
        """Bob saves a file, of which so many pieces come, and no more."""
        message, data = self.sent("report.pdf", self.size)
        target = Path(self.mktemp())
        target.mkdir()
        self.watch.hold_after(pieces, messages.ReadBlob)
        saved = Deferred.fromCoroutine(self.bob.room("lobby").save_file(message.message_id, str(target)))
        self.world.settle(2)
        self.assertEqual(self.state(message), "moving")
        return message, data, saved, target

    def read(self) -> int:
        """How many bytes were asked for."""
        return sum(command.limit for command in self.watch.of(messages.ReadBlob))

    def test_connection_lost(self) -> None:
        """It goes on where it was."""
        _, data, saved, _ = self.begin(30)
        self.world.server.cut()
        self.watch.release()
        self.assertEqual(Path(self.bob.do(saved)).read_bytes(), data)
        self.assertLessEqual(self.read(), sealed_size(self.size) + 2 * 32_768)

    def test_restart(self) -> None:
        """The program ends; the next try goes on where this one was, and nothing half is left where it was to go."""
        message, data, saved, target = self.begin(60)
        failures: list[object] = []
        saved.addErrback(failures.append)
        self.bob.leave_the_machine()
        self.assertEqual((len(failures), os.listdir(target)), (1, []))
        self.watch.release()
        self.bob.come_back()
        self.assertEqual(Path(self.save(message.message_id, str(target))).read_bytes(), data)
        self.assertLessEqual(self.read(), sealed_size(self.size) + PIECE_BYTES)

    def test_pause(self) -> None:
        """A person stops it, and lets it go on."""
        message, data, saved, _ = self.begin(30)
        room = self.bob.room("lobby")
        room.pause_file(message.message_id)
        self.watch.release()
        self.world.settle(3)
        asked = self.read()
        self.world.settle(3)
        self.assertEqual((self.state(message), self.read()), ("paused", asked))
        room.resume_file(message.message_id)
        self.assertEqual(Path(self.bob.do(saved)).read_bytes(), data)
        self.assertEqual(self.states(self.bob, "down"), ["moving", "paused", "moving", "done"])
        self.assertRaises(NotFound, room.pause_file, message.message_id)

    def test_others_while_one_is_paused(self) -> None:
        """One that was stopped keeps no other one waiting, whether that is here already or has to come."""
        here, data = self.sent("here.bin")
        self.save(here.message_id)
        message, _, saved, _ = self.begin(30)
        room = self.bob.room("lobby")
        room.pause_file(message.message_id)
        self.watch.release()
        self.world.settle(3)
        self.assertEqual(Path(self.save(here.message_id)).read_bytes(), data)
        other, data = self.sent("other.bin")
        self.assertEqual(Path(self.save(other.message_id)).read_bytes(), data)
        self.assertEqual(self.state(message), "paused")
        room.resume_file(message.message_id)
        self.bob.do(saved)

    def test_two_at_once(self) -> None:
        """Two programs save it: it is fetched once."""
        message, data, saved, _ = self.begin(10)
        target = Path(self.mktemp())
        target.mkdir()
        other = Deferred.fromCoroutine(self.bob.room("lobby").save_file(message.message_id, str(target)))
        self.watch.release()
        for each in (saved, other):
            self.assertEqual(Path(self.bob.do(each)).read_bytes(), data)
        self.assertEqual(self.read(), sealed_size(self.size))

    def test_damaged(self) -> None:
        """A server that changes a bit, or the size, or gives less, is found out: nothing is saved, nothing is kept."""
        message, _ = self.sent("report.pdf", self.size)

        def flip(answer: object) -> object:
            if isinstance(answer, messages.BlobData) and answer.offset > PIECE_BYTES:
                return msgspec.structs.replace(answer, data=bytes(len(answer.data)))
            return answer

        def larger(answer: object) -> object:
            return msgspec.structs.replace(answer, size=2**40) if isinstance(answer, messages.BlobData) else answer

        def shorter(answer: object) -> object:
            return msgspec.structs.replace(answer, data=b"") if isinstance(answer, messages.BlobData) else answer

        target = self.mktemp()
        for change in (flip, larger, shorter):
            self.watch.answers = change
            self.assertRaises(FileDamaged, self.save, message.message_id, target)
            self.assertEqual(os.listdir(target), [])
        self.assertEqual(self.states(self.bob, "down")[-1], "failed")
        self.watch.answers = lambda answer: answer
        self.save(message.message_id, target)

    def test_gone(self) -> None:
        """What the server has not any more is said, and shown."""
        message, _ = self.sent()
        (opened,) = self.watch.of(messages.OpenBlob)
        self.alice.do(self.alice.client.engine.requests.ask(messages.DropBlob, id=opened.id))
        self.assertRaises(FileGone, self.save, message.message_id)
        self.assertEqual(self.state(message), "gone")

    def test_expired(self) -> None:
        """After its time it counts as gone."""
        message, _ = self.sent()
        file = message.file
        assert file is not None
        with mock.patch.object(self.bob.client.engine.context, "now_ms", return_value=file.expires_ms + 1):
            self.assertEqual(self.state(message), "gone")

    def test_where_to(self) -> None:
        """A directory that cannot be used is refused before anything is asked for."""
        message, _ = self.sent()
        room = self.bob.room("lobby")
        for wrong in ("nowhere", __file__, "a\0b", ""):
            self.assertRaises(LocalFileError, self.bob.do, room.save_file(message.message_id, wrong))
        self.assertEqual(self.watch.of(messages.ReadBlob), [])
        text = self.bob.say("lobby", "a text")
        found = room.message(str(text), own=True)
        self.assertIsNone(found.file)
        self.assertRaises(NotFound, self.save, found.message_id)
        self.assertRaises(NotFound, self.save, b"x" * 16)

    def test_meant(self) -> None:
        """The last message of somebody may be a file; it is found by the words beside it, and has no text to be edited."""
        self.bob.say("lobby", "a text")
        message, _ = self.sent(words="holiday pictures")
        self.assertEqual(self.bob.room("lobby").message("-1", own=False).message_id, message.message_id)
        self.assertEqual([each.message_id for each in self.bob.client.search("holiday")], [message.message_id])
        own = self.alice.room("lobby")
        self.assertEqual(own.message("-1", own=True).message_id, message.message_id)
        self.assertRaises(NotFound, own.edit, message.message_id, "other words")
        self.alice.do(own.react(message.message_id, "+1"))
        self.assertEqual(own.reactions(message.message_id), {"+1": ["alice"]})

    def test_another_device(self) -> None:
        """What was exported here lets another device of ours save the file."""
        message, data = self.sent()
        phone = self.world.approved_device(self.bob)
        history = str(self.folder / "history.jsonl")
        self.bob.do(self.bob.client.export_history(history))
        self.assertEqual(phone.do(phone.client.import_history(history)).refused, ())
        found = phone.room("lobby").find(message.message_id)
        assert found.file is not None
        self.assertEqual((found.file.name, found.unproved), ("report.pdf", False))
        path = phone.do(phone.room("lobby").save_file(message.message_id, str(self.folder)))
        self.assertEqual(Path(path).read_bytes(), data)

    def test_a_false_message(self) -> None:
        """A member announces another size, or key, of a blob that is there: refused, and whoever has sent it is not hurt."""
        message, data = self.sent("report.pdf", 100_000)
        engine = self.alice.client.engine
        body = engine.context.vault.files.said_by("alice").popitem()[1][1]
        room = engine.rooms.find("lobby")
        for false in (replace(body, size=99_000), replace(body, size=2**39), replace(body, key=bytes(32))):
            engine.outbox.put_body(room, false)
            self.world.settle()
            self.assertRaises(FileDamaged, self.save, self.bob.events(MessageReceived)[-1].message_id)
        self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)


class DeletedTests(FilesCase):
    """Files that are taken back."""

    def blobs(self) -> int:
        """How many files alice has at the server."""
        return len(self.alice.do(self.alice.client.files()).files)

    def test_by_the_author(self) -> None:
        """The blob goes, and what others keep of it."""
        message, _ = self.sent()
        self.save(message.message_id)
        self.alice.do(self.alice.room("lobby").delete(message.message_id))
        self.world.settle()
        self.assertEqual((self.blobs(), self.spool(self.bob)), (0, []))
        self.assertEqual(len(self.bob.events(MessageDeleted)), 1)
        deleted = self.bob.room("lobby").find(message.message_id)
        self.assertEqual((deleted.deleted, deleted.file, deleted.text), (True, None, None))
        self.assertRaises(NotFound, self.save, message.message_id)

    def test_by_a_moderator(self) -> None:
        """Likewise, whosever it is."""
        path, _ = self.file()
        sent = self.send(self.bob, path)
        self.bob.do(sent)
        self.world.settle()
        self.alice.do(self.alice.room("lobby").delete(sent.message_id))
        self.world.settle()
        self.assertEqual(self.bob.do(self.bob.client.files()).files, ())

    def test_while_it_comes(self) -> None:
        """What is under way stops."""
        message, _ = self.sent("report.pdf", 3 * PIECE_BYTES)
        self.watch.hold_after(20, messages.ReadBlob)
        target = Path(self.mktemp())
        target.mkdir()
        saved = Deferred.fromCoroutine(self.bob.room("lobby").save_file(message.message_id, str(target)))
        self.world.settle(2)
        self.alice.do(self.alice.room("lobby").delete(message.message_id))
        self.watch.release()
        self.assertRaises(FileGone, self.bob.do, saved)
        self.assertEqual((self.spool(self.bob), os.listdir(target)), ([], []))

    def test_another_message_brings_it(self) -> None:
        """A blob that another message brings stays: nobody has somebody else's file dropped by naming it."""
        message, data = self.sent()
        engine = self.bob.client.engine
        body = engine.context.vault.files.said_by("alice").popitem()[1][1]
        engine.outbox.put_body(engine.rooms.find("lobby"), body)
        self.world.settle()
        (theirs,) = [each for each in self.alice.events(MessageReceived) if not each.own]
        self.alice.do(self.alice.room("lobby").delete(theirs.message_id))
        self.world.settle()
        self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)

    def test_named_in_another_room(self) -> None:
        """A member names the moderator's file of one room in another one, and has that taken back: the file stays."""
        self.alice.do(self.alice.client.create_room("other", public=True))
        self.bob.do(self.bob.client.join("other"))
        self.world.settle()
        message, data = self.sent()
        engine = self.bob.client.engine
        body = engine.context.vault.files.said_by("alice").popitem()[1][1]
        engine.outbox.put_body(engine.rooms.find("other"), body)
        self.world.settle()
        (theirs,) = [each for each in self.alice.events(MessageReceived) if not each.own]
        self.alice.do(self.alice.room("other").delete(theirs.message_id))
        self.world.settle()
        self.assertEqual(len(self.watch.of(messages.DropBlob)), 1)
        self.assertEqual(Path(self.save(message.message_id)).read_bytes(), data)

    def test_without_a_connection(self) -> None:
        """The server is told when it can be."""
        message, _ = self.sent()

        def refuse(command: object) -> None:
            if isinstance(command, messages.DropBlob):
                raise Busy

        self.watch.before = refuse
        self.alice.do(self.alice.room("lobby").delete(message.message_id))
        self.world.settle()
        self.alice.leave_the_machine()
        self.assertGreater(len(self.watch.of(messages.DropBlob)), 0)
        self.watch.before = lambda _: None
        self.alice.come_back()
        self.assertEqual(self.blobs(), 0)


class BoundTests(FilesCase):
    """How much is kept."""

    def test_oldest_go(self) -> None:
        """What was not used for longest goes; the limit is a setting."""
        client = self.bob.client
        found = [self.sent(f"{number}.bin", 100_000)[0] for number in range(3)]
        client.set_file_cache_limit(250_000)
        for message in found:
            self.save(message.message_id)
            self.world.server.pass_time(1)
        states = [self.bob.room("lobby").find(message.message_id).file for message in found]
        self.assertEqual([file and file.state for file in states], ["there", "kept", "kept"])
        self.save(found[1].message_id)
        self.save(found[0].message_id)
        states = [self.bob.room("lobby").find(message.message_id).file for message in found]
        self.assertEqual([file and file.state for file in states], ["kept", "kept", "there"])
        client.set_file_cache_limit(0)
        self.assertEqual((self.spool(self.bob), client.file_cache_limit), ([], 0))
        self.assertRaises(ValueError, client.set_file_cache_limit, -1)

    def test_sweep(self) -> None:
        """What nobody knows of goes at the start, and what belongs to messages that are not kept any more."""
        message, _ = self.sent()
        self.save(message.message_id)
        folder = self.bob.profile.directory / "files"
        (folder / "stray").write_bytes(b"x")
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual(len(self.spool(self.bob)), 1)
        self.assertNotIn("stray", self.spool(self.bob))
        client = self.bob.client
        for number in range(101):
            client.send("lobby", str(number))
        self.world.settle(20)
        client.set_archive_limit(100)
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual(self.spool(self.bob), [])


class SealedProfileTests(FilesCase):
    """Profiles that are sealed at rest."""

    def test_nothing_in_clear(self) -> None:
        """Neither bytes nor name of a file are in either profile: not while it waits, and not when it is kept."""
        for person in (self.alice, self.bob):
            person.leave_the_machine()
            key = seal_profile(person.profile, "maple river candle")
            person.profile = person.profile.unlocked(key)
            person.come_back()
        path = self.folder / safe_file_name("secretname.txt")
        path.write_bytes(b"secretbytes " * 50_000)
        self.watch.hold_after(3)
        sent = self.send(self.alice, str(path), "secretwords")
        self.world.settle(2)
        self.check_all()
        self.watch.release()
        self.alice.do(sent)
        self.world.settle()
        target = Path(self.mktemp())
        target.mkdir()
        self.bob.do(self.bob.room("lobby").save_file(sent.message_id, str(target)))
        self.assertEqual(len(self.spool(self.bob)), 1)
        self.check_all()

    def check_all(self) -> None:
        """Looks through all files of both."""
        for person in (self.alice, self.bob):
            for each in person.profile.directory.rglob("*"):
                if each.is_file():
                    self.assertNotIn(b"secret", each.read_bytes(), each)
