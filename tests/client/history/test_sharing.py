"""A history that one device of ours gives the others, through the server, which sees nothing of it."""

from base64 import b64encode
from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Exported, FileDamaged, FileGone, FileProgress, HistoryReceived, MessageReceived
from chatserv.client.own import histories
from chatserv.crypto.bodies import decode_body, encode_body
from chatserv.crypto.content import ContentType
from chatserv.crypto.history_body import MAX_HISTORY_BYTES, History
from chatserv.errors import NotFound, Reject, TooLarge
from chatserv.testing.world import Person, World
from chatserv.wire import messages
from tests.client.history.cases import CANARY, HistoryCase
from tests.support.blob_watch import BlobWatch


class SharingCase(HistoryCase):
    """Alice and bob have talked, in the lobby and with each other; then alice gets a second device."""

    def setUp(self) -> None:
        """They talk; the laptop comes."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = (self.world.person(name, admin=name == "alice") for name in ("alice", "bob"))
        self.watch = BlobWatch(self)
        for number in range(3):
            self.alice.say("lobby", f"alice {number} {CANARY}")
            self.bob.say("lobby", f"bob {number} {CANARY}")
        first = self.alice.room("lobby").history()[0].message_id
        self.alice.do(self.alice.room("lobby").edit(first, "edited"))
        self.bob.do(self.bob.room("lobby").react(first, "+1"))
        self.world.settle()
        self.laptop = self.world.approved_device(self.alice, "laptop")

    def share(self) -> Exported:
        """Alice's first device shares; time passes."""
        found = self.alice.do(self.alice.client.devices.share_history())
        self.world.settle(5)
        return found

    def heard(self, person: Person | None = None) -> HistoryReceived:
        """What the laptop was told last, or somebody else."""
        return (person or self.laptop).events(HistoryReceived)[-1]

    def seen(self, person: Person) -> list[tuple[Any, ...]]:
        """What is shown of the lobby."""
        return self.seen_in(person, "lobby")


class WholeTests(SharingCase):
    """Nobody interferes."""

    def test_there(self) -> None:
        """The other device shows the same, proved; nothing is unread or told as new, and no file is told of."""
        self.assertEqual(self.seen(self.laptop), [])
        unread = self.alice.room("lobby").unread
        self.assertGreater(unread, 0)
        self.assertEqual(self.share(), Exported(6, 0, 1))
        heard = self.heard()
        imported = heard.imported
        assert imported is not None
        self.assertEqual((heard.error, imported.messages, imported.refusals, imported.whole), (None, 6, 0, True))
        self.assertEqual(heard.device, self.alice.client.engine.own.talk.name)
        self.assertEqual(self.seen(self.laptop), self.seen(self.alice))
        self.assertEqual(self.laptop.room("lobby").unread, 0)
        self.laptop.client.engine.own.talk.read_moved()
        self.world.settle(10)
        self.assertEqual(self.alice.room("lobby").unread, unread, "what is read is what a person has read")
        self.assertEqual(self.laptop.events(MessageReceived), [])
        for person in (self.alice, self.laptop):
            self.assertEqual(person.events(FileProgress), [])
            folder = person.profile.directory / "files"
            self.assertEqual(list(folder.iterdir()), [], "nothing of it stays in the spool")
        self.assertEqual(self.bob.events(HistoryReceived) + self.alice.events(HistoryReceived), [])

    def test_third_device(self) -> None:
        """A device that has imported tells one that comes later what a person has read, and nobody what it has imported."""
        unread = self.alice.room("lobby").unread
        self.assertGreater(unread, 0)
        self.share()
        self.patch(self.alice.client.engine.own.talk, "asked", lambda: None)
        self.world.approved_device(self.alice, "tablet")
        self.world.settle(10)
        self.assertEqual(self.alice.room("lobby").unread, unread)

    def test_again(self) -> None:
        """Twice is the same as once, and the server is to drop what came before."""
        self.share()
        first = next(each.id for each in self.watch.asked if isinstance(each, messages.OpenBlob))
        self.alice.say("lobby", "one more")
        self.world.settle()
        self.share()
        imported = self.heard().imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.known), (0, 7))
        dropped = [each.id for each in self.watch.asked if isinstance(each, messages.DropBlob)]
        self.assertEqual(dropped, [first])

    def test_in_its_absence(self) -> None:
        """A device that was away gets it when it is back."""
        self.laptop.leave_the_machine()
        self.share()
        self.laptop.come_back()
        self.world.settle(10)
        self.assertEqual(self.seen(self.laptop), self.seen(self.alice))

    def test_restarted(self) -> None:
        """One that ends before it has fetched it goes on at its next start."""
        self.watch.hold(lambda command: isinstance(command, messages.ReadBlob))
        self.share()
        self.assertEqual(self.laptop.events(HistoryReceived), [])
        self.laptop.leave_the_machine()
        self.watch.release()
        self.laptop.come_back()
        self.world.settle(10)
        self.assertEqual(self.seen(self.laptop), self.seen(self.alice))

    def test_blind(self) -> None:
        """No command of a blob has a word of it."""
        self.share()
        data = b"".join(each.data for each in self.watch.asked if isinstance(each, messages.PutChunk))
        self.assertGreater(len(data), 6 * 300)
        for word in (CANARY, "lobby", "proof", "alice"):
            self.assertNotIn(word.encode(), data)

    def test_newest(self) -> None:
        """The newest messages of each room are shared, and fewer where they are too many bytes."""
        self.patch(histories, "MAX_MESSAGES", 4)
        self.assertEqual(self.share().messages, 4)
        self.assertEqual(self.seen(self.laptop), self.seen(self.alice)[2:])
        self.patch(histories, "MAX_HISTORY_BYTES", 5_000)
        self.patch(histories, "MAX_MESSAGES", 64)
        found = self.share()
        self.assertTrue(0 < found.messages < 6, found)
        self.patch(histories, "MAX_HISTORY_BYTES", 100)
        self.assertRaises(TooLarge, self.alice.do, self.alice.client.devices.share_history())

    def test_alone(self) -> None:
        """Who has no other device shares with nobody."""
        self.assertRaises(NotFound, self.bob.do, self.bob.client.devices.share_history())
        self.assertEqual(self.watch.asked, [])


class LyingTests(SharingCase):
    """What is shared, or the server, is not as it should be."""

    def test_forged(self) -> None:
        """A line that says what nobody has signed is refused and named; the others are taken."""
        self.forge()
        self.share()
        self.assert_forged_refused(self.heard(), self.seen(self.laptop))

    def test_unproved(self) -> None:
        """A line without a proof is left out and counted, whoever has left it in."""

        def change(line: dict[str, Any]) -> dict[str, Any]:
            if line["kind"] != "message" or line["text"] != f"bob 2 {CANARY}":
                return line
            said = next(each for each in self.alice.room("lobby").history() if each.text == line["text"])
            stored = self.alice.client.engine.context.vault.archive.by_id(said.room_id, said.message_id)
            assert stored is not None
            del line["proof"]
            return {**line, "shareable": False, "body": b64encode(stored.body).decode()}

        self.rewritten(change)
        self.share()
        imported = self.heard().imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.left_out, imported.unproved, imported.refusals), (5, 1, 0, 0))

    def test_kept_unproved(self) -> None:
        """What is kept here without a proof is not shared, and that is said."""
        database = self.alice.client.engine.context.vault.database
        database.write("DELETE FROM proofs WHERE ctype = 1 AND sender = 'bob'")
        self.assertEqual(self.share(), Exported(3, 3, 1))
        imported = self.heard().imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.left_out), (3, 0))

    def test_another_account(self) -> None:
        """A history of somebody else changes nothing and is told."""
        self.rewritten(lambda line: {**line, "user": "bob"} if line["kind"] == "history" else line)
        self.share()
        self.assertEqual(getattr(self.heard().error, "code", ""), "history_invalid")
        self.assertEqual(self.seen(self.laptop), [])

    def test_damaged(self) -> None:
        """Bytes that the server has changed are told, and change nothing; the next history is taken."""
        true = self.watch.answers

        def damaged(answer: Any) -> Any:
            if isinstance(answer, messages.BlobData):
                return replace(answer, data=bytes(len(answer.data)))
            return answer

        self.watch.answers = damaged
        self.share()
        self.assertIsInstance(self.heard().error, FileDamaged)
        self.assertEqual(self.seen(self.laptop), [])
        self.watch.answers = true
        self.share()
        self.assertEqual(self.seen(self.laptop), self.seen(self.alice))

    def test_gone(self) -> None:
        """One that the server has dropped is told."""

        def refuse(command: Any) -> None:
            if isinstance(command, messages.ReadBlob):
                raise NotFound("blob")

        self.watch.before = refuse
        self.share()
        self.assertIsInstance(self.heard().error, FileGone)

    def test_in_a_room(self) -> None:
        """In a room of others it counts for nothing: nothing is fetched."""
        history = History(bytes(16), bytes(32), bytes(32), 1000)
        self.alice.client.engine.outbox.put_body(self.alice.client.engine.rooms.find("lobby"), history)
        self.world.settle(5)
        self.assertEqual(self.watch.asked, [])
        self.assertEqual(self.laptop.events(HistoryReceived), [])

    def test_many(self) -> None:
        """More than a few that are not fetched yet are turned away, and told."""
        self.watch.hold(lambda command: isinstance(command, messages.ReadBlob))
        for _ in range(histories.MAX_WAITING + 1):
            self.share()
        self.assertEqual([getattr(each.error, "code", "") for each in self.laptop.events(HistoryReceived)], ["quota"])


class BodyTests(SynchronousTestCase):
    """The body of a history."""

    def test_there_and_back(self) -> None:
        """It is what was encoded; the key is in no repr."""
        history = History(b"b" * 16, b"k" * 32, b"h" * 32, MAX_HISTORY_BYTES)
        ctype, data = encode_body(history)
        self.assertEqual((ctype, len(data)), (ContentType.HISTORY, 84))
        self.assertEqual(decode_body(ctype, data), history)
        self.assertNotIn("kkkk", repr(history))

    def test_wrong(self) -> None:
        """Another length, and a size that cannot be, are refused."""
        data = History(b"b" * 16, b"k" * 32, b"h" * 32, 5).encode()
        for wrong in (
            data[:-1],
            data + b"x",
            data[:80] + bytes(4),
            data[:80] + (MAX_HISTORY_BYTES + 1).to_bytes(4, "big"),
        ):
            self.assertRaises(Reject, decode_body, ContentType.HISTORY, wrong)
