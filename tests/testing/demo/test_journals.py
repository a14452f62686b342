"""Clients' journals, and what is found wrong with them."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.demo.journals import Journal, Judgement, Shown, judge

ONE, TWO, THREE = (bytes([number]) * 16 for number in (1, 2, 3))
SHOWN = [(5, "ann", ONE), (6, "bob", TWO), (7, "ann", THREE)]


def journals() -> tuple[Journal, Journal]:
    """Ann has sent two messages and bob one; all are acknowledged."""
    ann, bob = Journal("ann"), Journal("bob")
    for who, message_id, seq in ((ann, ONE, 5), (ann, THREE, 7), (bob, TWO, 6)):
        who.send(message_id)
        who.acknowledge(message_id, seq)
    return ann, bob


class JudgeTests(SynchronousTestCase):
    """What it finds, and nothing else."""

    def assert_found(self, *readers: list[Shown], **counts: int) -> None:
        """That is wrong with what they were shown."""
        found = judge(journals(), {f"reader {number}": shown for number, shown in enumerate(readers)})
        self.assertEqual(found, Judgement(**counts))

    def test_good(self) -> None:
        """Everything once, in one order."""
        found = judge(journals(), {"cid": SHOWN, "dan": SHOWN})
        self.assertEqual((found, found.good, str(found)), (Judgement(), True, "0 lost, 0 doubled, 0 reordered"))

    def test_lost(self) -> None:
        """An acknowledged message that one reader was not shown; the place in the middle is a gap too."""
        self.assert_found(SHOWN, SHOWN[:2], lost=1)
        self.assert_found(SHOWN[:1] + SHOWN[2:], lost=1, gaps=1)

    def test_doubled(self) -> None:
        """A copy too many."""
        self.assert_found([*SHOWN, SHOWN[2]], doubled=1)

    def test_phantom(self) -> None:
        """What nobody has sent, and what is put into another's mouth."""
        self.assert_found([*SHOWN, (8, "ann", bytes(16))], phantoms=1)
        self.assertEqual(judge(journals(), {"cid": [(5, "bob", ONE), *SHOWN[1:]]}).phantoms, 1)

    def test_moved(self) -> None:
        """A message at another place than was acknowledged, or than somebody else has it at."""
        self.assert_found([*SHOWN[:2], (8, "ann", THREE)], moved=1, gaps=1)
        unknown = Journal("ann")
        unknown.send(ONE)
        self.assertEqual(judge([unknown], {"cid": [(5, "ann", ONE)], "dan": [(6, "ann", ONE)]}), Judgement())
        unknown.send(TWO)
        found = judge([unknown], {"cid": [(5, "ann", ONE)], "dan": [(5, "ann", TWO)]})
        self.assertEqual((found.moved, found.good), (1, False))

    def test_acknowledged_twice(self) -> None:
        """A message that is acknowledged at two places is at none."""
        ann, bob = journals()
        ann.acknowledge(ONE, 5)
        self.assertTrue(judge([ann, bob], {"cid": SHOWN}).good)
        ann.acknowledge(ONE, 9)
        self.assertEqual(judge([ann, bob], {"cid": SHOWN}), Judgement(moved=1))

    def test_reordered(self) -> None:
        """Two readers with two orders; and one whose order is not the writer's."""
        other = [SHOWN[1], SHOWN[0], SHOWN[2]]
        self.assert_found(SHOWN, other, reordered=1)
        self.assert_found([SHOWN[2], SHOWN[1], SHOWN[0]], reordered=1)

    def test_refused(self) -> None:
        """A refused message is nowhere; one that was acknowledged later, when it was sent again, is no refused one."""
        ann, bob = journals()
        ann.send(four := bytes([4]) * 16)
        ann.refuse(four, "storage_full")
        self.assertTrue(judge([ann, bob], {"cid": SHOWN}).good)
        shown = [*SHOWN, (8, "ann", four)]
        self.assertEqual(judge([ann, bob], {"cid": shown}), Judgement(ghosts=1))
        ann.acknowledge(four, 8)
        self.assertTrue(judge([ann, bob], {"cid": shown}).good)

    def test_unknown(self) -> None:
        """One of which nothing is known may be there once, or not."""
        ann, bob = journals()
        ann.send(four := bytes([4]) * 16)
        ann.lose_sight()
        self.assertEqual(ann.unknown, {four})
        for more in ([], [(8, "ann", four)]):
            self.assertTrue(judge([ann, bob], {"cid": SHOWN + more}).good)
        twice = [*SHOWN, (8, "ann", four), (9, "ann", four)]
        self.assertEqual(judge([ann, bob], {"cid": twice}), Judgement(doubled=1))

    def test_stale_read(self) -> None:
        """Whoever was told that a message is stored, and then of a shorter room, read what is old."""
        ann, bob = journals()
        ann.read(7)
        self.assertTrue(judge([ann, bob], {"cid": SHOWN}).good)
        ann.read(6)
        found = judge([ann, bob], {"cid": SHOWN})
        self.assertEqual((found, "1 stale reads" in str(found)), (Judgement(stale_reads=1), True))

    @settings(deadline=None)
    @given(st.permutations(SHOWN), st.lists(st.sampled_from(SHOWN), max_size=2))
    def test_any(self, shown: list[Shown], more: list[Shown]) -> None:
        """Only the whole, once and in order, is good."""
        self.assertEqual(judge(journals(), {"cid": shown + more}).good, shown + more == SHOWN)

    def test_file(self) -> None:
        """A journal is lines of JSON: when, what, which message, and what came of it."""
        path = Path(self.mktemp())
        ann = Journal("ann", path)
        ann.send(ONE)
        ann.lose_sight()
        ann.acknowledge(ONE, 5)
        ann.read(5)
        ann.close()
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual(
            [(line["op"], line["result"]) for line in lines], [("send", None), ("unknown", 1), ("ok", 5), ("read", 5)]
        )
        self.assertEqual(lines[0]["id"], ONE.hex())
