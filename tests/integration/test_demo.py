"""The demonstration, as ``make demo`` runs it."""

import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.display import missing, why_no_window
from chatserv.testing.irssi import IRSSI
from chatserv.testing.processes import child_environment
from tests.support.postgres import require_programs

SECONDS = 300
WHOLE_SECONDS = 600
LINES = "400"  # of the honest: as many on a busy machine, which takes longer


def play(directory: Path, module: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts a play."""
    return subprocess.Popen(
        [sys.executable, "-m", f"chatserv.testing.{module}", *arguments],
        cwd=directory,
        env=child_environment(directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class PlayCase(SynchronousTestCase):
    """Plays; what one has printed that should not is shown whole."""

    maxDiff = None


class DemoTests(PlayCase):
    """Both plays, at once, since each has a server of its own."""

    def test_demo(self) -> None:
        """With the real client nothing is lost, doubled or reordered; the oracle sees what a faulty client does."""
        with (
            tempfile.TemporaryDirectory() as name,
            play(Path(name), "demo.run") as good,
            play(Path(name), "demo.run", "--break") as broken,
        ):
            try:
                outcomes = [(*one.communicate(timeout=WHOLE_SECONDS), one.returncode) for one in (good, broken)]
            finally:
                for one in (good, broken):
                    one.kill()
        (shown, errors, code), (broken_shown, broken_errors, broken_code) = outcomes
        self.assertEqual((code, errors, broken_code, broken_errors), (0, "", 1, ""), shown)
        self.assertEqual(shown.splitlines()[-1], "0 lost, 0 doubled, order equal")
        self.assertTrue(broken_shown.splitlines()[-1].startswith("1 lost, 1 doubled, "))
        checks = 24 if why_no_window() else 25
        for words in (
            *("killed with SIGKILL", "started again", "<alice> alice says line 20", "<bob> bob says line 20"),
            *("carol reads  <alice> Good morning, carol.", "the safety number is the same on both sides"),
            *(
                "the terminal shows it at once",
                "the laptop has the first, and the second nowhere",
                f"{checks} of {checks} checks hold",
            ),
            *("carol has the first, and the second in none of her files", "both devices show the same six words"),
        ):
            self.assertIn(words, shown)
        self.assertNotIn("FAILS", shown)
        irssi = "plain connection" if missing(IRSSI) else "bob types  /msg *chatserv #lobby file /"
        self.assertIn(irssi, shown)


class HonestTests(PlayCase):
    """A short version of ``make honest``."""

    def test_nobody_is_accused(self) -> None:
        """Where everybody is honest, and some are killed, nobody is told that anything was lost or withheld."""
        with (
            tempfile.TemporaryDirectory() as name,
            play(Path(name), "demo.honest", "--lines", LINES, "--seed", "1") as one,
        ):
            try:
                shown, errors = one.communicate(timeout=2 * SECONDS)
            finally:
                one.kill()
        self.assertEqual((one.returncode, errors), (0, ""), shown)
        self.assertEqual(shown.splitlines()[-1], "0 false alarms")
        self.assertRegex(shown, r"seed 1\n-- [1-9][0-9]{2,} lines; .*\b(kill|restart|pause|mute|kick|new device)")


class KillsTests(PlayCase):
    """A short version of ``make kills``."""

    def test_three(self) -> None:
        """Three kills with lines under way lose, double and reorder nothing."""
        self.lose_nothing("--kills", "3")

    def test_restart(self) -> None:
        """Nor does a restart as for a new version, and it says how long everybody was away."""
        self.assertRegex(
            self.lose_nothing("--restart", "--kills", "1"), r"1 restarts, .* everybody back after [0-9.]+ s"
        )

    def test_postgres(self) -> None:
        """Nor does a kill where the store is in a PostgreSQL of the play's own, which ends with it."""
        require_programs()
        self.lose_nothing("--store", "postgres", "--kills", "1")

    def lose_nothing(self, *arguments: str) -> str:
        """What is printed, which ends with a good verdict."""
        with tempfile.TemporaryDirectory() as name, play(Path(name), "demo.kills", *arguments) as one:
            try:
                shown, errors = one.communicate(timeout=SECONDS)
            finally:
                one.kill()
        self.assertEqual((one.returncode, errors), (0, ""), shown)
        self.assertEqual(shown.splitlines()[-1], "0 lost, 0 doubled, order equal")
        return shown
