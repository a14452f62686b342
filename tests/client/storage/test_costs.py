"""What is asked for each message costs the same, however much is kept; counted in steps of SQLite, not in seconds."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.database import Database
from chatserv.client.storage.messages import Archive
from chatserv.client.storage.outbox import OutboxTable
from tests.client.storage.test_messages import ROOM, message

MANY = 2000
MOST_STEPS = 400


class CostTests(SynchronousTestCase):
    """A room with many messages."""

    def setUp(self) -> None:
        """Fills it."""
        self.database = Database.open(None)
        self.addCleanup(self.database.close)
        self.archive, self.outbox = Archive(self.database), OutboxTable(self.database)
        with self.database.transaction():
            for seq in range(1, MANY + 1):
                each = message(seq)
                self.archive.add(each)
                self.outbox.add(each.message_id, ROOM, 1, b"body")
                self.outbox.seal(each.message_id, b"content", b"envelope", 3, seq)

    def test_one_transaction(self) -> None:
        """Of many messages in one transaction each takes a few statements, and what they have in common is written once."""
        asked: list[str] = []
        self.database.connection.set_trace_callback(asked.append)
        with self.database.transaction():
            for seq in range(MANY + 1, MANY + 51):
                self.archive.add(message(seq))
        self.database.connection.set_trace_callback(None)
        self.assertLessEqual(sum(not sql.startswith("-- ") for sql in asked), 2 * 50 + 6)  # and what FTS5 does itself
        self.assertLessEqual(len(asked), 4 * 50 + 20)

    def steps(self, work: Callable[[], object]) -> int:
        """How many steps SQLite takes."""
        counted: list[None] = []
        self.database.connection.set_progress_handler(lambda: counted.append(None), 1)
        work()
        self.database.connection.set_progress_handler(None, 1)
        return len(counted)

    def test_asked_for_each_message(self) -> None:
        """Finding by id, by place and by generation, an edit, a sign, a receipt."""
        target = message(MANY // 2)
        cases: dict[str, Callable[[], object]] = {
            "by id": lambda: self.archive.by_id(ROOM, target.message_id, target.sender),
            "not there": lambda: self.archive.by_id(ROOM, b"x" * 16),
            "by place": lambda: self.archive.get(ROOM, target.seq),
            "edit": lambda: self.archive.mark_edited(ROOM, target.message_id, b"", MANY + 1),
            "sign": lambda: self.archive.react(ROOM, target.message_id, "bob", "+1", True),
            "receipt": lambda: self.archive.add_receipt(ROOM, target.message_id, "bob"),
            "by generation": lambda: self.outbox.by_generation(ROOM, 3, 5),
            "last pages": lambda: self.archive.last(ROOM, 3),
        }
        found = {name: self.steps(work) for name, work in cases.items()}
        self.assertEqual({name: steps for name, steps in found.items() if not 0 < steps < MOST_STEPS}, {})
