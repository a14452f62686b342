"""A device dies while it reads a history that was shared: what it has in the end is what it would have had without."""

from collections.abc import Iterator
from typing import Any

from chatserv.client.history import reading
from chatserv.client.history.reading import HistoryReader
from chatserv.testing.world import Person
from tests.client.history.cases import HistoryCase
from tests.client.history.test_newcomers import NewcomersCase
from tests.client.history.test_sharing import SharingCase
from tests.support.crashing import crash

LIKELY_LINES = 10
MOST_LINES = 60
NEVER_SECONDS = 3600


class Mortal:
    """What the client's parts share, for a reader that dies at the end of one of its turns.

    Args:
        context: The true one.
        turns: How many of them it lives through.
        die: Called then.
    """

    def __init__(self, context: Any, turns: int, die: Any) -> None:
        self._context, self._turns, self._die = context, turns, die

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def pause(self, seconds: float) -> None:
        """A turn ends: what was read in it is committed."""
        self._turns -= 1
        if self._turns < 0:
            self._die()
            seconds = NEVER_SECONDS
        await self._context.pause(seconds)


class CutShortCase(HistoryCase):
    """Readers take a line in a turn."""

    deaths, dying = 0, False

    def let_die(self, person: Person) -> None:
        """Behind the first line that is read from now on, at the next time behind the second, and so on."""
        self.patch(reading, "BATCH_LINES", 1)
        true = HistoryReader._take_all

        async def take_all(reader: Any, lines: Iterator[tuple[int, bytes]]) -> None:
            if reader._context.user == person.name:
                reader._context = Mortal(reader._context, self.deaths, die)
            await true(reader, lines)

        def die() -> None:
            self.dying = True
            person.world.reactor.callLater(0, crash, person)

        self.patch(HistoryReader, "_take_all", take_all)

    def come_back(self, person: Person) -> None:
        """As often as it has died."""
        while self.dying and self.deaths < MOST_LINES:
            self.deaths, self.dying = self.deaths + 1, False
            person.come_back()
            person.world.settle(5)
        self.assertGreater(self.deaths, LIKELY_LINES)
        self.assertFalse(self.dying)


class NewcomerTests(CutShortCase, NewcomersCase):
    """In a room."""

    def test_whole(self) -> None:
        """A newcomer sees what was said and what has changed it, as the others do, and nothing of it is unread."""
        self.allow()
        self.let_die(self.carol)
        self.share()
        self.come_back(self.carol)
        self.assertEqual(self.seen(self.carol), self.seen(self.alice))
        self.assertEqual(self.carol.room("plans").unread, 0)

    def test_unchanged(self) -> None:
        """What was read to its end stays as it is, also its last message, whatever is shared after that."""
        shared: dict[tuple[str, int], dict[str, Any]] = {}
        bob = self.bob.room("plans")
        last = bob.history()[-1].message_id
        self.bob.do(bob.edit(last, "edited"))
        self.world.settle()

        def note(line: dict[str, Any]) -> dict[str, Any]:
            return shared.setdefault((line["target"], line["ctype"]), line) if line["kind"] == "change" else line

        def older(line: dict[str, Any]) -> dict[str, Any]:
            before = shared.get((line.get("target", ""), line.get("ctype", 0)))
            return line if before is None else {**before, "seq": line["seq"] + 1000}

        self.rewritten(note)
        self.test_whole()
        self.bob.do(bob.edit(last, "edited twice"))
        self.world.settle()
        self.rewritten(older)
        self.share()
        self.assertEqual(self.seen(self.carol)[-1][4], "edited twice")


class OwnDeviceTests(CutShortCase, SharingCase):
    """Of one's own."""

    def test_whole(self) -> None:
        """A device shows the same as the one that has shared it, and nothing of it is unread."""
        self.let_die(self.laptop)
        self.share()
        self.come_back(self.laptop)
        self.assertEqual(self.seen(self.laptop), self.seen(self.alice))
        self.assertEqual(self.laptop.room("lobby").unread, 0)
