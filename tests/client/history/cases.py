"""What tests of shared histories have in common, whoever shares with whom."""

import json
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Exported, HistoryReceived
from chatserv.client.history.writing import HistoryWriter
from chatserv.testing.world import Person

CANARY = "canary in the coal mine"


class HistoryCase(SynchronousTestCase):
    """Alice shares, and may lie."""

    def seen_in(self, person: Person, room: str) -> list[tuple[Any, ...]]:
        """What is shown of a room."""
        return [
            (each.seq, each.at_ms, each.sender, each.message_id, each.text, each.edited, each.reactions, each.unproved)
            for each in person.room(room).history(1000)
        ]

    def rewritten(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """What is shared from now on has lines that were changed on the way."""
        true = HistoryWriter.fill

        async def fill(writer: HistoryWriter, write: Any, rooms: Any) -> Exported:
            def other(line: bytes) -> None:
                write(json.dumps(change(json.loads(line))).encode() + b"\n")

            return await true(writer, other, rooms)

        self.patch(HistoryWriter, "fill", fill)

    def forge(self) -> None:
        """One of the lines says from now on what nobody has signed."""

        def change(line: dict[str, Any]) -> dict[str, Any]:
            forged = line.get("text") == f"bob 1 {CANARY}"
            return {**line, "text": "bob owes me money"} if forged else line

        self.rewritten(change)

    def assert_forged_refused(self, heard: HistoryReceived, seen: list[tuple[Any, ...]]) -> None:
        """That line was refused and named; the others were taken."""
        imported = heard.imported
        assert imported is not None
        self.assertEqual((imported.messages, imported.refusals), (5, 1))
        self.assertEqual([each.reason for each in imported.refused], ["history: the text is not what was signed"])
        self.assertNotIn("bob owes me money", str(seen))
