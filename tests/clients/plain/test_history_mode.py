"""``chatserv-client --export`` and ``--import``, without a server."""

from chatserv.client import Imported, Status, StatusChanged
from tests.clients.program_fakes import ProgramTestCase


class HistoryModeTests(ProgramTestCase):
    """One's own history, to a file and from one."""

    def test_export(self) -> None:
        """What the file means is said before it is written; no connection is needed."""
        self.program("--export", "/tmp/of mine", online=False)
        self.assertEqual(self.client.calls, [])
        self.reactor.advance(0)
        self.assertEqual(self.client.calls, [("export", "/tmp/of mine")])
        self.assert_ended(0)
        self.assertRegex(self.errors.getvalue(), r"^/tmp/of mine will hold .*will not be sealed")
        self.assertEqual(self.lines[0], "Messages written to /tmp/of mine: 5.")

    def test_import(self) -> None:
        """A file is read once the log is here; where lines were refused, scripts see 5."""
        self.program("--import", "/tmp/of mine", online=False)
        self.reactor.advance(0)
        self.assertEqual(self.client.calls, [])
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual(self.client.calls, [("import", "/tmp/of mine")])
        self.assert_ended(5)
        self.assertIn("Line 7: wrong", self.lines)
        self.program("--import", "/tmp/of mine", online=False)
        self.client.imported = Imported(5, whole=True)
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_ended(0)
        self.assertEqual(self.lines, ["Messages imported: 5."])

    def test_alone(self) -> None:
        """They go with nothing else."""
        for other in (("--send",), ("--follow",), ("--invite",), ("--command", "/who"), ("--import", "x")):
            self.assertRaises(SystemExit, self.program, "--export", "y", *other)
