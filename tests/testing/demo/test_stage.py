"""What the scenes of the demonstration share."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import cast
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.demo import stage as stage_module
from chatserv.testing.demo.stage import Check, Stage, wait_until
from chatserv.testing.processes import ServerProgram


class StageTests(SynchronousTestCase):
    """Checks, and what is in whose files."""

    def setUp(self) -> None:
        """A stage without a server."""
        self.directory = Path(self.mktemp())
        (self.directory / "profiles" / "alice").mkdir(parents=True)
        self.stage = Stage(cast(ServerProgram, mock.Mock(directory=self.directory)))

    def test_checks(self) -> None:
        """Each check is told and kept, whatever comes of it."""
        with redirect_stdout(StringIO()) as printed:
            self.stage.check("one", good=True)
            self.stage.check("two", good=False)
        self.assertEqual(self.stage.checks, [Check("one", True), Check("two", False)])
        self.assertEqual(printed.getvalue(), "   holds: one\n   FAILS: two\n")

    def test_canaries(self) -> None:
        """What a person's programs have kept and printed is searched, and nobody else's."""
        flock = Flock.hatch(("kept", "printed", "of another"))
        (self.directory / "profiles" / "alice" / "client.db").write_text(flock["kept"].text)
        (self.directory / "alice-plans.out").write_text(flock["printed"].text)
        (self.directory / "bob-plans.out").write_text(flock["of another"].text)
        self.assertEqual(self.stage.canaries("alice", flock), {"kept", "printed"})

    def test_transcript(self) -> None:
        """What is typed and seen is told, without the lines of a QR code."""
        with (
            mock.patch.object(stage_module, "run_client", return_value="before\n█▀▄ █\nafter\n") as run,
            redirect_stdout(StringIO()) as printed,
        ):
            self.assertEqual(self.stage.do("alice", "/one", "two"), "before\n█▀▄ █\nafter\n")
        run.assert_called_once_with(self.directory, "alice", "--command", "/one", "--command", "two")
        lines = ["alice types  /one", "alice types  two", "alice sees   before", "alice sees   after"]
        self.assertEqual(printed.getvalue().splitlines(), [f"   {line}" for line in lines])


class WaitTests(SynchronousTestCase):
    """Waiting."""

    def test_wait(self) -> None:
        """It ends when the thing has come to be, and at the latest when the time is over."""
        answers = iter((False, False, True))
        self.assertTrue(wait_until(lambda: next(answers)))
        self.assertFalse(wait_until(lambda: False, seconds=0))
