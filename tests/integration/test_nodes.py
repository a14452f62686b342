"""Several nodes with the real programs: ``make cluster`` and ``make demo-cluster``, and operators of one who ask another."""

import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.demo.stage import wait_until
from tests.integration.test_demo import WHOLE_SECONDS, play
from tests.support.nats import require_program
from tests.support.postgres import require_programs

SECONDS = 120
PLACE = re.compile(r"^-- node (\w)  (\S+)  process \d+, state in (\S+)$", re.MULTILINE)


class NodesTests(SynchronousTestCase):
    """On this machine."""

    def setUp(self) -> None:
        """What they need is there."""
        require_programs()
        require_program()

    def test_demo(self) -> None:
        """A node is killed, and nothing is lost, doubled or reordered; the oracle sees what a faulty client does."""
        with (
            tempfile.TemporaryDirectory() as name,
            play(Path(name), "demo.cluster") as good,
            play(Path(name), "demo.cluster", "--break") as broken,
        ):
            try:
                outcomes = [(*one.communicate(timeout=WHOLE_SECONDS), one.returncode) for one in (good, broken)]
            finally:
                for one in (good, broken):
                    one.kill()
        (shown, errors, code), (broken_shown, broken_errors, broken_code) = outcomes
        self.assertEqual((code, errors, broken_code, broken_errors), (0, "", 1, ""), shown)
        self.assertEqual(shown.splitlines()[-1], "0 lost, 0 doubled, order equal")
        self.assertRegex(broken_shown.splitlines()[-1], r"^[1-9] lost, [1-9] doubled, ")
        for words in ("node a killed with SIGKILL", "holds: carol's program is on node c", "<carol> carol says line 5"):
            self.assertIn(words, shown)

    def test_by_hand(self) -> None:
        """Nodes that somebody starts for themselves: each says how the others are, and one lets another end."""
        with tempfile.TemporaryDirectory() as name, play(Path(name), "cluster", "--nodes", "2") as nodes:
            patience = threading.Timer(WHOLE_SECONDS, nodes.kill)
            patience.start()
            self.addCleanup(patience.cancel)
            try:
                assert nodes.stdout is not None
                shown = ""
                while "Ctrl-C" not in shown:
                    line = nodes.stdout.readline()
                    self.assertTrue(line, shown)
                    shown += line
                self.assertRegex(shown, "chatserv://127.0.0.1:[0-9]+,127.0.0.1:[0-9]+/")
                (_, here, state), (_, there, other) = PLACE.findall(shown)
                self.assertRegex(
                    self.status(state, there), f"state in +{other}\n(?s:.*)other node .*, {here}, sessions: 0\n"
                )
                self.assertIn("changed: ", self.operate(state, "reload", "--node", there))
                self.operate(state, "drain", "--node", there)
                self.assertIn("node b has ended with 0", nodes.stdout.readline())
                nodes.send_signal(signal.SIGINT)
                self.assertEqual((nodes.wait(SECONDS), *nodes.communicate()), (0, "", ""))
            finally:
                nodes.terminate()

    def status(self, state: str, node: str) -> str:
        """What it says once it has heard of the other one."""
        self.assertTrue(wait_until(lambda: f", {node}, " in self.operate(state, "status")))
        told: list[str] = []

        def is_told() -> bool:
            told.append(self.operate(state, "status", "--node", node))
            return "other node " in told[-1]

        self.assertTrue(wait_until(is_told), told[-1])  # nor had that one heard of us
        return told[-1]

    def operate(self, state: str, *words: str) -> str:
        """What the command prints."""
        command = [sys.executable, "-m", "chatserv", "--state-dir", state, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout
