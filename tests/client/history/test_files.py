"""One's own history in a file, and what another device makes of it."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import HistoryInvalid, Imported, LocalFileError, MessageReceived, PrivateFileError, sender_name
from chatserv.client.history.lines import MAX_LINE_BYTES
from chatserv.client.history.reading import BATCH_LINES, MAX_NAMED
from chatserv.client.storage.proofs import ProofTable
from chatserv.errors import NotMember
from chatserv.testing.world import Person, World

Row = dict[str, Any]


class HistoryCase(SynchronousTestCase):
    """Alice and bob have talked, in the lobby and in a room of their own; then alice gets a second device."""

    def setUp(self) -> None:
        """They talk; the file is written."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = (self.world.person(name, admin=name == "alice") for name in ("alice", "bob"))
        plans = self.alice.do(self.alice.client.create_room("plans", topic="soon"))
        self.alice.do(plans.invite("bob"))
        self.world.settle()
        self.bob.room("plans").accept()
        self.talk()
        self.path = Path(self.mktemp()).absolute()

    def talk(self) -> None:
        """Texts of both, an edit, signs put on and off, and what was taken back, by its author and by another."""
        for room in ("lobby", "plans"):
            for number in range(3):
                self.alice.say(room, f"alice {number} in {room}")
                self.bob.say(room, f"bob {number} in {room}")
        lobby, of_bob = self.alice.room("lobby"), self.bob.room("lobby")
        self.world.settle()
        kept = lobby.history()
        self.alice.do(lobby.edit(kept[0].message_id, "alice has edited"))
        self.bob.do(of_bob.react(kept[0].message_id, "+1"))
        self.bob.do(of_bob.react(kept[0].message_id, "tada"))
        self.bob.do(of_bob.react(kept[0].message_id, "tada", on=False))
        self.bob.do(of_bob.delete(kept[1].message_id))
        self.alice.do(lobby.delete(kept[3].message_id))
        self.world.settle()

    def export(self, person: Person | None = None, **options: Any) -> list[Row]:
        """Writes the file anew, by default alice's; gives its lines."""
        if self.path.exists():
            self.path.unlink()
        self.world.do((person or self.alice).client.export_history(str(self.path), **options))
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]

    def second(self) -> Person:
        """Alice's other device, which has read nothing so far."""
        return self.world.approved_device(self.alice, "laptop")

    def take(self, person: Person) -> Imported:
        """Reads the file in."""
        return self.world.do(person.client.import_history(str(self.path)))

    def seen(self, person: Person, room: str) -> list[tuple[Any, ...]]:
        """What is shown of a room."""
        return [
            (each.seq, each.at_ms, each.sender, each.message_id, each.text, each.edited, each.deleted, each.reactions)
            for each in person.room(room).history(1000)
        ]

    def rewrite(self, rows: list[Row]) -> None:
        """Puts other lines into the file."""
        self.path.write_text("".join(json.dumps(row) + "\n" for row in rows))


class WholeTests(HistoryCase):
    """A file that nobody has touched."""

    def test_there_and_back(self) -> None:
        """The other device shows the same, can prove the same, and nothing of it is unread or told as new."""
        self.export()
        laptop = self.second()
        self.assertEqual(self.seen(laptop, "lobby"), [])
        found = self.take(laptop)
        self.assertEqual((found.messages, found.unproved, found.refusals, found.whole), (12, 2, 0, True))
        for room in ("lobby", "plans"):
            self.assertEqual(self.seen(laptop, room), self.seen(self.alice, room))
            self.assertEqual(laptop.room(room).unread, 0)
        self.assertEqual(laptop.events(MessageReceived), [])
        self.assertEqual(self.proofs(laptop), self.proofs(self.alice))
        self.assertEqual([each.text for each in laptop.client.search("alice has")], ["alice has edited"])
        laptop.leave_the_machine()
        laptop.come_back()
        self.assertEqual(laptop.texts("lobby"), [])

    def proofs(self, person: Person) -> list[tuple[Any, ...]]:
        """All that can be proved of messages."""
        sql = "SELECT room_id, seq, at_ms, sender, ctype, detail, live, proof FROM proofs WHERE message IS NOT NULL"
        return sorted(person.client.engine.context.vault.database.all(sql))

    def test_again(self) -> None:
        """Twice is the same as once; so is reading it where it was written, and reading an older file later."""
        self.export()
        laptop = self.second()
        self.take(laptop)
        before = {room: self.seen(laptop, room) for room in ("lobby", "plans")}
        again = self.take(laptop)
        self.assertEqual((again.messages, again.known, again.refusals), (0, 12, 0))
        self.assertEqual(self.take(self.alice).messages, 0)
        self.assertEqual({room: self.seen(laptop, room) for room in ("lobby", "plans")}, before)
        first = self.alice.room("lobby").history()[0].message_id
        self.bob.do(self.bob.room("lobby").react(first, "+1", on=False))
        self.alice.do(self.alice.room("lobby").edit(first, "edited once more"))
        self.alice.do(self.alice.room("lobby").delete(self.alice.room("lobby").history()[-1].message_id))
        self.world.settle()
        for person in (self.alice, laptop):
            after = self.seen(person, "lobby")
            self.take(person)
            self.assertEqual(self.seen(person, "lobby"), after, "what has changed since stays changed")

    def test_one_room(self) -> None:
        """Of one room alone, where that is asked for; of one that we left, too; of an offer nothing."""
        rows = self.export(room="plans")
        self.assertEqual([row["name"] for row in rows if row["kind"] == "room"], ["plans"])
        self.assertRaises(NotMember, self.world.do, self.alice.client.export_history("x", room="nowhere"))
        secret = self.bob.do(self.bob.client.create_room("secret"))
        self.bob.do(secret.invite("alice"))
        self.bob.do(secret.send("psst"))
        self.world.settle()
        self.assertRaises(NotMember, self.world.do, self.alice.client.export_history("x", room="secret"))
        self.assertFalse(Path("x").exists())
        self.bob.do(self.bob.room("plans").leave())
        self.world.settle(20)
        names = [row["name"] for row in self.export(self.bob) if row["kind"] == "room"]
        self.assertEqual(sorted(names), ["lobby", "plans", "secret"])
        self.assertNotIn("psst", "".join(str(row.get("text")) for row in self.export()))

    def test_without_a_connection(self) -> None:
        """What is kept can be written when the server is gone."""
        self.alice.leave_the_machine()
        self.alice.client = self.alice._make(follow=False)
        self.alice.client.open()
        self.assertEqual(len([row for row in self.export() if row["kind"] == "message"]), 12)

    def test_file(self) -> None:
        """It is for its owner alone, is never written over anything, and leaves no half behind."""
        self.export()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        before = self.path.read_bytes()
        for taken in (self.path, self.path.parent, Path("/nowhere/at/all"), Path("/dev/null"), Path("a\0b")):
            with self.assertRaises(PrivateFileError, msg=str(taken)):
                self.world.do(self.alice.client.export_history(str(taken)))
        self.assertEqual(self.path.read_bytes(), before)
        link = Path(self.mktemp())
        link.symlink_to(Path(self.mktemp()).absolute())
        self.assertRaises(PrivateFileError, self.world.do, self.alice.client.export_history(str(link)))
        disk = Path(self.mktemp())
        self.patch(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        self.assertRaises(PrivateFileError, self.world.do, self.alice.client.export_history(str(disk)))
        self.assertFalse(disk.exists())

    def test_many(self) -> None:
        """More lines than go into one transaction; none is lost between two of them."""
        for number in range(BATCH_LINES + 20):
            self.alice.client.send("plans", f"line {number}")
        self.world.settle(60)
        self.export(room="plans")
        laptop = self.second()
        self.assertEqual(self.take(laptop).messages, BATCH_LINES + 26)
        self.assertEqual(self.seen(laptop, "plans"), self.seen(self.alice, "plans"))

    def test_rooms_of_others(self) -> None:
        """Rooms that the other device was never in are counted, and nothing of them is taken."""
        self.export()
        laptop = self.second()
        rooms = laptop.client.engine.rooms
        room = rooms.find("plans")
        laptop.client.engine.context.vault.forget_room(room.room_id)
        rooms.reload(room)
        self.assertEqual((self.take(laptop).messages, self.take(laptop).elsewhere), (6, 6))


class UnprovedTests(HistoryCase):
    """Messages from before proofs were kept."""

    def test_marked(self) -> None:
        """They are marked in the file, on the screen, and in a file of the other device; a proof that comes later helps."""
        rows = self.export()
        proved = self.path.read_bytes()
        self.alice.client.engine.context.vault.database.write("DELETE FROM proofs")
        self.assertEqual({row["shareable"] for row in self.export() if row["kind"] in {"message", "change"}}, {False})
        laptop = self.second()
        found = self.take(laptop)
        self.assertEqual((found.messages, found.unproved, found.refusals), (12, 12, 0))
        self.assertEqual(
            [each[2:6] for each in self.seen(laptop, "lobby")], [each[2:6] for each in self.seen(self.alice, "lobby")]
        )
        shown = laptop.room("plans").history()
        self.assertTrue(all(each.unproved for each in shown))
        self.assertEqual(sender_name(shown[0]), "alice (imported, not proven)")
        self.path.write_bytes(proved)
        self.take(laptop)
        self.assertFalse(any(each.unproved for each in laptop.room("plans").history()))
        self.assertEqual(len(rows), len(self.export(laptop)))

    def test_change_nothing_proved(self) -> None:
        """A line without a proof changes nothing that has one, or that came here by itself."""
        rows = self.export()
        laptop = self.second()
        target = next(row for row in rows if row["kind"] == "message" and row["sender"] == "bob" and row["shareable"])
        forged = [
            {"kind": "change", "seq": 999, "at_ms": 1, "sender": "bob", "target": target["message_id"], "ctype": 4,
             "shareable": False, "emoji": "x", "body": ""},
        ]  # fmt: skip
        from base64 import b64decode, b64encode

        body = b64decode(target["message_id"]) + b"\x01x\x01"
        forged[0]["body"] = b64encode(body).decode()
        at = rows.index(target)
        self.rewrite([*rows[: at + 1], *forged, *rows[at + 1 :]])
        self.assertEqual(self.take(laptop).refusals, 0)
        for person in (laptop, self.alice):
            self.take(person)
            room = person.client.room_by_id(self.alice.room("lobby").room_id)
            self.assertNotIn("x", [sign for each in room.history() for sign, _ in each.reactions])


class RefusedTests(HistoryCase):
    """Lines that do not stand are named; the others are taken."""

    def setUp(self) -> None:
        """The file is there."""
        super().setUp()
        self.rows = self.export()
        self.laptop = self.second()

    def number(self, wanted: Callable[[Row], bool]) -> int:
        """The first line of a kind, from 0."""
        return next(at for at, row in enumerate(self.rows) if wanted(row))

    def test_each_field(self) -> None:
        """Another word, sender, id, place of proof: the line is refused with its number, and nothing else is lost."""
        at = self.number(lambda row: row["kind"] == "message" and row["sender"] == "bob" and row["shareable"])
        other = self.rows[self.number(lambda row: row.get("sender") == "alice" and row["kind"] == "message")]
        for changed in (
            {"text": "never said"},
            {"text": None},
            {"sender": "alice"},
            {"message_id": other["message_id"]},
            {"ctype": 3},
            {"proof": other["proof"]},
            {"proof": self.rows[at]["proof"][:-8] + "AAAAAAA="},
            {"shareable": False},
            {"deleted": True},
            {"body": "aGVsbG8="},
            {"seq": -1},
            {"seq": "1"},
            {"kind": "massage"},
        ):
            rows = [*self.rows[:at], self.rows[at] | changed, *self.rows[at + 1 :]]
            self.rewrite(rows)
            found = self.take(self.laptop)
            self.assertEqual([each.number for each in found.refused], [at + 1], f"{changed}: {found}")
            self.assertTrue(found.refused[0].reason)
            self.assertEqual(found.messages + found.known, 11)
            self.assertNotIn("never said", str(self.seen(self.laptop, "lobby")))
        self.rewrite(self.rows)
        self.assertEqual(self.take(self.laptop).messages, 1, "only the one that was refused was missing")

    def test_changes(self) -> None:
        """Of edits, signs and deletions too."""
        for ctype, changed in ((2, {"text": "x"}), (4, {"emoji": "x"}), (4, {"on": False}), (3, {"sender": "alice"})):
            at = self.number(lambda row: row["kind"] == "change" and row["ctype"] == ctype)  # noqa: B023
            self.rewrite([*self.rows[:at], self.rows[at] | changed, *self.rows[at + 1 :]])
            found = self.take(self.laptop)
            self.assertEqual([each.number for each in found.refused], [at + 1], f"{ctype} {changed}: {found}")

    def test_certificates(self) -> None:
        """Without a certificate nothing of its device stands; one that is not genuine is refused itself."""
        at = self.number(lambda row: row["kind"] == "certificate")
        self.rewrite([*self.rows[:at], *self.rows[at + 1 :]])
        refused = self.take(self.laptop).refusals
        self.assertGreater(refused, 3)
        self.rewrite([*self.rows[:at], self.rows[at] | {"identity": "AAAA"}, *self.rows[at + 1 :]])
        self.assertEqual(self.take(self.laptop).refusals, refused + 1)

    def test_another_room(self) -> None:
        """What was said in one room is not shown as said in another."""
        rooms = [row for row in self.rows if row["kind"] == "room"]
        swapped = {rooms[0]["room_id"]: rooms[1]["room_id"], rooms[1]["room_id"]: rooms[0]["room_id"]}
        self.rewrite(
            [row | {"room_id": swapped[row["room_id"]]} if row["kind"] == "room" else row for row in self.rows]
        )
        found = self.take(self.laptop)
        self.assertEqual(found.messages, found.unproved, "only what says nothing, as it was taken back")

    def test_damaged(self) -> None:
        """Half a file, bytes that are no text, lines that never end, brackets without end: the rest is taken."""
        whole = self.path.read_bytes()
        lines = whole.splitlines(keepends=True)
        self.path.write_bytes(b"".join(lines[:-3]) + lines[-3][:40])
        found = self.take(self.laptop)
        self.assertEqual((found.refusals, found.whole), (1, False))
        self.assertEqual(found.refused[0].number, len(lines) - 2)
        for wrong in (
            b"\xff\xfe\n",
            b"[" * 100_000 + b"\n",
            b"x" * (2 * MAX_LINE_BYTES) + b"\n",
            b"\n",
            b"{}\n",
            b"null\n",
        ):
            self.path.write_bytes(lines[0] + wrong + b"".join(lines[1:]))
            found = self.take(self.laptop)
            self.assertEqual(([each.number for each in found.refused], found.whole), ([2], True), wrong[:10])
        self.path.write_bytes(whole + lines[-2])
        self.assertEqual(self.take(self.laptop).refusals, 1, "nothing stands behind the end")

    def test_bound_of_names(self) -> None:
        """Very many wrong lines are counted, and so many named."""
        self.path.write_bytes(self.path.read_bytes().splitlines(keepends=True)[0] + b"x\n" * (MAX_NAMED + 5))
        found = self.take(self.laptop)
        self.assertEqual((len(found.refused), found.refusals), (MAX_NAMED, MAX_NAMED + 5))

    def test_no_history(self) -> None:
        """Another account's, another server's, a newer version's, or no history: nothing is taken."""
        for changed in ({"user": "bob"}, {"server": "00" * 32}, {"version": 2}, {"kind": "end", "messages": 0}):
            self.rewrite([self.rows[0] | changed, *self.rows[1:]])
            self.assertRaises(HistoryInvalid, self.take, self.laptop)
        self.path.write_bytes(b"")
        self.assertRaises(HistoryInvalid, self.take, self.laptop)
        self.assertEqual(self.seen(self.laptop, "lobby"), [])
        self.export(self.bob)
        self.assertRaises(HistoryInvalid, self.take, self.laptop)

    def test_no_file(self) -> None:
        """What is no file is not waited for."""
        fifo = Path(self.mktemp())
        os.mkfifo(fifo)
        for path in (Path("/nowhere"), fifo, self.path.parent, Path("/dev/zero"), Path("a\0b")):
            with self.assertRaises(LocalFileError, msg=str(path)):
                self.world.do(self.laptop.client.import_history(str(path)))

    def test_proofs_are_of_the_log(self) -> None:
        """A device of a server of somebody's own making proves nothing, however well it signs."""
        other = World(self.mktemp())
        self.addCleanup(other.close)
        alice = other.person("alice", admin=True)
        other.person("mallory")
        alice.say("lobby", "forged")
        self.path.unlink()
        other.do(alice.client.export_history(str(self.path)))
        found = self.take(self.laptop)
        self.assertEqual(found.messages, 0)
        self.assertIsInstance(ProofTable, type)
