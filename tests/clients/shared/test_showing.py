"""Which events are shown."""

from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, PresenceSeen, RoomJoined, TypingSeen
from clients.shared.showing import MAX_TYPED, Showing
from tests.client.slash_fakes import FakeClient, message


class ShowingTests(SynchronousTestCase):
    """`clients.shared.showing.Showing`."""

    def setUp(self) -> None:
        """Nothing is shown yet."""
        self.client = FakeClient()
        self.room = "lobby"
        self.written: list[str] = []

    def showing(self, **options: Any) -> Showing:
        """Shows to ``self.written``."""
        client = cast(Client, self.client)
        return Showing(client, lambda: self.room, self.written.append, **{"talking": True, **options})

    def test_presence(self) -> None:
        """Presence is shown of people who are in the current room."""
        showing = self.showing()
        showing.news(PresenceSeen("bob", "online"))
        showing.news(PresenceSeen("carol", "online"))
        self.room = "nowhere"
        showing.news(PresenceSeen("bob", "away"))
        self.assertEqual(self.written, ["-- bob is online"])

    def test_typing(self) -> None:
        """That somebody writes is shown in the current room only."""
        showing = self.showing()
        showing.news(TypingSeen("lobby", "bob"))
        showing.news(TypingSeen("plans", "bob"))
        self.assertEqual(self.written, ["-- bob is typing in #lobby"])

    def test_scripts(self) -> None:
        """Scripts get no news."""
        showing = self.showing(talking=False)
        showing.news(RoomJoined("plans"))
        showing.say("x")
        self.assertEqual(self.written, [])

    def test_says_whether_shown(self) -> None:
        """It is told whether a message was shown."""
        self.assertTrue(self.showing().message(message(1)))
        showing = self.showing()
        showing.typed(message(1).message_id)
        self.assertFalse(showing.message(message(1, own=True)))
        self.assertTrue(showing.message(message(2, own=True)))  # typed on another device
        for number in range(MAX_TYPED + 1):
            showing.typed(number.to_bytes(16, "big"))
        self.assertEqual(len(showing._typed), MAX_TYPED)
        self.assertTrue(self.showing(talking=False).message(message(1, own=True)))
        self.assertFalse(self.showing(talking=False).message(message(1, room="plans")))

    def test_bell(self) -> None:
        """Mentions ring where that is wanted, other messages never."""
        for bell, mentioned, rings in ((True, True, True), (True, False, False), (False, True, False)):
            self.written.clear()
            self.showing(bell=bell).message(message(1, mentioned=mentioned))
            self.assertEqual(self.written[0].startswith("\a"), rings)

    def test_found(self) -> None:
        """What a message is about is found, however long ago it was said."""
        kept = [message(seq) for seq in range(1, 250)]
        self.client.there["lobby"].kept = kept
        showing = self.showing()
        self.assertEqual(showing.find("lobby", kept[0].message_id), kept[0])
        self.assertIsNone(showing.find("lobby", bytes(16)))
        self.assertIsNone(showing.find("plans", kept[1].message_id))
        self.assertIsNone(showing.find("nowhere", kept[1].message_id))
