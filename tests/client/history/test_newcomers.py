"""What was said before, for newcomers to a room whose rules allow it."""

import json
from base64 import b64encode
from typing import Any

from chatserv.client import Exported, FileProgress, HistoryReceived, MessageReceived
from chatserv.client.history.writing import HistoryWriter
from chatserv.client.own import histories
from chatserv.crypto.history_body import History
from chatserv.errors import Forbidden, NotFound
from chatserv.testing.world import Person, World
from chatserv.wire import messages
from tests.client.history.cases import CANARY, HistoryCase
from tests.support.blob_watch import BlobWatch


class NewcomersCase(HistoryCase):
    """Alice and bob have talked in a room of alice's; then carol comes in."""

    def setUp(self) -> None:
        """They talk; carol comes."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob, self.carol = (
            self.world.person(name, admin=name == "alice") for name in ("alice", "bob", "carol")
        )
        self.watch = BlobWatch(self)
        for room in ("plans", "other"):
            self.made(room)
        first = self.alice.room("plans").history()[0].message_id
        self.alice.do(self.alice.room("plans").edit(first, "edited"))
        self.bob.do(self.bob.room("plans").react(first, "+1"))
        self.world.settle()
        self.take_in(self.carol, "plans")

    def made(self, room: str) -> None:
        """Alice makes a room, takes bob in, and both talk."""
        self.alice.do(self.alice.client.create_room(room))
        self.take_in(self.bob, room)
        for number in range(3):
            self.alice.say(room, f"alice {number} {CANARY}")
            self.bob.say(room, f"bob {number} {CANARY}")
        self.world.settle()

    def take_in(self, person: Person, room: str) -> None:
        """Alice invites somebody, who agrees."""
        self.alice.do(self.alice.room(room).invite(person.name))
        self.world.settle()
        person.room(room).accept()
        self.world.settle()

    def allow(self, room: str = "plans") -> None:
        """The room's owner lets its past be shared."""
        self.alice.do(self.alice.room(room).set_history(shared=True))
        self.world.settle()

    def share(self, person: Person | None = None) -> Exported:
        """Alice shares, or somebody else; time passes."""
        sharer = person or self.alice
        found = sharer.do(sharer.room("plans").share_history())
        self.world.settle(5)
        return found

    def heard(self) -> HistoryReceived:
        """What carol was told last."""
        return self.carol.events(HistoryReceived)[-1]

    def seen(self, person: Person, room: str = "plans") -> list[tuple[Any, ...]]:
        """What is shown of a room."""
        return self.seen_in(person, room)

    def say_unasked(self, person: Person) -> None:
        """Somebody's device says that there is a history, whatever the rules are."""
        engine = person.client.engine
        engine.outbox.put_body(engine.rooms.find("plans"), History(bytes(16), bytes(32), bytes(32), 1000))
        self.world.settle(5)


class AllowedTests(NewcomersCase):
    """The room's rules let it be shared."""

    def setUp(self) -> None:
        """They do."""
        super().setUp()
        self.allow()

    def test_there(self) -> None:
        """The newcomer sees what was said, as the others do, with who said it; nothing is unread or told as new."""
        told = len(self.carol.events(MessageReceived))
        self.assertEqual(self.seen(self.carol), [])
        self.assertEqual(self.share(), Exported(6, 0, 1))
        heard = self.heard()
        imported = heard.imported
        assert imported is not None
        self.assertEqual((heard.room, heard.sender, heard.device, heard.error), ("plans", "alice", "", None))
        self.assertEqual((imported.messages, imported.refusals, imported.left_out, imported.whole), (6, 0, 0, True))
        self.assertEqual(self.seen(self.carol), self.seen(self.alice))
        self.assertEqual(self.carol.room("plans").history()[0].text, "edited")
        self.assertEqual(self.carol.room("plans").unread, 0)
        self.assertEqual(len(self.carol.events(MessageReceived)), told)
        for person in (self.alice, self.bob, self.carol):
            self.assertEqual(person.events(FileProgress), [])
        data = b"".join(each.data for each in self.watch.of(messages.PutChunk))
        self.assertGreater(len(data), 6 * 300)
        self.assertNotIn(CANARY.encode(), data)

    def test_by_moderator(self) -> None:
        """A moderator shares too, who is no owner."""
        self.alice.do(self.alice.room("plans").set_role("bob", "moderator"))
        self.world.settle()
        self.assertEqual(self.share(self.bob).messages, 6)
        self.assertEqual(self.heard().sender, "bob")
        self.assertEqual(self.seen(self.carol), self.seen(self.alice))

    def test_unchanged(self) -> None:
        """What is here already stays as it is, also where an older state is shared; what was said since is not taken."""
        self.share()
        said = self.carol.say("plans", "since")
        mine = self.carol.room("plans").find(next(each[3] for each in self.seen(self.carol) if each[0] == said))
        self.carol.do(self.carol.room("plans").edit(mine.message_id, "since, edited"))
        first = self.alice.room("plans").history()[0].message_id
        self.alice.do(self.alice.room("plans").edit(first, "edited twice"))
        self.world.settle()
        before = self.seen(self.carol)
        self.rewritten(lambda line: {**line, "seq": line["seq"] + 1000} if line["kind"] == "change" else line)
        self.share()
        imported = self.heard().imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.known, imported.changes), (0, 7, 0))
        self.assertEqual(self.seen(self.carol), before)

    def test_since(self) -> None:
        """What was said when the newcomer was there comes from the server alone, not from who shares."""
        self.rewritten(lambda line: {**line, "seq": line["seq"] + 1000} if line["kind"] == "message" else line)
        self.share()
        imported = self.heard().imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.elsewhere), (0, 6 + 2))
        self.assertEqual(self.seen(self.carol), [])

    def test_in_its_absence(self) -> None:
        """A newcomer who was away gets it when they are back, also after the policy is another one."""
        self.carol.leave_the_machine()
        self.share()
        self.alice.do(self.alice.room("plans").set_history(shared=False))
        self.carol.come_back()
        self.world.settle(10)
        self.assertEqual(self.seen(self.carol), self.seen(self.alice))

    def test_again(self) -> None:
        """The server is to drop what came before, and nothing of another room's."""
        self.share()
        first = next(each.id for each in self.watch.of(messages.OpenBlob))
        self.allow("other")
        self.alice.do(self.alice.room("other").share_history())
        self.share()
        self.assertEqual([each.id for each in self.watch.of(messages.DropBlob)], [first])

    def test_many(self) -> None:
        """More than a few that are not fetched yet are turned away, and told."""
        self.watch.hold(lambda command: isinstance(command, messages.ReadBlob))
        for _ in range(histories.MAX_WAITING + 1):
            self.share()
        self.assertEqual([getattr(each.error, "code", "") for each in self.carol.events(HistoryReceived)], ["quota"])


class RefusedTests(NewcomersCase):
    """Not everybody shares everything everywhere."""

    def test_not_allowed(self) -> None:
        """Where the rules do not allow it the owner's device shares nothing, and nobody fetches what it says."""
        self.assertRaises(Forbidden, self.share)
        self.say_unasked(self.alice)
        self.assertEqual(self.watch.asked, [])
        self.assertEqual(self.carol.events(HistoryReceived), [])
        self.assertEqual(self.seen(self.carol), [])

    def test_member(self) -> None:
        """A member who is neither owner nor moderator shares nothing, and nobody fetches what they say all the same."""
        self.allow()
        self.assertRaises(Forbidden, self.share, self.bob)
        self.say_unasked(self.bob)
        self.assertEqual(self.watch.asked, [])
        self.assertEqual(self.carol.events(HistoryReceived), [])
        self.say_unasked(self.alice)
        self.assertEqual(len(self.carol.events(HistoryReceived)), 1, "the same of the owner is fetched")

    def test_ignored(self) -> None:
        """Of somebody who is ignored nothing is fetched."""
        self.allow()
        self.carol.client.people.ignore("alice")
        self.share()
        self.assertEqual([len(each.events(HistoryReceived)) for each in (self.bob, self.carol)], [1, 0])

    def test_not_agreed(self) -> None:
        """Who has not agreed to the room fetches nothing."""
        self.allow()
        dave = self.world.person("dave")
        self.alice.do(self.alice.room("plans").invite("dave"))
        self.world.settle()
        self.share()
        self.assertEqual(dave.events(HistoryReceived), [])

    def test_direct(self) -> None:
        """Direct messages have no newcomers."""
        direct = self.alice.do(self.alice.client.direct("bob"))
        self.assertRaises(Forbidden, self.alice.do, direct.set_history(shared=True))
        self.assertRaises(Forbidden, self.alice.do, direct.share_history())

    def test_gone(self) -> None:
        """Who is not in the room any more shares nothing of it."""
        self.allow()
        plans = self.bob.room("plans")
        self.bob.do(plans.leave())
        self.world.settle()
        self.assertRaises(NotFound, self.bob.do, plans.share_history())

    def test_set_by_owners(self) -> None:
        """Owners alone set it; everybody reads it."""
        self.assertRaises(Forbidden, self.bob.do, self.bob.room("plans").set_history(shared=True))
        self.assertFalse(self.carol.room("plans").history_shared)
        self.allow()
        self.assertTrue(self.carol.room("plans").history_shared)


class LyingTests(NewcomersCase):
    """Who shares lies."""

    def setUp(self) -> None:
        """Where they may share."""
        super().setUp()
        self.allow()

    def test_forged(self) -> None:
        """A line that says what nobody has signed is refused and named; the others are taken."""
        self.forge()
        self.share()
        self.assert_forged_refused(self.heard(), self.seen(self.carol))

    def test_unproved(self) -> None:
        """What is kept without a proof is not shared; a line without one is left out and counted, whoever has left it in."""
        database = self.alice.client.engine.context.vault.database
        database.write("DELETE FROM proofs WHERE ctype = 1 AND sender = 'bob'")
        self.assertEqual(self.share(), Exported(3, 3, 1))

        def change(line: dict[str, Any]) -> dict[str, Any]:
            if line["kind"] != "message":
                return line
            del line["proof"]
            return {**line, "shareable": False, "body": ""}

        self.rewritten(change)
        self.share()
        imported = self.heard().imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.left_out, imported.unproved), (0, 3, 0))

    def test_another_room(self) -> None:
        """Lines of a room that the newcomer is in too, and in whose past nobody may look, are passed over."""
        self.take_in(self.carol, "other")
        true = HistoryWriter.fill
        found = self.alice.client.engine.rooms.find("other")

        async def fill(writer: HistoryWriter, write: Any, _rooms: Any) -> Exported:
            return await true(writer, write, [found])

        self.patch(HistoryWriter, "fill", fill)
        self.share()
        imported = self.heard().imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.elsewhere), (0, 6))
        self.assertEqual((self.seen(self.carol, "other"), self.seen(self.carol)), ([], []))

    def test_under_this_room(self) -> None:
        """Nor are they taken where they are given out as this room's: they were signed for another one."""
        other, plans = (self.alice.client.engine.rooms.find(name) for name in ("other", "plans"))
        true = HistoryWriter.fill

        async def fill(writer: HistoryWriter, write: Any, _rooms: Any) -> Exported:
            def moved(data: bytes) -> None:
                line = json.loads(data)
                if line["kind"] == "room":
                    line["room_id"] = b64encode(plans.room_id).decode()
                write(json.dumps(line).encode() + b"\n")

            return await true(writer, moved, [other])

        self.patch(HistoryWriter, "fill", fill)
        self.share()
        imported = self.heard().imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.refusals), (0, 6))
        self.assertEqual(self.seen(self.carol), [])

    def test_of_somebody_else(self) -> None:
        """A history that names another sharer than who has sent it changes nothing and is told."""
        self.rewritten(lambda line: {**line, "user": "bob"} if line["kind"] == "history" else line)
        self.share()
        self.assertEqual(getattr(self.heard().error, "code", ""), "history_invalid")
        self.assertEqual(self.seen(self.carol), [])

    def test_left_meanwhile(self) -> None:
        """Who has left the room before it was fetched takes nothing of it."""
        self.watch.hold(lambda command: isinstance(command, messages.ReadBlob))
        self.share()
        self.share()
        self.carol.do(self.carol.room("plans").leave())
        self.watch.release()
        self.world.settle(10)
        self.assertEqual(getattr(self.heard().error, "code", ""), "not_found")
