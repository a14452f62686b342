"""A short version of ``make file-kills``, and what it counts."""

from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.demo.carriage import Carriage, again
from chatserv.testing.demo.file_kills import MOST_AGAIN, Verdict, campaign
from chatserv.testing.processes import ProgramError
from chatserv.testing.stores import POSTGRES, SQLITE
from tests.support.postgres import require_programs

KILLS = 6
KILLS_ON_POSTGRES = 4


class FileKillsTests(SynchronousTestCase):
    """Real programs, killed while they carry files."""

    def check(self, store: str, kills: int, files: int) -> None:
        """So many kills cost at most a MiB each and no byte, and leave nothing behind."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir(mode=0o700)
        verdict = campaign(directory, store, kills)
        self.assertEqual((kills, files), (verdict.kills.total(), verdict.files))
        self.assertLess(verdict.between, kills)
        self.assertTrue(verdict.again)
        self.assertTrue(verdict.good, str(verdict))

    def test_sqlite(self) -> None:
        """With the store in a file."""
        self.check(SQLITE, KILLS, 2)

    def test_postgres(self) -> None:
        """With the store in a PostgreSQL of their own."""
        require_programs()
        self.check(POSTGRES, KILLS_ON_POSTGRES, 1)


class CountingTests(SynchronousTestCase):
    """What is counted, without a server."""

    def test_again(self) -> None:
        """What goes once more is counted from where a file was at most, each time that it is gone on with."""
        self.assertEqual([], again([(0, 10), (10, 10)]))
        self.assertEqual([20, 5], again([(0, 10), (10, 10), (0, 10), (10, 10), (20, 10), (25, 5)]))
        self.assertEqual([10, 15], again([(0, 20), (10, 5), (5, 5)]))

    def test_cut_line(self) -> None:
        """A line within which the program was killed is no piece, and takes nothing from the next one."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir(mode=0o700)
        journal = directory / "1.up"
        journal.write_text("piece 0 4096 .\npiece 4096 40")
        carriage = Carriage(directory, "alice", journal.name, "nothing that it can do")
        carriage.start()
        self.assertRaises(ProgramError, carriage.finish)
        with journal.open("a") as more:
            more.write("piece 4096 8192 .\n")
        self.assertEqual([(0, 4096), (4096, 8192)], carriage.pieces())

    def test_verdict(self) -> None:
        """One byte too many, one wrong file, one half, one that is left or one unfinished is too much."""
        self.assertTrue(Verdict(Counter(server=1), again=[MOST_AGAIN]).good)
        few = Verdict(wrong=1), Verdict(halves=1), Verdict(left=1), Verdict(parts=1)
        for bad in (Verdict(again=[MOST_AGAIN + 1]), *few):
            self.assertFalse(bad.good, str(bad))
