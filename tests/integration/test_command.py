"""The command ``chatserv`` and a real server: it is started, asked, killed, started again, and ended."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.failpoints import VARIABLE
from chatserv.testing.processes import START_SECONDS, STOP_SECONDS, ServerProgram, child_environment, free_port

COMMAND = (sys.executable, "-m", "chatserv")


class ServerTests(SynchronousTestCase):
    """A server under ``chatserv run``."""

    def setUp(self) -> None:
        """Its settings, and the longest state directory that anybody wants."""
        self.base = Path(self.mktemp()).absolute()
        self.base.mkdir()
        self.port = free_port()
        settings = {"server": {"host": "127.0.0.1", "port": self.port}, "monitoring": {"enabled": False}}
        (self.base / "settings.json").write_text(json.dumps(settings))
        self.state = self.base / ("long" * 30)

    def command(self, *arguments: str) -> list[str]:
        """A command line."""
        return [*COMMAND, "--config", str(self.base / "settings.json"), "--state-dir", str(self.state), *arguments]

    def ask(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and answer."""
        environment = child_environment(self.base)
        done = subprocess.run(
            self.command(*arguments, "--json"),
            env=environment, capture_output=True, text=True, timeout=START_SECONDS, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    def start(self) -> subprocess.Popen[bytes]:
        """A server that answers."""
        environment = child_environment(self.base)
        with (self.base / "out").open("ab") as out:
            server = subprocess.Popen(self.command("run"), env=environment, stdout=out, stderr=out)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        deadline = time.monotonic() + START_SECONDS
        while self.ask("status")[0]:
            self.assertIsNone(server.poll(), (self.base / "out").read_text())
            self.assertLess(time.monotonic(), deadline)
        return server

    def test_life(self) -> None:
        """It is asked over its socket, also after a kill -9 and a new start; a change is told on both ways alike."""
        server = self.start()
        self.assertEqual(server.pid, self.ask("status")[1]["pid"])
        self.assertEqual(0, self.ask("ban", "add", "address", "192.0.2.1")[0])
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        self.assertEqual((1, "not_done"), (self.ask("status")[0], self.ask("status")[1]["error"]["code"]))
        self.assertTrue((self.state / "control").is_socket())
        code, without = self.ask("ban", "list")
        self.assertEqual((0, f"uid {os.getuid()}"), (code, without["bans"][0]["by"]))
        server = self.start()
        self.assertEqual((0, without), self.ask("ban", "list"))
        self.assertIn('"way":"socket","result":"ok"', (self.state / "logs" / "audit.log").read_text())
        os.kill(server.pid, signal.SIGTERM)
        self.assertEqual(0, server.wait(STOP_SECONDS))
        self.assertFalse((self.state / "control").exists())


class EndTests(SynchronousTestCase):
    """An end on which something fails."""

    def test_rest_is_done(self) -> None:
        """The failure is in the log, and what comes behind it is done all the same: no thread keeps the process alive."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        server = ServerProgram(directory, {"monitoring": {"enabled": False}})
        server.environment = {VARIABLE: "stop.draining=raise stop.drained=raise stop.closed=raise"}
        server.start()
        self.addCleanup(server.stop)
        until = time.monotonic() + START_SECONDS
        while " listening on " not in server.output:  # it takes connections before it takes signals
            self.assertIsNone(server.code)
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)
        self.assertEqual(server.stop(), 0)
        said = server.output
        self.assertEqual(said.count("something fails at the end"), 3, said)
        self.assertIn("] stopped\n", said)
        self.assertFalse((server.state / "control").exists())
